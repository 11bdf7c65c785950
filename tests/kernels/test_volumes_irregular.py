"""What is irregular in a series is noticed and named, never silently stacked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.dataset import Dataset

from rounds_kernels.errors import SeveralSeriesError
from rounds_kernels.volumes import read_series, read_stacks

if TYPE_CHECKING:
    from rounds_kernels.phantoms import Phantom

Series = list[Dataset]
Again = Callable[[Series, str], Series]


def remarks_of(series: Series) -> str:
    return " ".join(read_series(series).remarks)


def test_a_regular_series_has_no_remark(series: Series) -> None:
    assert read_series(series).remarks == ()


def test_a_missing_slice_is_named_with_its_place(series: Series) -> None:
    del series[5]
    assert "1 slice is missing between 8.0 and 12.0 mm" in remarks_of(series)


def test_a_missing_slice_does_not_change_the_spacing(series: Series) -> None:
    del series[5:8]
    volume = read_series(series)
    assert volume.spacing[0] == pytest.approx(2.0)
    assert "3 slices are missing" in volume.remarks[0]


def test_true_places_survive_a_gap(series: Series) -> None:
    del series[1]
    assert [s.position for s in read_series(series).sources][:3] == [0, 4, 6]


def test_uneven_slices_are_named(series: Series) -> None:
    for number, dataset in enumerate(series):
        dataset.ImagePositionPatient[2] = number * 2 + (number % 3) * 0.3
    assert "unevenly: 1.40 to 2.30 mm" in remarks_of(series)


def test_gantry_tilt_is_named_and_sheared(series: Series) -> None:
    for number, dataset in enumerate(series):
        dataset.ImagePositionPatient[1] += number * 2 * np.tan(np.radians(15))
    volume = read_series(series)
    assert "lean by 15.0 degrees" in volume.remarks[0]
    last = volume.affine @ [23, 0, 0, 1]
    assert np.allclose(last[:3], series[-1].ImagePositionPatient, atol=1e-4)


def test_a_tilted_voxel_keeps_its_volume(series: Series) -> None:
    for number, dataset in enumerate(series):
        dataset.ImagePositionPatient[1] += number * 2 * np.tan(np.radians(15))
    assert read_series(series).voxel_volume == pytest.approx(2 * 1.5 * 1.5)


def test_slices_shifted_sideways_are_named(series: Series) -> None:
    series[7].ImagePositionPatient[0] += 3
    assert "sideways by up to 3.0 mm" in remarks_of(series)


def test_the_same_instance_twice_counts_once(series: Series) -> None:
    volume = read_series([*series, copy.deepcopy(series[3])])
    assert volume.array.shape[0] == 24
    assert "1 pictures were given twice" in volume.remarks[0]


def test_equal_pictures_at_one_place_count_once(series: Series) -> None:
    double = copy.deepcopy(series[3])
    double.SOPInstanceUID += ".1"
    volume = read_series([*series, double])
    assert volume.array.shape[0] == 24
    assert "1 pictures lie at the place of an equal one" in volume.remarks[0]


def test_different_pictures_at_one_place_are_parted(
    series: Series, again: Again, ball: Phantom
) -> None:
    volume = read_series(again(series, "late") + series)
    assert "2 stacks" in volume.remarks[0]
    assert np.array_equal(volume.array, ball.volume.array)


def test_a_localizer_of_three_orientations_is_three_stacks(series: Series) -> None:
    for number, dataset in enumerate(series):
        dataset.ImageOrientationPatient = [
            [1, 0, 0, 0, 1, 0],
            [1, 0, 0, 0, 0, -1],
            [0, 1, 0, 0, 0, -1],
        ][number % 3]
        dataset.ImagePositionPatient = [number, number, number]
    stacks = read_stacks(series)
    assert [stack.array.shape[0] for stack in stacks] == [8, 8, 8]
    assert "(2) coronal, 8 pictures" in stacks[0].remarks[0]


def test_mixed_sizes_are_parted(series: Series) -> None:
    series[0].Rows, series[0].Columns = 16, 64
    assert "(2) axial, 1 picture of 16 x 64" in remarks_of(series)


def test_a_mosaic_is_named(series: Series) -> None:
    series[0].ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    assert "mosaic of many slices" in remarks_of(series[:1])


def test_mixed_units_are_parted(series: Series) -> None:
    series[0].RescaleType = "HU_MOD"
    assert len(read_stacks(series)) == 2


@pytest.mark.parametrize(
    ("attribute", "values", "named"),
    [
        ("EchoTime", (4.6, 30.0), "echo time (ms) 30.0"),
        ("DiffusionBValue", (0.0, 1000.0), "b-value (s/mm2) 1000.0"),
        ("TemporalPositionIdentifier", (1, 2), "time point 2"),
        ("AcquisitionNumber", (1, 2), "acquisition 2"),
        ("ConvolutionKernel", ("B30f", "B70f"), "kernel B70f"),
        ("ImageType", (["ORIGINAL", "M"], ["ORIGINAL", "P"]), "image type ORIGINAL\\P"),
    ],
)
def test_what_lies_at_one_place_is_parted_by_what_tells_it_apart(
    attribute: str,
    values: tuple[object, object],
    named: str,
    series: Series,
    again: Again,
) -> None:
    more = again(series, "second")
    for value, datasets in zip(values, (series, more), strict=True):
        for dataset in datasets:
            setattr(dataset, attribute, value)
    stacks = read_stacks(more + series)
    assert [stack.array.shape[0] for stack in stacks] == [24, 24]
    assert named in stacks[0].remarks[0]


def test_two_acquisitions_that_overlap_are_parted(series: Series, again: Again) -> None:
    lower, upper = series[:14], again(series[10:], "upper")
    for dataset in upper:
        dataset.AcquisitionNumber = 2
    stacks = read_stacks(lower + upper)
    assert [stack.array.shape[0] for stack in stacks] == [14, 14]


def test_acquisition_numbers_alone_part_nothing(series: Series) -> None:
    for number, dataset in enumerate(series):
        dataset.AcquisitionNumber = number
    assert len(read_stacks(series)) == 1


def test_diffusion_is_parted_by_b_value_and_gradient(
    series: Series, again: Again
) -> None:
    whole = list(series)
    for number in range(1, 4):
        for dataset in (directed := again(series, "x" * number)):
            dataset.DiffusionBValue = 1000.0
            dataset.DiffusionGradientOrientation = [
                float(number == k) for k in (1, 2, 3)
            ]
        whole += directed
    assert [stack.array.shape[0] for stack in read_stacks(whole)] == [24] * 4


def test_a_strict_reader_refuses_several_stacks(series: Series, again: Again) -> None:
    with pytest.raises(SeveralSeriesError, match=r"2 stacks .* read_stacks"):
        read_series(series + again(series, "late"), strict=True)


def test_pictures_without_position_make_no_space(series: Series) -> None:
    for dataset in series:
        del dataset.ImagePositionPatient
    assert "make no volume in space" in remarks_of(series)


def test_cosines_that_are_none_count_as_unknown(series: Series) -> None:
    for dataset in series:
        dataset.ImageOrientationPatient = [0, 0, 0, 0, 0, 0]
    assert "no position" in remarks_of(series)
