"""Values of the hostile corpus: UIDs, numbers, texts and shapes that lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.archive.hostile_blocks import (
    ROOT,
    Hostile,
    Numbers,
    even,
    long,
    part10,
    short,
    uid,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = {
    0x00080016: "class",
    0x00080018: "instance",
    0x0020000D: "study",
    0x0020000E: "series",
}
NO_UID = "is not a UID"


def values(numbers: Numbers) -> Iterator[Hostile]:
    """Give files whose values lie."""
    yield from _uids(numbers)
    yield from _more_uids(numbers)
    yield from _counts(numbers)
    yield from _geometry(numbers)
    yield from _texts(numbers)


def _uids(numbers: Numbers) -> Iterator[Hostile]:
    """Give UIDs that want to be a path, a line or a program, at every place."""
    for tag, called in NAMES.items():
        for name, value in (
            ("a path", b"../../../../tmp/escaped "),
            ("absolute", b"/etc/passwd "),
            ("a NUL inside", b"1.2\x003.4 "),
            ("two lines", b"1.2.3\n1.2.4 "),
            ("too long", b"1." * 40),
        ):
            fields = numbers.fields()
            fields[tag] = ("UI", even(value))
            made = part10(fields, sop_class=None, sop_uid=None)
            yield Hostile(f"uid: {called} {name}", made, NO_UID)


def _more_uids(numbers: Numbers) -> Iterator[Hostile]:
    """Give more of them at one place."""
    for name, value, rule in (
        ("empty", b"", "It has no SOPInstanceUID"),
        ("spaces", b"    ", "It has no SOPInstanceUID"),
        ("NULs", b"\x00" * 64, "It has no SOPInstanceUID"),
        ("dots", b"..", NO_UID),
        ("one dot", b". ", NO_UID),
        ("a dot at the end", b"1.2.", NO_UID),
        ("two dots", b"1..2", NO_UID),
        ("without dots", b"12", NO_UID),
        ("negative", b"-1.2", NO_UID),
        ("hexadecimal", b"1.2.a ", NO_UID),
        ("two values", b"1.2\\1.3 ", NO_UID),
        ("Arabic digits", "\u0661.\u0662.\u0663".encode(), NO_UID),
        ("full width", "\uff11\uff0e\uff12".encode(), NO_UID),
        ("percent", b"1.2%2F3 ", NO_UID),
        ("a shell's", b"$(reboot)", NO_UID),
        ("a query's", b"1.2' OR '1'='1 ", NO_UID),
        ("markup", b"<img src=x>", NO_UID),
        ("a star", b"1.2.*", NO_UID),
        ("Windows' own", b"CON.1 ", NO_UID),
        ("1,000 digits", b"1." + b"2" * 998, NO_UID),
        ("70,000 digits", b"1." + b"2" * 69_998, "more than 65536 bytes"),
    ):
        fields = numbers.fields()
        kind = "UN" if len(value) > 2**16 else "UI"
        fields[0x00080018] = (kind, even(value, b"\x00"))
        made = part10(fields, sop_class=None, sop_uid=None)
        yield Hostile(f"uid: instance {name}", made, rule)
    fields = numbers.fields()
    fields[0x00080018] = ("UI", uid(f"{ROOT}.{'9' * 64}"[:64]))
    yield Hostile("uid: 64 digits are taken", part10(fields))
    fields = numbers.fields()
    fields[0x00080016] = ("UI", uid("1.2.826.0.1.3680043.10.1338.99"))
    yield Hostile("uid: a private class is taken", part10(fields))


def _counts(numbers: Numbers) -> Iterator[Hostile]:
    """Give shapes of pictures that cannot be."""
    frames, allocated = "frames", "bits allocated"
    for name, tag, field, rule in (
        ("no frames", 0x00280008, ("IS", b"0 "), frames),
        ("minus one frame", 0x00280008, ("IS", b"-1"), frames),
        ("2^31 frames", 0x00280008, ("IS", b"2147483648"), "no whole number"),
        ("2^31 - 1 frames", 0x00280008, ("IS", b"2147483647"), frames),
        ("1e9 frames", 0x00280008, ("IS", b"1e9 "), frames),
        ("NaN frames", 0x00280008, ("IS", b"NaN "), "no whole number"),
        ("infinite frames", 0x00280008, ("IS", b"inf "), "no whole number"),
        ("some frames", 0x00280008, ("IS", b"some"), "no whole number"),
        ("frames in two bytes", 0x00280008, ("US", short(1)), ""),
        ("no rows", 0x00280010, ("US", short(0)), "0 rows"),
        ("rows of one byte", 0x00280010, ("US", b"\x08"), "0 rows"),
        ("65535 rows", 0x00280010, ("US", short(65535)), "need"),
        ("no columns", 0x00280011, ("US", short(0)), "0 columns"),
        ("no bits", 0x00280100, ("US", short(0)), allocated),
        ("7 bits", 0x00280100, ("US", short(7)), allocated),
        ("65535 bits", 0x00280100, ("US", short(65535)), allocated),
        ("64 bits", 0x00280100, ("US", short(64)), "need"),
        ("more stored than allocated", 0x00280101, ("US", short(17)), "bits stored"),
        ("none stored", 0x00280101, ("US", short(0)), "bits stored"),
        ("high bit outside", 0x00280102, ("US", short(200)), "high bit"),
        ("no samples", 0x00280002, ("US", short(0)), "samples"),
        ("65535 samples", 0x00280002, ("US", short(65535)), "samples"),
        ("a third sign", 0x00280103, ("US", short(9)), "sign"),
        ("planes that are not", 0x00280006, ("US", short(7)), ""),
        ("colours unknown", 0x00280004, ("CS", b"ULTRAVIOLET "), ""),
        ("colours a path", 0x00280004, ("CS", b"../../x "), ""),
        ("palette and no table", 0x00280004, ("CS", b"PALETTE COLOR "), ""),
        ("RGB of one sample", 0x00280004, ("CS", b"RGB "), ""),
    ):
        fields = numbers.fields()
        fields[tag] = field
        yield Hostile(f"shape: {name}", part10(fields), rule)
    fields = numbers.fields()
    fields[0x00280010] = fields[0x00280011] = ("US", short(65535))
    fields[0x00280002] = ("US", short(3))
    yield Hostile("shape: 12 GB of one frame", part10(fields), "256 MiB are the most")
    fields = numbers.fields()
    del fields[0x7FE00010]
    yield Hostile("shape: rows and no pixels", part10(fields), "has no pixel data")
    yield from _tables(numbers)


def _tables(numbers: Numbers) -> Iterator[Hostile]:
    """Give palettes and other tables that lie about their length."""
    for name, described, table in (
        ("palette of 65536 in 2 bytes", short(0, 0, 16), b"\x00\x00"),
        ("palette of no bits", short(256, 0, 0), bytes(512)),
        ("palette begins behind", short(256, 65535, 16), bytes(512)),
        ("palette without numbers", b"", bytes(512)),
        ("palette of one number", short(1), b""),
    ):
        fields = numbers.fields()
        fields[0x00280004] = ("CS", b"PALETTE COLOR ")
        for colour in (1, 2, 3):
            fields[0x00281100 | colour] = ("US", described)
            fields[0x00281200 | colour] = ("OW", table)
        yield Hostile(f"table: {name}", part10(fields))
    fields = numbers.fields()
    fields[0x60000010] = fields[0x60000011] = ("US", short(65535))
    fields[0x60000100], fields[0x60003000] = ("US", short(1)), ("OW", b"\xff\xff")
    yield Hostile("table: overlay larger than its bits", part10(fields))


def _geometry(numbers: Numbers) -> Iterator[Hostile]:
    """Give places and scales that no patient has; they are taken as sent."""
    for name, tag, value in (
        ("spacing 0", 0x00280030, b"0\\0 "),
        ("spacing negative", 0x00280030, b"-1\\-1 "),
        ("spacing NaN", 0x00280030, b"nan\\nan "),
        ("spacing huge", 0x00280030, b"1e300\\1e300"),
        ("spacing one value", 0x00280030, b"1 "),
        ("spacing words", 0x00280030, b"wide\\high "),
        ("spacing infinite", 0x00280030, b"inf\\inf "),
        ("orientation of zeros", 0x00200037, b"0\\0\\0\\0\\0\\0 "),
        ("orientation short", 0x00200037, b"1\\0 "),
        ("orientation NaN", 0x00200037, b"nan\\0\\0\\0\\1\\0 "),
        ("position far away", 0x00200032, b"1e308\\1e308\\1e308 "),
        ("slope infinite", 0x00281053, b"inf "),
        ("slope 1e999", 0x00281053, b"1e999 "),
        ("slope 0", 0x00281053, b"0 "),
        ("slope huge", 0x00281053, b"1e300 "),
        ("intercept NaN", 0x00281052, b"nan "),
        ("intercept empty", 0x00281052, b""),
        ("window without width", 0x00281051, b"0 "),
        ("window negative", 0x00281051, b"-1"),
        ("window NaN", 0x00281051, b"nan "),
        ("underscores", 0x00281053, b"1_000 "),
    ):
        fields = numbers.fields()
        if tag == 0x00281051:
            fields[0x00281050] = ("DS", b"40")
        if tag == 0x00281053:
            fields[0x00281052] = ("DS", b"0 ")
        fields[tag] = ("DS", even(value))
        yield Hostile(f"geometry: {name}", part10(fields))


def _texts(numbers: Numbers) -> Iterator[Hostile]:
    """Give texts that want to be something else; they are taken, and cleaned."""
    for name, charset, text in (
        ("escape never ended", b"\\ISO 2022 IR 87", b"\x1b$B" + b"!" * 51),
        ("escapes without end", b"\\ISO 2022 IR 87", b"\x1b" * 60_000),
        ("escapes of all kinds", b"\\ISO 2022 IR 149", b"\x1b$)C\x1b(B" * 8000),
        ("escape of no set", b"\\ISO 2022 IR 13", b"\x1b%/XYZ "),
        ("UTF-8 broken", b"ISO_IR 192", b"\xff\xfe\xc0\xaf\xed\xa0\x80 "),
        ("UTF-8 overlong", b"ISO_IR 192", b"\xc0\xae\xc0\xae\xc0\xaf"),
        ("UTF-8 reversed", b"ISO_IR 192", "\u202egnp.exe\u2066 ".encode()),
        ("UTF-8 of surrogates", b"ISO_IR 192", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("GB18030 broken", b"GB18030", b"\x81\x30\x81\xff\xff\xff"),
        ("character set unknown", b"KLINGON ", b"Qapla' "),
        ("character set a path", b"../../etc/passwd", b"x "),
        ("character sets, 1,000", b"\\".join([b"ISO 2022 IR 87"] * 1000), b"x "),
        ("character set a codec", b"zlib", b"x\x9c\x03\x00\x00"),
        ("character set bytes", b"\xff\xfe\xfd\xfc", b"x "),
        ("markup", b"ISO_IR 192", b"<script>alert(1)</script>"),
        ("lines of a log", b"ISO_IR 192", b"One\r\nERROR root signed in"),
        ("NULs", b"", b"One\x00Two\x00"),
        ("controls", b"", bytes(range(1, 32)) + b" "),
        ("terminal", b"", b"\x1b]0;owned\x07\x1b[2J "),
        ("a path", b"", b"../../../etc/passwd "),
        ("a formula", b"", b"=cmd|'/C calc'!A0 "),
        ("60,000 letters", b"", b"A" * 60_000),
        ("60,000 groups", b"", b"=" * 60_000),
        ("60,000 carets", b"ISO_IR 192", b"^" * 60_000),
        ("format", b"", b"{0.__class__} %s%n "),
    ):
        fields = numbers.fields()
        if charset:
            fields[0x00080005] = ("CS", even(charset))
        for tag, vr in ((0x00100010, "PN"), (0x0008103E, "LO"), (0x00081030, "LO")):
            fields[tag] = (vr, even(text))
        yield Hostile(f"text: {name}", part10(fields))
    for name, tag, vr, text in (
        ("a date of words", 0x00080020, "DA", b"yesterday "),
        ("a date of 60,000", 0x00080020, "DA", b"9" * 60_000),
        ("a time of words", 0x00080030, "TM", b"noon"),
        ("a number of words", 0x00200011, "IS", b"first "),
        ("a number with an end", 0x00200011, "IS", b"1\x002 "),
        ("a large number", 0x00200013, "IS", b"99999999999 "),
        ("modality a path", 0x00080060, "CS", b"../../x "),
        ("modality long", 0x00080060, "CS", b"CT" * 3000),
        ("age of bytes", 0x00101010, "AS", b"\xff\xff\xff\xff"),
        ("weight of a sequence", 0x00101030, "SQ", b""),
    ):
        fields = numbers.fields()
        fields[tag] = (vr, even(text))
        rule = "no whole number" if "number" in name else ""
        yield Hostile(f"text: {name}", part10(fields), rule)
    fields = numbers.fields()
    fields[0x00280103], fields[0x00280030] = ("US", short(0)), ("FL", long(1, 1))
    yield Hostile("text: a spacing in binary", part10(fields))
