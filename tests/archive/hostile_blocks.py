"""The pieces that the files of the hostile corpus are built of, byte by byte.

Nothing here uses a DICOM library, so that anything wrong can be written.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = "1.2.826.0.1.3680043.10.1338.66"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
CT = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
LONG = frozenset(
    ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
)
UNDEFINED = 0xFFFFFFFF
ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)

Field = tuple[str, bytes]
Fields = dict[int, Field]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file, and a piece of what is said against it; empty where it is taken."""

    name: str
    data: bytes
    rule: str = ""


def element(
    tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<"
) -> bytes:
    """Return an element with explicit VR; *length* is what it says it has."""
    said = len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) + vr.encode("latin-1")
    if vr in LONG:
        return head + struct.pack(f"{order}HL", 0, said) + value
    return head + struct.pack(f"{order}H", said & 0xFFFF) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    """Return an element with implicit VR."""
    said = len(value) if length is None else length
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, said) + value


def item(content: bytes, length: int | None = None) -> bytes:
    """Return an item of a sequence, or a fragment."""
    return implicit(0xFFFEE000, content, length)


def endless(tag: int, *contents: bytes) -> bytes:
    """Return a sequence whose lengths, and its items', are not said."""
    items = b"".join(item(each + ITEM_END, UNDEFINED) for each in contents)
    return element(tag, "SQ", items + SEQUENCE_END, UNDEFINED)


def fragments(*parts: bytes, table: bytes = b"") -> bytes:
    """Return encapsulated pixel data with its table of offsets."""
    return element(
        0x7FE00010,
        "OB",
        b"".join(map(item, (table, *parts))) + SEQUENCE_END,
        UNDEFINED,
    )


def short(*numbers: int, order: str = "<") -> bytes:
    """Return numbers of 16 bits."""
    return struct.pack(f"{order}{len(numbers)}H", *numbers)


def long(*numbers: int) -> bytes:
    """Return numbers of 32 bits."""
    return struct.pack(f"<{len(numbers)}L", *numbers)


def even(text: str | bytes, padding: bytes = b" ") -> bytes:
    """Return *text* with an even number of bytes."""
    raw = text.encode() if isinstance(text, str) else text
    return raw + padding * (len(raw) % 2)


def uid(text: str) -> bytes:
    """Return a UID as it stands in a file."""
    return even(text, b"\x00")


class Numbers:
    """Numbers for UIDs, so that each file is an instance of its own."""

    def __init__(self) -> None:
        self.last = 0

    def fields(self) -> Fields:
        """Return the elements of a small CT slice, with new UIDs."""
        self.last += 1
        own = f"{ROOT}.{self.last}"
        return {
            0x00080016: ("UI", uid(CT)),
            0x00080018: ("UI", uid(f"{own}.1.1")),
            0x00080060: ("CS", b"CT"),
            0x00100010: ("PN", b"Hostile^One "),
            0x00100020: ("LO", even(f"H-{self.last}")),
            0x0020000D: ("UI", uid(own)),
            0x0020000E: ("UI", uid(f"{own}.1")),
            0x00200011: ("IS", b"1 "),
            0x00200013: ("IS", b"1 "),
            0x00200032: ("DS", b"0\\0\\0 "),
            0x00200037: ("DS", b"1\\0\\0\\0\\1\\0 "),
            0x00280002: ("US", short(1)),
            0x00280004: ("CS", b"MONOCHROME2 "),
            0x00280010: ("US", short(8)),
            0x00280011: ("US", short(8)),
            0x00280030: ("DS", b"1\\1 "),
            0x00280100: ("US", short(16)),
            0x00280101: ("US", short(16)),
            0x00280102: ("US", short(15)),
            0x00280103: ("US", short(0)),
            0x7FE00010: ("OW", bytes(range(128))),
        }


def encoded(fields: Mapping[int, Field]) -> bytes:
    """Return *fields* in the order of their tags."""
    return b"".join(element(tag, *fields[tag]) for tag in sorted(fields))


def meta(fields: Mapping[int, Field], encoding: str, **changes: bytes | None) -> bytes:
    """Return the file meta information for *fields*.

    *changes* are ``sop_class``, ``sop_uid``, ``syntax``, ``length`` and ``more``.
    """
    sop_class = changes.get("sop_class", fields[0x00080016][1])
    sop_uid = changes.get("sop_uid", fields[0x00080018][1])
    said = changes.get("syntax", uid(encoding))
    group = element(0x00020001, "OB", b"\x00\x01")
    for tag, value in ((2, sop_class), (3, sop_uid), (0x10, said)):
        group += b"" if value is None else element(0x00020000 | tag, "UI", value)
    group += changes.get("more") or b""
    length = changes.get("length", long(len(group)))
    return (element(0x00020000, "UL", length) if length else b"") + group


def part10(
    fields: Mapping[int, Field],
    encoding: str = EXPLICIT,
    body: bytes | None = None,
    preamble: bytes = b"",
    lies: Mapping[str, bytes | None] | None = None,
    **changes: bytes | None,
) -> bytes:
    """Return a file: *fields* in explicit little endian, or *body* instead."""
    begin = preamble[:128].ljust(128, b"\x00") + b"DICM"
    inside = encoded(fields) if body is None else body
    return begin + meta(fields, encoding, **(lies or {}), **changes) + inside


def deflated(body: bytes) -> bytes:
    """Return *body* as a deflated data set has it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def before_pixels(fields: Fields, more: bytes) -> bytes:
    """Return the data set of *fields* with *more* put before its pixels."""
    first = {tag: field for tag, field in fields.items() if tag < 0x7FE00000}
    rest = {tag: field for tag, field in fields.items() if tag >= 0x7FE00000}
    return encoded(first) + more + encoded(rest)


def places(whole: bytes) -> Iterator[tuple[str, int]]:
    """Give every structural place of a plain file at which it may be cut."""
    yield from (("nothing", 0), ("one byte", 1), ("preamble", 128), ("prefix", 131))
    yield from (("after the prefix", 132), ("in a tag", 135), ("in a length", 139))
    yield from (("in the meta group", 150), ("in the class", 180))
    for name, tag in (
        ("class", 0x00080016), ("instance", 0x00080018), ("study", 0x0020000D),
        ("series", 0x0020000E), ("rows", 0x00280010), ("pixels", 0x7FE00010),
    ):  # fmt: skip
        at = whole.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 132)
        yield from ((f"before {name}", at), (f"in the tag of {name}", at + 2))
        yield from ((f"after the VR of {name}", at + 6), (f"in {name}", at + 11))
    yield from (("last word", len(whole) - 2), ("last byte", len(whole) - 1))
