"""What is written says what it is, once for every slice and the same every time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds_kernels.carriers import carriers, identify, library_entry
from rounds_kernels.volumes import read_series, read_stacks
from rounds_kernels.writing import MODALITIES, Identity, classic_series, save

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

    from rounds_kernels.phantoms import Phantom

    Series = list[Dataset]

WHO = Identity("PHANTOM^X", "PHANTOM-X", "A study", "A series", "key", "HEAD", 4)


def test_the_identity_is_in_every_slice(ball: Phantom) -> None:
    for dataset in classic_series(ball.volume, WHO):
        assert (dataset.PatientName, dataset.PatientID) == ("PHANTOM^X", "PHANTOM-X")
        assert (dataset.SeriesDescription, dataset.SeriesNumber) == ("A series", 4)


def test_slices_are_instances_of_one_series(ball: Phantom) -> None:
    made = classic_series(ball.volume, WHO)
    assert len({each.SOPInstanceUID for each in made}) == 24
    assert len({each.SeriesInstanceUID for each in made}) == 1


def test_another_key_is_another_study(ball: Phantom) -> None:
    nameless = replace(ball.volume, series_uid="", frame_of_reference_uid="")
    one, other = (
        classic_series(nameless, replace(WHO, key=key))[0] for key in ("one", "other")
    )
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert getattr(one, name) != getattr(other, name)


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_modality_is_read_back(modality: str, ball: Phantom) -> None:
    made = classic_series(replace(ball.volume, modality=modality), WHO)
    back = read_series(made)
    assert back.modality == modality
    assert np.array_equal(back.array, ball.volume.array)


@pytest.mark.parametrize("modality", ["CT", "MR", "PT", "OT"])
@pytest.mark.parametrize("scale", [1e-6, 0.37, 1e6])
def test_fractions_lose_at_most_a_step(
    modality: str, scale: float, ball: Phantom
) -> None:
    fine = (ball.volume.array * scale).astype(np.float32)
    made = classic_series(replace(ball.volume, modality=modality, array=fine), WHO)
    off = np.abs(read_series(made).array.astype(np.float64) - fine).max()
    assert off <= 2 * np.ptp(fine) / 65000


def test_one_value_everywhere_is_kept(ball: Phantom) -> None:
    flat = np.full_like(ball.volume.array, 0.1, dtype=np.float32)
    made = classic_series(replace(ball.volume, modality="MR", array=flat), WHO)
    assert np.allclose(read_series(made).array, 0.1)


def test_pet_has_no_intercept(ball: Phantom) -> None:
    fine = ball.volume.array.astype(np.float32) / 3
    made = classic_series(replace(ball.volume, modality="PT", array=fine), WHO)
    assert {float(each.RescaleIntercept) for each in made} == {0.0}


def test_times_are_numbered_on(ball: Phantom) -> None:
    made = [each for t in (1, 2) for each in classic_series(ball.volume, WHO, (t, 2))]
    assert [each.InstanceNumber for each in made] == list(range(1, 49))
    assert len({each.SOPInstanceUID for each in made}) == 48
    assert len(read_stacks(made)) == 2


def test_a_tilted_volume_stays_tilted(ball: Phantom) -> None:
    axes = np.reshape(ball.volume.direction, (3, 3)).copy()
    axes[:, 0] = [0, 0.2588190451, 0.9659258263]
    direction = tuple(axes.ravel().tolist())
    leaning = replace(ball.volume, direction=direction)
    back = read_series(classic_series(leaning, WHO))
    assert np.allclose(back.affine, leaning.affine, atol=1e-3)


def test_files_are_numbered(ball: Phantom, tmp_path: Path) -> None:
    paths = save(classic_series(ball.volume, WHO)[:3], tmp_path / "new")
    assert [path.name for path in paths] == ["0001.dcm", "0002.dcm", "0003.dcm"]


def test_a_carrier_names_nobody(series: Series) -> None:
    series[0].PatientName = "Somebody"
    (copy,) = carriers(series[:1])
    assert copy.PatientName == ""
    assert series[0].PatientName == "Somebody"


def test_a_carrier_leaves_trials_and_pixels(series: Series) -> None:
    series[0].ClinicalTrialSponsorName = ""
    (copy,) = carriers(series[:1])
    assert "PixelData" not in copy
    assert "ClinicalTrialSponsorName" not in copy


@pytest.mark.parametrize(
    ("name", "value"),
    [("PatientSex", "0000"), ("StudyDate", "yesterday"), ("StudyTime", "noon")],
)
@pytest.mark.filterwarnings("ignore")
def test_a_carrier_leaves_what_is_not_valid(
    name: str, value: str, series: Series
) -> None:
    setattr(series[0], name, value)
    assert getattr(carriers(series[:1])[0], name) == ""


def test_a_carrier_without_a_frame_of_reference_gets_one(series: Series) -> None:
    for dataset in series:
        del dataset.FrameOfReferenceUID
    made = {each.FrameOfReferenceUID for each in carriers(series)}
    assert len(made) == 1


def test_a_result_is_named_as_its_source(series: Series) -> None:
    (copy,) = carriers(series[:1])
    identify(copy, series[0])
    assert copy.PatientName == series[0].PatientName


def test_a_plain_image_is_its_own_entry(series: Series) -> None:
    assert library_entry(series[0]) is series[0]
