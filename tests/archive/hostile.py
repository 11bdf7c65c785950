"""The hostile corpus: files of our own making that want to hurt whoever reads them.

``corpus()`` makes them one by one, the same ones each time. Each has the piece of the
sentence that it is refused with; where that is empty it is taken, as odd as it is, and
whoever reads it later must live with it.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING

from tests.archive.hostile_blocks import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM_END,
    JPEG,
    SEQUENCE_END,
    UNDEFINED,
    Hostile,
    Numbers,
    before_pixels,
    deflated,
    element,
    encoded,
    endless,
    even,
    fragments,
    implicit,
    item,
    long,
    part10,
    places,
    short,
    uid,
)
from tests.archive.hostile_pictures import pictures
from tests.archive.hostile_values import values

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE = 0x00111010
CREATOR = element(0x00110010, "LO", b"HOSTILE ")
OPENED = element(0x00081140, "SQ", b"", UNDEFINED) + item(b"", UNDEFINED)
SHUT = ITEM_END + SEQUENCE_END


def corpus() -> Iterator[Hostile]:
    """Give every file of the corpus, in the same order each time."""
    numbers = Numbers()
    for family in (_cut, _nested, _floods, _bombs, _lengths, _meta, _structure):
        yield from family(numbers)
    yield from values(numbers)
    yield from pictures(numbers)


@cache
def whole_corpus() -> tuple[Hostile, ...]:
    """Return every file of the corpus, made once in a process."""
    return tuple(corpus())


def _cut(numbers: Numbers) -> Iterator[Hostile]:
    """Give files that end too early."""
    whole = part10(numbers.fields())
    for name, end in places(whole):
        yield Hostile(f"cut: {name}", whole[:end], _said_of_cut(name))
    packed = numbers.fields()
    del packed[0x7FE00010]
    pixels = fragments(b"\xff\xd8\xff\xd9" * 4, b"\xff\xd8\xff\xd9")
    for name, left, said in (
        ("end", 8, "have no end"),
        ("fragment", 10, "leads out"),
        ("head", 18, "cut short"),
        ("table", 36, "leads out"),
    ):
        body = encoded(packed) + pixels[:-left]
        cut = part10(packed, JPEG, body)
        yield Hostile(f"cut: packed pixels, {name}", cut, said)
    for left in (1, 20, 60):
        body = deflated(encoded(numbers.fields()))[:-left]
        cut = part10(numbers.fields(), DEFLATED, body)
        yield Hostile(f"cut: deflated by {left}", cut, "cut short")


def _said_of_cut(name: str) -> str:
    """Return what is said of a plain file cut at *name*."""
    if name == "nothing":
        return "empty"
    if name in {"one byte", "preamble", "prefix"}:
        return "not a DICOM file"
    if name == "before pixels":
        return "has no pixel data"
    if name in {"after the prefix", "before class"} or "before" in name:
        return "" if name == "before rows" else "It has no"
    return "cut short"


def _nested(numbers: Numbers) -> Iterator[Hostile]:
    """Give sequences inside sequences."""
    rule = "nested more than 64 deep"
    for depth in (65, 1000, 10_000):
        fields = numbers.fields()
        body = before_pixels(fields, OPENED * depth + SHUT * depth)
        yield Hostile(f"nested: {depth}, no lengths", part10(fields, body=body), rule)
        yield Hostile(
            f"nested: {depth}, lengths", _nested_lengths(numbers, depth), rule
        )
    fields = numbers.fields()
    never = before_pixels(fields, OPENED * 10_000)
    yield Hostile("nested: 10,000, never ended", part10(fields, body=never), rule)
    opened = element(PRIVATE, "UN", b"", UNDEFINED) + item(b"", UNDEFINED)
    inner = implicit(PRIVATE, b"", UNDEFINED) + item(b"", UNDEFINED)
    body = CREATOR + opened + inner * 10_000
    yield Hostile("nested: 10,000 in UN", part10(numbers.fields(), body=body), rule)
    body = inner * 10_000
    hidden = part10(numbers.fields(), IMPLICIT, body)
    yield Hostile("nested: 10,000 implicit", hidden, rule)
    packed = deflated(OPENED * 10_000)
    yield Hostile("nested: deflated", part10(numbers.fields(), DEFLATED, packed), rule)
    large = struct.pack(">HH2sHL", 8, 0x1140, b"SQ", 0, UNDEFINED)
    large += struct.pack(">HHL", 0xFFFE, 0xE000, UNDEFINED)
    yield Hostile(
        "nested: big endian", part10(numbers.fields(), BIG, large * 10_000), rule
    )
    fields = numbers.fields()
    kept = before_pixels(fields, OPENED * 60 + SHUT * 60)
    yield Hostile("nested: 60 is taken", part10(fields, body=kept))


def _nested_lengths(numbers: Numbers, depth: int) -> bytes:
    """Return a file with sequences of said length inside each other."""
    fields, content = numbers.fields(), b""
    for _ in range(depth):
        content = element(0x00081140, "SQ", item(content))
    return part10(fields, body=before_pixels(fields, content))


def _floods(numbers: Numbers) -> Iterator[Hostile]:
    """Give more of something than anybody can hold."""
    fields, empty = numbers.fields(), element(0x00091001, "LO", b"")
    flood = empty * 610_000
    yield Hostile("flood: elements", part10(fields, body=flood), "elements")
    inside = endless(0x00081140, empty * 610_000)
    yield Hostile("flood: elements of an item", part10(fields, body=inside), "elements")
    items = element(0x00081140, "SQ", item(b"") * 210_000 + SEQUENCE_END, UNDEFINED)
    yield Hostile("flood: items", part10(fields, body=items), "items")
    private = element(PRIVATE, "UN", item(b"") * 210_000 + SEQUENCE_END, UNDEFINED)
    yield Hostile("flood: items of UN", part10(fields, body=private), "items")
    many = b"".join(endless(0x00081140, b"") for _ in range(210_000))
    yield Hostile("flood: sequences", part10(fields, body=many), "items")
    del fields[0x7FE00010]
    body = encoded(fields) + fragments(*[b"\x00\x00"] * 510_000)
    yield Hostile("flood: fragments", part10(fields, JPEG, body), "fragments")
    fields = numbers.fields()
    fields[0x00081030] = ("LO", b"\\" * 65_000)
    yield Hostile("flood: values", part10(fields))
    fields = numbers.fields()
    fields[0x00280030] = ("DS", b"1\\" * 32_000)
    yield Hostile("flood: decimal strings", part10(fields))
    fields = numbers.fields()
    fields[0x00200032] = ("DS", b"9" * 60_000)
    yield Hostile("flood: digits", part10(fields))
    fields = numbers.fields()
    fields[0x00200013] = ("IS", b"9" * 60_000)
    yield Hostile("flood: digits of a number", part10(fields), "no whole number")


def _bombs(numbers: Numbers) -> Iterator[Hostile]:
    """Give deflated data sets that grow."""
    fields = numbers.fields()
    zeros = deflated(encoded(fields) + element(0x00111010, "OB", bytes(70 * 2**20)))
    yield Hostile("bomb: zeros", part10(fields, DEFLATED, zeros), "inflated to more")
    flood = deflated(element(0x00091001, "LO", b"") * 610_000)
    yield Hostile("bomb: elements", part10(fields, DEFLATED, flood), "elements")
    for name, body, rule in (
        ("garbage", b"\xde\xad\xbe\xef" * 64, "cannot be inflated"),
        ("nothing", b"", "cut short"),
        ("empty stream", deflated(b""), "cut short"),
        ("twice", deflated(deflated(encoded(fields))), "VR"),
        ("not deflated", encoded(fields), "inflated"),
    ):
        yield Hostile(f"bomb: {name}", part10(fields, DEFLATED, body), rule)
    fields = numbers.fields()
    trailed = deflated(encoded(fields)) + b"MZ" + bytes(4000)
    yield Hostile("bomb: behind the end", part10(fields, DEFLATED, trailed))
    fields = numbers.fields()
    yield Hostile(
        "deflated is taken", part10(fields, DEFLATED, deflated(encoded(fields)))
    )


def _lengths(numbers: Numbers) -> Iterator[Hostile]:
    """Give lengths that lie."""
    out, cut = "leads out of what holds it", "The length of an item leads out"
    unended = "no end"
    for name, more, rule in (
        ("2^32 - 2", element(PRIVATE, "OB", b"", 0xFFFFFFFE), out),
        ("2^31", element(PRIVATE, "OB", b"", 2**31), out),
        ("2^31 - 1", element(PRIVATE, "UT", b"", 2**31 - 1), out),
        ("65535 of a short one", element(PRIVATE, "LO", b"", 65535), out),
        ("none of text", element(PRIVATE, "UT", b"", UNDEFINED), "has no length"),
        ("none of bytes", element(PRIVATE, "OB", b"", UNDEFINED), "has no length"),
        ("none of words", element(0x60003000, "OW", b"", UNDEFINED), "has no length"),
        ("none of URI", element(PRIVATE, "UR", b"", UNDEFINED), "has no length"),
        ("sequence", element(0x00081140, "SQ", b"", 2**31), out),
        ("item", element(0x00081140, "SQ", item(b"", 2**31)), cut),
        ("item by one", element(0x00081140, "SQ", item(b"12345678", 9)), cut),
        ("in an item", endless(0x00081140, element(PRIVATE, "OB", b"", 2**30)), out),
        ("sequence never ended", element(0x00081140, "SQ", b"", UNDEFINED), "item"),
        ("item never ended", OPENED, unended),
        ("items never ended", element(0x00081140, "SQ", item(b""), UNDEFINED), "item"),
        ("end of item for sequence", OPENED + SEQUENCE_END, "(FFFE,E0DD)"),
        ("end of sequence for item", OPENED + SHUT + ITEM_END, "(FFFE,E00D)"),
        ("UN never ended", element(PRIVATE, "UN", b"", UNDEFINED), "item"),
        ("half an item", element(0x00081140, "SQ", item(b"")[:5]), "middle"),
        ("item with an odd tail", element(0x00081140, "SQ", item(b"\x08\x00")), "mid"),
    ):
        fields = numbers.fields()
        body = before_pixels(fields, more)
        yield Hostile(f"length: {name}", part10(fields, body=body), rule)
    for name, tag, length in (
        ("odd text", PRIVATE, 3),
        ("odd pixels", 0x7FE00010, 127),
    ):
        fields = numbers.fields()
        fields[tag] = ("OW" if tag == 0x7FE00010 else "LO", b"abc".ljust(length, b"d"))
        rule = "need 128" if tag == 0x7FE00010 else ""
        yield Hostile(f"length: {name}", part10(fields), rule)


def _meta(numbers: Numbers) -> Iterator[Hostile]:
    """Give file meta information that lies."""
    differ = "meta information and its data set differ"
    cases: list[tuple[str, dict[str, bytes | None], str]] = [
        ("length 0", {"length": long(0)}, ""),
        ("length too small", {"length": long(20)}, ""),
        ("length of the file", {"length": long(100_000)}, ""),
        ("length 2^32 - 1", {"length": long(UNDEFINED)}, ""),
        ("length of no bytes", {"length": b""}, ""),
        ("no syntax", {"syntax": None}, "transfer syntax"),
        ("empty syntax", {"syntax": b""}, "transfer syntax"),
        ("syntax a path", {"syntax": b"../../../etc/passwd\x00"}, "transfer syntax"),
        ("syntax a class", {"syntax": uid("1.2.840.10008.1.1")}, "transfer syntax"),
        ("syntax private", {"syntax": uid("1.2.3.4")}, "transfer syntax"),
        ("syntax too long", {"syntax": b"1." * 5000}, "transfer syntax"),
        ("another class", {"sop_class": uid("1.2.3")}, differ),
        ("another instance", {"sop_uid": uid("1.2.3")}, differ),
        ("instance a path", {"sop_uid": b"../../x "}, differ),
        ("no class", {"sop_class": None}, ""),
        ("class twice", {"more": element(0x00020002, "UI", b"1.2\x00")}, "twice"),
        ("syntax twice", {"more": element(0x00020010, "UI", uid(EXPLICIT))}, "twice"),
        ("private bytes", {"more": element(0x00020102, "OB", bytes(70_000))}, "bytes"),
        ("a sequence", {"more": endless(0x00020102, b"")}, ""),
        ("VR unknown", {"more": element(0x00020102, "??", b"")}, "VR"),
        ("VR lower case", {"more": element(0x00020102, "ob", b"")}, "VR"),
    ]
    for name, changes, rule in cases:
        yield Hostile(f"meta: {name}", part10(numbers.fields(), lies=changes), rule)
    fields = numbers.fields()
    without = bytes(128) + b"DICM" + encoded(fields)
    yield Hostile("meta: none", without, "no file meta information")
    fields = numbers.fields()
    wrong = part10(fields, IMPLICIT)
    yield Hostile("meta: implicit, it is explicit", wrong, "leads out")
    wrong = part10(numbers.fields(), EXPLICIT, implicit(0x00080016, b"1.2 "))
    yield Hostile("meta: explicit, it is implicit", wrong, "VR")
    yield Hostile("meta: big, it is little", part10(numbers.fields(), BIG), "leads out")


def _structure(numbers: Numbers) -> Iterator[Hostile]:
    """Give data sets whose elements are wrong."""
    for tag in (0x00080016, 0x00080018, 0x0020000D, 0x00100020, 0x00280010):
        fields = numbers.fields()
        body = encoded(fields) + element(tag, *fields[tag])
        yield Hostile(f"twice: {tag:08X}", part10(fields, body=body), "there twice")
    fields = numbers.fields()
    turned = b"".join(
        element(tag, *fields[tag]) for tag in sorted(fields, reverse=True)
    )
    yield Hostile("order: backwards", part10(fields, body=turned))
    fields = numbers.fields()
    body = before_pixels(fields, element(0x00080005, "CS", b"ISO_IR 192"))
    yield Hostile("order: character set last", part10(fields, body=body))
    for name, more, rule in (
        ("VR ??", element(PRIVATE, "??", b"ab"), "VR"),
        ("VR of NUL", element(PRIVATE, "\x00\x00", b"ab"), "VR"),
        ("VR lower case", element(PRIVATE, "lo", b"ab"), "VR"),
        ("VR of lines", element(PRIVATE, "\n\r", b"ab"), "VR"),
        ("an item outside", item(b""), "VR"),
        ("an end outside", SEQUENCE_END, "VR"),
        ("group FFFF", element(0xFFFFFFFF, "LO", b"ab"), "may not stand"),
        ("group 0", element(0x00000010, "LO", b"ab"), "may not stand"),
        ("group 2", element(0x00020010, "UI", uid(IMPLICIT)), "may not stand"),
        ("private without creator", element(PRIVATE, "LO", b"ab"), ""),
        ("creator a path", element(0x00110010, "LO", b"../../etc "), ""),
        ("creator a number", element(0x00110010, "US", short(1)), ""),
        ("unknown kind of much", element(PRIVATE, "UN", bytes(70_000)), ""),
    ):
        fields = numbers.fields()
        body = before_pixels(fields, more)
        yield Hostile(f"structure: {name}", part10(fields, body=body), rule)
    for name, tag, field, rule in (
        ("rows are text", 0x00280010, ("LO", b"8 "), "is LO"),
        ("rows are long", 0x00280010, ("UL", long(8)), "is UL"),
        ("series is bytes", 0x0020000E, ("OB", b"1.2.3\x00"), "is OB"),
        ("series is unknown", 0x0020000E, ("UN", b"1.2.3\x00"), ""),
        ("pixels are text", 0x7FE00010, ("UT", b" " * 128), "is UT"),
        ("pixels are a sequence", 0x7FE00010, ("SQ", item(b"")), "no pixel data"),
        ("pixels are unknown", 0x7FE00010, ("UN", bytes(128)), ""),
        ("patient is a sequence", 0x00100010, ("SQ", item(b"")), ""),
        ("a sequence is text", 0x00081140, ("LO", even("no items")), ""),
        ("orientation is bytes", 0x00200037, ("OB", bytes(12)), ""),
        ("spacing is a number", 0x00280030, ("US", short(1, 1)), ""),
    ):
        fields = numbers.fields()
        fields[tag] = field
        yield Hostile(f"kind: {name}", part10(fields), rule)
