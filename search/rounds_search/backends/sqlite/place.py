"""The folder of an index: its generations, the pointer to the current one, its lock.

::

    index/
    ├── current            the name of the generation that searches use
    ├── writer.lock        held by the one process that writes
    └── index-000001/
        ├── index.sqlite   documents, words, the rows of each picture
        └── <encoder>.*    vectors and their codes, as ``sidecar`` says

A rebuild fills a new generation and swaps the pointer by renaming, so that a reader
sees the old index or the new one and nothing between. The generation before stays
until the next rebuild, for readers that opened it a moment ago.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rounds_search.errors import IndexBusyError, IndexUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Place"]

NAME: Final = re.compile(r"index-\d{6,}")
POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """Where an index lives."""

    folder: Path

    def current(self) -> Path | None:
        """Return the folder of the generation in use, or None before the first."""
        try:
            name = (self.folder / "current").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        if not NAME.fullmatch(name):
            msg = "The index's pointer is unreadable."
            raise IndexUnavailableError(msg)
        return self.folder / name

    def fresh(self) -> Path:
        """Return a new, empty folder for the next generation; call it with the lock.

        What a killed rebuild left behind goes away here.
        """
        current = self.current()
        number = int(current.name.removeprefix("index-")) if current else 0
        for folder in self._generations():
            if int(folder.name.removeprefix("index-")) > number:
                shutil.rmtree(folder)
        made = self.folder / f"index-{number + 1:06d}"
        made.mkdir()
        return made

    def point_to(self, generation: Path) -> None:
        """Make *generation* the one in use, durably, and forget those long gone."""
        before = self.current()
        beside = self.folder / "current.new"
        with beside.open("w", encoding="ascii") as file:
            file.write(f"{generation.name}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.folder / "current")
        sync_folder(self.folder)
        for folder in self._generations():
            if folder not in {before, generation}:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def writing(self, patience: float) -> Iterator[None]:
        """Keep every other writer out, waiting *patience* seconds for the one inside.

        Raises
        ------
        IndexBusyError
            The other writer took longer.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "writer.lock").open("ab") as file:
            deadline = time.monotonic() + patience
            while not _locked(file.fileno()):
                if time.monotonic() > deadline:
                    raise IndexBusyError(patience)
                time.sleep(POLL_S)
            # Closing the file, or the process's death, lets the lock go.
            yield

    def _generations(self) -> list[Path]:
        return [one for one in self.folder.iterdir() if NAME.fullmatch(one.name)]


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
