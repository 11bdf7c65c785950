"""Phantoms are the same every time, and their truth is what their masks hold."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread

from rounds_kernels import phantoms
from rounds_kernels.phantoms import Grid, Phantom
from rounds_kernels.volumes import read_series
from rounds_kernels.writing import Identity, classic_series, named_uid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = Grid((32, 64, 64), (9.0, 6.0, 6.0))
MAKERS = [
    phantoms.thorax,
    phantoms.head,
    phantoms.liver_lesion,
    phantoms.vessel_stenosis,
    phantoms.sphere,
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_phantom_is_the_same_every_time(make: Callable[..., Phantom]) -> None:
    one, other = make(SMALL), make(SMALL)
    assert one.volume.header() == other.volume.header()
    assert np.array_equal(one.volume.array, other.volume.array)


@pytest.mark.parametrize("make", MAKERS)
def test_a_phantom_survives_dicom(make: Callable[..., Phantom]) -> None:
    phantom = make(SMALL)
    volume = read_series(phantoms.to_dicom(phantom))
    assert np.array_equal(volume.array, phantom.volume.array)
    assert volume.sources == phantom.volume.sources


@pytest.mark.parametrize("make", MAKERS)
def test_a_phantom_has_a_neutral_name(make: Callable[..., Phantom]) -> None:
    phantom = make(SMALL)
    dataset = phantoms.to_dicom(phantom)[0]
    assert dataset.PatientName == f"PHANTOM^{phantom.name.upper()}"


def test_the_truth_of_a_chest_is_that_of_its_mask() -> None:
    chest = phantoms.thorax(SMALL)
    counted = np.count_nonzero(chest.masks["lungs"]) * chest.volume.voxel_volume / 1000
    assert chest.truth["lungs_ml"] == pytest.approx(counted)


def test_a_chest_is_like_a_person() -> None:
    assert 3500 < phantoms.thorax().truth["lungs_ml"] < 6000


def test_a_head_is_like_a_person() -> None:
    assert 1200 < phantoms.head().truth["brain_ml"] < 1700


def test_the_ball_has_the_volume_of_a_ball() -> None:
    grid = Grid((80, 80, 80), (0.5, 0.5, 0.5))
    ball = phantoms.sphere(grid, radius=14)
    assert ball.truth["ball_ml"] == pytest.approx(4 / 3 * np.pi * 1.4**3, rel=0.01)


def test_the_right_lung_lies_at_the_patients_right() -> None:
    chest = phantoms.thorax(SMALL)
    _, _, columns = np.nonzero(chest.masks["lungs"] == 1)
    place = chest.volume.affine @ [0, 0, columns.mean(), 1]
    assert place[0] < 0


def test_a_scanner_pads_outside_its_field_of_view() -> None:
    chest = phantoms.thorax(SMALL, padding=-3024)
    assert chest.volume.array[0, 0, 0] == -3024


def test_a_vessel_narrows_as_it_was_told() -> None:
    vessel = phantoms.vessel_stenosis(stenosis=0.5)
    areas = vessel.masks["lumen"].sum((1, 2))
    assert np.sqrt(areas.min() / areas.max()) == pytest.approx(0.5, abs=0.05)


def test_files_are_written_and_read(tmp_path: Path) -> None:
    phantoms.to_dicom(phantoms.sphere(), tmp_path)
    assert len([dcmread(path) for path in tmp_path.glob("*.dcm")]) == 24


def test_fractions_are_kept_to_16_bits(ball: Phantom) -> None:

    fine = ball.volume.array.astype(np.float32) / 7
    identity = Identity("PHANTOM^X", "X", "study", "series", "key")
    written = classic_series(replace(ball.volume, array=fine), identity)
    error = np.abs(read_series(written).array - fine).max()
    assert error < np.ptp(fine) / 65000


def test_other_modalities_have_no_classic_object(ball: Phantom) -> None:

    identity = Identity("PHANTOM^X", "X", "study", "series", "key")
    with pytest.raises(ValueError, match=r"CT, MR, .* is wanted, not 'XA'"):
        classic_series(replace(ball.volume, modality="XA"), identity)


def test_uids_are_valid() -> None:
    assert named_uid("thorax", 3).is_valid


@pytest.mark.dciodvfy
@pytest.mark.parametrize("make", MAKERS)
def test_a_phantom_is_valid_dicom(make: Callable[..., Phantom], tmp_path: Path) -> None:
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not here: install dicom3tools")
    phantoms.to_dicom(make(SMALL), tmp_path)
    said = subprocess.run(
        [tool, tmp_path / "0001.dcm"], capture_output=True, text=True, check=False
    ).stderr
    assert "Error" not in said, said
