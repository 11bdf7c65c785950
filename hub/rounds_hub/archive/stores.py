"""Several stores that read as one: what one of them has is there."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, TypeVar

from rounds_hub.archive.fetched import DamagedError, Fetched
from rounds_hub.archive.rules import LOCAL, places_of, rules_of
from rounds_hub.archive.staging import Staging
from rounds_hub.archive.store import (
    LocalStore,
    StoreAwayError,
    checked_hash,
    put_into,
)
from rounds_hub.errors import HubError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rounds_hub.archive.incoming import Incoming, Staged
    from rounds_hub.archive.rules import Place
    from rounds_hub.archive.staging import Source
    from rounds_hub.archive.store import Kept, Lying, Store
    from rounds_hub.settings import Rounds

__all__ = ["Stores", "open_stores", "parts_of"]

T = TypeVar("T")


def open_stores(settings: Rounds) -> Store:
    """Return the archive's store: the local disk, or those that the settings name.

    Raises
    ------
    SettingsError
        If a store or a rule of the settings cannot be.
    """
    places, first = places_of(settings), rules_of(settings)[0]
    if list(places) == [LOCAL] and not places[LOCAL].in_bucket:
        return LocalStore(places[LOCAL].folder, settings.free_space_bytes)
    parts = {name: _opened(place, settings) for name, place in places.items()}
    return Stores(parts, first.stores[: first.copies])


def parts_of(store: Store) -> Mapping[str, Store]:
    """Return the stores that *store* consists of, by name."""
    return store.parts if isinstance(store, Stores) else {LOCAL: store}


def _opened(place: Place, settings: Rounds) -> Store:
    """Return one store of the settings opened."""
    free = settings.free_space_bytes
    if not place.in_bucket:
        return LocalStore(place.folder, free)
    # obstore's library takes a while to load: only where object storage is used.
    from rounds_hub.archive.objects import Bucket, ObjectStore  # noqa: PLC0415

    bucket = Bucket(
        place.name,
        place.url,
        place.endpoint,
        place.region,
        place.secret("KEY"),
        place.secret("SECRET"),
    )
    cache = settings.data / "cache" / "objects" / place.name
    fetched = Fetched(cache, settings.object_cache_bytes, free)
    return ObjectStore(bucket, Staging(settings.data / "archive", free), fetched)


class Stores:
    """Several stores behind the face of one.

    New things are kept in each store of *new* before anybody is told; what is read
    comes from the first store that has it whole.

    Parameters
    ----------
    parts
        The stores by name, those that are read first first.
    new
        The names of the stores in which new things are kept.
    """

    def __init__(self, parts: Mapping[str, Store], new: Sequence[str]) -> None:
        """Use *parts*."""
        self.parts = dict(parts)
        self.new = tuple(new)
        self._main = self.parts[self.new[0]]

    @property
    def folder(self) -> Path:
        """Where things are staged on this machine."""
        return self._main.folder

    @property
    def free_space_bytes(self) -> int:
        """Space on the disk of *folder* that is never filled."""
        return self._main.free_space_bytes

    @free_space_bytes.setter
    def free_space_bytes(self, value: int) -> None:
        self._main.free_space_bytes = value

    def put(self, source: Source, limit: int | None = None) -> Kept:
        """Keep the bytes of *source*; the same bytes again change nothing."""
        return put_into(self, source, limit)

    def stage(self, source: Source, limit: int | None = None) -> Staged:
        """Write the bytes of *source* on this machine and hash them on the way."""
        return self._main.stage(source, limit)

    def incoming(self, limit: int | None = None) -> Incoming:
        """Begin a file on this machine that is hashed while it comes."""
        return self._main.incoming(limit)

    def keep(self, batch: Sequence[Staged]) -> list[Kept]:
        """Keep the staged things of *batch* in every store for new ones.

        Errors are those of the stores; some may have kept something then, which
        nobody was told.
        """
        for name in self.new[1:]:
            _keep_copies(self.parts[name], batch)
        return self._main.keep(batch)

    def drop(self, staged: Staged) -> None:
        """Forget what was staged; a second time changes nothing."""
        self._main.drop(staged)

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Return whether one of the stores has the bytes.

        Raises
        ------
        StoreAwayError
            If none has them, and one does not answer.
        """
        silent: StoreAwayError | None = None
        for part in self.parts.values():
            try:
                if part.has(sha256, size):
                    return True
            except StoreAwayError as error:
                silent = error
        if silent is not None:
            raise silent
        return False

    def path(self, sha256: str) -> Path:
        """Return a file on this machine that holds the bytes.

        Raises
        ------
        NotFoundError
            If no store has them.
        DamagedError
            If a store has them, and none has them whole.
        StoreAwayError
            If none has them, and one does not answer.
        """
        checked_hash(sha256)
        return self._first(sha256, lambda part: _path_in(part, sha256))

    def paths(self, hashes: Sequence[str]) -> list[Path]:
        """Return files that hold the bytes of each of *hashes*, fetched together.

        Errors are those of :meth:`path`.
        """
        for part in self.parts.values():
            with contextlib.suppress(HubError):
                found = part.paths(hashes)
                if all(path.exists() for path in found):
                    return found
        return [self.path(sha256) for sha256 in hashes]

    def open(self, sha256: str) -> IO[bytes]:
        """Open the bytes for reading; errors are those of :meth:`path`."""
        return self.path(sha256).open("rb")

    def read(self, sha256: str) -> Iterator[bytes]:
        """Read the bytes from the first store that has them."""
        part = self._first(sha256, lambda part: _having(part, sha256))
        yield from part.read(sha256)

    def verify(self, sha256: str) -> bool:
        """Return whether the bytes are whole in every store that has them."""
        having = [part for part in self.parts.values() if part.has(sha256)]
        return bool(having) and all(part.verify(sha256) for part in having)

    def every(self, prefix: str = "") -> Iterator[Lying]:
        """Yield what lies in the stores under hashes that begin with *prefix*, once."""
        seen: set[str] = set()
        for part in self.parts.values():
            for one in part.every(prefix):
                if one.sha256 not in seen:
                    seen.add(one.sha256)
                    yield one

    def remove(self, sha256: str) -> None:
        """Remove the bytes from every store; a second time changes nothing."""
        for part in self.parts.values():
            part.remove(sha256)

    def set_aside(self, sha256: str) -> bool:
        """Put the bytes aside in every store; return whether they were in one."""
        found = [part.set_aside(sha256) for part in self.parts.values()]
        return any(found)

    def bring_back(self, sha256: str) -> bool:
        """Undo :meth:`set_aside`; return whether the bytes are in one now."""
        found = [part.bring_back(sha256) for part in self.parts.values()]
        return any(found)

    def forget_aside(self, sha256: str) -> None:
        """Remove bytes that were set aside; a second time changes nothing."""
        for part in self.parts.values():
            part.forget_aside(sha256)

    def scratch(self) -> Path:
        """Return the path of a new file on this machine, swept if we die."""
        return self._main.scratch()

    def sweep_temporaries(self) -> int:
        """Remove what dead processes left half written; return how many files."""
        return sum(part.sweep_temporaries() for part in self.parts.values())

    def _first(self, sha256: str, ask: Callable[[Store], T]) -> T:
        """Return what the first store answers that can; say the worst if none can."""
        trouble: HubError | None = None
        for part in self.parts.values():
            try:
                return ask(part)
            except NotFoundError:
                continue
            except (StoreAwayError, DamagedError) as error:
                trouble = error
        if trouble is not None:
            raise trouble
        kind = "object"
        raise NotFoundError(kind, sha256)


def _keep_copies(other: Store, batch: Sequence[Staged]) -> None:
    """Keep copies of what was staged for another store."""
    copies: list[Staged] = []
    try:
        copies += [other.stage(one.path) for one in batch]
        other.keep(copies)
    finally:
        for one in copies:
            other.drop(one)


def _path_in(part: Store, sha256: str) -> Path:
    """Return the file of one store, or raise if it has none."""
    path = part.path(sha256)
    if not path.exists():
        kind = "object"
        raise NotFoundError(kind, sha256)
    return path


def _having(part: Store, sha256: str) -> Store:
    """Return *part* if it has the bytes."""
    if not part.has(sha256):
        kind = "object"
        raise NotFoundError(kind, sha256)
    return part
