"""Answer a query: one statement, the policy inside it, a bounded number of rows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from rounds_hub.access.policy import Action, Resource, decide, require
from rounds_hub.archive.attributes import tag_of
from rounds_hub.archive.models import Instance
from rounds_hub.archive.moments import zone_of
from rounds_hub.errors import InvalidError
from rounds_hub.querying.conditions import Conditions
from rounds_hub.querying.keys import (
    KEYS,
    LEVELS,
    UNIQUE,
    ZONE,
    Key,
    Level,
    Matching,
    at_or_above,
    key_of,
)
from rounds_hub.querying.statements import Asked, statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["Answer", "Match", "Query", "find"]

MOST_KEYS: Final = 64
MOST_OFFSET: Final = 10_000_000
ENOUGH: Final = 3
"""How many letters at the beginning of a value leave few studies."""
_NARROW: Final = frozenset(
    {"PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID"}
)
_TABLE: Final = {
    Level.PATIENT: "study",
    Level.STUDY: "study",
    Level.SERIES: "series",
    Level.IMAGE: "instance",
}

Values = tuple[str, ...] | list[dict[str, str]]
Match = dict[str, Values]
"""The values of one row by keyword: texts, or for a sequence its items."""


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for.

    Attributes
    ----------
    level
        Which rows are wanted.
    keys
        Values by keyword, or by the keywords of a sequence and of a key inside it.
        No value, or ``*``, matches everything; one of several is enough.
    wanted
        The keywords to return besides those of *keys*; None: whatever there is.
    fuzzy
        Whether names are matched by the beginnings of their words.
    combined
        Whether a range of dates and one of times are one range (PS3.4, C.2.2.2.5.4).
    limit, offset
        How many rows at most (0: ``Rounds.query_limit``), after leaving how many out.
    """

    level: Level
    keys: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    wanted: frozenset[str] | None = frozenset()
    fuzzy: bool = False
    combined: bool = True
    limit: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found.

    *more* says that there are further rows, *unmatched* are the keys that were asked
    with a value and could not be matched, *unread* says that the house was brought to
    this version lately and has not read all its headers again.
    """

    matches: tuple[Match, ...]
    more: bool = False
    unmatched: tuple[str, ...] = ()
    unread: bool = False


def find(house: House, principal: Principal, query: Query) -> Answer:
    """Return what *principal* may see of what *query* matches.

    Whoever may list studies may ask for anything; others who may search only for
    studies whose UIDs they name.

    Raises
    ------
    ForbiddenError
        If the principal may not ask.
    InvalidError
        If a value cannot be one of its key, or the query passes a limit.
    """
    asked, unmatched = _asked(house, principal, query)
    with house.sessions.begin(write=False) as session:
        _allow(session, principal, query)
        rows = session.execute(statement(asked)).mappings().all()
        unread = session.scalar(
            select(Instance.uid).where(Instance.keys_version == 0).limit(1)
        )
    more = len(rows) >= asked.limit
    some = rows[: asked.limit - 1] if more else rows
    shown = _shown(query)
    matches = tuple(_match(row, shown) for row in some)
    return Answer(matches, more, unmatched, unread is not None)


def _allow(session: Session, principal: Principal, query: Query) -> None:
    """Refuse a principal who may not ask; leave a line in the audit trail."""
    uids = query.keys.get((UNIQUE[Level.STUDY],), ())
    # What has no value, or stars alone, names nothing: it matches everything.
    named = bool(uids) and all(uid.strip(" *\0") for uid in uids)
    lists = decide(principal, Action.STUDY_LIST)
    action = Action.SEARCH if named and not lists else Action.STUDY_LIST
    require(session, principal, action, Resource("studies"))


def _asked(
    house: House, principal: Principal, query: Query
) -> tuple[Asked, tuple[str, ...]]:
    """Return *query* as the statement needs it, and the keys that cannot be matched."""
    most = house.settings.query_limit
    if len(query.keys) > MOST_KEYS:
        msg = f"A query has up to {MOST_KEYS} keys, got {len(query.keys)}."
        raise InvalidError(msg)
    if query.limit < 0 or not 0 <= query.offset <= MOST_OFFSET:
        msg = f"A limit is not negative, an offset up to {MOST_OFFSET}."
        raise InvalidError(msg)
    sorted_out = _SortedOut()
    for path, values in query.keys.items():
        sorted_out.add(path, values)
    conditions = Conditions(
        house.sessions.engine.dialect.name,
        zone=sorted_out.zone,
        fuzzy=query.fuzzy,
        narrow=not query.fuzzy and sorted_out.narrow(),
    )
    asked = Asked(
        level=query.level,
        principal=principal,
        conditions=conditions,
        keys=sorted_out.keys,
        items=sorted_out.items,
        counted=_counted(query),
        combined=query.combined,
        # One more than is wanted shows that there are more.
        limit=min(query.limit or most, most) + 1,
        offset=query.offset,
    )
    return asked, tuple(sorted_out.unmatched)


class _SortedOut:
    """The keys of a query: what is matched, what cannot be, and the time zone."""

    def __init__(self) -> None:
        """Begin with none."""
        self.keys: dict[Key, tuple[str, ...]] = {}
        self.items: dict[Key, dict[str, tuple[str, ...]]] = {}
        self.unmatched: list[str] = []
        self.zone = ""

    def add(self, path: tuple[str, ...], values: tuple[str, ...]) -> None:
        """Put one key where it belongs."""
        said = tuple(value for value in values if value.strip(" \0"))
        if not said or (len(said) == 1 and not said[0].strip(" *\0")):
            return  # universal matching (PS3.4, C.2.2.2.3)
        key = key_of(path[0])
        if path == (ZONE,):
            self._in_zone(said[0])
        elif key is None or key.matching is Matching.NONE:
            self.unmatched.append(".".join(path))
        elif len(path) == 1 and key.matching is not Matching.SEQUENCE:
            self.keys[key] = said
        elif len(path) == len(("sequence", "key")) and path[1] in key.inner:
            self.items.setdefault(key, {})[path[1]] = said
        else:
            self.unmatched.append(".".join(path))

    def narrow(self) -> bool:
        """Return whether a key leaves few studies, by the index of its beginning."""
        return any(
            all(len(re.split(r"[*?]", value)[0]) >= ENOUGH for value in values)
            for key, values in self.keys.items()
            if key.keyword in _NARROW
        )

    def _in_zone(self, said: str) -> None:
        """Take the zone in which the query's dates and times are (PS3.4, C.2.1.2)."""
        if zone_of(said) is None:
            msg = f"{ZONE} takes +HHMM or -HHMM."
            raise InvalidError(msg)
        self.zone = said.strip()


def _counted(query: Query) -> frozenset[str]:
    """Return the keywords of what has to be counted."""
    of_patient = query.level is Level.PATIENT
    every = frozenset(key.keyword for key in KEYS.values() if key.counted)
    if query.wanted is None or of_patient:
        # Counting for each row's patient is only done where that was asked for.
        some = frozenset(name for name in every if ("Patient" in name) is of_patient)
        if query.wanted is None:
            return some
        every = some
    return every & (query.wanted | {path[0] for path in query.keys})


def _shown(query: Query) -> list[tuple[str, Key | None]]:
    """Return what is shown of each row: keywords with their keys, in tag order."""
    levels = at_or_above(query.level)
    if query.wanted is None:
        names = {key.keyword for key in KEYS.values() if key.level in levels} | {ZONE}
    else:
        names = {*query.wanted, *(path[0] for path in query.keys)}
        names |= {UNIQUE[level] for level in levels if level is not Level.PATIENT}
    shown = [(name, key_of(name)) for name in names]
    known = [
        (name, key)
        for name, key in shown
        if name == ZONE or (key is not None and key.level in levels)
    ]
    return sorted(known, key=lambda one: tag_of(one[0]))


def _match(row: Mapping[Any, Any], shown: list[tuple[str, Key | None]]) -> Match:
    """Return the values of a row by keyword."""
    return {name: _values(row, name, key) for name, key in shown}


def _values(row: Mapping[Any, Any], name: str, key: Key | None) -> Values:
    """Return the values of one key of a row."""
    if key is None:
        return _zone(row)
    if key.counted:
        found = row.get(name)
        if isinstance(found, str):
            found = json.loads(found)
        if isinstance(found, list):
            return tuple(sorted(str(one) for one in found if one))
        return () if found is None else (str(found),)
    table = _TABLE[key.level]
    if key.column:
        value = row[f"{table}_{key.column}"]
    else:
        value = row[f"{table}_attributes"].get(name)
    if isinstance(value, list):
        return value if key.vr == "SQ" else tuple(value)
    return (str(value),) if value else ()


def _zone(row: Mapping[Any, Any]) -> Values:
    """Return the time zone of a row, of the lowest level that has one."""
    for level in reversed(LEVELS[1:]):
        kept = row.get(f"{_TABLE[level]}_attributes") or {}
        if ZONE in kept:
            return (kept[ZONE],)
    return ()
