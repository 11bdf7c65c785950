"""Pictures that are sent as a question are read within limits."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from rounds_hub.cases.pictures import LARGEST_PICTURE, read_picture
from rounds_hub.errors import InvalidError, TooLargeError

RAMP = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))


def written(kind: str, picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def png_that_claims(rows: int, columns: int) -> bytes:
    """Return a small PNG whose header promises many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_pictures_are_read(kind: str) -> None:
    read = read_picture(written(kind, Image.fromarray(RAMP)))
    assert read.shape == (48, 64)
    assert np.abs(read - RAMP).max() < 8


def test_colours_become_grey() -> None:
    coloured = Image.fromarray(np.stack([RAMP, RAMP, RAMP], axis=-1))
    assert np.array_equal(read_picture(written("PNG", coloured)), RAMP)


def test_a_deep_png_keeps_its_depth() -> None:
    deep = Image.fromarray(RAMP.astype(np.uint16) * 200)
    assert read_picture(written("PNG", deep)).max() == 252 * 200


def test_dicom_is_read() -> None:
    path = Path(str(get_testdata_file("CT_small.dcm")))
    assert read_picture(path.read_bytes()).shape == (128, 128)


def test_of_many_frames_the_middle_one_is_read() -> None:
    path = Path(str(get_testdata_file("examples_ybr_color.dcm")))
    assert read_picture(path.read_bytes()).shape == (240, 320)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GIF89a" + b"\0" * 100, id="another format"),
        pytest.param(written("PNG", Image.fromarray(RAMP))[:60], id="a torn PNG"),
        pytest.param(b"\xff\xd8\xff" + b"\0" * 100, id="a JPEG of zeros"),
        pytest.param(b"\0" * 128 + b"DICM" + b"\xff" * 64, id="broken DICOM"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="SVG"),
        pytest.param(written("PNG", Image.fromarray(RAMP[:4])), id="four rows"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidError):
        read_picture(data)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(TooLargeError, match="at most"):
        read_picture(b"\x89PNG\r\n\x1a\n" + b"\0" * LARGEST_PICTURE)


@pytest.mark.parametrize("side", [6_000, 10_000, 30_000, 60_000])
def test_a_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    with pytest.raises(TooLargeError, match="pixels"):
        read_picture(png_that_claims(side, side))
