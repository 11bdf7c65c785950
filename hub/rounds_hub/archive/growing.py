"""Bring a series up to the instances that came to it, at the cost of those alone.

A scanner sends a series instance by instance, each of which is committed by itself
while nobody else sends: so these statements are few, and built once.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import insort
from collections import OrderedDict
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rounds_hub.archive.models import Instance, Series
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.routing.noting import series_changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Table
    from sqlalchemy.orm import Session
    from sqlalchemy.sql.dml import ReturningInsert

    from rounds_hub.archive.checking import Examined

__all__ = [
    "GROWN",
    "INSTANCES",
    "OUTBOX",
    "SERIES",
    "Growing",
    "content_hash",
    "grow",
    "grown",
    "insert_new",
    "known_hashes",
    "locked",
    "remembered",
]

MOST_IN_ONE_QUERY: Final = 5000
MOST_REMEMBERED: Final = 64
LONGEST_REMEMBERED: Final = 20_000

INSTANCES, SERIES, OUTBOX = (
    cast("Table", table.__table__) for table in (Instance, Series, OutboxEvent)
)
"""The tables that a series grows in, without the ORM around them."""

_KNOWN: Final = select(INSTANCES.c.uid, INSTANCES.c.sha256).where(
    INSTANCES.c.uid.in_(bindparam("uids", expanding=True))
)
_HASHES: Final = select(INSTANCES.c.sha256).where(
    INSTANCES.c.series_uid == bindparam("series")
)
_FRAMES: Final = select(func.sum(INSTANCES.c.frames)).where(
    INSTANCES.c.series_uid == bindparam("series")
)
GROWN: Final = (
    "instance_count", "frame_count", "content_hash", "revision", "rows", "columns",
)  # fmt: skip
"""What of a series changes as it grows."""
_GROW: Final = (
    update(SERIES)
    .where(SERIES.c.uid == bindparam("series"))
    .values({name: bindparam(f"new_{name}") for name in GROWN})
)
_SAY: Final = insert(OUTBOX)


def content_hash(hashes: Iterable[str]) -> str:
    """Return the SHA-256 over the hashes of a series' instances, sorted.

    Examples
    --------
    >>> content_hash(["b", "a"]) == content_hash(["a", "b"])
    True
    """
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()


def known_hashes(session: Session, uids: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of those SOP Instance UIDs that the catalogue has."""
    wanted = sorted(set(uids))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), MOST_IN_ONE_QUERY):
        some = {"uids": wanted[start : start + MOST_IN_ONE_QUERY]}
        rows = session.connection().execute(_KNOWN, some)
        found.update((row.uid, row.sha256) for row in rows)
    return found


@dataclass(slots=True)
class Growing:
    """What must be known of a series that grows, as it stands in the catalogue."""

    uid: str
    study_uid: str
    owner: str
    run_id: str | None
    instance_count: int
    frame_count: int
    content_hash: str
    revision: int
    rows: int
    columns: int


_LOCK: Final = (
    select(*(SERIES.c[one.name] for one in fields(Growing)))
    .where(SERIES.c.uid.in_(bindparam("uids", expanding=True)))
    .order_by(SERIES.c.uid)
    .with_for_update()
)


def locked(session: Session, uids: Iterable[str]) -> dict[str, Growing]:
    """Return those series that are there, held until the transaction ends."""
    some = {"uids": sorted(uids)}
    rows = session.connection().execute(_LOCK, some)
    return {row.uid: Growing(*row) for row in rows}


def insert_new(session: Session, table: type[Any], rows: list[dict[str, Any]]) -> int:
    """Insert those *rows* whose key is not there yet; return how many they were."""
    if not rows:
        return 0
    postgresql = session.get_bind().dialect.name == "postgresql"
    statement = _insert(cast("Table", table.__table__), postgresql=postgresql)
    return len(session.connection().execute(statement, rows).all())


def grow(
    session: Session, series: Growing, new: Sequence[tuple[str, Examined]]
) -> None:
    """Bring the counts and the hash of *series* up to what is *new*, and say so.

    The series is held by the transaction; the rows of what is new are written.

    Parameters
    ----------
    session
        The session that holds *series*.
    series
        The series as it was before.
    new
        The SHA-256 of each instance and what was found in it.
    """
    connection = session.connection()
    hashes = remembered.taken(series)
    if hashes is None:  # those that are new are among the rows already
        rows = connection.scalars(_HASHES, {"series": series.uid})
        there = sorted(rows)
        for sha256, _ in new:
            there.remove(sha256)
        hashes = there
    whole = len(hashes) == series.instance_count
    values = grown(series, hashes, new)
    if not whole:  # something went in or out since the counts were written
        values["frame_count"] = connection.scalar(_FRAMES, {"series": series.uid}) or 0
    given = {f"new_{name}": value for name, value in values.items()}
    connection.execute(_GROW, given | {"series": series.uid})
    connection.execute(_SAY, {"kind": "series", "key": series.uid})
    series_changed(session, series)


def grown(
    series: Growing, hashes: list[str], new: Sequence[tuple[str, Examined]]
) -> dict[str, Any]:
    """Bring *series* up to what is *new*; return the columns that change.

    *hashes* are those of its instances before, sorted; they are remembered with those
    that are new.
    """
    for sha256, _ in new:
        insort(hashes, sha256)
    values = {
        "instance_count": len(hashes),
        "frame_count": series.frame_count + sum(found.frames for _, found in new),
        "content_hash": remembered.keep(series.uid, hashes),
        "revision": series.revision + 1,
        "rows": max(series.rows, *(found.rows for _, found in new)),
        "columns": max(series.columns, *(found.columns for _, found in new)),
    }
    for name, value in values.items():
        setattr(series, name, value)
    return values


@lru_cache(maxsize=64)
def _insert(table: Table, *, postgresql: bool) -> ReturningInsert[Any]:
    """Return the statement that inserts what is new into *table*."""
    into = postgresql_insert if postgresql else sqlite_insert
    key = next(iter(table.primary_key))
    return into(table).on_conflict_do_nothing().returning(key)


class _Remembered:
    """The sorted hashes of the series that grow just now.

    What is remembered counts only while its hash is the one that the catalogue has,
    so a transaction that was undone, or another process, does no harm.
    """

    def __init__(self) -> None:
        """Remember nothing."""
        self._found: OrderedDict[str, tuple[str, list[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def taken(self, series: Growing) -> list[str] | None:
        """Return the sorted hashes of *series* and forget them, None if not known."""
        with self._lock:
            there, hashes = self._found.pop(series.uid, ("", []))
        return hashes if there and there == series.content_hash else None

    def keep(self, series_uid: str, hashes: list[str]) -> str:
        """Remember the sorted *hashes* of a series and return the hash over them."""
        made = hashlib.sha256("".join(hashes).encode()).hexdigest()
        if len(hashes) <= LONGEST_REMEMBERED:
            with self._lock:
                self._found[series_uid] = (made, hashes)
                while len(self._found) > MOST_REMEMBERED:
                    self._found.popitem(last=False)
        return made


remembered = _Remembered()
