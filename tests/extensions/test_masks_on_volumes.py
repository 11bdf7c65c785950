"""A stored segmentation comes back onto the grid that it was made on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds.errors import ViewerError
from rounds.segmentations import segmentation_on
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid
from rounds_kernels.provenance import Provenance
from rounds_kernels.results import Code, Segment, segmentation
from rounds_kernels.volumes import Volume, read_series

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LUNG = Code("39607008", "SCT", "Lung")
SIDES = [Segment("Right lung", 1, LUNG), Segment("Left lung", 2, LUNG)]
MADE = Provenance("lung_volume", "ab12", {"threshold": -400}, run_id="77")


@pytest.fixture(scope="module")
def chest() -> phantoms.Phantom:
    return phantoms.thorax(Grid((20, 64, 64), (14.0, 6.0, 6.0)))


@pytest.fixture(scope="module")
def sources(chest: phantoms.Phantom) -> list[Dataset]:
    return phantoms.to_dicom(chest)


@pytest.fixture(scope="module")
def volume(sources: list[Dataset]) -> Volume:
    return read_series(sources)


@pytest.fixture(scope="module")
def stored(chest: phantoms.Phantom, sources: list[Dataset]) -> Dataset:
    return segmentation(sources, chest.masks["lungs"], SIDES, MADE)


def test_the_labels_come_back_as_they_were(
    chest: phantoms.Phantom, volume: Volume, stored: Dataset
) -> None:
    labels = segmentation_on(stored, volume).labels
    assert np.array_equal(labels, chest.masks["lungs"])


def test_a_segment_that_is_alone_comes_back_as_well(
    chest: phantoms.Phantom, sources: list[Dataset], volume: Volume
) -> None:
    right = (chest.masks["lungs"] == 1).astype(np.uint8)
    made = segmentation(sources, right, SIDES, MADE)
    assert np.array_equal(segmentation_on(made, volume).labels, right)


def test_the_segments_have_their_names(volume: Volume, stored: Dataset) -> None:
    names = segmentation_on(stored, volume).names
    assert names == {1: "Right lung", 2: "Left lung"}


def test_slices_in_another_order_get_their_own(
    chest: phantoms.Phantom, volume: Volume, stored: Dataset
) -> None:
    turned = replace(
        volume, array=volume.array[::-1], sources=tuple(reversed(volume.sources))
    )
    labels = segmentation_on(stored, turned).labels
    assert np.array_equal(labels, chest.masks["lungs"][::-1])


def test_another_series_is_refused(volume: Volume, stored: Dataset) -> None:
    strangers = tuple(replace(s, sop_instance_uid="1.2.3") for s in volume.sources)
    with pytest.raises(ViewerError, match="made from another series"):
        segmentation_on(stored, replace(volume, sources=strangers))


def test_pictures_of_another_size_are_refused(volume: Volume, stored: Dataset) -> None:
    smaller = replace(volume, array=volume.array[:, :8])
    with pytest.raises(ViewerError, match=r"the volume has \(8, 64\)"):
        segmentation_on(stored, smaller)
