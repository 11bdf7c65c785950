"""Walk over the header of a plain DICOM file without building a data set.

This is the quick way for the common case: a Part 10 file in implicit or explicit VR
little endian with one uncompressed grey picture. Whatever is out of the ordinary gives
None, and pydicom reads it instead; nothing is guessed. The layout of elements is in
PS3.5 chapter 7.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pydicom.charset import convert_encodings, decode_bytes

from rounds_kernels.attributes import NAMES, VRS

if TYPE_CHECKING:
    from rounds_kernels.attributes import Attributes, Value

__all__ = ["Header", "file_meta", "walk"]

_IMPLICIT: Final = b"1.2.840.10008.1.2"
_EXPLICIT: Final = b"1.2.840.10008.1.2.1"
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS: Final = 0x7FE00010
_META_START: Final = 132
# Float pixels, functional groups and lookup tables are pydicom's business.
_UNUSUAL: Final = frozenset(
    {0x00283000, 0x52009229, 0x52009230, 0x7FE00008, 0x7FE00009}
)
_DEPTH: Final = 16
_UID_CHARACTERS: Final = frozenset("0123456789.\\\0 ")
_CHARACTER_SET: Final = 0x00080005
_WANTED: Final = {tag: vr.encode() for tag, vr in VRS.items()} | {_CHARACTER_SET: b"CS"}
_TEXTS: Final = frozenset({"LO", "SH"})
_BINARY: Final = {"US": "H", "UL": "I", "FD": "d", "FL": "f"}

_explicit_element = struct.Struct("<HH2sH").unpack_from
_implicit_element = struct.Struct("<HHI").unpack_from
_long = struct.Struct("<I").unpack_from


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the pixels of a plain file.

    Attributes
    ----------
    attributes
        The attributes of `rounds_kernels.attributes`.
    start, length
        Where the pixels lie in the file, in bytes.
    """

    attributes: Attributes
    start: int
    length: int


class _UnusualError(Exception):
    """Something the quick way leaves to pydicom."""


def walk(head: bytes) -> Header | None:
    """Return the header of a plain file from its first bytes.

    Parameters
    ----------
    head
        The file from its start up to the pixels at least.

    Returns
    -------
    Header | None
        None where the file is out of the ordinary or *head* ends before the pixels.

    Examples
    --------
    >>> walk(b"not DICOM") is None
    True
    """
    try:
        position, syntax = file_meta(head)
        if syntax not in {_IMPLICIT, _EXPLICIT}:
            return None
        raw, start, length = _elements(head, position, explicit=syntax == _EXPLICIT)
        return Header(_convert(raw), start, length)
    except (_UnusualError, struct.error, ValueError):
        return None


def file_meta(head: bytes) -> tuple[int, bytes]:
    """Return where the file meta information ends, and the transfer syntax.

    Raises
    ------
    ValueError
        When there is none (PS3.10 7.1), it is damaged, or it ends beyond *head*.
    """
    if head[128:132] != b"DICM":
        msg = "There is no DICOM prefix."
        raise ValueError(msg)
    position, syntax = _META_START, b""
    try:
        while True:
            group, element, vr, length = _explicit_element(head, position)
            if group != 2:  # noqa: PLR2004 - the group of the meta information
                return position, syntax
            start = position + 8
            if vr in _LONG:
                (length,) = _long(head, start)
                start += 4
            elif vr not in _SHORT:
                msg = "The file meta information has a value of no known kind."
                raise ValueError(msg)
            if element == 0x10:  # noqa: PLR2004 - TransferSyntaxUID
                syntax = head[start : start + length].rstrip(b"\0 ")
            position = start + length
    except struct.error as error:
        msg = "The file meta information has no end."
        raise ValueError(msg) from error


def _elements(
    head: bytes, position: int, *, explicit: bool
) -> tuple[dict[int, bytes], int, int]:
    """Return the raw values that are wanted, and where the pixels lie."""
    found: dict[int, bytes] = {}
    last = 0
    step = _explicit_step if explicit else _implicit_step
    while True:
        tag, vr, start, length = step(head, position)
        packed = length == _UNDEFINED and vr != b"SQ"
        if tag <= last or tag in _UNUSUAL or packed:
            raise _UnusualError
        last = tag
        if tag == _PIXELS:
            return found, start, length
        if length == _UNDEFINED:
            position = _skip_sequence(head, start, _DEPTH)
            continue
        position = start + length
        if tag in _WANTED:
            if explicit and vr != _WANTED[tag]:
                raise _UnusualError
            found[tag] = head[start:position]


def _explicit_step(head: bytes, position: int) -> tuple[int, bytes, int, int]:
    group, element, vr, length = _explicit_element(head, position)
    if vr in _SHORT:
        return group << 16 | element, vr, position + 8, length
    if vr not in _LONG:
        raise _UnusualError
    return group << 16 | element, vr, position + 12, _long(head, position + 8)[0]


def _implicit_step(head: bytes, position: int) -> tuple[int, bytes, int, int]:
    group, element, length = _implicit_element(head, position)
    return group << 16 | element, b"", position + 8, length


def _skip_sequence(head: bytes, position: int, depth: int) -> int:
    """Return where a sequence of undefined length in explicit VR ends."""
    if depth == 0:
        raise _UnusualError
    while True:
        tag, _, start, length = _implicit_step(head, position)
        if tag == _SEQUENCE_END:
            return start
        if tag != _ITEM:
            raise _UnusualError
        position = (
            start + length if length != _UNDEFINED else _skip_item(head, start, depth)
        )


def _skip_item(head: bytes, position: int, depth: int) -> int:
    """Return where an item of undefined length in explicit VR ends."""
    while True:
        group, element, _ = _implicit_element(head, position)
        if (group << 16 | element) == _ITEM_END:
            return position + 8
        _, vr, start, length = _explicit_step(head, position)
        if length != _UNDEFINED:
            position = start + length
        elif vr == b"SQ":
            position = _skip_sequence(head, start, depth - 1)
        else:
            raise _UnusualError


def _convert(raw: dict[int, bytes]) -> Attributes:
    """Turn raw bytes into the values that pydicom would give."""
    found: Attributes = {}
    encodings = raw.pop(_CHARACTER_SET, b"")
    for tag, value in raw.items():
        readable: bytes | str = value
        if VRS[tag] in _TEXTS and not value.isascii():
            readable = _decoded(value, encodings)
        converted = _values(readable, VRS[tag])
        if converted:
            found[NAMES[tag]] = converted
    return found


def _decoded(value: bytes, encodings: bytes) -> bytes | str:
    """Return text beyond ASCII as its character set says (PS3.3 C.12.1.1.2)."""
    names = encodings.decode("ascii").strip(" \0").split("\\")
    return decode_bytes(value, convert_encodings(names), {ord("\\")})


@lru_cache(maxsize=4096)  # most values are the same in every slice of a series
def _values(value: bytes | str, vr: str) -> tuple[Value, ...]:
    if isinstance(value, bytes) and vr in _BINARY:
        code = _BINARY[vr]
        size = struct.calcsize(code)
        if len(value) % size:
            raise _UnusualError
        return struct.unpack(f"<{len(value) // size}{code}", value)
    plain = value if isinstance(value, str) else value.decode("ascii")
    parts = plain.strip(" \0").split("\\")
    if vr == "DS":
        return tuple(_decimal(part) for part in parts if part.strip(" \0"))
    if vr == "IS":
        return tuple(_integer(part) for part in parts if part.strip(" \0"))
    texts = tuple(part.strip(" \0") for part in parts)
    if vr == "UI" and not set(plain) <= _UID_CHARACTERS:
        raise _UnusualError
    return texts if any(texts) else ()


def _decimal(part: str) -> float:
    r"""Return a decimal string as a number; «1_0» and «nan» are no decimal strings."""
    if not set(part) <= set("0123456789+-.eE "):
        raise _UnusualError
    return float(part)


def _integer(part: str) -> int:
    if not set(part) <= set("0123456789+- "):
        raise _UnusualError
    return int(part)
