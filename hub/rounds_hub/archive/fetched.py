"""A bounded cache, on this machine's disk, of bytes that are kept elsewhere."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

from rounds_hub.archive.staging import Staging, sync_all
from rounds_hub.archive.store import checked_hash
from rounds_hub.errors import HubError, NoSpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from rounds_hub.archive.incoming import Staged

__all__ = ["DamagedError", "Fetched"]

IN_USE_SECONDS = 600.0
ROOM = 0.9
LOCKS = 64


class DamagedError(HubError):
    """Bytes of the archive do not have their hash any more."""

    title = "Damaged in the archive"

    def __init__(self, sha256: str) -> None:
        """Name the object, and what to do."""
        super().__init__(
            f"Object {sha256[:12]}… of the archive is damaged. "
            "«rounds doctor --deep --repair» looks for a whole copy."
        )


class Fetched:
    """Files under their hash that were fetched; the least recently used make room.

    A file has its name only when it is whole, has its hash and is synced. Files that
    were asked for within ten minutes stay, so the bound may be passed for a while.

    Parameters
    ----------
    folder
        Where the files are; made on first use.
    limit
        How many bytes they may have together.
    free_space_bytes
        Space on that disk that is never filled.
    in_use_seconds
        For how long a file that was asked for stays: it may be about to be opened.
    """

    def __init__(
        self,
        folder: Path,
        limit: int,
        free_space_bytes: int,
        in_use_seconds: float = IN_USE_SECONDS,
    ) -> None:
        """Use *folder*; nothing is written yet."""
        self.folder = folder
        self.limit = limit
        self.in_use_seconds = in_use_seconds
        self._staging = Staging(folder, free_space_bytes)
        self._used: int | None = None
        self._counting = threading.Lock()
        self._fetching = [threading.Lock() for _ in range(LOCKS)]

    def path(self, sha256: str, fetch: Callable[[str], Iterable[bytes]]) -> Path:
        """Return the file with the bytes, fetched by *fetch* where it is not here.

        Raises
        ------
        DamagedError
            If what was fetched has another hash; nothing of it is left.
        NoSpaceError
            If the disk would be filled, though nothing else is left to remove.
        """
        path = self._place(sha256)
        with self._fetching[int(sha256[:2], 16) % LOCKS]:
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)
                return path
            staged = self._staged(sha256, fetch)
            if staged.sha256 != sha256:
                self._staging.drop(staged)
                raise DamagedError(sha256)
            self._take([staged])
        return path

    def add(self, batch: Sequence[Staged]) -> None:
        """Take whole files over that were staged here; where it fails, no harm."""
        with contextlib.suppress(OSError):
            self._take(batch)

    def forget(self, sha256: str) -> None:
        """Remove one file; a second time changes nothing."""
        self._place(sha256).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what dead processes left half fetched; return how many files."""
        return self._staging.sweep_temporaries()

    def make_room(self, limit: int) -> None:
        """Remove files until all have at most *limit* bytes, the oldest used first."""
        used = sorted(self._every())
        total = sum(size for _, size, _ in used)
        until = time.time() - self.in_use_seconds
        for at, size, path in used:
            if total <= limit or at > until:
                break
            path.unlink(missing_ok=True)
            total -= size
        self._used = total

    def _staged(self, sha256: str, fetch: Callable[[str], Iterable[bytes]]) -> Staged:
        """Fetch the bytes beside the cache; a full disk is tried again with room."""
        try:
            return self._staging.stage(fetch(sha256))
        except NoSpaceError:
            self.make_room(0)
            return self._staging.stage(fetch(sha256))

    def _take(self, batch: Sequence[Staged]) -> None:
        """Give staged files their names."""
        sync_all(one.path for one in batch)
        for one in batch:
            target = self._place(one.sha256)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            one.path.chmod(0o400)
            one.path.replace(target)
        self._count(sum(one.size for one in batch))

    def _count(self, more: int) -> None:
        """Note that there are *more* bytes, and make room where they are too many."""
        with self._counting:
            if self._used is None:
                self._used = sum(size for _, size, _ in self._every()) - more
            self._used += more
            if self._used > self.limit:
                self.make_room(int(self.limit * ROOM))

    def _every(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when each file was used last, its size and its path."""
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                yield found.st_mtime, found.st_size, path

    def _place(self, sha256: str) -> Path:
        """Return where the file with this hash is, or would be."""
        return self.folder / checked_hash(sha256)[:2] / sha256
