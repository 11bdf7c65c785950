"""A person sees slices in right proportions and a window that shows something."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds_kernels.pictures import (
    Shown,
    default_window,
    frame,
    montage,
    plane,
    presets,
    resize,
    thumbnail,
    to_picture,
)

if TYPE_CHECKING:
    from rounds_kernels.phantoms import Phantom


@pytest.mark.parametrize(
    ("hounsfield", "shown"),
    [
        pytest.param(-1000, 0, id="air is black"),
        pytest.param(40, 128, id="centre is grey"),
        pytest.param(3000, 255, id="metal is white"),
    ],
)
def test_to_picture(hounsfield: int, shown: int) -> None:
    slice2d = np.full((2, 2), hounsfield, np.int16)
    assert (to_picture(slice2d, 40, 400) == shown).all()


def test_monochrome1_is_shown_the_other_way_round() -> None:
    assert to_picture(np.zeros((1, 1)), 0, 10, inverted=True)[0, 0] == 255 - 128


def test_colour_passes_through() -> None:
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert to_picture(colours, 0, 1) is colours


def test_16_bit_colour_is_brought_into_bytes() -> None:
    colours = np.array([[[0, 32768, 65535]]], np.uint16)
    assert to_picture(colours, 0, 1).tolist() == [[[0, 127, 255]]]


def test_what_is_no_number_is_black() -> None:
    assert to_picture(np.array([[np.nan]]), 0, 10)[0, 0] == 0


def test_a_window_that_shows_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="wider than 0, got 0"):
        to_picture(np.zeros((1, 1)), 40, 0)


def test_the_window_of_the_series_comes_first(ball: Phantom) -> None:
    assert default_window(ball.volume) == (0.0, 400.0)


def test_a_window_beside_all_values_is_not_believed() -> None:
    centre, width = default_window(np.linspace(0, 100, 1001), (5000, 10))
    assert (round(centre), round(width)) == (50, 98)


def test_one_grey_alone_still_has_a_window() -> None:
    assert default_window(np.full((4, 4), 7))[1] > 0


def test_ct_has_presets_and_mr_none() -> None:
    assert "Lung" in {window.name for window in presets("CT")}
    assert presets("MR") == ()


def test_a_thumbnail_has_right_proportions(ball: Phantom) -> None:
    flat = replace(ball.volume, spacing=(2.0, 3.0, 1.0))
    assert thumbnail(flat, 96).shape == (96, 32)


def test_a_thumbnail_shows_the_middle(ball: Phantom) -> None:
    picture = thumbnail(ball.volume, 64)
    assert picture[32, 32] > 100 > picture[2, 2]


def test_a_montage_holds_twelve_slices(ball: Phantom) -> None:
    assert montage(ball.volume, size=32).shape == (3 * 32, 4 * 32)


def test_a_coronal_cut_has_the_head_up(ball: Phantom) -> None:
    ramp = np.arange(24)[:, None, None] + np.zeros((24, 32, 32), np.int16)
    cut = plane(replace(ball.volume, array=ramp), 5, axis=1)
    assert cut[0, 0] == 23


def test_a_slice_that_is_not_there_is_refused(ball: Phantom) -> None:
    with pytest.raises(IndexError, match="24 slices across axis 0; 24 is none"):
        plane(ball.volume, 24)


def test_colour_frames_are_resized_too(ball: Phantom) -> None:
    colours = np.zeros((1, 8, 8, 3), np.uint8)
    seen = frame(replace(ball.volume, array=colours), 0, Shown(size=16))
    assert seen.shape == (16, 16, 3)


def test_shrinking_takes_the_mean() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 200
    assert np.abs(resize(board.astype(np.uint8), 8, 8).astype(int) - 100).max() < 4
