"""A series becomes one volume with the right values in the right place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.dataset import Dataset

from rounds_kernels.errors import (
    EmptySeriesError,
    NoPixelsError,
    SeriesTooLargeError,
    SeveralSeriesError,
    UnreadableInstanceError,
)
from rounds_kernels.volumes import read_series
from rounds_kernels.writing import save

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_kernels.instances import Source
    from rounds_kernels.phantoms import Phantom

Series = list[Dataset]
AsFile = Callable[[Dataset], bytes]


def test_slices_are_sorted_by_position_whatever_their_number(
    series: Series, ball: Phantom
) -> None:
    shuffled = list(series)
    shuffled.sort(key=lambda dataset: str(dataset.SOPInstanceUID)[::-1])
    for number, dataset in enumerate(shuffled):
        dataset.InstanceNumber = number
    assert np.array_equal(read_series(shuffled).array, ball.volume.array)


def test_geometry_comes_back_as_it_was_written(series: Series, ball: Phantom) -> None:
    assert np.allclose(read_series(series).affine, ball.volume.affine, atol=1e-6)


def test_spacing_is_that_of_positions_not_of_thickness(series: Series) -> None:
    for dataset in series:
        dataset.SliceThickness = 7
        dataset.SpacingBetweenSlices = 9
    assert read_series(series).spacing[0] == pytest.approx(2.0)


def test_sources_follow_the_slices(series: Series) -> None:
    volume = read_series(series[::-1])
    assert [source.sop_instance_uid for source in volume.sources] == [
        dataset.SOPInstanceUID for dataset in series
    ]


def test_sources_know_their_place(series: Series) -> None:
    assert [source.position for source in read_series(series[:3]).sources] == [0, 2, 4]


@pytest.mark.parametrize("form", ["data sets", "bytes", "paths"])
def test_every_form_of_source_gives_the_same(
    form: str, series: Series, ball: Phantom, as_file: AsFile, tmp_path: Path
) -> None:
    forms: dict[str, Sequence[Source]] = {
        "data sets": series,
        "bytes": list(map(as_file, series)),
        "paths": save(series, tmp_path),
    }
    source = forms[form]
    assert np.array_equal(read_series(source).array, ball.volume.array)


def test_an_upside_down_series_keeps_its_patient(series: Series) -> None:
    for dataset in series:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, -1, 0]
    volume = read_series(series)
    assert volume.direction[0::3] == (0, 0, -1)
    assert volume.origin[2] == max(each.ImagePositionPatient[2] for each in series)


def test_whole_hounsfield_units_stay_whole(series: Series, ball: Phantom) -> None:
    for dataset in series:
        dataset.RescaleIntercept = -24
    volume = read_series(series)
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, ball.volume.array - np.int16(24))


def test_a_fractional_slope_gives_floats(series: Series, ball: Phantom) -> None:
    for dataset in series:
        dataset.RescaleSlope = 0.25
    array = read_series(series).array
    assert array.dtype == np.float32
    assert np.array_equal(array, ball.volume.array * np.float32(0.25))


def test_values_beyond_16_bits_become_floats(series: Series) -> None:
    for dataset in series:
        dataset.RescaleSlope = 40
    assert read_series(series).array.dtype == np.float32


def test_every_slice_is_rescaled_by_its_own_rule(series: Series, ball: Phantom) -> None:
    for number, dataset in enumerate(series, 1):
        dataset.RescaleSlope = number
    volume = read_series(series)
    expected = ball.volume.array[1].astype(float) * 2
    assert np.array_equal(volume.array[1], expected)
    assert "24 different rules" in " ".join(volume.remarks)


def test_overlay_bits_above_those_stored_do_not_count(
    series: Series, as_file: AsFile
) -> None:
    for dataset in series:
        stored = np.full((32, 32), 0xF123, "<u2")
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
        dataset.PixelData = stored.tobytes()
    assert set(np.unique(read_series(map(as_file, series)).array)) == {0x123}


def test_pictures_of_8_bits_are_read(series: Series) -> None:
    dataset = series[0]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation = 0
    dataset.PixelData = bytes(range(256)) * 4
    assert read_series([dataset]).array.max() == 255


def test_pictures_of_32_bits_are_read(series: Series) -> None:
    dataset = series[0]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 32, 32, 31
    dataset.PixelRepresentation = 0
    dataset.PixelData = np.full((32, 32), 1 << 20, "<u4").tobytes()
    assert read_series([dataset]).array.max() == 1 << 20


def test_a_window_is_kept(series: Series) -> None:
    assert read_series(series).window == (0.0, 400.0)


def test_an_x_ray_without_position_is_one_slice(series: Series) -> None:
    dataset = series[0]
    dataset.Modality = "DX"
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient
    del dataset.PixelSpacing
    dataset.ImagerPixelSpacing = [0.2, 0.2]
    volume = read_series([dataset])
    assert (volume.spacing[1:], volume.array.shape) == ((0.2, 0.2), (1, 32, 32))
    assert "detector" in volume.remarks[0]


def test_low_values_of_monochrome1_are_to_be_shown_bright(series: Series) -> None:
    series[0].PhotometricInterpretation = "MONOCHROME1"
    assert read_series(series[:1]).inverted


def test_a_description_in_chinese_is_read(series: Series, as_file: AsFile) -> None:
    for dataset in series:
        dataset.SpecificCharacterSet = "GB18030"
        dataset.SeriesDescription = "胸部"
    assert read_series(map(as_file, series)).description == "胸部"


def test_nothing_makes_no_volume() -> None:
    with pytest.raises(EmptySeriesError, match="no instances"):
        read_series([])


def test_two_series_make_no_volume(series: Series) -> None:
    series[0].SeriesInstanceUID = "1.2.3"
    with pytest.raises(SeveralSeriesError, match="2 series"):
        read_series(series)


def test_a_report_holds_no_picture(series: Series) -> None:
    del series[0].PixelData, series[0].Rows
    series[0].Modality = "SR"
    with pytest.raises(NoPixelsError, match="modality SR"):
        read_series(series[:1])


def test_a_report_among_pictures_is_named(series: Series) -> None:
    del series[0].PixelData, series[0].Rows
    assert "1 of 24 instances hold no picture" in read_series(series).remarks[-1]


def test_a_damaged_instance_is_named_by_its_number(
    series: Series, as_file: AsFile
) -> None:
    files = [as_file(series[0]), b"no DICOM at all" * 20]
    with pytest.raises(UnreadableInstanceError, match="Instance 2: "):
        read_series(files)


def test_a_claim_of_many_pixels_is_refused_before_it_is_believed(
    series: Series,
) -> None:
    series[0].Rows = series[0].Columns = 65535
    series[0].NumberOfFrames = 2_000_000_000
    with pytest.raises(SeriesTooLargeError, match="2000000000 x 65535 x 65535"):
        read_series(series)


def test_a_limit_of_the_whole_volume_is_kept(series: Series) -> None:
    with pytest.raises(SeriesTooLargeError, match="limit of 40000"):
        read_series(series, limit=40_000)
