"""Single frames: in the form that is liked best, from fragments of all kinds."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEGLSLossless
from tests.archive.conftest import make_instance
from tests.dicomweb.test_stow import send
from tests.dicomweb.test_wado_pixels import address, instance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from rounds_hub.house import House

    Stocked = tuple[House, str, dict[str, Path]]
    ClientAs = Callable[..., httpx.Client]

pytestmark = pytest.mark.xdist_group("dicomweb")

OCTETS = "application/octet-stream"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        pytest.param("*/*", f'multipart/related; type="{OCTETS}"', id="anything"),
        pytest.param(
            OCTETS, f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.1", id="one"
        ),
        pytest.param(
            f"{OCTETS}; transfer-syntax=*",
            f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.4.80",
            id="as stored",
        ),
        pytest.param("image/jls", "image/jls", id="by its media type"),
        pytest.param("image/*", "image/jls", id="any picture"),
        pytest.param("image/jp2;q=0.4, image/jls;q=0.5", "image/jls", id="liked best"),
        pytest.param(
            'multipart/related; type="image/jp2"',
            'multipart/related; type="image/jp2"',
            id="repacked",
        ),
        pytest.param(
            "multipart/related; type=image/jls",
            'multipart/related; type="image/jls"',
            id="without quotes",
        ),
    ],
)
def test_a_frame_comes_in_the_form_that_is_liked_best(
    stocked: Stocked, web: httpx.Client, accept: str, kind: str
) -> None:
    where = f"{address(instance(stocked, 'CT1_JLSL'))}/frames/1"
    answer = web.get(where, headers={"accept": accept})
    assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param("image/jpeg", id="only with loss"),
        pytest.param("application/dicom", id="no form of a frame"),
        pytest.param(f"{OCTETS};q=0", id="not liked at all"),
    ],
)
def test_what_there_is_is_named_where_nothing_fits(
    stocked: Stocked, web: httpx.Client, accept: str
) -> None:
    where = f"{address(instance(stocked, 'CT1_JLSL'))}/frames/1"
    answer = web.get(where, headers={"accept": accept})
    assert answer.status_code == 406
    assert "image/jls" in answer.json()["detail"]


@pytest.mark.parametrize("numbers", ["2", "1,2", "999999999"])
def test_a_frame_that_there_is_not_is_not_found(
    stocked: Stocked, web: httpx.Client, numbers: str
) -> None:
    where = f"{address(instance(stocked, 'CT1_JLSL'))}/frames/{numbers}"
    assert web.get(where).status_code == 404


@pytest.mark.parametrize("numbers", ["0", "1,,2", "a", "-1"])
def test_numbers_that_are_none_are_not_understood(
    stocked: Stocked, web: httpx.Client, numbers: str
) -> None:
    where = f"{address(instance(stocked, 'CT1_JLSL'))}/frames/{numbers}"
    assert web.get(where).status_code == 400


def test_two_frames_need_parts(stocked: Stocked, web: httpx.Client) -> None:
    where = f"{address(instance(stocked, 'liver'))}/frames/1,2"
    assert web.get(where, headers={"accept": OCTETS}).status_code == 406
    body = web.get(where).content
    assert body.count(b"Content-Location") == 2


def frames_of(count: int) -> list[np.ndarray]:
    """Return pictures that differ."""
    every = np.random.default_rng(3).integers(0, 4096, (count, 16, 24))
    return [one.astype("<u2") for one in every]


def several(pictures: list[np.ndarray], packed: bytes, syntax: str) -> Dataset:
    """Return an instance of several frames."""
    made = make_instance()
    made.NumberOfFrames, made.PixelData = len(pictures), packed
    made["PixelData"].VR = "OW" if syntax != JPEGLSLossless else "OB"
    made["PixelData"].is_undefined_length = syntax == JPEGLSLossless
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(syntax)
    return made


def stored_frame(client: httpx.Client, made: Dataset, number: int) -> bytes:
    """Store an instance; return one of its frames, unpacked."""
    written = io.BytesIO()
    dcmwrite(written, made, enforce_file_format=True)
    answer = send(client, written.getvalue(), kind="application/dicom")
    assert answer.status_code == 200, answer.text
    where = f"dicomweb/{address(made)}/frames/{number}"
    return client.get(where, headers={"accept": OCTETS}).raise_for_status().content


def jpeg_ls(picture: np.ndarray) -> bytes:
    """Return a picture as JPEG-LS packs it, without loss."""
    from pydicom.pixels.encoders.base import get_encoder

    return get_encoder(JPEGLSLossless).encode(
        picture.tobytes(), index=0, rows=16, columns=24, samples_per_pixel=1,
        bits_allocated=16, bits_stored=12, pixel_representation=0,
        number_of_frames=1, photometric_interpretation="MONOCHROME2",
    )  # fmt: skip


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("table", ["basic", "none", "extended"])
def test_frames_are_found_by_every_table(
    client_as: ClientAs, fragments: int, table: str
) -> None:
    pictures = frames_of(4)
    coded = [jpeg_ls(one) for one in pictures]
    if table == "extended":
        packed, offsets, lengths = encapsulate_extended(coded)
        made = several(pictures, packed, JPEGLSLossless)
        made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = offsets, lengths
    else:
        packed = encapsulate(
            coded, fragments_per_frame=fragments, has_bot=table == "basic"
        )
        made = several(pictures, packed, JPEGLSLossless)
    given = stored_frame(client_as("doctor"), made, 3)
    assert given == pictures[2].tobytes()


def test_native_frames_are_cut_where_they_begin(client_as: ClientAs) -> None:
    pictures = frames_of(3)
    packed = b"".join(one.tobytes() for one in pictures)
    made = several(pictures, packed, ExplicitVRLittleEndian)
    assert stored_frame(client_as("doctor"), made, 2) == pictures[1].tobytes()


def test_big_endian_frames_come_little_endian(client_as: ClientAs) -> None:
    pictures = frames_of(2)
    packed = b"".join(one.astype(">u2").tobytes() for one in pictures)
    made = several(pictures, packed, ExplicitVRBigEndian)
    assert stored_frame(client_as("doctor"), made, 2) == pictures[1].tobytes()


def test_frames_of_single_bits_begin_with_their_byte(client_as: ClientAs) -> None:
    made = make_instance()
    bits = np.random.default_rng(5).integers(0, 2, (3, 5, 5), np.uint8)
    made.Rows = made.Columns = 5
    made.BitsAllocated, made.BitsStored, made.HighBit = 1, 1, 0
    made.NumberOfFrames = 3
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    made.PixelData = packed + bytes(len(packed) % 2)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    given = stored_frame(client_as("doctor"), made, 2)
    assert given == np.packbits(bits[1].ravel(), bitorder="little").tobytes()


def test_a_damaged_frame_is_said_to_be_one(client_as: ClientAs) -> None:
    pictures = frames_of(2)
    coded = [jpeg_ls(one) for one in pictures]
    made = several(pictures, encapsulate([coded[1], coded[0][:60]]), JPEGLSLossless)
    assert stored_frame(client_as("doctor"), made, 1) == pictures[1].tobytes()
    where = f"dicomweb/{address(made)}/frames/2"
    answer = client_as("doctor").get(where, headers={"accept": OCTETS})
    assert (answer.status_code, "damaged" in answer.text) == (406, True)
