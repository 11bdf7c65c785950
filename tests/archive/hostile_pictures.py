"""Pictures of the hostile corpus: polyglots, and pixels not as their heads say."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

from tests.archive.hostile_blocks import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    UNDEFINED,
    Fields,
    Hostile,
    Numbers,
    before_pixels,
    element,
    encoded,
    endless,
    even,
    fragments,
    implicit,
    long,
    part10,
    short,
    uid,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SEG = "1.2.840.10008.5.1.4.1.1.66.4"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
DIRECTORY = "1.2.840.10008.1.3.10"
BEGINNINGS = (
    ("MZ", b"MZ\x90\x00\x03\x00\x00\x00", "a program"),
    ("ELF", b"\x7fELF\x02\x01\x01\x00", "a program"),
    ("PDF", b"%PDF-1.7\n", "a PDF"),
    ("zip", b"PK\x03\x04\x14\x00", "a zip"),
    ("PNG", b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    ("GIF", b"GIF89a", "a GIF picture"),
    ("JPEG", b"\xff\xd8\xff\xe0", "a JPEG picture"),
    ("TIFF", b"II*\x00\x08\x00\x00\x00", "not a DICOM file"),
    ("large TIFF", b"MM\x00+\x00\x08\x00\x00", "not a DICOM file"),
    ("RIFF", b"RIFF\x24\x00\x00\x00WAVE", "not a DICOM file"),
    ("gzip", b"\x1f\x8b\x08\x00", "a gzip"),
    ("script", b"#!/bin/sh\nid\n", "not a DICOM file"),
    ("page", b"<html><script>alert(1)</script>", "not a DICOM file"),
    ("class", b"\xca\xfe\xba\xbe", "not a DICOM file"),
    ("HDF5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
)


def pictures(numbers: Numbers) -> Iterator[Hostile]:
    """Give files whose bytes are something else, or whose pixels lie."""
    yield from _polyglots(numbers)
    yield from _others(numbers)
    yield from _codestreams(numbers)
    yield from _run_lengths(numbers)
    yield from _tables_of_offsets(numbers)
    yield from _segmentations(numbers)
    yield from _good(numbers)


def _polyglots(numbers: Numbers) -> Iterator[Hostile]:
    """Give files that are two things; a preamble is free (PS3.10, 7.1): taken."""
    for name, begin, rule in BEGINNINGS:
        yield Hostile(f"both: {name}", part10(numbers.fields(), preamble=begin))
        yield Hostile(f"only: {name}", begin + bytes(400), rule)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("../../escaped.dcm", "no")
    fields = numbers.fields()
    yield Hostile("both: a zip behind", part10(fields) + zipped.getvalue(), "VR")
    fields = numbers.fields()
    padding = element(0xFFFCFFFC, "OB", even(zipped.getvalue(), b"\x00"))
    behind = part10(fields, body=encoded(fields) + padding)
    yield Hostile("both: a zip in the padding", behind)


def _others(numbers: Numbers) -> Iterator[Hostile]:
    """Give DICOM that is no instance, and documents."""
    fields = numbers.fields()
    fields[0x00080016] = ("UI", uid(DIRECTORY))
    body = endless(0x00041220, element(0x00041500, "CS", b"..\\..\\ETC "))
    yield Hostile("other: DICOMDIR", part10(fields, body=body), "directory of a medium")
    for name, content in (
        ("a program", b"MZ" + bytes(200)),
        ("a page", b"<script>alert(1)</script> "),
        ("a zip", b"PK\x05\x06" + bytes(18)),
    ):
        fields = _without_picture(numbers)
        fields[0x00080016] = ("UI", uid(PDF))
        fields[0x00080060] = ("CS", b"DOC ")
        fields[0x00420011] = ("OB", even(content))
        fields[0x00420012] = ("LO", b"application/pdf ")
        yield Hostile(f"other: {name} in DICOM", part10(fields))
    for name, data in (
        ("zeros", bytes(4096)),
        ("zeros and letters", bytes(128) + b"DICM"),
        ("letters", b"DICM" * 100),
        ("a tar", b"x" * 257 + b"ustar" + bytes(250)),
        ("a group alone", b"\x08\x00\x05\x00CS"),
        ("a line", b"\n"),
    ):
        yield Hostile(f"other: {name}", data, "It")


def _without_picture(numbers: Numbers) -> Fields:
    """Return the fields of an instance without an image."""
    return {
        tag: field
        for tag, field in numbers.fields().items()
        if tag >> 16 not in {0x28, 0x7FE0}
    }


def _packed(numbers: Numbers, syntax: str, *parts: bytes, table: bytes = b"") -> bytes:
    """Return a CT slice whose pixels are *parts*."""
    fields = numbers.fields()
    del fields[0x7FE00010]
    return part10(fields, syntax, encoded(fields) + fragments(*parts, table=table))


def jpeg(rows: int, columns: int, marker: int = 0xC0) -> bytes:
    """Return the head of a JPEG picture, and a scan of nothing."""
    frame = struct.pack(">HBHHB", 11, 8, rows, columns, 1) + b"\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x55" * 40
    return b"\xff\xd8\xff" + bytes([marker]) + frame + scan + b"\xff\xd9"


def jpeg_2000(right: int, bottom: int, left: int = 0, tile: int = 8) -> bytes:
    """Return the head of a JPEG 2000 picture."""
    size = struct.pack(
        ">HHLLLLLLLLH", 41, 0, right, bottom, left, 0, tile, tile, 0, 0, 1
    )
    return b"\xff\x4f\xff\x51" + size + b"\x0f\x01\x01" + b"\xff\xd9"


def _codestreams(numbers: Numbers) -> Iterator[Hostile]:
    """Give compressed frames whose own header says something else."""
    lied = "A compressed frame has"
    for name, syntax, part, rule in (
        ("JPEG larger", JPEG, jpeg(65535, 65535), lied),
        ("JPEG smaller", JPEG, jpeg(1, 1), lied),
        ("JPEG without rows", JPEG, jpeg(0, 8), lied),
        ("JPEG lossless larger", JPEG_LOSSLESS, jpeg(9, 8, 0xC3), lied),
        ("JPEG-LS larger", JPEG_LS, jpeg(4000, 4000, 0xF7), lied),
        ("JPEG 2000 of 2^32", JPEG_2000, jpeg_2000(2**32 - 1, 2**32 - 1), lied),
        ("JPEG 2000 of nothing", JPEG_2000, jpeg_2000(0, 0), lied),
        ("JPEG 2000 negative", JPEG_2000, jpeg_2000(8, 8, left=9), lied),
        ("JPEG of no scan", JPEG, jpeg(8, 8), ""),
        ("JPEG-LS of no scan", JPEG_LS, jpeg(8, 8, 0xF7), ""),
        ("JPEG lossless of no scan", JPEG_LOSSLESS, jpeg(8, 8, 0xC3), ""),
        ("JPEG 2000 of no tiles", JPEG_2000, jpeg_2000(8, 8), ""),
        ("JPEG 2000 of tiles of nothing", JPEG_2000, jpeg_2000(8, 8, tile=0), ""),
        ("JPEG that is none", JPEG, b"\x00" * 64, ""),
        ("JPEG cut in its head", JPEG, b"\xff\xd8\xff\xc0", ""),
        ("JPEG of markers", JPEG, b"\xff\xd8" + b"\xff" * 60_000, ""),
        ("JPEG 2000 under JPEG", JPEG, jpeg_2000(8, 8), ""),
        ("a program under JPEG", JPEG, b"MZ" + bytes(300), ""),
        ("empty fragment", JPEG, b"", ""),
        ("odd fragment", JPEG, b"\xff\xd8\xff", ""),
    ):
        yield Hostile(f"packed: {name}", _packed(numbers, syntax, part), rule)
    missing = _packed(numbers, JPEG)
    yield Hostile("packed: no fragment", missing, "has 0 of them")
    fields = numbers.fields()
    yield Hostile(
        "packed: native under JPEG", part10(fields, JPEG), "pixel data are not"
    )
    fields = numbers.fields()
    del fields[0x7FE00010]
    body = encoded(fields) + fragments(jpeg(8, 8))
    yield Hostile("packed: JPEG under native", part10(fields, body=body), "not a compr")
    fields = numbers.fields()
    del fields[0x7FE00010]
    fields[0x00280008] = ("IS", b"1000")
    body = encoded(fields) + fragments(*[jpeg(8, 8)] * 3)
    yield Hostile("packed: frames missing", part10(fields, JPEG, body), "3 of them")
    video = "1.2.840.10008.1.2.4.102"
    yield Hostile("packed: a video of zeros", _packed(numbers, video, bytes(400)))


def run_lengths(count: int, *offsets: int, content: bytes = b"\x81\x00" * 200) -> bytes:
    """Return a frame of RLE with the table of segments that is wanted."""
    table = [count, *offsets, *[0] * (15 - len(offsets))]
    return long(*table[:16]) + content


def _run_lengths(numbers: Numbers) -> Iterator[Hostile]:
    """Give run lengths whose table of segments lies (PS3.5, G.3.2)."""
    lied = "segment"
    for name, part, rule in (
        ("none", run_lengths(0), lied),
        ("16", run_lengths(16, 64), lied),
        ("2^32 - 1", run_lengths(UNDEFINED, 64), lied),
        ("first in the table", run_lengths(2, 4, 80), lied),
        ("outside", run_lengths(2, 64, 2**31), lied),
        ("backwards", run_lengths(2, 100, 64), lied),
        ("one for two bytes", run_lengths(1, 64), lied),
        ("three for two bytes", run_lengths(3, 64, 66, 68), lied),
        ("table cut", b"\x02\x00\x00\x00@\x00", lied),
        ("too little", run_lengths(2, 64, 66, content=b"\x00\x00\x00\x00"), ""),
        ("too much", run_lengths(2, 64, 66, content=b"\x81\x00" * 100_000), ""),
        ("of no bytes", run_lengths(2, 64, 64, content=b""), lied),
    ):
        yield Hostile(f"segments: {name}", _packed(numbers, RLE, part), rule)


def _tables_of_offsets(numbers: Numbers) -> Iterator[Hostile]:
    """Give tables of offsets that lead somewhere else (PS3.5, A.4)."""
    for name, table, rule in (
        ("outside", long(2**31), "offset table"),
        ("2^32 - 1", long(UNDEFINED), "offset table"),
        ("odd", b"\x00\x00\x00", "offset table"),
        ("backwards", long(60, 0), "offset table"),
        ("large", long(*range(0, 80_000, 4)), "offset table"),
        ("in the middle", long(4), "offset table"),
        ("right", long(0), ""),
    ):
        made = _packed(numbers, JPEG, jpeg(8, 8), table=table)
        yield Hostile(f"offsets: {name}", made, rule)
    for name, table, lengths in (
        ("outside", struct.pack("<Q", 2**40), struct.pack("<Q", 8)),
        ("long", struct.pack("<Q", 0), struct.pack("<Q", 2**62)),
        ("odd", b"\x00" * 6, b"\x00" * 6),
    ):
        fields = numbers.fields()
        del fields[0x7FE00010]
        fields[0x7FE00001], fields[0x7FE00002] = ("OV", table), ("OV", lengths)
        body = encoded(fields) + fragments(jpeg(8, 8))
        made = part10(fields, JPEG, body)
        yield Hostile(f"offsets: extended {name}", made, "offset table")


def _segmentations(numbers: Numbers) -> Iterator[Hostile]:
    """Give segmentations that lead whoever lays them over a picture astray."""
    for name, number, frames in (
        ("of itself", 1, 1),
        ("of segment 0", 0, 1),
        ("of segment 65535", 65535, 1),
        ("of more frames", 1, 3),
    ):
        fields = numbers.fields()
        fields[0x00080016] = ("UI", uid(SEG))
        fields[0x00080060] = ("CS", b"SEG ")
        fields[0x00280008] = ("IS", b"1 ")
        fields[0x00280100] = fields[0x00280101] = ("US", short(8))
        fields[0x00280102] = ("US", short(7))
        fields[0x7FE00010] = ("OB", b"\x01" * 64)
        own = element(0x0020000E, "UI", fields[0x0020000E][1])
        group = endless(0x0062000A, element(0x0062000B, "US", short(number)))
        more = endless(0x00081115, own) + endless(0x52009230, *[group] * frames)
        body = before_pixels(fields, more)
        yield Hostile(f"segmentation: {name}", part10(fields, body=body))
    fields = numbers.fields()
    fields[0x00080016] = ("UI", uid(SEG))
    fields[0x00080060] = ("CS", b"SEG ")
    yield Hostile("segmentation: of nothing", part10(fields))


def _good(numbers: Numbers) -> Iterator[Hostile]:
    """Give files that are as they should be, in every plain encoding."""
    yield Hostile("good: explicit", part10(numbers.fields()))
    fields = numbers.fields()
    body = b"".join(implicit(tag, fields[tag][1]) for tag in sorted(fields))
    yield Hostile("good: implicit", part10(fields, IMPLICIT, body))
    fields = numbers.fields()
    for tag, (vr, value) in fields.items():
        if vr == "US":
            fields[tag] = (vr, value[::-1])
    body = b"".join(element(tag, *fields[tag], order=">") for tag in sorted(fields))
    yield Hostile("good: big endian", part10(fields, BIG, body))
    fields = numbers.fields()
    nested = endless(0x00081140, endless(0x00081199, element(0x00081155, "UI", b"1.2")))
    yield Hostile("good: sequences", part10(fields, body=before_pixels(fields, nested)))
    fields = numbers.fields()
    yield Hostile("good: no length", part10(fields, length=b""))
    fields = numbers.fields()
    padding = element(0xFFFCFFFC, "OB", bytes(2000))
    yield Hostile("good: padding", part10(fields, body=encoded(fields) + padding))
    fields = numbers.fields()
    segments = [bytes(range(128))[half::2] for half in (1, 0)]
    runs = [b"\x3f" + part + b"\x00" for part in segments]
    table = long(2, 64, 64 + len(runs[0]), *[0] * 13)
    packed = _packed(numbers, RLE, even(table + b"".join(runs), b"\x00"))
    yield Hostile("good: RLE", packed)
    fields = numbers.fields()
    fields[0x00100010] = ("PN", even("Wang^XiaoDong=王^小东=", b" "))
    fields[0x00080005] = ("CS", b"ISO_IR 192")
    yield Hostile("good: Chinese", part10(fields, EXPLICIT))
