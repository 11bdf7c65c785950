"""Keep bytes under their SHA-256: written, synced, renamed, and only then there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from rounds_hub.archive.staging import (
    CHUNK,
    Source,
    Staging,
    free_space,
    pieces_of,
    sync,
    sync_all,
)
from rounds_hub.errors import BusyError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rounds_hub.archive.incoming import Incoming, Staged

__all__ = [
    "CHUNK",
    "Kept",
    "LocalStore",
    "Lying",
    "Source",
    "Store",
    "StoreAwayError",
    "checked_hash",
    "copy_into",
    "free_space",
    "has_its_hash",
    "pieces_of",
    "put_into",
    "sync_all",
]

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that are in the store for good: their hash and how many they are."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Lying:
    """Bytes that lie in a store under a hash, and since when (seconds since 1970)."""

    sha256: str
    size: int
    since: float


class Store(Protocol):
    """Where bytes live under their hash: a local disk, object storage, or several.

    *folder* is where things are staged on this machine, on a disk on which
    *free_space_bytes* are never filled.
    """

    @property
    def folder(self) -> Path:
        """Where things are staged on this machine."""

    @property
    def free_space_bytes(self) -> int:
        """Space on the disk of *folder* that is never filled."""

    @free_space_bytes.setter
    def free_space_bytes(self, value: int) -> None: ...

    def stage(self, source: Source, limit: int | None = None) -> Staged:
        """Write the bytes of *source* where they are not kept yet."""

    def incoming(self, limit: int | None = None) -> Incoming:
        """Begin a file that is hashed, and made ready to be kept, while it comes."""

    def keep(self, batch: Sequence[Staged]) -> list[Kept]:
        """Make every staged thing of *batch* last, and return when it does.

        Where that fails, what was staged is still there: try again, or drop it.
        """

    def drop(self, staged: Staged) -> None:
        """Forget what was staged; a second time changes nothing."""

    def put(self, source: Source, limit: int | None = None) -> Kept:
        """Keep the bytes of *source*; the same bytes again change nothing."""

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Return whether the bytes are there."""

    def path(self, sha256: str) -> Path:
        """Return a file on this machine that holds the bytes."""

    def paths(self, hashes: Sequence[str]) -> list[Path]:
        """Return files that hold the bytes of each of *hashes*, fetched together."""

    def open(self, sha256: str) -> IO[bytes]:
        """Open the bytes for reading."""

    def read(self, sha256: str) -> Iterator[bytes]:
        """Read the bytes piece by piece from where they are kept."""

    def verify(self, sha256: str) -> bool:
        """Return whether the bytes still have their hash."""

    def every(self, prefix: str = "") -> Iterator[Lying]:
        """Yield what lies in the store under hashes that begin with *prefix*."""

    def remove(self, sha256: str) -> None:
        """Remove the bytes; a second time changes nothing."""

    def set_aside(self, sha256: str) -> bool:
        """Put the bytes where nobody reads them; return whether they were there."""

    def bring_back(self, sha256: str) -> bool:
        """Undo :meth:`set_aside`; return whether the bytes are there now."""

    def forget_aside(self, sha256: str) -> None:
        """Remove bytes that were set aside; a second time changes nothing."""

    def scratch(self) -> Path:
        """Return the path of a new file beside the archive, swept if we die."""

    def sweep_temporaries(self) -> int:
        """Remove what dead processes left half written; return how many files."""


class StoreAwayError(BusyError):
    """A store of the archive does not answer."""


class LocalStore:
    """A content-addressed folder on a local disk.

    A file is written under ``temporary/``, synced, renamed to
    ``objects/<2 hex>/<sha256>`` and its folder synced: what has its final name is
    whole, also after the power went away. Many files share one round of syncs. What
    is set aside lies in ``quarantine/``.

    Parameters
    ----------
    folder
        Where the archive is; made on first use.
    free_space_bytes
        Space on that disk that is never filled.

    Examples
    --------
    >>> import tempfile
    >>> store = LocalStore(Path(tempfile.mkdtemp()), free_space_bytes=0)
    >>> kept = store.put(b"lung")
    >>> kept == store.put(b"lung"), store.path(kept.sha256).read_bytes()
    (True, b'lung')
    """

    def __init__(self, folder: Path, free_space_bytes: int) -> None:
        """Use *folder*; nothing is written yet."""
        self._staging = Staging(Path(folder), free_space_bytes)
        self._objects = self.folder / "objects"
        self._lasting: set[Path] = set()
        self._quarantine = self.folder / "quarantine"

    @property
    def folder(self) -> Path:
        """Where the archive is."""
        return self._staging.folder

    @property
    def free_space_bytes(self) -> int:
        """Space on the disk that is never filled."""
        return self._staging.free_space_bytes

    @free_space_bytes.setter
    def free_space_bytes(self, value: int) -> None:
        self._staging.free_space_bytes = value

    def put(self, source: Source, limit: int | None = None) -> Kept:
        """Keep the bytes of *source*; the same bytes again change nothing.

        Raises
        ------
        NoSpaceError
            If the disk would be filled; nothing half written is left.
        TooLargeError
            If there are more than *limit* bytes.
        """
        return put_into(self, source, limit)

    def stage(self, source: Source, limit: int | None = None) -> Staged:
        """Write the bytes of *source* beside the archive and hash them on the way.

        Errors are those of :meth:`put`.
        """
        return self._staging.stage(source, limit)

    def incoming(self, limit: int | None = None) -> Incoming:
        """Begin a file that is hashed, and synced by its writer, while it comes."""
        return self._staging.incoming(limit, stays=True)

    def keep(self, batch: Sequence[Staged]) -> list[Kept]:
        """Sync every staged file of *batch*, give it its name, sync the folders once.

        When this returns, every file of the batch survives a crash of the machine.

        Raises
        ------
        NoSpaceError
            If the disk is full; what had no name yet may be kept again, or dropped.
        """
        places = {one.sha256: self.path(one.sha256) for one in batch}
        new = {one.sha256: one for one in batch if not self.has(one.sha256, one.size)}
        for staged in batch:
            if new.get(staged.sha256) is not staged:
                self.drop(staged)
        with self._staging.refusing_full():
            sync_all(one.path for one in new.values() if not one.synced)
            for staged in new.values():
                _rename(staged, places[staged.sha256])
            folders = {place.parent for place in places.values()}
            sync_all(folders)
            if not folders <= self._lasting:
                sync(self._objects)
                self._lasting |= folders
        return [Kept(one.sha256, one.size) for one in batch]

    def drop(self, staged: Staged) -> None:
        """Remove what was staged; a second time changes nothing."""
        self._staging.drop(staged)

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Return whether the bytes are there, *size* many where that is given."""
        try:
            found = self.path(sha256).stat().st_size
        except FileNotFoundError:
            return False
        return size is None or found == size

    def path(self, sha256: str) -> Path:
        """Return where the bytes with this hash are, or would be.

        Raises
        ------
        InvalidError
            If *sha256* is not 64 hexadecimal digits, so that it names no path of ours.
        """
        return self._objects / checked_hash(sha256)[:2] / sha256

    def paths(self, hashes: Sequence[str]) -> list[Path]:
        """Return where the bytes of each of *hashes* are, or would be."""
        return [self.path(sha256) for sha256 in hashes]

    def open(self, sha256: str) -> IO[bytes]:
        """Open the bytes for reading.

        Raises
        ------
        NotFoundError
            If they are not here.
        """
        try:
            return self.path(sha256).open("rb")
        except FileNotFoundError as error:
            kind = "object"
            raise NotFoundError(kind, sha256) from error

    def read(self, sha256: str) -> Iterator[bytes]:
        """Read the bytes piece by piece; errors are those of :meth:`open`."""
        with self.open(sha256) as file:
            yield from pieces_of(file)

    def verify(self, sha256: str) -> bool:
        """Return whether the bytes are there and still have their hash."""
        try:
            return has_its_hash(sha256, self.read(sha256))
        except NotFoundError:
            return False

    def every(self, prefix: str = "") -> Iterator[Lying]:
        """Yield what lies here under hashes that begin with *prefix*, in order."""
        for folder in sorted(self._objects.glob(f"{prefix[:2]}*")):
            for path in sorted(folder.glob(f"{prefix}*")):
                if _SHA256.fullmatch(path.name):
                    found = path.stat()
                    yield Lying(path.name, found.st_size, found.st_mtime)

    def remove(self, sha256: str) -> None:
        """Remove the bytes; a second time changes nothing."""
        path = self.path(sha256)
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync(path.parent)

    def set_aside(self, sha256: str) -> bool:
        """Put the bytes where nobody reads them; return whether they were there."""
        return self._move(self.path(sha256), self._quarantine / sha256)

    def bring_back(self, sha256: str) -> bool:
        """Undo :meth:`set_aside`; return whether the bytes are there now."""
        if self.has(sha256):
            return True
        path = self.path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._move(self._quarantine / sha256, path)

    def forget_aside(self, sha256: str) -> None:
        """Remove bytes that were set aside; a second time changes nothing."""
        (self._quarantine / checked_hash(sha256)).unlink(missing_ok=True)

    def scratch(self) -> Path:
        """Return the path of a new file beside the archive, swept if we die."""
        return self._staging.scratch()

    def sweep_temporaries(self) -> int:
        """Remove what dead processes left half written; return how many files."""
        return self._staging.sweep_temporaries()

    def _move(self, source: Path, target: Path) -> bool:
        """Move a file for good; return whether there was one."""
        if not source.exists():
            return False
        target.parent.mkdir(exist_ok=True, mode=0o700)
        source.replace(target)
        sync_all([source.parent, target.parent])
        return True


def _rename(staged: Staged, place: Path) -> None:
    """Give a synced file its final name; nobody writes to it again."""
    try:
        staged.path.rename(place)
    except FileNotFoundError:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        staged.path.rename(place)


def put_into(store: Store, source: Source, limit: int | None = None) -> Kept:
    """Stage the bytes of *source* and keep them in *store*; leave nothing half done."""
    staged = store.stage(source, limit)
    try:
        return store.keep([staged])[0]
    finally:
        store.drop(staged)


def copy_into(target: Store, source: Store, sha256: str) -> bool:
    """Copy the bytes between stores; return False if they have not their hash."""
    staged = target.stage(source.read(sha256))
    try:
        if staged.sha256 != sha256:
            return False
        target.remove(sha256)  # what lies there is not these bytes
        target.keep([staged])
    finally:
        target.drop(staged)
    return True


def checked_hash(sha256: str) -> str:
    """Return *sha256* if it is one, so that it names no path but ours.

    Raises
    ------
    InvalidError
        If it is not 64 hexadecimal digits.
    """
    if not _SHA256.fullmatch(sha256):
        msg = f"A SHA-256 has 64 hexadecimal digits, got {sha256[:80]!r}."
        raise InvalidError(msg)
    return sha256


def has_its_hash(sha256: str, pieces: Iterable[bytes]) -> bool:
    """Return whether the SHA-256 over *pieces* is *sha256*."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest() == sha256
