"""Make what was received last, in groups: many wait, one thread syncs and records.

A sender hears of success only when the bytes have their name on the disk, synced with
their folder, and the rows and the event for the index are committed. Whatever waits
while one group is written becomes the next group, so that durability is paid once for
all of them.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import structlog

from rounds_hub.access.policy import Action, decide
from rounds_hub.archive.checking import examine_file
from rounds_hub.archive.forms import kept_form
from rounds_hub.archive.intake import (
    Attribution,
    Outcome,
    Ready,
    may_store,
    record_all,
)
from rounds_hub.archive.staging import pieces_of
from rounds_hub.archive.store import StoreAwayError
from rounds_hub.archive.walking import Limits
from rounds_hub.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rounds_hub.archive.staging import Source
    from rounds_hub.house import House

__all__ = ["Committer", "stage"]

MOST_OF_A_GROUP = 256
MOST_WAITING = 1024

log = structlog.get_logger()


def stage(house: House, name: str, source: Source) -> Ready:
    """Write the Part 10 file *source* beside the archive, hash it, and examine it.

    Hand what is returned to :meth:`Committer.submit`, which drops it in any case.

    Raises
    ------
    InvalidError
        If it is not an instance that the archive takes; nothing is left then.
    TooLargeError
        If it is larger than ``Rounds.max_instance_bytes``.
    NoSpaceError
        If the disk would be filled.
    """
    limits = Limits(size=house.settings.max_instance_bytes)
    incoming = house.store.incoming(limits.size)
    try:
        for piece in pieces_of(source):
            incoming.write(piece)
        incoming.end()
        examined = examine_file(incoming.path, limits)
        ready = Ready(name, incoming.staged(), examined)
    except BaseException:
        incoming.discard()
        raise
    try:
        return kept_form(house, ready)
    except BaseException:
        house.store.drop(ready.staged)
        raise


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Something that was handed in, and who waits for it."""

    ready: Ready
    attribution: Attribution
    future: Future[Outcome]

    @property
    def who(self) -> tuple[str, tuple[str, ...], str]:
        """What rows of one batch have in common."""
        brought = self.attribution
        run = brought.run_id or ""
        return brought.principal.name, tuple(brought.audience), run


class Committer:
    """Writes what many threads hand in, in groups.

    Parameters
    ----------
    house
        The opened house. The thread that writes is started by the first to come.
    """

    def __init__(self, house: House) -> None:
        """Write nothing yet."""
        self._house = house
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._writing = False
        self._closed = False

    def submit(self, ready: Ready, attribution: Attribution) -> Future[Outcome]:
        """Hand in what was staged; the future has the outcome when it lasts.

        The future raises what :func:`rounds_hub.archive.service.store` would raise:
        ``NoSpaceError``, ``ForbiddenError``, ``BusyError``.

        Raises
        ------
        BusyError
            If too many wait already, or the house is closing.
        """
        with self._changed:
            waiting = self._put_in_line(ready, attribution)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="committer", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
        return waiting.future

    def commit(self, ready: Ready, attribution: Attribution) -> Outcome:
        """Hand in what was staged, and return its outcome when it lasts.

        Whoever comes while nobody writes does so in their own thread, for all who
        wait by then: who is alone pays for no change of threads. Errors are those of
        :meth:`submit`.
        """
        with self._changed:
            future = self._put_in_line(ready, attribution).future
        while True:
            with self._changed:
                self._changed.wait_for(lambda: future.done() or not self._writing)
                if future.done():
                    return future.result()
                group = self._taken()
            self._write(group)

    def close(self) -> None:
        """Write what waits, and take nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _put_in_line(self, ready: Ready, attribution: Attribution) -> _Waiting:
        """Let *ready* wait, or refuse it; the condition is held."""
        if self._closed or len(self._waiting) >= MOST_WAITING:
            self._house.store.drop(ready.staged)
            msg = "The archive has no room for more now. Send it again later."
            raise BusyError(msg)
        waiting = _Waiting(ready, attribution, Future())
        self._waiting.append(waiting)
        return waiting

    def _work(self) -> None:
        """Write group after group until closed."""
        while True:
            with self._changed:
                self._changed.wait_for(self._may_go_on)
                group = self._taken()
            if not group:
                return
            self._write(group)

    def _may_go_on(self) -> bool:
        """Return whether the thread has to write, or has to end."""
        return not self._writing and (bool(self._waiting) or self._closed)

    def _taken(self) -> list[_Waiting]:
        """Return what waits and be the one who writes it; the condition is held."""
        some = min(len(self._waiting), MOST_OF_A_GROUP)
        self._writing = some > 0
        return [self._waiting.popleft() for _ in range(some)]

    def _write(self, group: list[_Waiting]) -> None:
        """Write *group*, and let the next one write."""
        try:
            self._commit(group)
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _commit(self, group: list[_Waiting]) -> None:
        """Write *group*; if it fails, its members one by one: each hears why."""
        try:
            outcomes = self._written(group)
        except Exception as error:  # noqa: BLE001 (each hears of it by its future)
            self._failed(group, error)
            return
        for one, outcome in zip(group, outcomes, strict=True):
            one.future.set_result(outcome)

    def _failed(self, group: list[_Waiting], error: Exception) -> None:
        """Tell who is alone, or all where the store is away; try the others alone.

        Where there is no room, that may be the quota of one of them.
        """
        if len(group) == 1 or isinstance(error, (StoreAwayError, OSError)):
            for one in group:
                self._house.store.drop(one.ready.staged)
                one.future.set_exception(error)
            return
        log.warning("group failed", size=len(group), why=type(error).__name__)
        for one in group:
            self._commit([one])

    def _written(self, group: Sequence[_Waiting]) -> list[Outcome]:
        """Sync the bytes of *group*, then write its rows in one transaction."""
        order = sorted(range(len(group)), key=lambda index: group[index].who)
        batches = [
            (group[some[0]].attribution, [group[index].ready for index in some])
            for some in (
                list(found) for _, found in groupby(order, lambda i: group[i].who)
            )
        ]
        self._keep(batches)
        recorded = record_all(self._house, batches)
        by_index = dict(zip(order, recorded, strict=True))
        return [by_index[index] for index in range(len(group))]

    def _keep(self, batches: Sequence[tuple[Attribution, Sequence[Ready]]]) -> None:
        """Make the bytes of those last who may bring any."""
        for attribution, some in batches:
            self._house.quotas.require_room(attribution.principal.name, some)
            if attribution.run_id or not decide(
                attribution.principal, Action.IMPORT_CREATE
            ):
                with self._house.sessions.begin(write=False) as session:
                    may_store(session, attribution)
        self._house.store.keep([one.staged for _, some in batches for one in some])
