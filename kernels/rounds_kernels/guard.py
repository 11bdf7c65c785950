"""Refuse DICOM bytes that are built to exhaust the reader, before pydicom sees them.

The walk follows lengths and nesting alone, iteratively, and never trusts a length
further than the bytes that are there (PS3.5 chapter 7). What it lets through may still
be damaged; pydicom says so then.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from rounds_kernels.errors import SeriesTooLargeError, UnreadableInstanceError

__all__ = ["Bounds", "Encoding", "check_structure", "inflate"]

_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS: Final = 0x7FE00010
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one instance may ask of its reader.

    Attributes
    ----------
    depth
        Sequences inside sequences.
    elements
        Elements in all, nested ones included.
    inflated
        Bytes that a deflated data set may become.
    """

    depth: int = 64
    elements: int = 1_000_000
    inflated: int = 2 << 30


BOUNDS: Final = Bounds()


def inflate(packed: bytes, bounds: Bounds = BOUNDS) -> bytes:
    """Return a deflated data set (PS3.5 A.5) as it was, within *bounds*.

    Raises
    ------
    SeriesTooLargeError
        When it grows beyond the bound.
    UnreadableInstanceError
        When it is no deflated stream or ends early.
    """
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(packed, bounds.inflated)
    except zlib.error as error:
        msg = "The deflated data set is damaged. Ask for the instance again."
        raise UnreadableInstanceError(msg) from error
    if unpacker.unconsumed_tail:
        msg = f"The deflated data set grows beyond {bounds.inflated} bytes."
        raise SeriesTooLargeError(msg)
    if not unpacker.eof:
        msg = "The deflated data set ends early. Ask for the instance again."
        raise UnreadableInstanceError(msg)
    return plain


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written: with their VR or without, in which byte order."""

    explicit: bool = True
    little: bool = True


def check_structure(
    data: bytes, start: int, encoding: Encoding, bounds: Bounds = BOUNDS
) -> None:
    """Refuse a data set that is nested too deep or has too many elements.

    Parameters
    ----------
    data
        A file, or a data set.
    start
        Where the data set starts, after preamble and file meta information.
    encoding
        How its elements are written.

    Raises
    ------
    UnreadableInstanceError
        When a bound is passed.
    """
    walk = _Walk(data, encoding)
    position = start
    for _ in range(bounds.elements):
        if position + 8 > len(data):
            return
        position = walk.step(position)
        if len(walk.ends) > 2 * bounds.depth:
            msg = f"Sequences are nested deeper than {bounds.depth}; it is refused."
            raise UnreadableInstanceError(msg)
    msg = f"There are more than {bounds.elements} elements; the instance is refused."
    raise UnreadableInstanceError(msg)


class _Walk:
    """A position among nested sequences and items; `ends` holds where each must end."""

    def __init__(self, data: bytes, encoding: Encoding) -> None:
        order = "<" if encoding.little else ">"
        self._data = data
        self._explicit = encoding.explicit
        self._tag = struct.Struct(f"{order}HH").unpack_from
        self._short = struct.Struct(f"{order}H").unpack_from
        self._long = struct.Struct(f"{order}I").unpack_from
        self.ends: list[int] = []

    def step(self, position: int) -> int:
        """Return where the next element starts, entering sequences and items."""
        while self.ends and position >= self.ends[-1]:
            self.ends.pop()
        group, element = self._tag(self._data, position)
        tag = group << 16 | element
        if tag in {_ITEM, _ITEM_END, _SEQUENCE_END}:
            return self._delimiter(tag, position)
        sequence, start, length = self._element(position)
        if tag == _PIXELS and length == _UNDEFINED:
            return self._after_fragments(start)
        if sequence:
            self._enter(start, length)
            return start
        return start + length

    def _delimiter(self, tag: int, position: int) -> int:
        (length,) = self._long(self._data, position + 4)
        start = position + 8
        if tag == _ITEM:
            self._enter(start, length)
        elif self.ends:
            self.ends.pop()
        return start

    def _after_fragments(self, position: int) -> int:
        """Return where packed pixels end (PS3.5 A.4); they are no elements."""
        while position + 8 <= len(self._data):
            group, element = self._tag(self._data, position)
            if group << 16 | element != _ITEM:
                return position + 8
            position += 8 + self._long(self._data, position + 4)[0]
        return len(self._data)

    def _enter(self, start: int, length: int) -> None:
        end = len(self._data) if length == _UNDEFINED else start + length
        self.ends.append(max(end, start + 1))

    def _element(self, position: int) -> tuple[bool, int, int]:
        """Return whether it opens a sequence, its value's start and length."""
        vr = self._data[position + 4 : position + 6]
        if not (self._explicit and vr.isalpha() and vr.isupper()):
            (length,) = self._long(self._data, position + 4)
            return length == _UNDEFINED, position + 8, length
        if vr not in _LONG:
            return False, position + 8, self._short(self._data, position + 6)[0]
        if position + 12 > len(self._data):
            return False, len(self._data), 0
        (length,) = self._long(self._data, position + 8)
        return vr == b"SQ" or length == _UNDEFINED, position + 12, length
