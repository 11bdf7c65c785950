"""Make sure that the tables of offsets of compressed pixel data lead to fragments."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from rounds_hub.archive.walking import LENGTHS, OFFSETS
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rounds_hub.archive.structure import Bytes, Pixels, Walk

__all__ = ["check_offsets"]

ITEM_HEAD = 8


def check_offsets(data: Bytes, found: Walk) -> None:
    """Refuse offset tables that lead anywhere but to the beginning of a fragment.

    Who reads frames by such a table would read bytes that are no frame. (PS3.5, A.4;
    the extended table: PS3.3, C.7.6.3.1.8.)

    Raises
    ------
    InvalidError
        If a table has an offset that no fragment begins at, offsets that do not grow,
        or a frame longer than the pixel data.
    """
    pixels = found.pixels
    if pixels is None or not pixels.fragments:
        return
    basic = _numbers(data, pixels.table, "L")
    extended = _numbers(data, found.placed.get(OFFSETS, (0, 0)), "Q")
    lengths = _numbers(data, found.placed.get(LENGTHS, (0, 0)), "Q")
    begins = frozenset(_begins(pixels)) if basic or extended else frozenset()
    for offsets in (basic, extended):
        if not begins.issuperset(offsets) or _shrinks(offsets):
            msg = "Its offset table leads to places where no fragment begins."
            raise InvalidError(msg)
    if len(lengths) != len(extended) or any(one > pixels.length for one in lengths):
        msg = "Its extended offset table has lengths that its frames cannot have."
        raise InvalidError(msg)


def _numbers(data: Bytes, place: tuple[int, int], kind: str) -> tuple[int, ...]:
    """Return the little endian numbers at *place*."""
    start, length = place
    size = struct.calcsize(f"<{kind}")
    if length % size:
        msg = f"Its offset table has {length} bytes, which are no whole numbers."
        raise InvalidError(msg)
    return struct.unpack(f"<{length // size}{kind}", data[start : start + length])


def _begins(pixels: Pixels) -> list[int]:
    """Return where each fragment begins, counted from the first one's item."""
    every = pixels.fragments or ()
    first = every[0][0] - ITEM_HEAD
    return [start - ITEM_HEAD - first for start, _ in every]


def _shrinks(offsets: Sequence[int]) -> bool:
    """Return whether an offset is not larger than the one before it."""
    return any(after <= before for before, after in pairwise(offsets))
