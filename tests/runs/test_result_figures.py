"""Figures of results show the right side, the right place and the right colours."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from rounds import figures
from rounds_kernels import phantoms

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

SPHERE = phantoms.sphere()


def picture(figure: Figure) -> npt.NDArray[Any]:
    """Return *figure* as pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor())
    return np.asarray(Image.open(buffer).convert("RGB"))


def left_half() -> npt.NDArray[np.uint8]:
    """Return a mask of the patient's left half of the ball."""
    mask = SPHERE.masks["ball"].copy()
    mask[:, :, : mask.shape[2] // 2] = 0
    return mask


def tinted(pixels: npt.NDArray[Any]) -> float:
    """Return at which part of the width of the axial plane colour is found."""
    axial = pixels[:, : pixels.shape[1] // 3].astype(int)
    colour = np.abs(axial.max(axis=2) - axial.min(axis=2)) > 40
    colour[-60:] = False  # the legend
    return float(colour.nonzero()[1].mean() / axial.shape[1])


def test_the_patients_left_is_at_the_right_of_the_picture() -> None:
    assert tinted(picture(figures.planes(SPHERE.volume, left_half()))) > 0.5


def test_a_volume_that_runs_the_other_way_is_turned() -> None:
    mirrored = (0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
    volume = replace(
        SPHERE.volume, array=SPHERE.volume.array[:, :, ::-1], direction=mirrored
    )
    pixels = picture(figures.planes(volume, left_half()[:, :, ::-1]))
    assert tinted(pixels) > 0.5


def test_a_sagittal_volume_is_turned_to_the_same_planes() -> None:
    order = (2, 1, 0)
    z, y, x = SPHERE.volume.spacing
    sagittal = replace(
        SPHERE.volume,
        array=SPHERE.volume.array.transpose(order),
        spacing=(x, y, z),
        direction=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    )
    one = picture(figures.planes(SPHERE.volume, left_half()))
    other = picture(figures.planes(sagittal, left_half().transpose(order)))
    assert np.array_equal(one, other)


def test_the_ground_is_black() -> None:
    assert picture(figures.planes(SPHERE.volume))[0, 0].tolist() == [0, 0, 0]


def test_the_same_numbers_give_the_same_picture() -> None:
    one, other = (picture(figures.planes(SPHERE.volume)) for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(None, id="no mask"),
        pytest.param(np.zeros(SPHERE.volume.array.shape, np.uint8), id="an empty mask"),
    ],
)
def test_without_a_segment_the_middle_is_shown(
    labels: npt.NDArray[np.uint8] | None,
) -> None:
    drawn = figures.planes(SPHERE.volume, labels)
    middle = [count // 2 + 1 for count in SPHERE.volume.array.shape]
    said = [axes.texts[0].get_text() for axes in drawn.axes]
    assert [int(text.split()[1]) for text in said] == middle


def test_the_shares_of_a_histogram_add_up_to_a_hundred() -> None:
    values = np.random.default_rng(1).normal(0, 1, 10_000)
    drawn = figures.histogram({"all": values}, label="x", limits=(-6, 6))
    outline = drawn.axes[0].patches[0]
    assert outline.get_data().values.sum() == pytest.approx(100)  # type: ignore[attr-defined]


def test_an_empty_part_of_a_histogram_is_no_error() -> None:
    figures.histogram({"none": np.empty(0)}, label="x", limits=(0, 1), marks={"m": 0.5})
