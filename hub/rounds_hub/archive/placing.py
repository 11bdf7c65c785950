"""Bring each object to the stores where the rules want it, and never lose the last.

An object is copied, read back and compared with its hash, written down as kept there,
and only then taken away from a store where no rule wants it. Every step can be done
again: a mover that was killed is followed by one that goes on.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from rounds_hub.archive.models import Instance, ObjectPlace
from rounds_hub.archive.rules import rules_of
from rounds_hub.archive.store import copy_into
from rounds_hub.archive.stores import parts_of
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import HubError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from rounds_hub.archive.store import Store
    from rounds_hub.house import House

__all__ = ["Moved", "StoreStatus", "move", "status", "waiting"]

AT_ONCE = 4

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Moved:
    """How many objects a mover brought where they belong, and which it could not."""

    moved: int
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What one store holds; *trouble* says why it could not be asked."""

    name: str
    objects: int = 0
    size: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Task:
    """One object that has to be in *targets*; others give it up where *only* says."""

    sha256: str
    size: int
    targets: tuple[str, ...]
    only: bool


def move(
    house: House,
    *,
    now: datetime | None = None,
    everything: bool = False,
    progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> Moved:
    """Bring every object where the rules want it by *now*.

    With *everything* also those are looked at that no rule has moved: after stores
    or rules were changed in the settings.
    """
    tasks = _tasks(house, now or utc_now(), everything=everything)
    moved, failed = 0, []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = pool.map(partial(_place, house), tasks)
        for number, (task, good) in enumerate(zip(tasks, done, strict=True), 1):
            moved += good
            failed += [] if good else [task.sha256]
            progress(number, len(tasks), "")
    _take_away_leaving(house)
    return Moved(moved, tuple(failed))


def waiting(
    house: House, *, now: datetime | None = None, everything: bool = False
) -> int:
    """Return how many objects are not yet known to be where the rules want them."""
    return len(_tasks(house, now or utc_now(), everything=everything))


def status(house: House) -> list[StoreStatus]:
    """Return what each store holds, by listing it."""
    found = []
    for name, part in parts_of(house.store).items():
        try:
            sizes = [one.size for one in part.every()]
        except HubError as error:
            found.append(StoreStatus(name, trouble=str(error)))
        else:
            found.append(StoreStatus(name, len(sizes), sum(sizes)))
    return found


def _tasks(house: House, now: datetime, *, everything: bool) -> list[_Task]:
    """Return what is to be done by *now*, one task an object."""
    rules = rules_of(house.settings)
    if len(parts_of(house.store)) == 1:
        return []
    found: list[_Task] = []
    with house.sessions.begin(write=False) as session:
        for rule, until in zip(rules, [*rules[1:], None], strict=True):
            first = rule is rules[0] and not everything
            targets = rule.stores[rule.copies :] if first else rule.stores
            youngest = now - timedelta(days=rule.after_days)
            oldest = now - timedelta(days=until.after_days) if until else None
            found += [
                _Task(sha256, size, targets, only=not first)
                for sha256, size in _misplaced(session, targets, youngest, oldest)
            ]
    return found


def _misplaced(
    session: Session,
    targets: Sequence[str],
    youngest: datetime,
    oldest: datetime | None,
) -> list[tuple[str, int]]:
    """Return objects of an age that are not known to be in each of *targets*."""
    if not targets:
        return []
    newest = func.max(Instance.created_at)
    known = (
        select(ObjectPlace.sha256)
        .where(ObjectPlace.store.in_(targets), ObjectPlace.state == "kept")
        .group_by(ObjectPlace.sha256)
        .having(func.count() == len(targets))
    )
    of_age: ColumnElement[bool] = newest <= youngest
    if oldest is not None:
        of_age &= newest > oldest
    wanted = (
        select(Instance.sha256, func.max(Instance.size))
        .where(Instance.sha256.not_in(known))
        .group_by(Instance.sha256)
        .having(of_age)
        .order_by(Instance.sha256)
    )
    return [(row[0], row[1]) for row in session.execute(wanted)]


def _place(house: House, task: _Task) -> bool:
    """Do one task; return whether it could be done."""
    parts = parts_of(house.store)
    try:
        for name in task.targets:
            _bring(parts, task, name)
            _write_down(house, task.sha256, name)
        if task.only:
            for name in parts.keys() - set(task.targets):
                if parts[name].has(task.sha256):
                    _take_away(house, task.sha256, name, sure=True)
    except (HubError, IntegrityError) as error:
        log.warning("object not moved", sha256=task.sha256, why=type(error).__name__)
        return False
    return True


def _bring(parts: Mapping[str, Store], task: _Task, target: str) -> None:
    """Have the object whole in *target*, copied from where it is whole."""
    if parts[target].has(task.sha256, task.size) and parts[target].verify(task.sha256):
        return
    for name, source in parts.items():
        if name == target or not source.has(task.sha256, task.size):
            continue
        copied = copy_into(parts[target], source, task.sha256)
        if copied and parts[target].verify(task.sha256):
            return
    kind = "whole copy of object"
    raise NotFoundError(kind, task.sha256)


def _write_down(house: House, sha256: str, store: str) -> None:
    """Write down that the object was found whole in *store*."""
    # Another mover that wrote the same row in between found the same.
    with contextlib.suppress(IntegrityError), house.sessions.begin() as session:
        session.merge(ObjectPlace(sha256=sha256, store=store, state="kept"))


def _take_away(house: House, sha256: str, store: str, *, sure: bool = False) -> None:
    """Take the object away from *store*, if it is written down to be in another.

    That one is read again first, unless somebody is *sure* who just did.
    """
    parts = parts_of(house.store)
    with house.sessions.begin() as session:
        wanted = select(ObjectPlace).where(ObjectPlace.sha256 == sha256)
        rows = session.scalars(wanted.with_for_update()).all()
        kept = {row.store for row in rows if row.state == "kept"} - {store}
        if not kept & parts.keys():
            return
        session.merge(ObjectPlace(sha256=sha256, store=store, state="leaving"))
    others = sorted(kept & parts.keys())
    if not sure and not any(parts[name].verify(sha256) for name in others):
        return
    parts[store].remove(sha256)
    with house.sessions.begin() as session:
        gone = (ObjectPlace.sha256 == sha256) & (ObjectPlace.store == store)
        session.execute(delete(ObjectPlace).where(gone))


def _take_away_leaving(house: House) -> None:
    """Go on with what a mover that was killed had begun to take away."""
    wanted = select(ObjectPlace.sha256, ObjectPlace.store)
    wanted = wanted.where(ObjectPlace.state == "leaving")
    with house.sessions.begin(write=False) as session:
        rows = session.execute(wanted).all()
    for sha256, store in rows:
        if store in parts_of(house.store):
            _take_away(house, sha256, store)
