"""Masks find what the phantoms hold and what real patients have."""

from __future__ import annotations

import gzip
import importlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import dcmread
from scipy import ndimage

from rounds_kernels import morphology, phantoms
from rounds_kernels.brain import brain_mask, icosphere
from rounds_kernels.device import gpu_available, to_device, to_host
from rounds_kernels.errors import MaskError
from rounds_kernels.lungs import lung_labels
from rounds_kernels.masks import brain, lungs
from rounds_kernels.measures import (
    histogram,
    mean_inside,
    percent_below,
    tissue,
    volume_ml,
)
from rounds_kernels.nifti import volumes_of
from rounds_kernels.volumes import Volume, read_series

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

    from rounds_kernels.phantoms import Phantom

    Mask = npt.NDArray[Any]


KINDS = ("t1", "gm", "wm")


def dice(one: Mask, other: Mask) -> float:
    both = np.count_nonzero((one > 0) & (other > 0))
    return float(2 * both / (np.count_nonzero(one) + np.count_nonzero(other)))


@pytest.fixture(params=["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request: pytest.FixtureRequest) -> ModuleType:
    """Return NumPy, then CuPy where a GPU is present."""
    if request.param == "cupy" and not gpu_available():
        pytest.skip("no GPU with CuPy is here")
    return importlib.import_module(request.param)


@pytest.fixture(scope="module")
def chest() -> Phantom:
    return phantoms.thorax()


@pytest.fixture(scope="module")
def found_lungs(chest: Phantom) -> Mask:
    return lungs(chest.volume)


@pytest.fixture(scope="module")
def head() -> Phantom:
    return phantoms.head()


@pytest.fixture(scope="module")
def found_brain(head: Phantom) -> Mask:
    return brain(head.volume)


def test_lungs_fill_what_they_fill_in_truth(chest: Phantom, found_lungs: Mask) -> None:
    found = volume_ml(chest.volume, found_lungs)
    assert found == pytest.approx(chest.truth["lungs_ml"], rel=0.01)


@pytest.mark.parametrize(("label", "side"), [(1, "right"), (2, "left")])
def test_each_lung_is_on_its_side(
    label: int, side: str, chest: Phantom, found_lungs: Mask
) -> None:
    found = found_lungs == label
    assert dice(found, chest.masks["lungs"] == label) > 0.98, side


def test_the_airway_does_not_count(chest: Phantom, found_lungs: Mask) -> None:
    airway = chest.masks["airway"] > 0
    assert np.count_nonzero(found_lungs[airway]) < 0.15 * airway.sum()


def test_padding_of_another_scanner_changes_nothing(found_lungs: Mask) -> None:
    other = phantoms.thorax(padding=-3024)
    assert np.array_equal(lungs(other.volume), found_lungs)


def test_sides_are_the_patients_not_the_pictures(chest: Phantom) -> None:
    axes = np.reshape(chest.volume.direction, (3, 3)).copy()
    axes[:, 2] *= -1
    mirrored: Any = tuple(axes.ravel().tolist())
    turned = replace(chest.volume, array=chest.volume.array[:, :, ::-1])
    found = lungs(replace(turned, direction=mirrored))
    assert dice(found == 1, chest.masks["lungs"][:, :, ::-1] == 1) > 0.98


def test_a_coronal_series_has_the_same_lungs(chest: Phantom) -> None:
    axes = np.reshape(chest.volume.direction, (3, 3))[:, [1, 0, 2]]
    direction: Any = tuple(axes.ravel().tolist())
    spacing = tuple(chest.volume.spacing[axis] for axis in (1, 0, 2))
    turned = replace(
        chest.volume,
        array=chest.volume.array.transpose(1, 0, 2),
        direction=direction,
        spacing=(spacing[0], spacing[1], spacing[2]),
    )
    assert dice(lungs(turned), chest.masks["lungs"].transpose(1, 0, 2)) > 0.98


def test_emphysema_is_measured(chest: Phantom) -> None:
    percent = percent_below(chest.volume, chest.masks["lungs"], -950)
    assert percent == pytest.approx(chest.truth["emphysema_percent"], abs=0.1)


def test_a_lone_lung_is_found_on_its_side(chest: Phantom) -> None:
    array = chest.volume.array.copy()
    array[chest.masks["lungs"] == 2] = 40
    found = lungs(replace(chest.volume, array=array))
    assert dice(found == 1, chest.masks["lungs"] == 1) > 0.97
    assert np.count_nonzero(found == 2) < 0.01 * np.count_nonzero(found)


def test_the_arrays_may_lie_on_either_device(xp: ModuleType, chest: Phantom) -> None:
    small = chest.volume.array[:, ::2, ::2]
    spacing = (3.0, 4.0, 4.0)
    labels = to_host(lung_labels(xp.asarray(small), spacing, -400, 5))
    expected = lung_labels(small, spacing, -400, 5)
    assert np.mean(labels != expected) < 1e-4


def test_a_brain_may_lie_on_either_device(
    xp: ModuleType, head: Phantom, found_brain: Mask
) -> None:
    found = brain_mask(xp.asarray(head.volume.array), head.volume.spacing)
    assert dice(to_host(found), found_brain) > 0.995


def test_no_lungs_are_found_on_mr(head: Phantom) -> None:
    with pytest.raises(MaskError, match="not on MR"):
        lungs(head.volume)


def test_no_lungs_are_found_in_a_ball(ball: Phantom) -> None:
    with pytest.raises(MaskError, match="no air inside a body"):
        lungs(ball.volume)


def test_one_slice_makes_no_mask(chest: Phantom) -> None:
    with pytest.raises(MaskError, match="at least 8 slices"):
        lungs(replace(chest.volume, array=chest.volume.array[:1]))


def test_a_brain_fills_what_it_fills_in_truth(head: Phantom, found_brain: Mask) -> None:
    ml = volume_ml(head.volume, found_brain)
    assert ml == pytest.approx(head.truth["brain_ml"], rel=0.03)
    assert dice(found_brain, head.masks["brain"]) > 0.98


def test_no_brain_is_found_in_nothing(head: Phantom) -> None:
    with pytest.raises(MaskError, match="no head"):
        brain(replace(head.volume, array=np.zeros_like(head.volume.array)))


def test_a_fraction_beyond_its_range_is_refused(head: Phantom) -> None:
    with pytest.raises(MaskError, match=r"0\.2 to 0\.8 would work"):
        brain(head.volume, 1.5)


def test_tissue_is_parted_as_in_truth(head: Phantom) -> None:
    found = tissue(head.volume, head.masks["brain"]).labels
    assert [dice(found == k, head.masks["tissue"] == k) > 0.85 for k in (2, 3)] == [
        True,
        True,
    ]


def test_nothing_is_parted_where_all_is_alike(head: Phantom) -> None:
    flat = replace(head.volume, array=np.ones_like(head.volume.array))
    with pytest.raises(MaskError, match="all alike"):
        tissue(flat, head.masks["brain"])


def test_a_histogram_counts_every_voxel_once(chest: Phantom) -> None:
    found = histogram(chest.volume, chest.masks["lungs"])
    assert found.counts.sum() == np.count_nonzero(chest.masks["lungs"])


def test_a_mean_is_that_of_the_inside(ball: Phantom) -> None:
    assert mean_inside(ball.volume, ball.masks["ball"]) == pytest.approx(0, abs=1)


def test_an_empty_mask_measures_nothing(ball: Phantom) -> None:
    with pytest.raises(MaskError, match="empty"):
        mean_inside(ball.volume, np.zeros_like(ball.masks["ball"]))


def test_a_mask_of_another_shape_is_refused(ball: Phantom) -> None:
    with pytest.raises(MaskError, match="does not lie on"):
        volume_ml(ball.volume, np.ones((2, 2, 2)))


def test_real_lungs_have_a_plausible_volume(shared_data: Path) -> None:
    volume = read_series(sorted((shared_data / "petct_nsclc/ct").glob("*.dcm")))
    found = lungs(volume)
    sides = [volume_ml(volume, found == label) for label in (1, 2)]
    assert [2500 < side < 3500 for side in sides] == [True, True]


def test_a_real_brain_agrees_with_its_segmentation(shared_data: Path) -> None:
    volume = read_series(sorted((shared_data / "mr_t1_seg/mprage").glob("*.dcm")))
    expected = union_of(shared_data / "mr_t1_seg/seg/0001.dcm", volume)
    assert dice(brain(volume), expected) > 0.92


def union_of(path: Path, volume: Volume) -> Mask:
    """Return where any segment of a SEG is, on the slices of its volume."""
    segmentation = dcmread(path)
    slices = {
        source.sop_instance_uid: number for number, source in enumerate(volume.sources)
    }
    union = np.zeros(volume.array.shape, np.bool_)
    groups = segmentation.PerFrameFunctionalGroupsSequence
    for picture, group in zip(segmentation.pixel_array, groups, strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        union[slices[source.ReferencedSOPInstanceUID]] |= picture > 0
    return union


def test_the_template_of_the_mni_is_found_whole() -> None:
    nilearn = pytest.importorskip("nilearn", reason="nilearn is not here")
    folder = Path(nilearn.__file__).parent / "datasets/data"
    head, grey, white = (
        volumes_of(gzip.decompress((folder / name).read_bytes()), "MR")[0]
        for name in (
            f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz" for kind in KINDS
        )
    )
    tissue_there = (grey.array + white.array) > 0.5 * (grey.array + white.array).max()
    assert dice(brain(head), tissue_there) > 0.93


@pytest.mark.parametrize("value", ["cpu", "auto"])
def test_arrays_go_and_come_back(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDS_DEVICE", value)
    assert to_host(to_device(np.arange(3))).tolist() == [0, 1, 2]


def test_an_unknown_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDS_DEVICE", "tpu")
    with pytest.raises(ValueError, match="'tpu'; «cpu» or «auto» would work"):
        gpu_available()


def test_closing_closes_what_is_narrower(xp: ModuleType) -> None:
    mask = xp.ones((3, 9, 9), dtype=bool)
    mask[:, 4, :] = False
    assert bool(morphology.closed(mask, (1, 3, 3)).all())


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 1, 5), (5, 7, 9), (11, 3, 1)])
def test_boxes_grow_and_shrink_as_scipys(size: tuple[int, ...]) -> None:
    mask = np.random.default_rng(8).random((9, 12, 15)) < 0.2
    grown = ndimage.maximum_filter(mask, size, mode="nearest")
    shrunk = ndimage.minimum_filter(~mask, size, mode="nearest")
    assert np.array_equal(morphology.dilated(mask, size), grown)
    assert np.array_equal(morphology.eroded(~mask, size), shrunk)


def test_the_box_around_a_mask_has_a_margin(xp: ModuleType) -> None:
    mask = xp.zeros((9, 9, 9), dtype=bool)
    mask[4, 2:5, 0] = True
    assert morphology.bounds(mask, (1, 1, 2)) == (
        slice(3, 6),
        slice(1, 6),
        slice(0, 3),
    )


def test_opening_removes_what_is_thinner(xp: ModuleType) -> None:
    mask = xp.zeros((3, 9, 9), dtype=bool)
    mask[:, 4, :] = True
    assert not bool(morphology.opened(mask, (1, 3, 3)).any())


def test_holes_are_filled_in_each_slice(xp: ModuleType) -> None:
    mask = xp.zeros((2, 7, 7), dtype=bool)
    mask[:, 1:6, 1:6] = True
    mask[0, 3, 3] = mask[1, 3, 3:] = False
    filled = morphology.filled_slices(mask)
    assert (bool(filled[0, 3, 3]), bool(filled[1, 3, 3])) == (True, False)


def test_the_largest_of_nothing_is_nothing(xp: ModuleType) -> None:
    assert not bool(morphology.largest(xp.zeros((2, 2, 2), dtype=bool)).any())


def test_coarse_and_fine_are_inverse(xp: ModuleType) -> None:
    blocks = xp.zeros((4, 9, 9), dtype=bool)
    blocks[:, 3:6, 6:] = True
    small, strides = morphology.coarse(blocks, (3, 1, 1), 3)
    assert bool((morphology.fine(small, strides, blocks.shape) == blocks).all())


def test_the_sphere_of_triangles_is_closed_and_even() -> None:
    mesh = icosphere(3)
    assert mesh.faces.shape == (1280, 3)
    assert np.allclose(np.linalg.norm(mesh.vertices, axis=1), 1, atol=1e-5)
