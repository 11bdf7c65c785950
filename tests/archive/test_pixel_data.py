"""Pixel data against what the data set says of them."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from rounds_hub.archive.checking import examine
from rounds_hub.archive.codestreams import size_of
from rounds_hub.archive.walking import Limits
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeBytes = Callable[..., bytes]

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SMALL = Limits(size=2**24)


def why_not(data: bytes) -> str:
    with pytest.raises(InvalidError) as caught:
        examine(data, SMALL)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"Rows": 17}, "17 x 24 need 816", id="too few"),
        pytest.param({"Rows": 7}, "7 x 24 need 336", id="more than a frame too many"),
        pytest.param({"NumberOfFrames": 2}, "2 frames", id="a frame missing"),
        pytest.param({"NumberOfFrames": 0}, "it has 0 frames", id="no frames"),
        pytest.param({"Rows": 0}, "0 rows x 24 columns", id="no rows"),
        pytest.param({"BitsAllocated": 12}, "12 bits allocated", id="odd bits"),
        pytest.param({"PixelData": None}, "no pixel data", id="no pixels"),
    ],
)
def test_pixel_data_must_be_as_long_as_the_header_says(
    change: dict[str, object], said: str, instance: MakeBytes
) -> None:
    assert said in why_not(instance(**change))


def test_padding_after_the_pixels_is_let_pass(instance: MakeBytes) -> None:
    padded = instance(Rows=15)
    assert examine(padded, SMALL).rows == 15


def test_a_frame_that_would_fill_the_memory_is_refused(instance: MakeBytes) -> None:
    huge = instance(Rows=65535, Columns=65535, SamplesPerPixel=3)
    assert "256 MiB are the most" in why_not(huge)


def test_a_compressed_frame_must_be_of_the_size_that_the_header_says() -> None:
    path = str(get_testdata_file("MR_small_jp2klossless.dcm", download=False))
    whole = Path(path).read_bytes()
    rows = b"\x28\x00\x10\x00US\x02\x00" + struct.pack("<H", 64)
    altered = whole.replace(rows, rows[:8] + struct.pack("<H", 32))
    assert "has 64 x 64 pixels, the data set says 32 x 64" in why_not(altered)


def test_native_pixels_under_a_compressed_syntax_are_refused(
    instance: MakeBytes,
) -> None:
    jpeg = b"1.2.840.10008.1.2.4.70"
    whole = instance()
    at = whole.find(b"\x02\x00\x10\x00UI") + 6
    head = struct.pack("<H", len(jpeg)) + jpeg
    altered = (
        whole[:at] + head + whole[at + 2 + struct.unpack_from("<H", whole, at)[0] :]
    )
    assert "is a compressed one, and its pixel data are not" in why_not(altered)


def test_fewer_compressed_frames_than_declared_are_refused() -> None:
    path = str(get_testdata_file("SC_rgb_rle_2frame.dcm", download=False))
    altered = Path(path).read_bytes().replace(b"IS\x02\x002 ", b"IS\x02\x009 ")
    assert why_not(altered) == "It says that it has 9 frames, and has 2 of them."


def packed_files() -> list[str]:
    """Return the real files whose frames are JPEG, JPEG-LS or JPEG 2000."""
    found = []
    for path in sorted(TEST_FILES.glob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = dcmread(path, force=True, specific_tags=["Rows"])
        syntax = str(getattr(read.file_meta, "TransferSyntaxUID", ""))
        if syntax.startswith("1.2.840.10008.1.2.4.") and "sequence" not in path.name:
            found.append(path.name)
    return found


@pytest.mark.parametrize("name", packed_files())
def test_the_size_of_a_packed_frame_is_read_from_its_head(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = dcmread(TEST_FILES / name)
    frames = int(read.get("NumberOfFrames", 1))
    frame = next(iter(generate_frames(read.PixelData, number_of_frames=frames)))
    assert size_of(frame, 0, len(frame)) == (read.Rows, read.Columns)


@pytest.mark.parametrize(
    ("head", "size"),
    [
        pytest.param("ffd8ffe000044a46ffc0000b0800200040", (32, 64), id="baseline"),
        pytest.param("ffd8fffffffffffec0", None, id="fill bytes, cut short"),
        pytest.param("ffd8ffffc3000b0800200040", (32, 64), id="a fill byte"),
        pytest.param("ffd8ff01ffc3000b0800200040", (32, 64), id="a lone marker"),
        pytest.param("ffd8ffc4", None, id="tables and no frame"),
        pytest.param("ffd8ffc40000", None, id="a segment without a length"),
        pytest.param("ff4fff51", None, id="JPEG 2000, cut short"),
        pytest.param("00000000", None, id="RLE"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_heads_of_every_kind_are_read_or_passed_over(
    head: str, size: tuple[int, int] | None
) -> None:
    data = bytes.fromhex(head)
    assert size_of(data, 0, len(data)) == size


@pytest.mark.parametrize(
    ("change", "frames"),
    [
        pytest.param({"NumberOfFrames": 2, "Rows": 8}, 2, id="two frames"),
        pytest.param(
            {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "Rows": 32},
            1,
            id="8 bits",
        ),
        pytest.param(
            {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "Rows": 256},
            1,
            id="1 bit",
        ),
        pytest.param({"BitsAllocated": 32, "Rows": 8}, 1, id="32 bits"),
        pytest.param({"SamplesPerPixel": 2, "Rows": 8}, 1, id="two samples"),
    ],
)
def test_shapes_that_fit_are_taken(
    change: dict[str, object], frames: int, instance: MakeBytes
) -> None:
    assert examine(instance(**change), SMALL).frames == frames


def test_pixel_data_twice_are_refused(instance: MakeBytes) -> None:
    again = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, 0)
    assert why_not(instance() + again) == "It has pixel data twice."


def test_an_object_without_an_image_needs_no_pixels(instance: MakeBytes) -> None:
    bare = instance(PixelData=None, Rows=None, Columns=None, Modality="SR")
    assert examine(bare, SMALL).frames == 0
