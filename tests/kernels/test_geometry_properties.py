"""However a series lies in the patient and is stored, every voxel keeps its place."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from rounds_kernels.geometry import lps_affine, orientation_name, slice_normal
from rounds_kernels.phantoms import Grid
from rounds_kernels.volumes import Volume, read_series
from rounds_kernels.writing import Identity, classic_series

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Three = tuple[float, float, float]
NOBODY = Identity("PHANTOM^CUBE", "CUBE", "study", "series", "cube")
degrees = st.floats(-180, 180)
angles = st.tuples(degrees, degrees, degrees)
step = st.floats(0.2, 12).map(lambda mm: round(mm, 3))
steps = st.tuples(step, step, step)
place = st.floats(-500, 500).map(lambda mm: round(mm, 2))
places = st.tuples(place, place, place)


def cube(turned: tuple[float, ...], spacing: Three, origin: Three) -> Volume:
    """Return 5 x 4 x 3 different values, turned about the patient's axes."""
    matrix = Rotation.from_euler("xyz", turned, degrees=True).as_matrix()
    # Columns k, i, j: the normal is the cross product of row and column directions.
    direction = np.stack([matrix[:, 2], matrix[:, 1], matrix[:, 0]], axis=1)
    axes: Any = tuple(direction.ravel().tolist())
    array = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    return Volume(array, spacing, origin, axes, "HU", "CT", "")


@settings(max_examples=60, deadline=None)
@given(turned=angles, spacing=steps, origin=places)
def test_a_turned_series_comes_back_as_it_lay(
    turned: tuple[float, ...], spacing: Three, origin: Three
) -> None:
    volume = cube(turned, spacing, origin)
    back = read_series(classic_series(volume, NOBODY)[::-1])
    assert np.array_equal(back.array, volume.array)
    assert np.allclose(back.affine, volume.affine, atol=2e-3)
    assert back.remarks == ()


@settings(max_examples=40, deadline=None)
@given(turned=angles, order=st.permutations(range(5)))
def test_the_order_of_files_and_numbers_does_not_matter(
    turned: tuple[float, ...], order: list[int]
) -> None:
    instances = classic_series(cube(turned, (2.0, 1.0, 1.0), (0, 0, 0)), NOBODY)
    for number, index in enumerate(order):
        instances[index].InstanceNumber = number
    back = read_series([instances[index] for index in order])
    assert np.array_equal(back.array, np.arange(60).reshape(5, 4, 3))


@settings(max_examples=40, deadline=None)
@given(
    stored=st.integers(1, 16),
    signed=st.booleans(),
    slope=st.sampled_from([1, 2, -1, 0.5, 0.001]),
    intercept=st.sampled_from([0, -1024, 7, 0.25]),
)
def test_values_are_rescaled_exactly(
    stored: int, slope: float, intercept: float, *, signed: bool
) -> None:
    dataset = classic_series(cube((0, 0, 0), (1, 1, 1), (0, 0, 0)), NOBODY)[0]
    low = -(1 << (stored - 1)) if signed else 0
    values = low + np.random.default_rng(stored).integers(0, 1 << stored, (4, 3))
    dataset.PixelRepresentation, dataset.BitsStored = int(signed), stored
    dataset.HighBit = stored - 1
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    dataset.PixelData = values.astype("<i2" if signed else "<u2").tobytes()
    array = read_series([plain_file(dataset)]).array[0]
    assert np.allclose(array, values * slope + intercept, rtol=1e-6, atol=1e-6)
    assert np.array_equal(array, read_series([dataset]).array[0])


def plain_file(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@settings(max_examples=60, deadline=None)
@given(turned=angles)
def test_a_normal_is_a_unit_across_its_slice(turned: tuple[float, ...]) -> None:
    matrix = Rotation.from_euler("xyz", turned, degrees=True).as_matrix()
    normal = slice_normal([*matrix[:, 0], *matrix[:, 1]])
    assert np.allclose(normal, matrix[:, 2], atol=1e-9)
    assert orientation_name([*matrix[:, 0], *matrix[:, 1]]).split()[-1] in {
        "axial",
        "coronal",
        "sagittal",
    }


@settings(max_examples=60, deadline=None)
@given(turned=angles, spacing=steps)
def test_a_voxel_has_the_volume_of_its_edges(
    turned: tuple[float, ...], spacing: Three
) -> None:
    volume = cube(turned, spacing, (0, 0, 0))
    assert volume.voxel_volume == pytest.approx(float(np.prod(spacing)), rel=1e-6)


def test_an_affine_of_the_standard_axes_is_diagonal() -> None:
    affine = lps_affine((1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert np.array_equal(affine, np.eye(4))


def test_the_middle_of_a_grid_is_nought() -> None:
    z, y, x = Grid((5, 7, 9), (2.0, 1.0, 0.5)).axes()
    assert (z[2, 0, 0], y[0, 3, 0], x[0, 0, 4]) == (0, 0, 0)


@settings(max_examples=30, deadline=None)
@given(degrees=st.floats(1, 40), towards=st.sampled_from([0, 1]))
def test_a_tilted_stack_keeps_every_place(degrees: float, towards: int) -> None:
    instances = classic_series(cube((0, 0, 0), (3.0, 1.0, 1.0), (0, 0, 0)), NOBODY)
    for number, dataset in enumerate(instances):
        shift = number * 3 * np.tan(np.radians(degrees))
        dataset.ImagePositionPatient[towards] = round(float(shift), 6)
    volume = read_series(instances)
    for number, dataset in enumerate(instances):
        place = (volume.affine @ [number, 0, 0, 1])[:3]
        assert np.allclose(place, dataset.ImagePositionPatient, atol=1e-3)
    assert f"lean by {degrees:.1f} degrees" in volume.remarks[0]
