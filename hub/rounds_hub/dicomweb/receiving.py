"""Bring instances into the archive while their body comes (PS3.18, 10.5)."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from rounds_hub.archive.checking import HEAD, examine_file, sniff
from rounds_hub.archive.forms import kept_form
from rounds_hub.archive.intake import Attribution, Outcome, Ready, Status, may_store
from rounds_hub.archive.staging import pieces_of
from rounds_hub.archive.walking import Limits
from rounds_hub.dicomweb.parts import DICOM
from rounds_hub.errors import (
    BusyError,
    ForbiddenError,
    HubError,
    InvalidError,
    NoSpaceError,
    TooLargeError,
)

if TYPE_CHECKING:
    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.incoming import Incoming
    from rounds_hub.house import House

__all__ = ["Intake", "Reason", "Result", "may_bring"]

MOST_WAITING = 64
"""So many instances of one body wait for the disk; then the body waits, too."""

COMMIT_SECONDS = 120.0
EXAMINING = 2
_EXAMINERS = ThreadPoolExecutor(EXAMINING, "examiner")
"""Look at parts that are whole while the next ones are written and hashed."""


class Reason:
    """Why an instance was not stored (PS3.18, table I.2-2; PS3.4, B.2.3)."""

    PROCESSING = 0x0110
    DUPLICATE = 0x0111
    NOT_ALLOWED = 0x0124
    NO_RESOURCES = 0xA700
    NOT_UNDERSTOOD = 0xC000
    OTHER_STUDY = 0xC409


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one part: *reason* is 0 where it is stored."""

    reason: int = 0
    why: str = ""
    sop_class: str = ""
    sop_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""


_HandedIn = Result | tuple[Ready, Future[Outcome]]


def may_bring(house: House, principal: Principal) -> Attribution:
    """Return whose instances will be; refuse who may bring none.

    Raises
    ------
    ForbiddenError
        If the principal may not.
    """
    attribution = Attribution(principal, list(house.settings.import_audience))
    with house.sessions.begin(write=False) as session:
        may_store(session, attribution)
    return attribution


class Intake:
    """Writes each part beside the archive, and hands it in when it is whole.

    Parameters
    ----------
    house
        The opened house.
    attribution
        Whose instances these are.
    study
        The only study whose instances are taken; empty: any.
    """

    def __init__(self, house: House, attribution: Attribution, study: str = "") -> None:
        """Take nothing yet."""
        self._house = house
        self._attribution = attribution
        self._study = study
        self._part: Incoming | None = None
        self._head = b""
        self._refused: Result | None = None
        self._waiting: deque[tuple[int, Future[_HandedIn]]] = deque()
        self._results: list[Result] = []

    def begin(self, kind: str) -> None:
        """Begin a part of media type *kind*."""
        self._refused = None
        if kind not in {"", DICOM, "application/octet-stream"}:
            why = f"It is of kind {kind[:60]!r}, not {DICOM}."
            self._refused = Result(Reason.NOT_UNDERSTOOD, why)
            return
        self._head = b""
        self._part = self._house.store.incoming(self._house.settings.max_instance_bytes)

    def write(self, piece: bytes) -> None:
        """Take a piece of the part; what was refused is passed over."""
        part = self._part
        if part is None or self._refused is not None:
            return
        try:
            self._check(piece)
            part.write(piece)
        except (InvalidError, TooLargeError) as error:
            self._refuse(Reason.NOT_UNDERSTOOD, error)
        except (NoSpaceError, OSError) as error:
            self._refuse(Reason.NO_RESOURCES, error)

    def end(self) -> None:
        """Hand in the part."""
        part, self._part = self._part, None
        if part is None:
            self._results.append(self._refused or Result(Reason.NOT_UNDERSTOOD))
            return
        part.end()
        future = _EXAMINERS.submit(self._handed_in, part)
        self._waiting.append((len(self._results), future))
        self._results.append(Result())
        while len(self._waiting) > MOST_WAITING:
            self._settle()

    def results(self) -> list[Result]:
        """Wait until everything lasts; return what became of each part, in order."""
        while self._waiting:
            self._settle()
        return self._results

    def discard(self) -> None:
        """Forget the part that is half there, and wait for those that are whole.

        A second time changes nothing.
        """
        self._drop()
        while self._waiting:
            self._settle()

    def _drop(self) -> None:
        """Remove the part that is half there."""
        part, self._part = self._part, None
        if part is not None:
            part.discard()

    def _check(self, piece: bytes) -> None:
        """Refuse what does not begin as DICOM does."""
        if len(self._head) < HEAD:
            self._head += piece[:HEAD]
            if len(self._head) >= HEAD:
                sniff(self._head)

    def _refuse(self, reason: int, error: Exception) -> None:
        """Remember why the part is not taken, and remove it."""
        why = str(error) if isinstance(error, HubError) else "It cannot be written."
        self._refused = Result(reason, why)
        self._drop()

    def _examined(self, part: Incoming) -> Ready:
        """Return the part as an instance, with what a Part 10 file needs before it."""
        limits = Limits(size=self._house.settings.max_instance_bytes)
        store = self._house.store
        try:
            examined = examine_file(part.path, limits)
            staged = part.staged()
        except BaseException:
            part.discard()
            raise
        try:
            if examined.prefix:
                whole = chain([examined.prefix], pieces_of(staged.path))
                bare, staged = staged, store.stage(whole, limits.size)
                store.drop(bare)
            return kept_form(self._house, Ready("", staged, examined))
        except BaseException:
            store.drop(staged)
            raise

    def _handed_in(self, part: Incoming) -> _HandedIn:
        """Examine a part, and give it to the archive; or say why not."""
        try:
            ready = self._examined(part)
            found = ready.examined
            if self._study and found.study_uid != self._study:
                self._house.store.drop(ready.staged)
                why = "It is of another study than the address names."
                return _result(ready, Reason.OTHER_STUDY, why)
            return ready, self._house.committer.submit(ready, self._attribution)
        except (InvalidError, TooLargeError) as error:
            return Result(Reason.NOT_UNDERSTOOD, str(error))
        except (NoSpaceError, BusyError) as error:
            return Result(Reason.NO_RESOURCES, str(error))
        except OSError:
            return Result(Reason.NO_RESOURCES, "It cannot be written.")

    def _settle(self) -> None:
        """Wait for the instance that was handed in first."""
        index, future = self._waiting.popleft()
        handed_in = future.result(COMMIT_SECONDS)
        if isinstance(handed_in, Result):
            self._results[index] = handed_in
        else:
            self._results[index] = _settled(*handed_in)


def _settled(ready: Ready, future: Future[Outcome]) -> Result:
    """Wait until an instance lasts; return what the archive's answer means."""
    try:
        outcome = future.result(COMMIT_SECONDS)
    except (NoSpaceError, BusyError, TimeoutError, OSError) as error:
        why = str(error) if isinstance(error, HubError) else "It was not stored."
        return _result(ready, Reason.NO_RESOURCES, why)
    except ForbiddenError as error:
        return _result(ready, Reason.NOT_ALLOWED, str(error))
    if outcome.status in {Status.TAKEN, Status.SAME}:
        return _result(ready)
    aside = outcome.status is Status.ASIDE
    reason = Reason.DUPLICATE if aside else Reason.PROCESSING
    return _result(ready, reason, outcome.why)


def _result(ready: Ready, reason: int = 0, why: str = "") -> Result:
    """Return what became of an instance that is known by its UIDs."""
    found = ready.examined
    uids = (found.sop_class, found.sop_uid, found.series_uid, found.study_uid)
    return Result(reason, why, *uids)
