"""Compare the catalogue with every store: missing, damaged, extra, and not alike.

The hashes are gone through in 256 parts, so that an archive of any size takes little
memory. What is damaged or missing somewhere is copied from a store that has it whole;
what no row needs is set aside, not deleted.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from rounds_hub.archive.models import (
    Aside,
    Instance,
    ObjectPlace,
    Removal,
    RemovedObject,
)
from rounds_hub.archive.store import copy_into, has_its_hash
from rounds_hub.archive.stores import Stores, parts_of
from rounds_hub.errors import HubError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy.orm import Session

    from rounds_hub.archive.store import Lying, Store
    from rounds_hub.house import House

    Progress = Callable[[int, int, str], None]

__all__ = ["Look", "Problem", "Report", "inspect"]

PARTS = 256
IN_FLIGHT_SECONDS = 3600.0
"""Younger bytes without a row may be on their way in: they are not called extra."""


@dataclass(frozen=True, slots=True)
class Look:
    """How to look: *deep* reads every byte, at most *rate* bytes a second; 0: any."""

    deep: bool = False
    repair: bool = False
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one object.

    *kind* is ``missing`` (no store has it), ``damaged`` (other bytes lie in *store*),
    ``lacking`` (*store* ought to have it, others do) or ``extra`` (no row needs it);
    *uids* are instances that need it.
    """

    kind: str
    sha256: str
    store: str = ""
    uids: tuple[str, ...] = ()
    repaired: bool = False


@dataclass(slots=True)
class Report:
    """How many objects are needed, what is wrong, and which stores kept silent."""

    known: int = 0
    bytes_read: int = 0
    problems: list[Problem] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def unrepaired(self) -> list[Problem]:
        """What is still wrong; extra objects alone are no harm."""
        return [
            one for one in self.problems if not one.repaired and one.kind != "extra"
        ]


@dataclass(slots=True)
class _Needed:
    """An object that rows need: its size where known, and where it ought to be."""

    size: int | None = None
    uids: list[str] = field(default_factory=list)
    stores: set[str] = field(default_factory=set)


def inspect(
    house: House,
    look: Look,
    progress: Progress = lambda _done, _total, _what: None,
) -> Report:
    """Compare the catalogue with every store, and repair what *look* asks for."""
    inspector = _Inspector(house, look)
    for number in range(PARTS):
        inspector.part(f"{number:02x}")
        problems = len(inspector.report.problems)
        said = f"{inspector.report.known} objects, {problems} problems"
        progress(number + 1, PARTS, said)
    return inspector.report


class _Inspector:
    """Goes through one house."""

    def __init__(self, house: House, look: Look) -> None:
        """Begin with nothing found."""
        self.house, self.look = house, look
        self.report = Report()
        self.stores: Mapping[str, Store] = parts_of(house.store)
        self.started = time.monotonic()

    def part(self, prefix: str) -> None:
        """Look at the objects whose hashes begin with *prefix*."""
        # What lies there first: what comes in between has a row when rows are read.
        lying = {name: self._lying(name, prefix) for name in self.stores}
        with self.house.sessions.begin(write=False) as session:
            needed = _needed(session, prefix, self._new_stores())
        self.report.known += len(needed)
        for sha256, one in needed.items():
            self._check(sha256, one, lying)
        for name, there in lying.items():
            for sha256 in there.keys() - needed.keys():
                self._extra(name, there[sha256])

    def _new_stores(self) -> tuple[str, ...]:
        """Return the stores in which every new object is kept."""
        store = self.house.store
        return store.new if isinstance(store, Stores) else ()

    def _lying(self, name: str, prefix: str) -> dict[str, Lying]:
        """Return what lies in one store; one that is silent is noted, and empty."""
        try:
            return {one.sha256: one for one in self.stores[name].every(prefix)}
        except HubError as error:
            self.report.silent[name] = str(error)
            return {}

    def _check(
        self, sha256: str, needed: _Needed, lying: Mapping[str, Mapping[str, Lying]]
    ) -> None:
        """Look for one needed object in every store, and repair what can be."""
        having = [name for name, there in lying.items() if sha256 in there]
        good = [
            name
            for name in having
            if needed.size in (None, lying[name][sha256].size)
            and (not self.look.deep or self._whole(name, sha256))
        ]
        bad = [("damaged", name) for name in having if name not in good]
        lacking = sorted(needed.stores & self.stores.keys() - set(having))
        if having:
            bad += [("lacking", name) for name in lacking]
        elif not self.report.silent:
            bad.append(("missing", ""))
        for kind, name in bad:
            repaired = self.look.repair and self._repair(sha256, name, good)
            uids = tuple(needed.uids[:5])
            self.report.problems.append(Problem(kind, sha256, name, uids, repaired))

    def _whole(self, name: str, sha256: str) -> bool:
        """Read an object of one store, not too fast, and compare its hash."""
        try:
            return has_its_hash(sha256, self._slowly(self.stores[name].read(sha256)))
        except NotFoundError:
            return False

    def _slowly(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield *pieces* at the rate that was asked for."""
        for piece in pieces:
            self.report.bytes_read += len(piece)
            if self.look.rate:
                due = self.started + self.report.bytes_read / self.look.rate
                time.sleep(max(0.0, due - time.monotonic()))
            yield piece

    def _repair(self, sha256: str, name: str, good: list[str]) -> bool:
        """Copy an object to store *name*, or bring it back; return if it is whole."""
        if not good:
            came = [n for n, part in self.stores.items() if part.bring_back(sha256)]
            return any(self.stores[one].verify(sha256) for one in came)
        return copy_into(self.stores[name], self.stores[good[0]], sha256)

    def _extra(self, name: str, found: Lying) -> None:
        """Note an object that no row needs, and set it aside where that is asked."""
        if time.time() - found.since < IN_FLIGHT_SECONDS:
            return
        with self.house.sessions.begin(write=False) as session:
            if _needed(session, found.sha256, ()):
                return
        repaired = self.look.repair and self.stores[name].set_aside(found.sha256)
        problem = Problem("extra", found.sha256, name, repaired=repaired)
        self.report.problems.append(problem)


def _needed(session: Session, prefix: str, new: tuple[str, ...]) -> dict[str, _Needed]:
    """Return the objects that rows need whose hashes begin with *prefix*."""
    until = f"{prefix}g"
    found: dict[str, _Needed] = {}
    for table, name in ((Instance, Instance.uid), (Aside, Aside.sop_uid)):
        wanted = select(table.sha256, table.size, name)
        within = table.sha256.between(prefix, until)
        for sha256, size, uid in session.execute(wanted.where(within)):
            one = found.setdefault(sha256, _Needed(stores=set(new)))
            one.size = size
            one.uids.append(uid)
    removed = select(RemovedObject.sha256).join(Removal).where(Removal.state == "open")
    within = RemovedObject.sha256.between(prefix, until)
    for sha256 in session.scalars(removed.where(within)):
        found.setdefault(sha256, _Needed())
    _place(session, prefix, found)
    return found


def _place(session: Session, prefix: str, found: dict[str, _Needed]) -> None:
    """Note where objects ought to be that a rule has moved or copied."""
    places = select(ObjectPlace.sha256, ObjectPlace.store, ObjectPlace.state)
    moved: set[str] = set()
    for sha256, store, state in session.execute(
        places.where(ObjectPlace.sha256.between(prefix, f"{prefix}g"))
    ):
        if sha256 in found and state == "kept":
            if sha256 not in moved:
                found[sha256].stores = set()
                moved.add(sha256)
            found[sha256].stores.add(store)
