"""What is acceptable as a DICOM instance, and what is said of what is not."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from rounds_hub.archive.checking import (
    NotAnInstanceError,
    examine,
    examine_file,
)
from rounds_hub.archive.walking import Limits
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeBytes = Callable[..., bytes]

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SMALL = Limits(depth=64, elements=20_000, items=5000, size=2**24)


def why_not(data: bytes, limits: Limits = SMALL) -> str:
    with pytest.raises(InvalidError) as caught:
        examine(data, limits)
    return str(caught.value)


def encoded(made: bytes, syntax: str) -> bytes:
    """Return an instance in another transfer syntax."""
    read = dcmread(io.BytesIO(made))
    read.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    written = io.BytesIO()
    order = syntax != ExplicitVRBigEndian
    implicit = syntax == ImplicitVRLittleEndian
    if not order:
        read.PixelData = b"".join(
            read.PixelData[i : i + 2][::-1] for i in range(0, len(read.PixelData), 2)
        )
    pydicom.dcmwrite(
        written,
        read,
        implicit_vr=implicit,
        little_endian=order,
        force_encoding=True,
    )
    return written.getvalue()


@pytest.mark.parametrize(
    "syntax",
    [
        pytest.param(ExplicitVRLittleEndian, id="explicit"),
        pytest.param(ImplicitVRLittleEndian, id="implicit"),
        pytest.param(ExplicitVRBigEndian, id="big endian"),
        pytest.param(DeflatedExplicitVRLittleEndian, id="deflated"),
    ],
)
def test_every_encoding_is_walked(syntax: str, instance: MakeBytes) -> None:
    found = examine(encoded(instance(5), syntax), SMALL)
    assert (found.instance_number, found.rows, found.columns) == (5, 16, 24)
    assert found.transfer_syntax == syntax


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_bigendian.dcm",
        "SC_rgb_rle_2frame.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "liver_1frame.dcm",
        "JPEG-lossy.dcm",
        "image_dfl.dcm",
        "reportsi.dcm",
        "waveform_ecg.dcm",
        "MR_small_padded.dcm",
        "693_J2KI.dcm",
    ],
)
def test_real_files_agree_with_a_full_reader(name: str) -> None:
    path = str(get_testdata_file(name, download=False))
    found = examine_file(Path(path), SMALL)
    read = dcmread(path)
    assert found.sop_uid == read.SOPInstanceUID
    assert found.series_uid == read.SeriesInstanceUID
    assert found.modality == read.Modality
    assert found.rows == read.get("Rows", 0)
    assert found.frames == int(read.get("NumberOfFrames", "Rows" in read))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("MR_truncated.dcm", "cut short"),
        ("rtplan_truncated.dcm", "cut short"),
        ("meta_missing_tsyntax.dcm", "transfer syntax"),
        ("no_meta.dcm", "not a DICOM file"),
        ("badVR.dcm", "differ in SOPInstanceUID"),
        ("JPEG2000-embedded-sequence-delimiter.dcm", "compressed frame has"),
    ],
)
def test_broken_real_files_are_refused(name: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        examine_file(TEST_FILES / name, SMALL)


@pytest.mark.parametrize(
    "path", sorted((TEST_FILES / "dicomdirtests").glob("DICOMDIR*")), ids=str
)
def test_a_directory_of_a_medium_is_no_instance(path: Path) -> None:
    with pytest.raises(NotAnInstanceError, match="directory of a medium"):
        examine_file(path, SMALL)


@pytest.mark.parametrize(
    ("begin", "kind"),
    [
        (b"\x89PNG\r\n", "a PNG picture"),
        (b"%PDF-1.4", "a PDF"),
        (b"PK\x03\x04", "a zip"),
        (b"\x1f\x8b\x08", "a gzip"),
        (b"\x7fELF\x02", "a program"),
        (b"GIF89a", "a GIF picture"),
    ],
)
def test_other_kinds_of_files_are_named(begin: bytes, kind: str) -> None:
    assert why_not(begin + bytes(200)) == f"It is {kind}, not a DICOM file."


@pytest.mark.parametrize(
    "name", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
def test_a_uid_that_is_missing_is_named(name: str, instance: MakeBytes) -> None:
    made = dcmread(io.BytesIO(instance()))
    del made[name]
    written = io.BytesIO()
    made.save_as(written)
    assert why_not(written.getvalue()) == f"It has no {name}."


@pytest.mark.parametrize(
    "uid",
    [
        pytest.param(b"1.2.<script>", id="letters"),
        pytest.param(b"../../passwd", id="a path"),
        pytest.param(b"1..2.3.4.5.6", id="two dots"),
        pytest.param(b"123456789012", id="no dot"),
        pytest.param(b"1.2.3.4.5.6.", id="a dot at the end"),
    ],
)
def test_what_is_no_uid_is_refused(uid: bytes, instance: MakeBytes) -> None:
    whole = instance()
    at = whole.rfind(b"1.2.826.0.1.3680043.10.1338.1.1\x00")
    altered = whole[:at] + uid.ljust(32, b"\x00") + whole[at + 32 :]
    assert why_not(altered).startswith("Its SeriesInstanceUID is not a UID")


def test_the_modality_may_be_missing(instance: MakeBytes) -> None:
    assert examine(instance(Modality=None), SMALL).modality == ""


def test_a_transfer_syntax_that_nobody_knows_is_refused(instance: MakeBytes) -> None:
    altered = instance().replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.9.9.9\x00")
    assert "transfer syntax '1.2.840.10008.9.9.9'" in why_not(altered)


def test_one_uid_twice_is_refused(instance: MakeBytes) -> None:
    again = b"\x08\x00\x18\x00UI\x04\x001.2\x00"
    assert (
        why_not(instance() + again)
        == "(0008,0018) is there twice, so it has no one value."
    )


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize(
    ("depth", "fine"), [(3, True), (64, True), (65, False), (400, False)]
)
def test_sequences_may_be_64_deep(
    depth: int, *, fine: bool, undefined: bool, instance: MakeBytes
) -> None:
    data = instance() + nested(depth, undefined=undefined)
    if fine:
        assert examine(data, SMALL).rows == 16
    else:
        assert "nested more than 64 deep" in why_not(data)


def nested(depth: int, *, undefined: bool) -> bytes:
    inside = b""
    for _ in range(depth):
        size = 0xFFFFFFFF if undefined else len(inside)
        end = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) if undefined else b""
        item = struct.pack("<HHL", 0xFFFE, 0xE000, size) + inside + end
        size = 0xFFFFFFFF if undefined else len(item)
        end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0) if undefined else b""
        inside = struct.pack("<HH2sHL", 0x40, 0xA730, b"SQ", 0, size) + item + end
    return inside


def test_too_many_elements_are_refused(instance: MakeBytes) -> None:
    many = struct.pack("<HH2sH", 0x11, 0x10, b"LO", 0) * 30_000
    assert why_not(instance() + many) == "It has more than 20000 elements."


def test_too_many_items_are_refused(instance: MakeBytes) -> None:
    items = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 6000
    head = struct.pack("<HH2sHL", 0x40, 0xA730, b"SQ", 0, len(items))
    assert why_not(instance() + head + items) == "It has more than 5000 items."


@pytest.mark.parametrize("lie", [0x7FFFFFF0, 0xFFFFFFFE, 770])
def test_a_length_that_leads_out_of_the_file_is_refused(
    lie: int, instance: MakeBytes
) -> None:
    whole = instance()
    at = whole.rfind(b"\xe0\x7f\x10\x00OW") + 8
    altered = whole[:at] + struct.pack("<L", lie) + whole[at + 4 :]
    assert "cut short or was altered" in why_not(altered)


def test_a_sequence_without_an_end_is_refused(instance: MakeBytes) -> None:
    head = struct.pack("<HH2sHL", 0x40, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    assert why_not(instance() + head) == "The sequence (0040,A730) has no end."


def test_an_unknown_kind_of_value_is_refused(instance: MakeBytes) -> None:
    element = struct.pack("<HH2sH", 0x11, 0x10, b"ZZ", 0)
    assert why_not(instance() + element) == (
        "(0011,0010) has no known kind of value (VR)."
    )


def test_a_deflated_bomb_is_refused(instance: MakeBytes) -> None:
    whole = encoded(instance(), DeflatedExplicitVRLittleEndian)
    start = 144 + struct.unpack_from("<L", whole, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(20)) + packer.flush()
    assert "inflated to more than 16777216 bytes" in why_not(whole[:start] + bomb)


@pytest.mark.parametrize("cut", [1, 40])
def test_a_deflated_file_that_is_cut_short_is_refused(
    cut: int, instance: MakeBytes
) -> None:
    whole = encoded(instance(), DeflatedExplicitVRLittleEndian)
    assert "deflated" in why_not(whole[: -cut - 2])


@pytest.mark.parametrize(
    ("declared", "raw", "text"),
    [
        pytest.param("ISO_IR 100", b"M\xfcller^J\xfcrgen", "Müller^Jürgen", id="latin"),
        pytest.param("ISO_IR 192", "王^小东".encode(), "王^小东", id="UTF-8"),
        pytest.param("GB18030", "王^小东".encode("gb18030"), "王^小东", id="GB18030"),
        pytest.param("GBK", "张^三".encode("gbk"), "张^三", id="GBK"),
        pytest.param("", b"Adams^John", "Adams^John", id="none"),
        pytest.param("NONSENSE", b"Adams^John", "Adams^John", id="unknown"),
        pytest.param("ISO_IR 192", b"A\xff\xfe", "A\ufffd\ufffd", id="broken"),
        pytest.param("", b"Adams\x00\x1b[31m", "Adams  [31m", id="controls"),
    ],
)
def test_names_are_decoded_in_their_character_set(
    declared: str, raw: bytes, text: str, instance: MakeBytes
) -> None:
    padded = raw + b" " * (len(raw) % 2)
    name = struct.pack("<HH2sH", 0x10, 0x10, b"PN", len(padded)) + padded
    code = declared.encode() + b" " * (len(declared) % 2)
    charset = struct.pack("<HH2sH", 8, 5, b"CS", len(code)) + code
    made = instance(PatientName=None)
    assert examine(made + charset + name, SMALL).patient_name == text


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("chrX1.dcm", "Wang^XiaoDong=王^小東"),
        ("chrX2.dcm", "Wang^XiaoDong=王^小东"),
        ("chrRuss.dcm", "Люкceмбypг"),  # noqa: RUF001 (a name in the file)
        ("chrI2.dcm", "Hong^Gildong=洪^吉洞=홍^길동"),
    ],
)
def test_names_of_many_languages_are_read(
    name: str, patient: str, shared_data: Path
) -> None:
    path = shared_data / "dicom_formats" / "charset" / name
    if not path.exists():
        pytest.skip(f"{name} is not among the real files")
    assert examine_file(path, SMALL).patient_name == patient


@pytest.mark.parametrize("cut", [1, 50, 700, 1000, 1200, 1400])
def test_a_refusal_says_nothing_of_the_patient(cut: int, instance: MakeBytes) -> None:
    assert "Phantom" not in why_not(instance()[:-cut])
