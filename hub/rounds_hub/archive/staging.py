"""Write bytes where they are not kept yet: beside the archive, swept if we die."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from rounds_hub.archive.incoming import Incoming, Staged
from rounds_hub.errors import NoSpaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "CHUNK",
    "Source",
    "Staging",
    "free_space",
    "pieces_of",
    "sync",
    "sync_all",
]

CHUNK = 2**20
_SYNCERS = ThreadPoolExecutor(8, "syncer")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

if TYPE_CHECKING:
    Source: TypeAlias = Path | bytes | IO[bytes] | Iterable[bytes]
else:
    Source = object


def free_space(folder: Path) -> int:
    """Return the bytes that may still be written to the disk of *folder*."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Staging:
    """A folder for what is half written, on a disk that is never filled.

    Parameters
    ----------
    folder
        Where the folder ``temporary`` is; made on first use.
    free_space_bytes
        Space on that disk that is never filled.

    Examples
    --------
    >>> import tempfile
    >>> staging = Staging(Path(tempfile.mkdtemp()), free_space_bytes=0)
    >>> staging.stage(b"lung").size
    4
    """

    def __init__(self, folder: Path, free_space_bytes: int) -> None:
        """Use *folder*; nothing is written yet."""
        self.folder = Path(folder)
        self.free_space_bytes = free_space_bytes
        self._temporary = self.folder / "temporary"
        self._own: Path | None = None
        self._opening = threading.Lock()

    def stage(self, source: Source, limit: int | None = None) -> Staged:
        """Write the bytes of *source* beside the archive and hash them on the way.

        Raises
        ------
        NoSpaceError
            If the disk would be filled; nothing half written is left.
        TooLargeError
            If there are more than *limit* bytes.
        """
        incoming = self.incoming(limit)
        try:
            for piece in pieces_of(source):
                incoming.write(piece)
            return incoming.staged()
        except BaseException:
            incoming.discard()
            raise

    def incoming(self, limit: int | None = None, *, stays: bool = False) -> Incoming:
        """Begin a file of *limit* bytes at most, hashed while it is written.

        What *stays* where it is staged is synced as soon as it has come.
        """
        return Incoming(self.scratch(), limit, self, stays=stays)

    def drop(self, staged: Staged) -> None:
        """Remove what was staged; a second time changes nothing."""
        staged.path.unlink(missing_ok=True)

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

    @contextmanager
    def refusing_full(self) -> Iterator[None]:
        """Say that the disk is full as an error of the house."""
        try:
            yield
        except OSError as error:
            raise self.said(error) from error

    def require_room(self, size: int) -> int:
        """Return how many bytes are left when *size* more are written.

        Raises
        ------
        NoSpaceError
            If they would fill the disk.
        """
        left = free_space(self.folder) - size - self.free_space_bytes
        if left < 0:
            raise self._no_space()
        return left

    def said(self, error: OSError) -> Exception:
        """Return *error*, as an error of the house where the disk is full."""
        return self._no_space() if error.errno in _FULL else error

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
            self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
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


def sync(path: Path | str) -> None:
    """Wait until the file or folder at *path* is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(paths: Iterable[Path | str]) -> None:
    """Sync many at the same time: a journal writes those that wait together at once."""
    every = list(paths)
    if len(every) == 1:  # no threads for what many senders wait for, one by one
        sync(every[0])
        return
    for _ in _SYNCERS.map(sync, every):
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
