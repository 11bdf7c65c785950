"""Find where each frame of an instance lies in its file, without reading the pixels."""

from __future__ import annotations

import contextlib
import mmap
import struct
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rounds_hub.archive.checking import data_set_of, head_of
from rounds_hub.archive.pixels import VIDEO, Shape, shape_of
from rounds_hub.archive.texts import Texts
from rounds_hub.archive.walking import PIXEL_TAGS, Limits, walk
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rounds_hub.archive.walking import Bytes, Pixels, Syntax, Walk

__all__ = ["Layout", "Opened", "layout_in", "layout_of", "open_data_set"]

EXTENDED_OFFSETS = 0x7FE00001
WANTED = frozenset(
    {
        *PIXEL_TAGS, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011,
        0x00280100, 0x00280101, 0x00280103,
    }
)  # fmt: skip
ITEM_HEAD = 8
BEGINNINGS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP")
"""How a JPEG, JPEG-LS, JPEG 2000 or JP2 picture begins: the first part of a frame."""

Part = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Opened:
    """The bytes of a data set, inflated where they were deflated."""

    data: Bytes
    start: int
    encoding: Syntax
    syntax: str


@contextlib.contextmanager
def open_data_set(path: Path, limits: Limits) -> Iterator[Opened]:
    """Give the data set of the file at *path*, mapped, and where it begins.

    Raises
    ------
    InvalidError
        If it does not begin as DICOM does, or would be inflated beyond *limits*.
    """
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        head = head_of(mapped, limits)
        with data_set_of(mapped, head, limits) as (data, start):
            yield Opened(data, start, head.encoding, head.syntax)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pixel data of an instance lie, and what the data set says of them.

    Attributes
    ----------
    syntax
        The transfer syntax UID.
    tag
        Of the pixel data: PixelData, FloatPixelData or DoubleFloatPixelData.
    start, length
        Where the value lies: in the file, or in the data set where that is deflated.
    fragments
        Of encapsulated pixel data: for each frame the ``(start, length)`` of its parts.
        None for native pixel data.
    shape
        What the Image Pixel module says.
    """

    syntax: str
    tag: int
    start: int
    length: int
    fragments: tuple[tuple[Part, ...], ...] | None
    shape: Shape

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return self.shape.frames

    @property
    def aligned(self) -> bool:
        """Whether every native frame begins at a whole byte."""
        return self.shape.frame_bits % 8 == 0

    def parts(self, number: int) -> tuple[Part, ...]:
        """Return where the bytes of frame *number*, from 0, lie.

        Of native frames that begin inside a byte, that byte belongs to both.
        """
        if self.fragments is not None:
            return self.fragments[number]
        bits = self.shape.frame_bits
        begin, end = number * bits // 8, ((number + 1) * bits + 7) // 8
        return ((self.start + begin, end - begin),)

    def described(self) -> dict[str, Any]:
        """Return it as JSON can hold it; :meth:`from_described` gives it back."""
        return asdict(self)

    @classmethod
    def from_described(cls, said: dict[str, Any]) -> Layout:
        """Return the layout that :meth:`described` put into words."""
        found = said.pop("fragments")
        fragments = None
        if found is not None:
            fragments = tuple(
                tuple((int(start), int(size)) for start, size in frame)
                for frame in found
            )
        return cls(**said | {"shape": Shape(**said["shape"]), "fragments": fragments})


def layout_of(path: Path, limits: Limits | None = None) -> Layout | None:
    """Return the layout of the instance at *path*, None where it has no pixel data.

    Raises
    ------
    InvalidError
        If it is no instance, or its frames cannot be told apart.
    """
    limits = limits or Limits()
    with open_data_set(path, limits) as opened:
        return layout_in(opened, limits)


def layout_in(opened: Opened, limits: Limits) -> Layout | None:
    """Return the layout of a data set that is open; see :func:`layout_of`."""
    found, offsets = _walked(opened, limits)
    if found.pixels is None:
        return None
    shape = shape_of(Texts(found.values, opened.encoding.order))
    pixels = found.pixels
    fragments = None
    if pixels.fragments is not None:
        fragments = _grouped(opened, pixels, shape.frames, offsets)
    return Layout(
        opened.syntax, pixels.tag, pixels.start, pixels.length, fragments, shape
    )


def _walked(opened: Opened, limits: Limits) -> tuple[Walk, bytes]:
    """Return what a walk finds, and the extended offset table (PS3.3, C.7.6.3.1.8)."""
    where = (opened.data, opened.start, opened.encoding)
    try:
        found = walk(*where, WANTED | {EXTENDED_OFFSETS}, limits)
    except InvalidError:
        found = walk(*where, WANTED, limits)  # the table may be longer than is kept
    return found, found.values.get(EXTENDED_OFFSETS, b"")


def _grouped(
    opened: Opened, pixels: Pixels, frames: int, extended: bytes
) -> tuple[tuple[Part, ...], ...]:
    """Return the parts of each frame, found by a table or by how pictures begin."""
    parts = pixels.fragments or ()
    if opened.syntax.startswith(VIDEO):
        return (tuple(parts),)
    if frames == 1:
        return (tuple(parts),)
    if len(parts) == frames:
        return tuple((part,) for part in parts)
    for starts in (
        _starts(_unpacked(extended, "Q"), parts, frames),
        _starts(_unpacked(_basic(opened.data, pixels), "L"), parts, frames),
        [at for at, part in enumerate(parts) if _begins(opened.data, part)],
    ):
        if len(starts) == frames and starts[0] == 0:
            ends = pairwise([*starts, len(parts)])
            return tuple(tuple(parts[begin:end]) for begin, end in ends)
    msg = f"Its {len(parts)} fragments cannot be told apart into {frames} frames."
    raise InvalidError(msg)


def _basic(data: Bytes, pixels: Pixels) -> bytes:
    """Return the basic offset table: the value of the first item (PS3.5, A.4)."""
    head = data[pixels.start + 4 : pixels.start + ITEM_HEAD]
    length = int.from_bytes(head, "little")
    start = pixels.start + ITEM_HEAD
    return data[start : start + min(length, pixels.length)]


def _unpacked(table: bytes, kind: str) -> tuple[int, ...]:
    """Return the numbers of a table, none where it is not whole."""
    size = struct.calcsize(f"<{kind}")
    if len(table) % size:
        return ()
    return struct.unpack(f"<{len(table) // size}{kind}", table)


def _starts(offsets: Sequence[int], parts: Sequence[Part], frames: int) -> list[int]:
    """Return which part each frame begins with, none where a table does not fit.

    Offsets are counted from the first item after the basic offset table.
    """
    if len(offsets) != frames or not parts:
        return []
    base = parts[0][0] - ITEM_HEAD
    places = {start - ITEM_HEAD - base: at for at, (start, _) in enumerate(parts)}
    starts = [places.get(offset, -1) for offset in offsets]
    rising = all(before < after for before, after in pairwise(starts))
    return starts if rising and starts[0] == 0 else []


def _begins(data: Bytes, part: Part) -> bool:
    """Return whether a picture begins with *part*."""
    head = data[part[0] : part[0] + min(part[1], 8)]
    return head.startswith(BEGINNINGS)
