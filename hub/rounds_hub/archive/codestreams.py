"""Read the size of a picture from the head of its compressed bytes, undecoded."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from rounds_hub.archive.walking import Bytes

__all__ = ["check_segments", "size_of"]

HEAD = 2**16
MOST_MARKERS = 512
# Start of frame, lossless and lossy, without DHT (C4), JPG (C8) and DAC (CC); JPEG-LS.
FRAME_STARTS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
JPEG = b"\xff\xd8\xff"
JPEG_2000 = b"\xff\x4f\xff\x51"
JP2 = b"\x00\x00\x00\x0cjP  "
"""Some writers put the whole file format around the codestream (T.800, I.5.1)."""

RLE_HEAD = struct.Struct("<16L")


def size_of(data: Bytes, start: int, length: int) -> tuple[int, int] | None:
    """Return rows and columns of the JPEG, JPEG-LS or JPEG 2000 picture at *start*.

    None where the bytes begin no such picture: the middle of one, RLE or a video.
    (ITU-T T.81, B.2.2; T.87, C.2.2; T.800, A.5.1.)

    Examples
    --------
    >>> head = bytes.fromhex("ffd8 ffc0 0011 08 0040 0080 03 0000")
    >>> size_of(head, 0, len(head))
    (64, 128)
    """
    head = data[start : start + min(length, HEAD)]
    if head.startswith(JP2):
        head = head[_past_boxes(head) :]
    if head.startswith(JPEG_2000):
        return _jpeg_2000(head)
    if head.startswith(JPEG):
        return _jpeg(head)
    return None


def check_segments(data: Bytes, start: int, length: int, expected: int) -> None:
    """Refuse an RLE frame whose segments are not *expected*, or not inside it.

    Its head is a table of up to 15 offsets, the first of which leads behind the table
    (PS3.5, G.5).

    Raises
    ------
    InvalidError
        If the table is cut short or lies.

    Examples
    --------
    >>> frame = RLE_HEAD.pack(1, 64, *[0] * 14) + bytes(2)
    >>> check_segments(frame, 0, len(frame), 1)
    """
    if length < RLE_HEAD.size:
        msg = "An RLE frame is shorter than its table of segments."
        raise InvalidError(msg)
    count, *offsets = RLE_HEAD.unpack(data[start : start + RLE_HEAD.size])
    if count != expected:
        msg = f"An RLE frame has {count} segments, the data set needs {expected}."
        raise InvalidError(msg)
    used = offsets[:count]
    if not used or used[0] != RLE_HEAD.size or used != sorted(set(used)):
        msg = "The segments of an RLE frame do not follow each other."
        raise InvalidError(msg)
    if used[-1] >= length:
        msg = "A segment of an RLE frame lies outside of it."
        raise InvalidError(msg)


def _past_boxes(head: bytes) -> int:
    """Return where the codestream in the boxes of a JP2 file begins (T.800, I.4)."""
    position = 0
    for _ in range(MOST_MARKERS):
        box = head[position : position + 8]
        length = int.from_bytes(box[:4], "big")
        if box[4:] == b"jp2c":
            return position + (16 if length == 1 else 8)
        if length < len(box):
            break
        position += length
    return len(head)


def _jpeg_2000(head: bytes) -> tuple[int, int] | None:
    """Return the size in the SIZ marker segment, which comes first."""
    try:
        right, bottom, left, top = struct.unpack_from(">LLLL", head, 8)
    except struct.error:
        return None
    return bottom - top, right - left


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """Return the size in the first start-of-frame segment."""
    position = 2
    for _ in range(MOST_MARKERS):
        segment = head[position : position + 9]
        if len(segment) < len(JPEG) + 1 or segment[0] != 0xFF:  # noqa: PLR2004 (marker)
            return None
        marker = segment[1]
        if marker in FRAME_STARTS and len(segment) == 9:  # noqa: PLR2004 (its head)
            rows, columns = struct.unpack_from(">HH", segment, 5)
            return rows, columns
        position += _past(marker, segment)
    return None


def _past(marker: int, segment: bytes) -> int:
    """Return how many bytes lead from this marker to the next one."""
    if marker == 0xFF:  # noqa: PLR2004 (a fill byte)
        return 1
    if marker in ALONE:
        return 2
    return 2 + int.from_bytes(segment[2:4], "big")
