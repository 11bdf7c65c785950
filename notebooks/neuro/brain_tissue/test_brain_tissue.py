"""The brain of a phantom is measured right, that of a real person plausibly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds_kernels import phantoms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BRAIN_TOLERANCE = 0.02
"""Of the brain's volume: half a voxel at its surface is 2 % of it."""

TISSUE_TOLERANCE = 0.04
"""Of a tissue's volume: the same half voxel is more of a thin cortex."""


@pytest.fixture(scope="module")
def head() -> phantoms.Phantom:
    return phantoms.head()


@pytest.fixture(scope="module")
def measured(run_template: Callable[..., Any], head: phantoms.Phantom) -> Any:  # noqa: ANN401
    outcome = run_template(head)
    assert outcome.fault is None
    return outcome


@pytest.mark.parametrize(
    ("measurement", "truth", "tolerance"),
    [
        pytest.param("brain_volume", "brain_ml", BRAIN_TOLERANCE, id="brain"),
        pytest.param("grey_volume", "grey_ml", TISSUE_TOLERANCE, id="grey matter"),
        pytest.param("white_volume", "white_ml", TISSUE_TOLERANCE, id="white matter"),
    ],
)
def test_a_volume_is_the_phantoms_own(
    measured: Any,  # noqa: ANN401
    head: phantoms.Phantom,
    measurement: str,
    truth: str,
    tolerance: float,
) -> None:
    expected = head.truth[truth]
    assert measured.measurements[measurement] == pytest.approx(expected, rel=tolerance)


def test_the_mask_overlaps_the_phantoms_brain(
    measured: Any,  # noqa: ANN401
    head: phantoms.Phantom,
) -> None:
    found, truth = measured.mask("tissue") > 0, head.masks["brain"] > 0
    both = np.count_nonzero(found & truth)
    assert 2 * both / (np.count_nonzero(found) + np.count_nonzero(truth)) > 0.96


def test_the_fractions_are_of_the_whole_brain(measured: Any) -> None:  # noqa: ANN401
    said = measured.measurements
    assert said["grey_percent"] == pytest.approx(
        100 * said["grey_volume"] / said["brain_volume"]
    )


def test_both_figures_are_drawn(measured: Any) -> None:  # noqa: ANN401
    assert measured.figures == {"overlay", "histogram"}


def test_a_real_persons_brain_is_plausible(
    run_template: Callable[..., Any], shared_data: Path
) -> None:
    outcome = run_template(shared_data / "mr_t1_seg" / "mprage")
    found = outcome.measurements
    assert outcome.fault is None
    assert 900 < found["brain_volume"] < 1700
    assert 35 < found["grey_percent"] < 65
    assert 25 < found["white_percent"] < 55
