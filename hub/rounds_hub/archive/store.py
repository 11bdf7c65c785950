"""Keep bytes under their SHA-256: written, synced, renamed, and only then there."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import threading
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, TypeAlias

from rounds_hub.errors import InvalidError, NoSpaceError, NotFoundError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "Kept",
    "LocalStore",
    "Source",
    "Staged",
    "Store",
    "free_space",
    "pieces_of",
    "sync_all",
]

CHUNK = 2**20
SYNCS_AT_ONCE = 8
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

if TYPE_CHECKING:
    Source: TypeAlias = Path | bytes | IO[bytes] | Iterable[bytes]
else:
    Source = object


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that are on the disk for good: their hash and how many they are."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes that were written beside the archive and may still be dropped."""

    path: Path
    sha256: str
    size: int


class Store(Protocol):
    """Where bytes live under their hash; local disk now, object storage as well."""

    def stage(self, source: Source, limit: int | None = None) -> Staged:
        """Write the bytes of *source* where they are not kept yet."""

    def keep(self, batch: Sequence[Staged]) -> list[Kept]:
        """Make every staged thing of *batch* last, and return when it does."""

    def drop(self, staged: Staged) -> None:
        """Forget what was staged; a second time changes nothing."""

    def put(self, source: Source, limit: int | None = None) -> Kept:
        """Keep the bytes of *source*; the same bytes again change nothing."""

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Return whether the bytes are there."""

    def path(self, sha256: str) -> Path:
        """Return a file that holds the bytes."""

    def open(self, sha256: str) -> IO[bytes]:
        """Open the bytes for reading."""

    def verify(self, sha256: str) -> bool:
        """Return whether the bytes still have their hash."""

    def sweep_temporaries(self) -> int:
        """Remove what dead processes left half written; return how many files."""


def free_space(folder: Path) -> int:
    """Return the bytes that may still be written to the disk of *folder*."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class LocalStore:
    """A content-addressed folder on a local disk.

    A file is written under ``temporary/``, synced, renamed to
    ``objects/<2 hex>/<sha256>`` and its folder synced: what has its final name is
    whole, also after the power went away. Many files share one round of syncs.

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
        self.folder = Path(folder)
        self.free_space_bytes = free_space_bytes
        self._objects = self.folder / "objects"
        self._temporary = self.folder / "temporary"
        self._own: Path | None = None
        self._opening = threading.Lock()

    def put(self, source: Source, limit: int | None = None) -> Kept:
        """Keep the bytes of *source*; the same bytes again change nothing.

        Raises
        ------
        NoSpaceError
            If the disk would be filled; nothing half written is left.
        TooLargeError
            If there are more than *limit* bytes.
        """
        return self.keep([self.stage(source, limit)])[0]

    def stage(self, source: Source, limit: int | None = None) -> Staged:
        """Write the bytes of *source* beside the archive and hash them on the way.

        Raises
        ------
        NoSpaceError
            If the disk would be filled; nothing half written is left.
        TooLargeError
            If there are more than *limit* bytes.
        """
        path = self._own_folder() / uuid.uuid4().hex
        try:
            return self._write(path, source, limit)
        except OSError as error:
            path.unlink(missing_ok=True)
            if error.errno in _FULL:
                raise self._no_space() from error
            raise
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def keep(self, batch: Sequence[Staged]) -> list[Kept]:
        """Sync every staged file of *batch*, give it its name, sync the folders once.

        When this returns, every file of the batch survives a crash of the machine.

        Raises
        ------
        NoSpaceError
            If the disk is full; what had no name yet is dropped.
        """
        new = {
            one.sha256: one for one in batch if not self.has(one.sha256, one.size)
        }.values()
        try:
            sync_all(staged.path for staged in new)
            for staged in new:
                self._rename(staged)
            sync_all({self.path(one.sha256).parent for one in batch})
            if new:
                _sync(self._objects)
        except OSError as error:
            if error.errno in _FULL:
                raise self._no_space() from error
            raise
        finally:
            for staged in batch:
                self.drop(staged)
        return [Kept(one.sha256, one.size) for one in batch]

    def drop(self, staged: Staged) -> None:
        """Remove what was staged; a second time changes nothing."""
        staged.path.unlink(missing_ok=True)

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
        if not _SHA256.fullmatch(sha256):
            msg = f"A SHA-256 has 64 hexadecimal digits, got {sha256[:80]!r}."
            raise InvalidError(msg)
        return self._objects / sha256[:2] / sha256

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

    def verify(self, sha256: str) -> bool:
        """Return whether the bytes are there and still have their hash."""
        try:
            with self.open(sha256) as file:
                digest = hashlib.sha256()
                for piece in pieces_of(file):
                    digest.update(piece)
                return digest.hexdigest() == sha256
        except NotFoundError:
            return False

    def sweep_temporaries(self) -> int:
        """Remove what dead processes left half written; return how many files.

        A living process holds a lock on its own folder, so this may run at any time.
        """
        swept = 0
        for lock in self._temporary.glob("*.lock"):
            descriptor = _try_lock(lock)
            if descriptor is None:
                continue
            folder = lock.with_suffix("")
            swept += sum(1 for _ in folder.glob("*"))
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)
            os.close(descriptor)
        return swept

    def scratch(self) -> Path:
        """Return the path of a new file beside the archive, swept if we die."""
        return self._own_folder() / uuid.uuid4().hex

    def _write(self, path: Path, source: Source, limit: int | None) -> Staged:
        """Write *source* to *path* in pieces, never filling the disk."""
        digest = hashlib.sha256()
        size = 0
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces_of(source):
                size += len(piece)
                if limit is not None and size > limit:
                    msg = f"It has more than the {limit} bytes that are taken at most."
                    raise TooLargeError(msg)
                if free_space(self.folder) - len(piece) < self.free_space_bytes:
                    raise self._no_space()
                digest.update(piece)
                file.write(piece)
        return Staged(path, digest.hexdigest(), size)

    def _rename(self, staged: Staged) -> None:
        """Give a synced file its final name; nobody writes to it again."""
        target = self.path(staged.sha256)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        staged.path.chmod(0o400)
        staged.path.replace(target)

    def _no_space(self) -> NoSpaceError:
        """Return the error that says how much must stay free."""
        return NoSpaceError(
            f"The disk of the archive is full: {self.free_space_bytes // 2**20} MiB "
            f"stay free. Make room, then send it again."
        )

    def _own_folder(self) -> Path:
        """Return our folder for half written files, locked while this process lives."""
        with self._opening:
            return self._opened()

    def _opened(self) -> Path:
        """Return that folder, made again if somebody removed it."""
        if self._own is None or not self._own.is_dir():
            self._objects.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._temporary.mkdir(exist_ok=True, mode=0o700)
            self._own = self._temporary / uuid.uuid4().hex
            lock = self._own.with_name(f"{self._own.name}.lock")
            descriptor = _locked(lock)
            self._own.mkdir(mode=0o700)
            weakref.finalize(self, _give_back, lock, descriptor, os.getpid())
        return self._own


def pieces_of(source: Source) -> Iterator[bytes]:
    """Return the bytes of *source*, at most a megabyte or so at a time."""
    if isinstance(source, bytes):
        view = memoryview(source)
        for start in range(0, len(view), CHUNK):
            yield bytes(view[start : start + CHUNK])
    elif isinstance(source, Path):
        with source.open("rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")
    elif hasattr(source, "read"):
        yield from iter(lambda: source.read(CHUNK), b"")
    else:
        yield from source


def _sync(path: Path) -> None:
    """Wait until the file or folder at *path* is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(paths: Iterable[Path]) -> None:
    """Sync many at the same time: a journal writes those that wait together at once."""
    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool:
        for _ in pool.map(_sync, paths):
            continue


def _locked(lock: Path) -> int:
    """Make the file *lock* and hold it; a sweeper may have it for a moment."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if lock.exists():
            return descriptor
        os.close(descriptor)


def _try_lock(lock: Path) -> int | None:
    """Return a descriptor that holds *lock*, or None while its owner lives."""
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _give_back(lock: Path, descriptor: int, owner: int) -> None:
    """Remove a process's folder of half written files and its lock, if it is ours."""
    if os.getpid() == owner:
        shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
        lock.unlink(missing_ok=True)
    os.close(descriptor)
