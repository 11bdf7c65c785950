"""Pixels come by DICOMweb as they were stored, in every transfer syntax there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from dicomweb_client.api import DICOMwebClient
    from pydicom import Dataset

    from rounds_hub.house import House

    Stocked = tuple[House, str, dict[str, Path]]

pytestmark = pytest.mark.xdist_group("dicomweb")

EXPLICIT = "1.2.840.10008.1.2.1"
LOSSLESS = ("JLSL", "J2KR", "JPLL", "RLE")
LOSSY = {"JLSN": 4, "J2KI": 32, "JPLY": 8}
"""How far values may be off on the average, of 12 bits or more."""

NAMES = ("CT1", "MR3", "MR4", "NM1", "XA1")


def instance(stocked: Stocked, name: str) -> Dataset:
    """Return the header of the stored file called *name*."""
    path = next(path for path in stocked[2].values() if path.name == f"{name}.dcm")
    return dcmread(path)


def uids(found: Dataset) -> tuple[str, str, str]:
    return found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID


def address(found: Dataset) -> str:
    study, series, sop = uids(found)
    return f"studies/{study}/series/{series}/instances/{sop}"


def frame(web: httpx.Client, found: Dataset) -> bytes:
    """Return the first frame, unpacked."""
    asked = {"accept": "application/octet-stream"}
    return (
        web.get(f"{address(found)}/frames/1", headers=asked).raise_for_status().content
    )


@pytest.mark.parametrize("name", NAMES)
def test_all_lossless_packings_of_a_picture_give_the_same_bytes(
    stocked: Stocked, web: httpx.Client, name: str
) -> None:
    packings = {frame(web, instance(stocked, f"{name}_{kind}")) for kind in LOSSLESS}
    assert len(packings) == 1


@pytest.mark.parametrize("kind", LOSSLESS)
def test_what_is_unpacked_is_what_another_decoder_reads(
    stocked: Stocked, standard: DICOMwebClient, kind: str
) -> None:
    stored = instance(stocked, f"CT1_{kind}")
    given = standard.retrieve_instance(
        *uids(stored), media_types=("application/dicom",)
    )
    assert given.file_meta.TransferSyntaxUID == EXPLICIT
    assert np.array_equal(given.pixel_array, stored.pixel_array)


@pytest.mark.parametrize("kind", LOSSY)
def test_what_was_packed_with_loss_comes_close(
    stocked: Stocked, web: httpx.Client, kind: str
) -> None:
    near = np.frombuffer(frame(web, instance(stocked, f"MR3_{kind}")), "<i2")
    true = np.frombuffer(frame(web, instance(stocked, "MR3_RLE")), "<i2")
    assert np.abs(near.astype(int) - true).mean() <= LOSSY[kind]


@pytest.mark.parametrize("kind", ["J2KR", "RLE"])
def test_colours_keep_their_values(
    stocked: Stocked, standard: DICOMwebClient, kind: str
) -> None:
    stored = instance(stocked, f"US1_{kind}")
    given = standard.retrieve_instance(
        *uids(stored), media_types=("application/dicom",)
    )
    assert np.array_equal(given.pixel_array, stored.pixel_array)


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        pytest.param("1.2.840.10008.1.2.4.80", "CT1_RLE", id="RLE to JPEG-LS"),
        pytest.param("1.2.840.10008.1.2.4.90", "CT1_JPLL", id="JPEG to JPEG 2000"),
        pytest.param("1.2.840.10008.1.2.5", "CT1_JLSL", id="JPEG-LS to RLE"),
        pytest.param("1.2.840.10008.1.2.5", "US1_J2KR", id="colours to RLE"),
    ],
)
def test_a_packing_that_is_asked_for_has_the_same_pixels(
    stocked: Stocked, standard: DICOMwebClient, syntax: str, name: str
) -> None:
    stored = instance(stocked, name)
    wanted = (("application/dicom", syntax),)
    given = standard.retrieve_instance(*uids(stored), media_types=wanted)
    assert given.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(given.pixel_array, stored.pixel_array)


@pytest.mark.parametrize("name", ["CT1_JLSL", "IMG0001", "chrGerm", "seg", "sr"])
def test_nothing_else_of_an_instance_changes_on_the_way(
    stocked: Stocked, standard: DICOMwebClient, name: str
) -> None:
    stored = instance(stocked, name)
    given = standard.retrieve_instance(
        *uids(stored), media_types=("application/dicom",)
    )
    for found in (stored, given):
        for tag in list(found.keys()):
            if tag.element == 0 or tag in {0x7FE00010, 0xFFFCFFFC}:
                del found[tag]
    assert given.to_json_dict() == stored.to_json_dict()


@pytest.mark.parametrize("name", ["CT1_J2KR", "liver", "chrX1"])
def test_what_is_asked_for_as_stored_comes_byte_by_byte(
    stocked: Stocked, web: httpx.Client, name: str
) -> None:
    stored = instance(stocked, name)
    asked = {"accept": "application/dicom; transfer-syntax=*"}
    given = web.get(address(stored), headers=asked).content
    path = stocked[2][stored.SOPInstanceUID]
    assert given[128:] == path.read_bytes()[128:]


def test_frames_of_a_real_client_are_unpacked_right(
    stocked: Stocked, standard: DICOMwebClient
) -> None:
    stored = instance(stocked, "CT1_JPLL")
    wanted = (("application/octet-stream", EXPLICIT),)
    given = standard.retrieve_instance_frames(*uids(stored), [1], media_types=wanted)
    assert given[0] == stored.pixel_array.astype("<i2").tobytes()
