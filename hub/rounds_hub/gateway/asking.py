"""Ask a remote node what it has (C-FIND, PS3.4, annex C)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydicom import Dataset
from pydicom.multival import MultiValue
from pynetdicom import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from rounds_hub.access.policy import Action, Resource, require
from rounds_hub.archive.texts import clean
from rounds_hub.errors import InvalidError
from rounds_hub.gateway.reaching import Call, UnreachedError, echo, reach
from rounds_hub.gateway.registry import require_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pynetdicom.association import Association

    from rounds_hub.access.principal import Principal
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.house import House

__all__ = ["Answers", "Level", "Question", "ask", "ask_studies", "try_node"]

Level: TypeAlias = Literal["STUDY", "SERIES", "IMAGE"]

MOST_ANSWERS = 500
MOST_SECONDS = 60.0
LONGEST = 256
MOST_VALUES = 32
PENDING = (0xFF00, 0xFF01)
SUCCESS = 0x0000
CANCELLED = 0xFE00
_UID = re.compile(r"[0-9.]{1,64}")
_DAY = re.compile(r"\d{8}")
ROOTS = (
    StudyRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelFind,
)
RETURNED: dict[Level, tuple[str, ...]] = {
    "STUDY": (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "StudyDescription",
        "AccessionNumber",
        "ModalitiesInStudy",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    "SERIES": (
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SeriesNumber",
        "SeriesDescription",
        "Modality",
        "BodyPartExamined",
        "NumberOfSeriesRelatedInstances",
    ),
    "IMAGE": (
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "SOPClassUID",
        "InstanceNumber",
    ),
}
"""What is asked for at each level (PS3.4, C.6.1.1 and C.6.2.1)."""

UNIQUE: dict[Level, str] = {
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


@dataclass(frozen=True, slots=True)
class Question:
    """Which studies are looked for; what is empty does not narrow."""

    patient_name: str = ""
    patient_id: str = ""
    accession: str = ""
    modality: str = ""
    since: str = ""
    until: str = ""
    """Days as ``YYYYMMDD``."""

    def keys(self) -> dict[str, str]:
        """Return the matching keys (PS3.4, C.2.2.2).

        A name that has no wildcard is looked for at its beginning.

        Raises
        ------
        InvalidError
            If a value cannot be a key, or nothing narrows the search.

        Examples
        --------
        >>> Question(patient_name="doe", since="20200101").keys()
        {'PatientName': 'doe*', 'StudyDate': '20200101-'}
        """
        name = self.patient_name.strip()
        if name and not set(name) & set("*?"):
            name = f"{name}*"
        said = {
            "PatientName": name,
            "PatientID": self.patient_id.strip(),
            "AccessionNumber": self.accession.strip(),
            "ModalitiesInStudy": self.modality.strip().upper(),
            "StudyDate": _days(self.since.strip(), self.until.strip()),
        }
        wanted = {key: value for key, value in said.items() if value}
        if not {value for value in wanted.values() if set(value) - set("*?")}:
            msg = "Say what to look for: a name, a number, days or a modality."
            raise InvalidError(msg, {"patient_name": msg})
        for key, value in wanted.items():
            _refuse_strange(key, value)
        return wanted


@dataclass(frozen=True, slots=True)
class Answers:
    """What a node answered, by keyword; *more* where it has more than are taken.

    *unusable* counts answers that named nothing that can be asked for again.
    """

    found: tuple[Mapping[str, str], ...]
    more: bool = False
    unusable: int = 0


@dataclass(slots=True)
class _Gathered:
    """Answers as they come."""

    level: Level
    found: list[dict[str, str]] = field(default_factory=list)
    unusable: int = 0
    more: bool = False

    def add(self, identifier: Dataset | None) -> None:
        """Take one answer, if it names what it is of."""
        one = {} if identifier is None else _plain(identifier, self.level)
        if not _UID.fullmatch(one.get(UNIQUE[self.level], "")):
            self.unusable += 1
        else:
            self.found.append(one)
        self.more = len(self.found) + self.unusable >= MOST_ANSWERS


def ask_studies(
    house: House, principal: Principal, name: str, question: Question
) -> Answers:
    """Return the studies of the node *name* that *question* looks for.

    Raises
    ------
    ForbiddenError
        If the principal is no staff.
    NotFoundError
        If there is no such node.
    InvalidError
        If the question cannot be asked.
    UnreachedError
        If the node does not answer.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.NODE_QUERY, Resource("node", name[:LONGEST]))
        node = require_node(session, name)
    return ask(house, node, "STUDY", question.keys())


def try_node(house: House, principal: Principal, name: str) -> float:
    """Return in how many seconds the node *name* answered a C-ECHO.

    Raises
    ------
    ForbiddenError
        If the principal is no staff.
    NotFoundError
        If there is no such node.
    ConflictError
        If the node is switched off, or its record names no host.
    UnreachedError
        If it does not answer, and why.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.NODE_QUERY, Resource("node", name[:LONGEST]))
        node = require_node(session, name)
    return echo(house, node)


def ask(
    house: House, node: NodeRecord, level: Level, keys: Mapping[str, str]
) -> Answers:
    """Return what *node* has at *level* that matches *keys*.

    The study root is asked, and the patient root where the node has no other. Five
    hundred answers are taken at most; then the query is cancelled.

    Raises
    ------
    UnreachedError
        If the node does not answer, or fails.
    """
    contexts = [build_context(root) for root in ROOTS]
    call = Call(contexts, seconds=MOST_SECONDS)
    with reach(house, node, call) as association:
        gathered = _Gathered(level)
        for status, identifier in _responses(association, level, keys):
            code = int(getattr(status, "Status", -1))
            if code in PENDING:
                gathered.add(identifier)
                if gathered.more:
                    association.abort()  # it may go on for ever
                    break
            elif code not in {SUCCESS, CANCELLED}:
                raise UnreachedError(_refusal(node, status))
        return Answers(tuple(gathered.found), gathered.more, gathered.unusable)


def _responses(
    association: Association, level: Level, keys: Mapping[str, str]
) -> Iterator[tuple[Dataset, Dataset | None]]:
    """Return what comes back from a query, in the first root that is accepted."""
    accepted = {one.abstract_syntax for one in association.accepted_contexts}
    root = next(one for one in ROOTS if one in accepted)
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword in RETURNED[level]:
        setattr(identifier, keyword, "")
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    if not all(value.isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    return association.send_c_find(identifier, root)


def _refusal(node: NodeRecord, status: Dataset) -> str:
    """Return what a failure of a node means, in one sentence."""
    code = getattr(status, "Status", None)
    if code is None:
        return f"The node {node.name!r} stopped answering in the middle of the query."
    said = clean(str(getattr(status, "ErrorComment", "")))[:LONGEST]
    named = f": {said}" if said else ""
    return f"The node {node.name!r} refused the query with {int(code):04X}{named}."


def _plain(identifier: Dataset, level: Level) -> dict[str, str]:
    """Return the values of an answer as clean short texts."""
    return {keyword: _text(identifier, keyword) for keyword in RETURNED[level]}


def _text(identifier: Dataset, keyword: str) -> str:
    """Return one value of an answer; what cannot be read is not there."""
    try:
        value: Any = identifier.get(keyword, "")
        text = value
        if isinstance(value, MultiValue):
            text = "\\".join(str(one) for one in value[:MOST_VALUES])
        return clean(str("" if text is None else text))[:LONGEST]
    except Exception:  # noqa: BLE001 (whatever a stranger's value breaks: it is left out)
        return ""


def _days(since: str, until: str) -> str:
    """Return a range of days (PS3.4, C.2.2.2.5)."""
    for day in (since, until):
        if day and not _DAY.fullmatch(day):
            msg = f"A day is written as YYYYMMDD, got {day[:20]!r}."
            raise InvalidError(msg, {"since": msg})
    if since and since == until:
        return since
    return f"{since}-{until}" if since or until else ""


def _refuse_strange(key: str, value: str) -> None:
    """Refuse what would be something else on the wire."""
    if len(value) > 64 or "\\" in value or not value.isprintable():  # noqa: PLR2004 (PS3.5, 6.2)
        msg = f"{key} has up to 64 printable letters and no backslash."
        raise InvalidError(msg, {key: msg})
