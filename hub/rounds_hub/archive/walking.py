"""Walk over the bytes of a data set within limits, before any library reads them.

The encodings are those of DICOM PS3.5, section 7: explicit and implicit VR, either byte
order, sequences of defined and undefined length, encapsulated pixel data (annex A.4).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from pydicom.datadict import dictionary_VR

from rounds_hub.archive.structure import Bytes, Limits, Pixels, Syntax, Walk
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = [
    "Bytes",
    "Limits",
    "Pixels",
    "Syntax",
    "Walk",
    "walk",
    "walk_group",
    "walk_item",
]

ITEM = 0xFFFEE000
ITEM_END = 0xFFFEE00D
SEQUENCE_END = 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
OFFSETS, LENGTHS = 0x7FE00001, 0x7FE00002
"""The extended offset table and the lengths of its frames (PS3.3, C.7.6.3.1.8)."""

PLACED = frozenset({OFFSETS, LENGTHS})
FORBIDDEN = frozenset({0x0000, 0x0002, 0xFFFF})
"""Groups of messages, of meta information and of none (PS3.5, 7.1)."""

SHORT = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
PIXEL_KINDS = frozenset(b"OB OW OF OD UN".split()) | {b""}
MOST_VALUE = 2**16
MOST_NOTED = 64
"""How many items of a wanted sequence are noted."""


IMPLICIT = Syntax(explicit=False)
_LONG = {order: struct.Struct(f"{order}L").unpack_from for order in "<>"}
_BARE = {order: struct.Struct(f"{order}HHL").unpack_from for order in "<>"}
_ENDS = {
    order: struct.pack(f"{order}HH", ITEM_END >> 16, ITEM_END & 0xFFFF)
    for order in "<>"
}
_PLAIN = {order: struct.Struct(f"{order}HH2sH").unpack_from for order in "<>"}


def walk(
    data: Bytes, start: int, syntax: Syntax, wanted: frozenset[int], limits: Limits
) -> Walk:
    r"""Walk over the data set in *data* from *start* to the end.

    Parameters
    ----------
    data
        The bytes of the file, or of the inflated data set.
    start
        Where the data set begins.
    syntax
        Its encoding.
    wanted
        The tags of the top level whose values are returned.
    limits
        How deep and how many.

    Raises
    ------
    InvalidError
        If a length leads out of the file, a limit is passed, or the encoding is broken.

    Examples
    --------
    >>> rows = bytes.fromhex("28001000 5553 0200 4000")
    >>> walk(rows, 0, Syntax(), frozenset({0x00280010}), Limits()).values
    {2621456: b'@\x00'}
    """
    walker = _Walker(data, wanted, limits)
    walker.data_set(start, len(data), syntax, depth=0)
    return walker.seen


def walk_group(
    data: Bytes, start: int, group: int, limits: Limits
) -> tuple[dict[int, bytes], int]:
    """Return every value of *group*, in explicit little endian, and where it ends.

    The file meta information (PS3.10, 7.1) is group 2 in this encoding.
    """
    every = range(group << 16, (group + 1) << 16)
    walker = _Walker(data, every, limits)
    walker.forbidden = FORBIDDEN - {group}
    prefix = struct.pack("<H", group)
    position = start
    while data[position : position + 2] == prefix:
        position = walker.element(position, len(data), Syntax(), depth=0)
    return walker.seen.values, position


def walk_item(
    data: Bytes,
    place: tuple[int, int],
    syntax: Syntax,
    wanted: frozenset[int],
    limits: Limits,
) -> dict[int, bytes]:
    """Return the values of *wanted* in the item at *place*, from ``Walk.sequences``."""
    walker = _Walker(data, wanted, limits)
    walker.data_set(*place, syntax, depth=0)
    return walker.seen.values


class _Element(NamedTuple):
    """The head of one element: its tag, VR (empty if implicit), and where it lies."""

    tag: int
    vr: bytes
    start: int
    length: int

    @property
    def name(self) -> str:
        """The tag as people write it."""
        return f"({self.tag >> 16:04X},{self.tag & 0xFFFF:04X})"


class _Walker:
    """One walk; every step moves forward, so it ends."""

    def __init__(self, data: Bytes, wanted: Container[int], limits: Limits) -> None:
        """Walk over *data*."""
        self.data = data
        self.wanted = wanted
        self.limits = limits
        self.forbidden = FORBIDDEN
        self.seen = Walk()

    def data_set(self, start: int, end: int, syntax: Syntax, *, depth: int) -> int:
        """Walk over the elements from *start*; return where the data set ends."""
        if depth > self.limits.depth:
            msg = f"Its sequences are nested more than {self.limits.depth} deep."
            raise InvalidError(msg)
        delimiter = _ENDS[syntax.order]
        position = start
        while position < end:
            if syntax.explicit:
                position = self._past_plain(position, end, syntax, depth)
                if position == end:
                    break
            if depth and self.data[position : position + 4] == delimiter:
                return position + 8
            position = self.element(position, end, syntax, depth=depth)
        return position

    def _past_plain(self, position: int, end: int, syntax: Syntax, depth: int) -> int:
        """Pass over short elements that nobody asks for: most of them, and fast."""
        unpack, data = _PLAIN[syntax.order], self.data
        left = self.limits.elements - self.seen.elements
        while left > 0 and position + 8 <= end:
            group, number, vr, length = unpack(data, position)
            after = position + 8 + length
            if vr not in SHORT or after > end:
                break
            if depth == 0 and (
                group in FORBIDDEN or (group << 16 | number) in self.wanted
            ):
                break
            position = after
            left -= 1
        self.seen.elements = self.limits.elements - left
        return position

    def element(self, position: int, end: int, syntax: Syntax, *, depth: int) -> int:
        """Walk over the element at *position*; return where it ends."""
        self._count_element()
        read = self._explicit if syntax.explicit else self._implicit
        head = read(position, end, syntax)
        if depth == 0 and head.tag >> 16 in self.forbidden:
            msg = f"{head.name} may not stand in a data set."
            raise InvalidError(msg)
        return self._value(head, end, syntax, depth)

    def _value(self, element: _Element, end: int, syntax: Syntax, depth: int) -> int:
        """Walk over the value of *element*; return where it ends."""
        pixels = element.tag in PIXEL_TAGS
        if element.length == UNDEFINED:
            if pixels and element.vr in {b"OB", b"OW"}:
                return self._fragments(element, end, depth)
            inside = IMPLICIT if element.vr == b"UN" else syntax
            return self._sequence(element, end, inside, depth)
        after = element.start + element.length
        if after > end:
            msg = (
                f"The length of {element.name} leads out of what holds it: the file is "
                f"cut short or was altered."
            )
            raise InvalidError(msg)
        if _is_sequence(element):
            self._sequence(element, after, syntax, depth)
        elif depth == 0:
            self._remember(element, pixels=pixels)
        return after

    def _sequence(self, element: _Element, end: int, syntax: Syntax, depth: int) -> int:
        """Walk over the items of a sequence; return where it ends."""
        if element.vr not in {b"SQ", b"UN", b""}:
            msg = f"{element.name} has no length, which its kind of value must have."
            raise InvalidError(msg)
        noted = self._noted(element, depth)
        position = element.start
        while position < end:
            item = self._implicit(position, end, syntax)
            if item.tag == SEQUENCE_END and element.length == UNDEFINED:
                return item.start
            self._count_item(item)
            if item.length == UNDEFINED:
                position = self.data_set(item.start, end, syntax, depth=depth + 1)
                self._ended(position, syntax)
                inside = position - 8
            else:
                position = inside = self._inside(item, end)
                self.data_set(item.start, inside, syntax, depth=depth + 1)
            if len(noted) < MOST_NOTED:
                noted.append((item.start, inside))
        if element.length == UNDEFINED:
            msg = f"The sequence {element.name} has no end."
            raise InvalidError(msg)
        return position

    def _noted(self, element: _Element, depth: int) -> list[tuple[int, int]]:
        """Return where the items of *element* are noted, if it is wanted."""
        # Inside UN the encoding is another one (PS3.5, 6.2.2): such are passed over.
        if depth or element.tag not in self.wanted or element.vr == b"UN":
            return []
        if element.tag in self.seen.sequences:
            msg = f"{element.name} is there twice, so it has no one value."
            raise InvalidError(msg)
        return self.seen.sequences.setdefault(element.tag, [])

    def _fragments(self, element: _Element, end: int, depth: int) -> int:
        """Walk over encapsulated pixel data (PS3.5, A.4); return where it ends."""
        position = element.start
        found: list[tuple[int, int]] = []
        while position < end:
            item = self._implicit(position, end, IMPLICIT)
            if item.tag == SEQUENCE_END:
                if depth == 0:
                    length = position - element.start
                    table = found[0] if found else (0, 0)
                    place = Pixels(
                        element.tag, element.start, length, tuple(found[1:]), table
                    )
                    self._set_pixels(place)
                return item.start
            self._count_fragment(item, len(found))
            position = self._inside(item, end)
            found.append((item.start, item.length))
        msg = "The compressed pixel data have no end: the file is cut short."
        raise InvalidError(msg)

    def _explicit(self, position: int, end: int, syntax: Syntax) -> _Element:
        """Read the head of an element with explicit VR (PS3.5, 7.1.2)."""
        self._room(position + 8, end)
        group, number, vr, length = _PLAIN[syntax.order](self.data, position)
        tag = group << 16 | number
        if vr in SHORT:
            return _Element(tag, vr, position + 8, length)
        if vr in LONG:
            self._room(position + 12, end)
            (long,) = _LONG[syntax.order](self.data, position + 8)
            return _Element(tag, vr, position + 12, long)
        msg = f"({group:04X},{number:04X}) has no known kind of value (VR)."
        raise InvalidError(msg)

    def _implicit(self, position: int, end: int, syntax: Syntax) -> _Element:
        """Read the head of an element with implicit VR, or of an item (7.1.3)."""
        self._room(position + 8, end)
        group, number, length = _BARE[syntax.order](self.data, position)
        return _Element(group << 16 | number, b"", position + 8, length)

    def _room(self, after: int, end: int) -> None:
        """Make sure that what is read ends before *end*."""
        if after > end or after > len(self.data):
            msg = "It ends in the middle of an element: the file is cut short."
            raise InvalidError(msg)

    def _inside(self, item: _Element, end: int) -> int:
        """Return where *item*, whose length is given, ends."""
        after = item.start + item.length
        if after > end:
            msg = "The length of an item leads out of what holds it."
            raise InvalidError(msg)
        return after

    def _ended(self, position: int, syntax: Syntax) -> None:
        """Make sure that a data set without a length ended by its delimiter."""
        head = self.data[max(position - 8, 0) : position]
        if head[:4] != _ENDS[syntax.order]:
            msg = "An item has no end: the file is cut short."
            raise InvalidError(msg)

    def _remember(self, element: _Element, *, pixels: bool) -> None:
        """Keep the value of a wanted element of the top level."""
        if pixels:
            if element.vr not in PIXEL_KINDS:
                msg = f"{element.name} is {element.vr.decode()}, which no pixels are."
                raise InvalidError(msg)
            self._set_pixels(Pixels(element.tag, element.start, element.length))
        elif element.tag in PLACED:
            self.seen.placed[element.tag] = (element.start, element.length)
        elif element.tag in self.wanted:
            if element.tag in self.seen.values:
                msg = f"{element.name} is there twice, so it has no one value."
                raise InvalidError(msg)
            if element.length > MOST_VALUE:
                msg = f"{element.name} has more than {MOST_VALUE} bytes."
                raise InvalidError(msg)
            after = element.start + element.length
            self.seen.values[element.tag] = self.data[element.start : after]
            self.seen.kinds[element.tag] = element.vr

    def _set_pixels(self, pixels: Pixels) -> None:
        """Note where the pixel data of the top level are."""
        if self.seen.pixels is not None:
            msg = "It has pixel data twice."
            raise InvalidError(msg)
        self.seen.pixels = pixels

    def _count_element(self) -> None:
        """Count an element, up to the limit."""
        self.seen.elements += 1
        if self.seen.elements > self.limits.elements:
            msg = f"It has more than {self.limits.elements} elements."
            raise InvalidError(msg)

    def _count_fragment(self, item: _Element, before: int) -> None:
        """Make sure that *item* is a fragment, and not one too many."""
        self._is_item(item)
        if before > self.limits.fragments:
            msg = f"It has more than {self.limits.fragments} fragments."
            raise InvalidError(msg)

    def _is_item(self, item: _Element) -> None:
        """Refuse what is no item of a sequence."""
        if item.tag != ITEM:
            msg = f"{item.name} stands where an item of a sequence must be."
            raise InvalidError(msg)

    def _count_item(self, item: _Element) -> None:
        """Count an item, up to the limit."""
        self._is_item(item)
        self.seen.items += 1
        if self.seen.items > self.limits.items:
            msg = f"It has more than {self.limits.items} items."
            raise InvalidError(msg)


def _is_sequence(element: _Element) -> bool:
    """Return whether a library would read the value as a sequence."""
    if element.vr:
        return element.vr == b"SQ"
    try:
        return dictionary_VR(element.tag) == "SQ"
    except KeyError:
        return False
