"""The keys of queries: at which level they are, where they are kept, how they match.

This is the one table for QIDO-RS (PS3.18, 10.6) and C-FIND (PS3.4, C.6), and what the
conformance statement says of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydicom.datadict import dictionary_VM, dictionary_VR

from rounds_hub.archive.attributes import KEPT, PAIRS, SEQUENCES, Level, tag_of

__all__ = [
    "DATE_OF",
    "DEFAULTS",
    "KEYS",
    "LEVELS",
    "TIME_OF",
    "UNIQUE",
    "ZONE",
    "Key",
    "Level",
    "Matching",
    "at_or_above",
    "key_of",
]


class Matching(StrEnum):
    """How the values of a key are matched (PS3.4, C.2.2.2)."""

    NONE = "none"
    """It is returned, and not matched."""
    UIDS = "list of UIDs"
    TEXT = "single value, wildcards, several values"
    NAME = "single value, wildcards, several values; fuzzy where asked for"
    NUMBER = "single value, several values"
    RANGE = "single value, range"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True)
class Key:
    """An attribute by which can be asked, and that can be returned.

    *column* is the column of its own in the table of its level; without one it is in
    the JSON column, and a *counted* one is made of what lies below it.
    """

    keyword: str
    level: Level
    matching: Matching
    column: str = ""
    counted: bool = False

    @property
    def tag(self) -> int:
        """Its tag."""
        return tag_of(self.keyword)

    @property
    def vr(self) -> str:
        """Its kind of value."""
        return _vr(self.keyword)

    @property
    def several(self) -> bool:
        """Whether it may have several values."""
        return self.vr != "SQ" and dictionary_VM(self.tag) != "1"

    @property
    def inner(self) -> tuple[str, ...]:
        """The keys inside its items, if it is a sequence."""
        return SEQUENCES.get(self.keyword, ())


LEVELS: Final = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)
ZONE: Final = "TimezoneOffsetFromUTC"
UNIQUE: Final = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}
"""The unique key of each level (PS3.4, C.6.1.1)."""

_COLUMNS: Final[dict[Level, dict[str, str]]] = {
    Level.PATIENT: {
        "PatientName": "patient_name",
        "PatientID": "patient_id",
        "IssuerOfPatientID": "issuer",
        "PatientBirthDate": "birth_date",
        "PatientSex": "patient_sex",
    },
    Level.STUDY: {
        "StudyInstanceUID": "uid",
        "StudyDate": "date",
        "StudyTime": "time",
        "AccessionNumber": "accession",
        "StudyID": "study_id",
        "StudyDescription": "description",
        "PatientAge": "patient_age",
    },
    Level.SERIES: {
        "SeriesInstanceUID": "uid",
        "Modality": "modality",
        "BodyPartExamined": "body_part",
        "SeriesDescription": "description",
    },
    Level.IMAGE: {
        "SOPInstanceUID": "uid",
        "SOPClassUID": "sop_class",
        "AvailableTransferSyntaxUID": "transfer_syntax",
    },
}
_COUNTED: Final[dict[Level, dict[str, Matching]]] = {
    Level.PATIENT: {
        "NumberOfPatientRelatedStudies": Matching.NONE,
        "NumberOfPatientRelatedSeries": Matching.NONE,
        "NumberOfPatientRelatedInstances": Matching.NONE,
    },
    Level.STUDY: {
        "ModalitiesInStudy": Matching.TEXT,
        "SOPClassesInStudy": Matching.UIDS,
        "NumberOfStudyRelatedSeries": Matching.NONE,
        "NumberOfStudyRelatedInstances": Matching.NONE,
    },
    Level.SERIES: {"NumberOfSeriesRelatedInstances": Matching.NONE},
    Level.IMAGE: {},
}
_OF_PATIENT: Final = frozenset(
    {
        "PatientBirthTime", "OtherPatientIDs", "OtherPatientNames",
        "OtherPatientIDsSequence", "EthnicGroup", "PatientComments",
        "ResponsiblePerson", "PatientIdentityRemoved",
    }
)  # fmt: skip
_BY_VR: Final = {
    "UI": Matching.UIDS,
    "PN": Matching.NAME,
    "DA": Matching.RANGE,
    "TM": Matching.RANGE,
    "DT": Matching.RANGE,
    "SQ": Matching.SEQUENCE,
    "IS": Matching.NUMBER,
    "US": Matching.NUMBER,
    "DS": Matching.NUMBER,
}


def _vr(keyword: str) -> str:
    """Return the kind of value of *keyword* (PS3.6)."""
    return dictionary_VR(tag_of(keyword))


def _matching(keyword: str) -> Matching:
    """Return how *keyword* is matched."""
    return _BY_VR.get(_vr(keyword), Matching.TEXT)


def _keys() -> dict[int, Key]:
    """Return every key by its tag."""
    every: list[Key] = []
    for level in LEVELS:
        for keyword, column in _COLUMNS[level].items():
            every.append(Key(keyword, level, _matching(keyword), column))
        for keyword, matching in _COUNTED[level].items():
            every.append(Key(keyword, level, matching, counted=True))
        for keyword in KEPT.get(level, ()):
            if keyword != ZONE:
                at = Level.PATIENT if keyword in _OF_PATIENT else level
                every.append(Key(keyword, at, _matching(keyword)))
    return {key.tag: key for key in sorted(every, key=lambda key: key.tag)}


KEYS: Final = _keys()
"""Every key by its tag, but for the time zone, which each level has for itself."""

DEFAULTS: Final[dict[Level, tuple[str, ...]]] = {
    Level.PATIENT: (),
    Level.STUDY: (
        "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy",
        "ReferringPhysicianName", ZONE, "PatientName", "PatientID",
        "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
        "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
        "StudyDescription",
    ),
    Level.SERIES: (
        "Modality", ZONE, "SeriesDescription", "SeriesInstanceUID", "SeriesNumber",
        "NumberOfSeriesRelatedInstances", "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime", "RequestAttributesSequence",
        "BodyPartExamined",
    ),
    Level.IMAGE: (
        "SOPClassUID", "SOPInstanceUID", ZONE, "InstanceNumber", "Rows", "Columns",
        "BitsAllocated", "NumberOfFrames", "AvailableTransferSyntaxUID",
    ),
}  # fmt: skip
"""What QIDO-RS returns unasked (PS3.18, tables 10.6.3-3 to 10.6.3-5)."""


def key_of(keyword: str) -> Key | None:
    """Return the key called *keyword*, None where it is none.

    Examples
    --------
    >>> key_of("StudyDate").matching.value
    'single value, range'
    """
    try:
        return KEYS.get(tag_of(keyword))
    except ValueError:
        return None


def at_or_above(level: Level) -> tuple[Level, ...]:
    """Return *level* and the levels that hold it."""
    return LEVELS[: LEVELS.index(level) + 1]


TIME_OF: Final = PAIRS
DATE_OF: Final = {time: date for date, time in PAIRS.items()}
