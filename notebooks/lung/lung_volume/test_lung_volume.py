"""The lungs of a phantom are measured right, those of a real patient plausibly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds_kernels import phantoms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VOLUME_TOLERANCE = 0.02
"""Of a volume: half a voxel at the surface of such lungs, and vessels' roots."""

EMPHYSEMA_TOLERANCE = 0.5
"""Percentage points: noise of 10 HU carries voxels over the threshold both ways."""


@pytest.fixture(scope="module")
def thorax() -> phantoms.Phantom:
    return phantoms.thorax()


@pytest.fixture(scope="module")
def measured(run_template: Callable[..., Any], thorax: phantoms.Phantom) -> Any:  # noqa: ANN401
    outcome = run_template(thorax)
    assert outcome.fault is None
    return outcome


@pytest.mark.parametrize(
    ("measurement", "truth"),
    [
        pytest.param("lung_volume", "lungs_ml", id="both"),
        pytest.param("right_volume", "right_ml", id="right"),
        pytest.param("left_volume", "left_ml", id="left"),
    ],
)
def test_a_volume_is_the_phantoms_own(
    measured: Any,  # noqa: ANN401
    thorax: phantoms.Phantom,
    measurement: str,
    truth: str,
) -> None:
    expected = thorax.truth[truth]
    found = measured.measurements[measurement]
    assert found == pytest.approx(expected, rel=VOLUME_TOLERANCE)


def test_emphysema_is_the_phantoms_own(
    measured: Any,  # noqa: ANN401
    thorax: phantoms.Phantom,
) -> None:
    expected = thorax.truth["emphysema_percent"]
    found = measured.measurements["emphysema_percent"]
    assert found == pytest.approx(expected, abs=EMPHYSEMA_TOLERANCE)


def test_the_mask_overlaps_the_phantoms_lungs(
    measured: Any,  # noqa: ANN401
    thorax: phantoms.Phantom,
) -> None:
    found, truth = measured.mask("lungs"), thorax.masks["lungs"]
    for number in (1, 2):
        both = np.count_nonzero((found == number) & (truth == number))
        sizes = np.count_nonzero(found == number) + np.count_nonzero(truth == number)
        assert 2 * both / sizes > 0.98


def test_both_figures_are_drawn(measured: Any) -> None:  # noqa: ANN401
    assert measured.figures == {"overlay", "histogram"}


def test_the_emphysema_threshold_is_used(
    run_template: Callable[..., Any], thorax: phantoms.Phantom
) -> None:
    outcome = run_template(thorax, emphysema_threshold=-850)
    assert outcome.measurements["emphysema_percent"] > 50


def test_a_real_patients_lungs_are_plausible(
    run_template: Callable[..., Any], shared_data: Path
) -> None:
    found = run_template(shared_data / "petct_nsclc" / "ct").measurements
    assert 2000 < found["lung_volume"] < 8000
    assert 0.6 < found["right_volume"] / found["left_volume"] < 1.7
    assert -900 < found["mean_density"] < -600
