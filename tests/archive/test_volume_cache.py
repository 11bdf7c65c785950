"""The cache of volumes, and pictures drawn from it."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import select

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Series
from rounds_hub.archive.pictures import Asked, frame_picture, thumbnail
from rounds_hub.archive.service import Offer, store
from rounds_hub.archive.volumes import open_stacks, stack_folders, volume_folder
from rounds_hub.errors import InvalidError, NoSpaceError, NotFoundError, TooLargeError
from rounds_kernels import phantoms
from rounds_kernels.keeping import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rounds_hub.house import House

    MakeBytes = Callable[..., bytes]


def bring(house: House, who: Principal, *files: object) -> str:
    offers = [Offer(str(number), file) for number, file in enumerate(files)]  # type: ignore[arg-type] # bytes, paths, data sets
    outcomes = store(house, who, offers)
    assert {outcome.why for outcome in outcomes} == {""}
    return outcomes[0].series_uid


def slices(instance: MakeBytes, series: int = 1, count: int = 5) -> list[bytes]:
    return [instance(number, series) for number in range(1, count + 1)]


def shown(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_volume_is_built_once(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    uid = bring(house, doctor, *slices(instance))
    first = volume_folder(house, doctor, uid)
    made = (first / GROUP / "zarr.json").stat().st_mtime_ns
    assert volume_folder(house, doctor, uid) == first
    assert (first / GROUP / "zarr.json").stat().st_mtime_ns == made


def test_a_volume_is_named_by_its_content(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    uid = bring(house, doctor, *slices(instance))
    before = volume_folder(house, doctor, uid)
    bring(house, doctor, instance(6))
    after = volume_folder(house, doctor, uid)
    assert before != after
    assert len(open_stacks(house, doctor, uid)[0].array) == 6


def test_threads_that_ask_together_build_it_once(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    uid = bring(house, doctor, *slices(instance))
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(volume_folder(house, doctor, uid)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_a_damaged_volume_is_built_again(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    uid = bring(house, doctor, *slices(instance))
    array = volume_folder(house, doctor, uid) / GROUP / "0/c/0/0/0"
    array.write_bytes(array.read_bytes()[:200])
    assert open_stacks(house, doctor, uid)[0].array.shape == (5, 16, 24)


def test_the_least_recently_used_volume_makes_room(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    house.settings.volume_cache_bytes = 12_000  # of 4 kB and a header each
    folders = []
    for number in (1, 2):
        uid = bring(house, doctor, *slices(instance, number))
        folders.append(volume_folder(house, doctor, uid))
        os.utime(folders[-1], (number, number))
    third = bring(house, doctor, *slices(instance, 3))
    folders.append(volume_folder(house, doctor, third))
    assert [folder.exists() for folder in folders] == [False, True, True]


def test_a_cache_of_no_size_keeps_the_last_volume(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    house.settings.volume_cache_bytes = 0
    uid = bring(house, doctor, *slices(instance))
    assert open_stacks(house, doctor, uid)[0].array.shape == (5, 16, 24)


def test_too_large_a_volume_is_refused(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    house.settings.max_volume_bytes = 1000
    uid = bring(house, doctor, *slices(instance))
    with pytest.raises(TooLargeError):
        volume_folder(house, doctor, uid)


def test_a_volume_that_would_fill_the_disk_is_refused(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    uid = bring(house, doctor, *slices(instance))
    house.settings.free_space_bytes = 2**60
    with pytest.raises(NoSpaceError, match="disk of the volumes is full"):
        volume_folder(house, doctor, uid)


def test_a_volume_is_for_those_who_may_see_the_series(
    house: House, doctor: Principal, student: Principal, instance: MakeBytes
) -> None:
    uid = bring(house, doctor, *slices(instance))
    volume_folder(house, doctor, uid)
    with pytest.raises(NotFoundError):
        volume_folder(house, student, uid)


def test_nothing_half_built_is_left(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    house.settings.max_volume_bytes = 1000
    uid = bring(house, doctor, *slices(instance))
    with pytest.raises(TooLargeError):
        volume_folder(house, doctor, uid)
    left = (house.settings.data / "cache" / "volumes").iterdir()
    assert [path.suffix for path in left] == [".lock"]


def test_views_of_two_sizes_are_two_stacks_and_all_are_shown(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    wide = instance(2, Columns=32, PixelData=bytes(16 * 32 * 2))
    uid = bring(house, doctor, instance(1), wide)
    assert len(stack_folders(house, doctor, uid)) == 2
    sizes = {
        shown(frame_picture(house, doctor, uid, number, Asked(size=64))).shape
        for number in (0, 1)
    }
    assert sizes == {(43, 64), (32, 64)}


def test_an_axial_cut_of_a_sagittal_series_is_found_by_direction(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    files = [
        instance(
            number,
            ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
            ImagePositionPatient=[number, 0, 0],
        )
        for number in range(1, 9)
    ]
    uid = bring(house, doctor, *files)
    axial = shown(frame_picture(house, doctor, uid, 0, Asked(size=48, axis="axial")))
    sagittal = Asked(size=48, axis="sagittal")
    assert (
        axial.shape[::-1] != shown(frame_picture(house, doctor, uid, 0, sagittal)).shape
    )
    assert axial.shape == (16, 48)


@pytest.mark.parametrize(
    ("name", "colours"),
    [
        pytest.param("examples_ybr_color.dcm", 3, id="colour ultrasound"),
        pytest.param("examples_palette.dcm", 3, id="palette"),
        pytest.param("SC_rgb_rle_2frame.dcm", 3, id="colour of two frames"),
        pytest.param("MR_small_jp2klossless.dcm", 1, id="JPEG 2000"),
        pytest.param("examples_overlay.dcm", 1, id="MR with an overlay"),
    ],
)
def test_real_objects_are_shown(
    name: str, colours: int, house: House, doctor: Principal
) -> None:
    uid = bring(house, doctor, dcmread(str(get_testdata_file(name, download=False))))
    picture = shown(frame_picture(house, doctor, uid, 0, Asked(size=100)))
    assert max(picture.shape[:2]) == 100
    assert (picture.shape[2] if picture.ndim == 3 else 1) == colours
    assert picture.max() > picture.min()


def test_a_thumbnail_needs_no_volume(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    uid = bring(house, doctor, *slices(instance))
    assert shown(thumbnail(house, doctor, uid)).shape == (171, 256)
    assert not (house.settings.data / "cache" / "volumes").exists()


def test_what_cannot_be_decoded_has_a_tile_and_a_reason(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    file = instance()
    broken = dcmread(io.BytesIO(file))
    broken.PhotometricInterpretation = "NONSENSE"
    broken.SamplesPerPixel = 1
    uid = bring(house, doctor, broken)
    assert shown(thumbnail(house, doctor, uid)).shape == (256, 256)
    with pytest.raises(InvalidError):
        frame_picture(house, doctor, uid, 0, Asked())


@pytest.fixture
def segmented(house: House, doctor: Principal) -> tuple[str, str]:
    """Bring a phantom and its segmentation in; return the UIDs of both series."""
    from rounds_kernels import results

    phantom = phantoms.sphere()
    sources = phantoms.to_dicom(phantom)
    mask = next(iter(phantom.masks.values())).astype(np.uint8)
    segment = results.Segment(
        "Sphere",
        1,
        results.Code("4147007", "SCT", "Mass"),
        results.Code("49755003", "SCT", "Morphologically Abnormal Structure"),
    )
    provenance = results.Provenance("test", "0" * 64, {}, "run-1", "", "test")
    made = results.segmentation(sources, mask, [segment], provenance)
    return bring(house, doctor, *sources), bring(house, doctor, made)


def test_a_segmentation_is_shown_over_its_source(
    house: House, doctor: Principal, segmented: tuple[str, str]
) -> None:
    source, overlay = segmented
    middle = len(open_stacks(house, doctor, source)[0].array) // 2
    plain = shown(frame_picture(house, doctor, source, middle, Asked(size=64)))
    laid = shown(frame_picture(house, doctor, overlay, middle, Asked(size=64)))
    coloured = np.ptp(laid.astype(int), axis=2) > 30
    assert 0.01 < coloured.mean() < 0.9
    assert np.array_equal(laid[~coloured][:, 0] > 200, plain[~coloured] > 200)


def test_who_may_not_see_the_source_sees_the_segmentation_alone(
    house: House, doctor: Principal, segmented: tuple[str, str]
) -> None:
    source, overlay = segmented
    laid = thumbnail(house, doctor, overlay)
    with house.sessions.begin() as session:
        session.get_one(Series, source).audience = []
        session.scalars(select(Series)).all()
    other = Principal("dan", frozenset({Role.DOCTOR}))
    alone = thumbnail(house, other, overlay)
    assert alone != laid
    assert shown(alone).ndim == 2
