"""What is sent to be asked with: pictures, or the instances of one series, bounded.

It lies in a folder of its own while the question is answered and is gone afterwards;
nothing of it reaches the archive. It is read in a decoding process.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import time
import uuid
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from rounds_hub.archive import decoding
from rounds_hub.archive.sources import Bounds, Found, opened
from rounds_hub.archive.store import free_space
from rounds_hub.cases.pictures import LARGEST_PICTURE, SIGNATURES
from rounds_hub.errors import InvalidError, NoSpaceError, TooLargeError
from rounds_kernels.volumes import Volume, open_volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.house import House

__all__ = ["LARGEST_QUESTION", "MOST_FILES", "Sent", "received"]

LARGEST_QUESTION: Final = 256 * 2**20
"""Bytes that may be sent with a question, and bytes of the files in a zip."""
LARGEST_VOLUME: Final = 2**30
MOST_FILES: Final = 2_000
MOST_PICTURES: Final = 8
PREVIEW: Final = 160
PIECE: Final = 2**20
LEFT_SECONDS: Final = 3600
_ZIP: Final = b"PK\x03\x04"
_HEAD: Final = 8
_AXIAL: Final = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """What was sent, read.

    *placed* says whether it is known where its slices lie in the body; *patients* are
    the ``(issuer, number)`` that it says it is of.
    """

    stacks: tuple[Volume, ...]
    placed: bool
    patients: frozenset[tuple[str, str]] = frozenset()

    @staticmethod
    def preview(picture: npt.NDArray[np.uint8]) -> str:
        """Return *picture*, small, as a data URL."""
        image = Image.fromarray(np.ascontiguousarray(picture))
        image.thumbnail((PREVIEW, PREVIEW))
        written = io.BytesIO()
        image.save(written, "PNG", compress_level=1)
        return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


@contextlib.contextmanager
def received(house: House, files: Sequence[IO[bytes]]) -> Iterator[Sent | None]:
    """Give what is in *files*: PNG, JPEG, DICOM, or a zip of DICOM; None without any.

    Raises
    ------
    TooLargeError
        If there is too much of it.
    InvalidError
        If it is none of these, is damaged, or is not of one series.
    NoSpaceError
        If the disk would be filled.
    """
    if not files:
        yield None
        return
    parent = house.settings.data / "cache" / "questions"
    folder = parent / uuid.uuid4().hex
    folder.mkdir(parents=True, mode=0o700)
    try:
        _sweep(parent)
        yield _read(house, _kept(house, files, folder), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove what a process that was killed left there."""
    for left in parent.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _kept(house: House, files: Sequence[IO[bytes]], folder: Path) -> list[Path]:
    """Write *files* to *folder*, and what is in a zip in its place."""
    kept: list[Path] = []
    room = _Room(house, folder)
    for file in files:
        path = room.write(iter(lambda file=file: file.read(PIECE), b""))  # type: ignore[misc]
        if _head(path).startswith(_ZIP):
            kept += _unzipped(house, path, room)
        else:
            kept.append(path)
    return kept


class _Room:
    """A folder that takes so many files and bytes, and no more."""

    def __init__(self, house: House, folder: Path) -> None:
        """Begin with an empty folder."""
        self._house = house
        self._folder = folder
        self._left = LARGEST_QUESTION
        self._count = 0

    def write(self, pieces: Iterable[bytes]) -> Path:
        """Write a file of its own and return where it is."""
        self._count += 1
        if self._count > MOST_FILES:
            msg = f"At most {MOST_FILES} files can be asked with."
            raise TooLargeError(msg)
        path = self._folder / str(self._count)
        with path.open("wb") as written:
            for piece in pieces:
                self._take(len(piece))
                written.write(piece)
        return path

    def _take(self, count: int) -> None:
        """Take *count* bytes of the room."""
        self._left -= count
        if self._left < 0:
            msg = (
                f"At most {LARGEST_QUESTION // 2**20} MiB can be asked with; send one "
                "series, or some of its slices."
            )
            raise TooLargeError(msg)
        least = self._house.settings.free_space_bytes
        if free_space(self._folder) - count < least:
            msg = "The disk for questions is full. Make room, then ask again."
            raise NoSpaceError(msg)


def _head(path: Path) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(_HEAD)


def _unzipped(house: House, path: Path, room: _Room) -> list[Path]:
    """Return the files of the zip at *path*."""
    bounds = Bounds(entries=MOST_FILES, size=LARGEST_QUESTION)
    with opened(Found("sent.zip", path), house.store, bounds) as entries:
        found: list[Path] = []
        for entry in entries:
            if entry.why and not entry.skipped:
                raise InvalidError(entry.why)
            if not entry.why and callable(entry.source):
                found.append(room.write(entry.source()))
    path.unlink()
    return found


def _read(house: House, paths: list[Path], folder: Path) -> Sent:
    """Return what the files at *paths* show."""
    if not paths:
        msg = "There is no file in what was sent."
        raise InvalidError(msg, {"files": msg})
    pictures = [path for path in paths if _head(path).startswith(SIGNATURES)]
    if len(pictures) == len(paths):
        return _pictures(pictures)
    if pictures:
        msg = "Ask with pictures or with a DICOM series, not with both at once."
        raise InvalidError(msg, {"files": msg})
    limit = min(LARGEST_VOLUME, house.settings.max_volume_bytes)
    target = folder / "volume"
    count = decoding.volumes(paths, target, limit)
    further = (target / "stacks" / str(number) for number in range(1, count))
    stacks = tuple(open_volume(one) for one in (target, *further))
    placed = len(stacks[0].array) > 1
    return Sent(stacks, placed, _patients(decoding.metadata(paths[0])))


def _pictures(paths: list[Path]) -> Sent:
    """Return plain pictures as stacks of one slice each."""
    if len(paths) > MOST_PICTURES:
        msg = f"At most {MOST_PICTURES} pictures can be asked with, got {len(paths)}."
        raise TooLargeError(msg)
    for path in paths:
        size = path.stat().st_size
        if size > LARGEST_PICTURE:
            msg = f"The picture has {size} bytes; at most {LARGEST_PICTURE} are taken."
            raise TooLargeError(msg)
    return Sent(tuple(_flat(decoding.raster(path)) for path in paths), placed=False)


def _flat(grey: npt.NDArray[np.float32]) -> Volume:
    """Return a picture as a volume of one slice, of which no place is known."""
    return Volume(grey[None], (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), _AXIAL, "", "OT", "")


def _patients(metadata: bytes) -> frozenset[tuple[str, str]]:
    """Return whose an instance says it is: (0010,0021) and (0010,0020)."""
    said = json.loads(metadata)
    number, issuer = (_text(said, tag) for tag in ("00100020", "00100021"))
    return frozenset({(issuer, number)}) if number else frozenset()


def _text(said: dict[str, Any], tag: str) -> str:
    """Return the text of an element of the DICOM JSON model (PS3.18, annex F)."""
    values = said.get(tag, {}).get("Value") or [""]
    return str(values[0] or "").strip()
