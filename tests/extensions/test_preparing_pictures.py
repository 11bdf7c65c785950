"""What a browser gets is the volume: its values, its place, its size where it fits."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pytest

from rounds.errors import ViewerError
from rounds.viewers.images import label_nifti, picture_of
from rounds.viewers.planes import Grid
from rounds.viewers.windows import windows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from rounds_kernels.volumes import Volume

    MakeVolume = Callable[..., Volume]

BLOCK = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
OBLIQUE = (0.0, 0.6, 0.8, 0.0, 0.8, -0.6, 1.0, 0.0, 0.0)


def nifti(data: bytes) -> Any:  # noqa: ANN401 - nibabel is only half typed
    return nibabel.Nifti1Image.from_stream(io.BytesIO(data))


def test_the_values_are_those_of_the_volume(make_volume: MakeVolume) -> None:
    image = nifti(picture_of(make_volume(BLOCK)).nifti)
    assert np.array_equal(np.asarray(image.dataobj), BLOCK.T)


@pytest.mark.parametrize(
    "direction",
    [
        pytest.param((0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0), id="axial"),
        pytest.param((1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0), id="sagittal"),
        pytest.param(OBLIQUE, id="oblique"),
    ],
)
def test_a_voxel_is_where_the_volume_has_it(
    make_volume: MakeVolume, direction: tuple[float, ...]
) -> None:
    volume = make_volume(BLOCK, direction=direction)
    image = nifti(picture_of(volume).nifti)
    assert np.allclose(image.affine, volume.ras_affine, atol=1e-5)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        pytest.param(BLOCK, "int16", id="small numbers"),
        pytest.param(BLOCK.astype(np.float32), "int16", id="whole floats get smaller"),
        pytest.param(BLOCK + np.float64(0.5), "float32", id="fractions stay"),
        pytest.param(BLOCK.astype(np.int32) * 100_000, "float32", id="large numbers"),
        pytest.param(BLOCK > 3, "uint8", id="yes and no"),
        pytest.param(BLOCK.astype(np.int8), "int16", id="signed bytes"),
        pytest.param(np.full((2, 3, 4), np.nan), "float32", id="nothing known"),
    ],
)
def test_the_type_is_one_that_browsers_know(
    make_volume: MakeVolume, array: object, kind: str
) -> None:
    image = nifti(picture_of(make_volume(array)).nifti)
    assert image.get_data_dtype().name == kind


def test_colours_stay_colours(make_volume: MakeVolume) -> None:
    colours = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    picture = picture_of(make_volume(colours))
    assert (picture.colour, picture.nifti[352:]) == (True, colours.tobytes())


def test_a_side_too_long_for_the_browser_is_joined(make_volume: MakeVolume) -> None:
    volume = make_volume(np.ones((1, 4, 3000), np.int16))
    picture = picture_of(volume)
    assert (picture.steps, picture.shape) == ((1, 1, 2), (1500, 4, 1))


def test_a_joined_voxel_lies_between_those_it_was(make_volume: MakeVolume) -> None:
    volume = make_volume(np.ones((1, 4, 3000), np.int16))
    picture = picture_of(volume)
    first = nifti(picture.nifti).affine @ [0, 0, 0, 1]
    assert np.allclose(first, volume.ras_affine @ [0.5, 0, 0, 1], atol=1e-4)


def test_labels_are_joined_as_the_picture_is(make_volume: MakeVolume) -> None:
    labels = np.zeros((1, 4, 3000), np.uint8)
    labels[..., 1000:] = 2
    volume = make_volume(np.ones((1, 4, 3000), np.int16))
    image = nifti(label_nifti(labels, volume, picture_of(volume)))
    assert np.unique(np.asarray(image.dataobj)[:, 0, 0]).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((2, 3, 5), np.uint8), r"shape \(2, 3, 5\), the volume \(2, 3, 4\)"),
        (np.full((2, 3, 4), 256), "0 to 255, they are 0 to 256"),
        (np.full((2, 3, 4), -1), "0 to 255, they are -1 to 0"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    make_volume: MakeVolume, labels: npt.NDArray[np.int64], words: str
) -> None:
    volume = make_volume(BLOCK)
    with pytest.raises(ViewerError, match=words):
        label_nifti(labels, volume, picture_of(volume))


def test_four_axes_of_numbers_are_no_picture(make_volume: MakeVolume) -> None:
    with pytest.raises(ViewerError, match="three axes"):
        picture_of(make_volume(np.zeros((1, 2, 3, 4, 5), np.int16)))


def test_a_place_is_said_with_the_patients_sides(make_volume: MakeVolume) -> None:
    volume = make_volume(BLOCK)
    grid = Grid(volume, picture_of(volume))
    at = grid.at([3, 2, 0])
    assert str(at) == "R 10.0  A 20.0  I 30.0 mm"


def test_the_value_is_that_of_the_volume_at_the_place(make_volume: MakeVolume) -> None:
    volume = make_volume(BLOCK)
    grid = Grid(volume, picture_of(volume))
    assert grid.value(grid.at([3, 2, 0])) == BLOCK[0, 0, 0]


def test_a_fraction_and_its_voxel_lead_to_each_other(make_volume: MakeVolume) -> None:
    volume = make_volume(BLOCK)
    grid = Grid(volume, picture_of(volume))
    voxels = [(x, y, z) for x in range(4) for y in range(3) for z in range(2)]
    assert [grid.at_fraction(grid.fraction(v)).voxel for v in voxels] == voxels


@pytest.mark.parametrize("fraction", [(-0.1, 0.5, 0.5), (1.0, 1.0, 1.2)])
def test_a_click_beside_the_picture_stays_in_it(
    make_volume: MakeVolume, fraction: tuple[float, ...]
) -> None:
    volume = make_volume(BLOCK)
    voxel = Grid(volume, picture_of(volume)).at_fraction(fraction).voxel
    assert all(0 <= at < size for at, size in zip(voxel, (4, 3, 2), strict=True))


def test_the_first_window_is_the_one_recorded(make_volume: MakeVolume) -> None:
    windows = windows_of(make_volume(BLOCK, window=(10.0, 20.0)))
    assert next(iter(windows.presets.items())) == ("As recorded", (10.0, 20.0))


def test_a_ct_offers_the_usual_windows(make_volume: MakeVolume) -> None:
    windows = windows_of(make_volume(BLOCK))
    assert {"Lung", "Bone", "Brain", "Whole range"} <= set(windows.presets)


@pytest.mark.parametrize("value", [0.0, -5.0, np.nan])
def test_a_volume_of_one_value_has_a_window(
    make_volume: MakeVolume, value: float
) -> None:
    flat = make_volume(np.full((2, 3, 4), value, np.float32), modality="MR")
    assert all(width > 0 for _, width in windows_of(flat).presets.values())
