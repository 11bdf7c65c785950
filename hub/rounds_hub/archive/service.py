"""The one way into the archive; what is read comes from :mod:`reading`."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pydicom import Dataset, dcmwrite

from rounds_hub.archive.checking import HEAD, NotAnInstanceError, examine_file, sniff
from rounds_hub.archive.forms import kept_form
from rounds_hub.archive.intake import (
    Attribution,
    Outcome,
    Ready,
    Status,
    known_hashes,
    may_store,
    record,
)
from rounds_hub.archive.reading import (
    SeriesRecord,
    StoredInstance,
    StudyPage,
    StudyRecord,
    get_series,
    get_study,
    instances_of,
    list_studies,
    open_instance,
)
from rounds_hub.archive.store import CHUNK, pieces_of
from rounds_hub.archive.walking import Limits
from rounds_hub.errors import InvalidError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.store import Source
    from rounds_hub.house import House

__all__ = [
    "Offer",
    "Outcome",
    "SeriesRecord",
    "Status",
    "StoredInstance",
    "StudyPage",
    "StudyRecord",
    "get_series",
    "get_study",
    "instances_of",
    "list_studies",
    "open_instance",
    "store",
]


@dataclass(frozen=True, slots=True)
class Offer:
    """One file that somebody wants to be kept, and the name to call it by."""

    name: str
    source: Path | bytes | IO[bytes] | Iterable[bytes] | Dataset


def store(
    house: House,
    principal: Principal,
    offers: Sequence[Offer],
    *,
    run_id: str | None = None,
) -> list[Outcome]:
    """Keep what is acceptable of *offers*; return what became of each, in order.

    The bytes are synced first, then the rows of the instances, their series and
    studies and the events for the index are written in one transaction. What this
    returns as taken is there for good. The same bytes again change nothing; other bytes
    under a SOP Instance UID that is taken are kept aside.

    Parameters
    ----------
    house
        The opened house.
    principal
        Who brings it: the owner of new series.
    offers
        Files, bytes or data sets; a batch of some hundred is fast, and is in memory
        only where it came as bytes or data sets.
    run_id
        The run whose results these are; who may see the run may see them.

    Raises
    ------
    ForbiddenError
        If the principal may not bring anything.
    NoSpaceError
        If the disk would be filled; nothing of this batch is kept then.
    """
    audience = [] if run_id else list(house.settings.import_audience)
    attribution = Attribution(principal, audience, run_id)
    with house.sessions.begin(write=False) as session:
        may_store(session, attribution)
    outcomes: dict[int, Outcome] = {}
    ready: dict[int, Ready] = {}
    try:
        for index, offer in enumerate(offers):
            checked = _checked(house, offer)
            if isinstance(checked, Ready):
                ready[index] = checked
            else:
                outcomes[index] = checked
        house.quotas.require_room(principal.name, list(ready.values()))
        _keep(house, list(ready.values()))
    finally:
        for one in ready.values():
            house.store.drop(one.staged)
    if ready:
        recorded = record(house, attribution, list(ready.values()))
        outcomes |= dict(zip(ready, recorded, strict=True))
    return [outcomes[index] for index in range(len(offers))]


def _keep(house: House, batch: list[Ready]) -> None:
    """Make the bytes of *batch* last, leaving out what already does."""
    with house.sessions.begin(write=False) as session:
        known = known_hashes(session, (ready.examined.sop_uid for ready in batch))
    house.store.keep(
        [
            ready.staged
            for ready in batch
            if known.get(ready.examined.sop_uid) != ready.staged.sha256
            or not house.store.has(ready.staged.sha256, ready.staged.size)
        ]
    )


def _checked(house: House, offer: Offer) -> Ready | Outcome:
    """Stage and examine one file; return it, or what is wrong with it."""
    limits = Limits(size=house.settings.max_instance_bytes)
    staged = None
    try:
        staged = house.store.stage(_bytes_of(offer.source), limits.size)
        examined = examine_file(staged.path, limits)
        if examined.prefix:
            bare, whole = staged, chain([examined.prefix], _read(staged.path))
            staged = house.store.stage(whole, limits.size)
            house.store.drop(bare)
        return kept_form(house, Ready(offer.name, staged, examined))
    except NotAnInstanceError as error:
        outcome = Outcome(offer.name, Status.SKIPPED, str(error))
    except (InvalidError, TooLargeError) as error:
        outcome = Outcome(offer.name, Status.REFUSED, str(error))
    if staged is not None:
        house.store.drop(staged)
    return outcome


def _bytes_of(source: Path | bytes | IO[bytes] | Iterable[bytes] | Dataset) -> Source:
    """Return the bytes of what was offered, in pieces, if they begin as DICOM does."""
    if isinstance(source, Dataset):
        written = io.BytesIO()
        dcmwrite(written, source, enforce_file_format=True)
        return written.getvalue()
    return _sniffed(pieces_of(_read(source) if isinstance(source, Path) else source))


def _sniffed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give *pieces* back unless the first one shows that they are no DICOM file."""
    first = next(pieces, b"")
    while len(first) < HEAD and (more := next(pieces, b"")):
        first += more
    sniff(first)
    yield first
    yield from pieces


def _read(path: Path) -> Iterator[bytes]:
    """Read a file piece by piece.

    Raises
    ------
    InvalidError
        If it cannot be read; an error of the archive's own disk stays what it is.
    """
    try:
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece
    except OSError as error:
        msg = f"It cannot be read: {error.strerror}."
        raise InvalidError(msg) from error
