"""A file that comes in: written while it comes, hashed by another thread behind it.

Hashing is most of the work of taking an instance. It needs nobody's attention, so it is
done beside the writing, the examining and the syncing of the same file.
"""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from rounds_hub.errors import TooLargeError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Disk", "Incoming", "Piece", "Staged"]

Piece: TypeAlias = bytes | memoryview

PIECE: Final = 2**18
"""How much is hashed at a time."""
LOOK_AT_SPACE: Final = 2**20
SMALL: Final = 2**16
"""So little is hashed faster than another thread is told of it."""

_HASHERS = ThreadPoolExecutor(os.cpu_count() or 1, "hasher")
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_OWN = threading.local()
_ALREADY: Final[Future[None]] = Future()
_ALREADY.set_result(None)


class Disk(Protocol):
    """A disk that is never filled."""

    def require_room(self, size: int) -> int:
        """Return what is left after *size* more bytes, or raise NoSpaceError."""

    def said(self, error: OSError) -> Exception:
        """Return *error*, as NoSpaceError where that is what it says."""


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes that were written beside the archive and may still be dropped.

    *synced* says that they would survive a crash of the machine where they lie.
    """

    path: Path
    sha256: str
    size: int
    synced: bool = False


class Incoming:
    """A new file at *path* that only its writer knows.

    It is written by one thread, and ends with :meth:`staged` or :meth:`discard`.

    Parameters
    ----------
    path
        Where it is written; nothing is there yet.
    limit
        How many bytes it may have at most.
    disk
        Where that is.
    stays
        Whether the file itself will be kept on this disk.
    """

    def __init__(
        self, path: Path, limit: int | None, disk: Disk, *, stays: bool
    ) -> None:
        """Open the file."""
        self.path = path
        self.size = 0
        self._limit = limit
        self._disk = disk
        self._stays = stays
        self._looked = 0
        self._file = os.open(path, _OPEN, 0o400)
        self._digest = hashlib.sha256()
        self._hashed = 0
        self._hashing = _ALREADY
        self._change = threading.Lock()
        self._running = False

    def write(self, piece: Piece) -> None:
        """Write the next *piece*.

        Raises
        ------
        TooLargeError
            If there are more bytes than may be.
        NoSpaceError
            If the disk would be filled.
        """
        size = self.size + len(piece)
        if self._limit is not None and size > self._limit:
            msg = f"It has more than the {self._limit} bytes that are taken at most."
            raise TooLargeError(msg)
        if size > self._looked:
            left = self._disk.require_room(len(piece))
            # Others write, too: near the end every piece is looked at.
            self._looked = size + min(left // 64, LOOK_AT_SPACE)
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise self._disk.said(error) from error
        self.size = size
        if size - self._hashed > SMALL:
            self._hash_behind()

    def end(self) -> None:
        """Say that everything came: what is not hashed yet is, beside the caller."""
        if self.size > SMALL:
            self._hash_behind()

    def staged(self) -> Staged:
        """Close the file; return it, hashed, and synced where it will stay."""
        try:
            if self._stays:
                os.fsync(self._file)
            self._hashing.result()
            self._hash_on()
        except OSError as error:
            raise self._disk.said(error) from error
        finally:
            self._close()
        return Staged(self.path, self._digest.hexdigest(), self.size, self._stays)

    def discard(self) -> None:
        """Close and remove the file; a second time changes nothing."""
        self._hashing.exception()
        self._close()
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        """Close the file, once."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _hash_behind(self) -> None:
        """Let another thread hash what was written, unless one is at it."""
        with self._change:
            if self._running:
                return
            self._running = True
        self._hashing.result()
        self._hashing = _HASHERS.submit(self._hash_on)

    def _hash_on(self) -> None:
        """Hash until what was written is hashed."""
        room = _room()
        while True:
            with self._change:
                if self._hashed >= self.size:
                    self._running = False
                    return
            got = os.preadv(self._file, [room], self._hashed)
            self._digest.update(room[:got])
            self._hashed += got


def _room() -> memoryview:
    """Return this thread's room for a piece."""
    if not hasattr(_OWN, "room"):
        _OWN.room = memoryview(bytearray(PIECE))
    room: memoryview = _OWN.room
    return room
