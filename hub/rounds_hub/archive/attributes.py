"""What the catalogue keeps of a data set so that it can be searched (PS3.4, C.6).

A level has columns of its own for what is asked for most, and one JSON column,
``attributes``, for the rest. Its keys are keywords (PS3.6); a value is a text, a list
of texts where an attribute may have several, and a list of objects for a sequence.
Beside a value may stand how it is compared: under ``~`` and the keyword a name's
component groups or a time of full length, under ``@`` and the keyword of a date (or of
a date with time) the moment, under ``@@`` the same in UTC where the zone is known.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword

from rounds_hub.archive.moments import clock, day, in_utc, moment, moment_of
from rounds_hub.archive.names import groups_of, words_of
from rounds_hub.archive.texts import CHARACTER_SET, Texts
from rounds_hub.archive.walking import walk_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rounds_hub.archive.walking import Bytes, Limits, Syntax, Walk

__all__ = [
    "KEPT",
    "KEYS_VERSION",
    "PAIRS",
    "SEARCHED",
    "SEQUENCES",
    "Kept",
    "Level",
    "kept_of",
    "tag_of",
]

KEYS_VERSION: Final = 1
"""Raised when more is kept: instances with a lower one are read again."""
MOST_VALUES: Final = 32
LONGEST: Final = 1024
MOST_KEPT: Final = 64
LARGEST_KEPT: Final = 2**14
"""How many sets of values are remembered as read, and how large one may be."""
ZONE: Final = "TimezoneOffsetFromUTC"


class Level(StrEnum):
    """A level of the information models (PS3.4, C.6.1.1), as it is called there."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


_CODE: Final = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
SEQUENCES: Final[dict[str, tuple[str, ...]]] = {
    "OtherPatientIDsSequence": ("PatientID", "IssuerOfPatientID", "TypeOfPatientID"),
    "ProcedureCodeSequence": _CODE,
    "IssuerOfAccessionNumberSequence": (
        "LocalNamespaceEntityID",
        "UniversalEntityID",
        "UniversalEntityIDType",
    ),
    "RequestAttributesSequence": (
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
        "AccessionNumber",
        "StudyInstanceUID",
        "RequestedProcedureDescription",
        "ScheduledProcedureStepDescription",
    ),
    "AnatomicRegionSequence": _CODE,
    "ConceptNameCodeSequence": _CODE,
}
"""The sequences that are kept, and which attributes of their items."""

KEPT: Final[dict[Level, tuple[str, ...]]] = {
    Level.STUDY: (
        "PatientBirthTime", "OtherPatientIDs", "OtherPatientNames",
        "OtherPatientIDsSequence", "EthnicGroup", "PatientComments",
        "ResponsiblePerson", "PatientIdentityRemoved", "PatientSize",
        "PatientWeight", "Occupation", "AdditionalPatientHistory",
        "ReferringPhysicianName", "NameOfPhysiciansReadingStudy",
        "AdmittingDiagnosesDescription", "ProcedureCodeSequence",
        "IssuerOfAccessionNumberSequence", ZONE,
    ),
    Level.SERIES: (
        "SeriesNumber", "SeriesDate", "SeriesTime", "Laterality", "ProtocolName",
        "Manufacturer", "ManufacturerModelName", "InstitutionName",
        "InstitutionalDepartmentName", "StationName", "DeviceSerialNumber",
        "SoftwareVersions", "PerformingPhysicianName", "OperatorsName",
        "PatientPosition", "FrameOfReferenceUID", "PerformedProcedureStepID",
        "PerformedProcedureStepDescription", "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime", "RequestAttributesSequence",
        "AnatomicRegionSequence", ZONE,
    ),
    Level.IMAGE: (
        "InstanceNumber", "ContentDate", "ContentTime", "AcquisitionDate",
        "AcquisitionTime", "AcquisitionDateTime", "AcquisitionNumber", "ImageType",
        "Rows", "Columns", "BitsAllocated", "NumberOfFrames", "ContentLabel",
        "ContentDescription", "ConceptNameCodeSequence", "CompletionFlag",
        "VerificationFlag", "ObservationDateTime", "DocumentTitle",
        "ContentCreatorName", ZONE,
    ),
}  # fmt: skip
"""What the JSON column of each level keeps; that of a study has the patient's, too."""

PAIRS: Final[dict[str, str]] = {
    "StudyDate": "StudyTime",
    "SeriesDate": "SeriesTime",
    "PerformedProcedureStepStartDate": "PerformedProcedureStepStartTime",
    "ContentDate": "ContentTime",
    "AcquisitionDate": "AcquisitionTime",
}
"""The dates and times that are one moment (PS3.4, C.2.2.2.5.4)."""


def tag_of(keyword: str) -> int:
    """Return the tag of *keyword*, which the dictionary (PS3.6) must have."""
    # Some retired attributes have no keyword: nothing would name them.
    tag = tag_for_keyword(keyword) if keyword else None
    if tag is None:
        msg = f"PS3.6 has no attribute {keyword!r}."
        raise ValueError(msg)
    return tag


_STUDY_COLUMNS: Final = (
    "StudyDate", "StudyTime", "StudyID", "PatientBirthDate", "IssuerOfPatientID",
    "PatientName",
)  # fmt: skip
_TAGS: Final = {
    keyword: tag_of(keyword)
    for level in KEPT.values()
    for keyword in (*level, *_STUDY_COLUMNS)
}
SEARCHED: Final = frozenset(_TAGS.values())
"""The tags that a walk must find for :func:`kept_of`."""
_VRS: Final = {tag: dictionary_VR(tag) for tag in SEARCHED}
_MANY: Final = frozenset(tag for tag in SEARCHED if dictionary_VM(tag) != "1")
_ITEM_TAGS: Final = {
    name: {keyword: tag_of(keyword) for keyword in inner}
    for name, inner in SEQUENCES.items()
}


@dataclass(frozen=True, slots=True)
class Kept:
    """The columns for searching, by their names in each table."""

    study: dict[str, Any] = field(default_factory=dict)
    series: dict[str, Any] = field(default_factory=dict)
    instance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Source:
    """A data set that was walked over."""

    data: Bytes
    found: Walk
    texts: Texts
    syntax: Syntax
    limits: Limits


def kept_of(data: Bytes, found: Walk, syntax: Syntax, limits: Limits) -> Kept:
    """Return what is kept of the data set in *data*, which was walked over.

    What cannot be read is left out: it makes an instance harder to find, not refused.
    """
    texts = Texts(found.values, syntax.order)
    source = _Source(data, found, texts, syntax, limits)
    return Kept(
        _once(source, Level.STUDY, _study),
        _once(source, Level.SERIES, _series),
        {
            "attributes": _attributes(source, KEPT[Level.IMAGE]),
            "keys_version": KEYS_VERSION,
        },
    )


_OF_STUDY: Final = (*KEPT[Level.STUDY], *_STUDY_COLUMNS)
_READ_ONCE: Final = {
    Level.STUDY: tuple(_TAGS[keyword] for keyword in _OF_STUDY),
    Level.SERIES: tuple(_TAGS[keyword] for keyword in KEPT[Level.SERIES]),
}
_LATELY: dict[tuple[object, ...], dict[str, Any]] = {}


def _once(
    source: _Source, level: Level, read: Callable[[_Source], dict[str, Any]]
) -> dict[str, Any]:
    """Return what *read* reads, which the instances of a series mostly have alike."""
    there, places = source.found.values, source.found.sequences
    tags = _READ_ONCE[level]
    raw = tuple(there.get(tag) for tag in (CHARACTER_SET, *tags))
    items = tuple(
        tuple(source.data[start:end] for start, end in places.get(tag, ()))
        for tag in tags
    )
    if sum(map(len, chain(filter(None, raw), *items))) > LARGEST_KEPT:
        return read(source)
    key = (level, source.syntax, raw, items)
    known = _LATELY.get(key)
    if known is None:
        known = read(source)
        if len(_LATELY) >= MOST_KEPT:
            _LATELY.clear()
        _LATELY[key] = known
    return known


def _series(source: _Source) -> dict[str, Any]:
    """Return the columns of a series."""
    return {"attributes": _attributes(source, KEPT[Level.SERIES])}


def _study(source: _Source) -> dict[str, Any]:
    """Return the columns of a study."""
    texts = source.texts
    name = texts.text(_TAGS["PatientName"])
    alphabetic, ideographic, phonetic = groups_of(name)
    attributes = _attributes(source, KEPT[Level.STUDY])
    date, time = (texts.code(_TAGS[one]) for one in ("StudyDate", "StudyTime"))
    at = moment(date, time)
    if at and (zone := attributes.get(ZONE)):
        attributes["@@StudyDate"] = in_utc(at, zone)
    return {
        "time": time[:16],
        "moment": at,
        "study_id": texts.text(_TAGS["StudyID"], 64),
        "birth_date": day(texts.code(_TAGS["PatientBirthDate"])),
        "issuer": texts.text(_TAGS["IssuerOfPatientID"], 64),
        "name_alphabetic": alphabetic,
        "name_ideographic": ideographic,
        "name_phonetic": phonetic,
        "name_words": words_of(name),
        "attributes": attributes,
    }


def _attributes(source: _Source, keywords: Iterable[str]) -> dict[str, Any]:
    """Return the JSON column of a level with *keywords*."""
    there = source.found.values
    kept: dict[str, Any] = {}
    for keyword in keywords:
        tag = _TAGS[keyword]
        if keyword in SEQUENCES:
            if items := _items(source, keyword):
                kept[keyword] = items
        elif tag in there and (values := _values(source.texts, tag)):
            kept[keyword] = values if tag in _MANY else values[0]
            kept |= _compared(keyword, _VRS[tag], values)
    return kept | _moments(kept)


def _values(texts: Texts, tag: int) -> list[str]:
    """Return the values of *tag* as texts, none if it is empty."""
    vr = _VRS[tag]
    if vr == "US":
        number = texts.short(tag)
        return [] if number is None else [str(number)]
    if vr in {"LT", "ST", "UT"}:
        whole = texts.text(tag)
        return [whole] if whole else []
    written = texts.text(tag) if vr in {"LO", "PN", "SH"} else texts.code(tag)[:LONGEST]
    if tag not in _MANY and vr in {"LO", "SH"}:
        return [written] if written else []
    each = (_plain(vr, one.strip(" ")) for one in written.split("\\")[:MOST_VALUES])
    return [one for one in each if one]


def _plain(vr: str, value: str) -> str:
    """Return a number without leading zeros, a name without what is empty in it."""
    if vr == "PN":
        return value.rstrip("=^ ")
    if vr == "IS":
        with contextlib.suppress(ValueError):
            return str(int(value))
    return value


def _compared(keyword: str, vr: str, values: list[str]) -> dict[str, Any]:
    """Return how *values* are compared where that is not as they stand."""
    if vr == "PN":
        groups = [group for name in values for group in groups_of(name) if group]
        return {f"~{keyword}": groups}
    if vr == "TM" and (full := clock(values[0])):
        return {f"~{keyword}": full}
    if vr == "DT" and (at := moment_of(values[0])):
        local, utc = at
        return {f"@{keyword}": local} | ({f"@@{keyword}": utc} if utc else {})
    return {}


def _moments(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the moments of those dates that are *kept*."""
    found: dict[str, Any] = {}
    for date, time in PAIRS.items():
        if date in kept and (at := moment(kept[date], kept.get(time, ""))):
            found[f"@{date}"] = at
    zone = kept.get(ZONE)
    if zone:
        every = [name for name in (*kept, *found) if name.startswith("@")]
        for name in every:
            local = found.get(name) or kept[name]
            if not name.startswith("@@") and f"@{name}" not in kept:
                found[f"@{name}"] = in_utc(local, zone)
    return {name: value for name, value in found.items() if value}


def _items(source: _Source, keyword: str) -> list[dict[str, str]]:
    """Return the items of a sequence, each with those attributes that are kept."""
    wanted = _ITEM_TAGS[keyword]
    declared = source.texts.values.get(CHARACTER_SET, b"")
    items = []
    for place in source.found.sequences.get(_TAGS[keyword], [])[:MOST_VALUES]:
        tags = frozenset({CHARACTER_SET, *wanted.values()})
        values = walk_item(source.data, place, source.syntax, tags, source.limits)
        texts = Texts({CHARACTER_SET: declared} | values, source.syntax.order)
        item = {name: texts.text(tag, LONGEST) for name, tag in wanted.items()}
        items.append({name: value for name, value in item.items() if value})
    return [item for item in items if item]
