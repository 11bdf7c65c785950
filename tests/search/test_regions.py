"""Parts of slices are described so that a region finds its like."""

from __future__ import annotations

import numpy as np
import pytest

from rounds_search.errors import LimitError
from rounds_search.regions import DIMENSION, Parts

CHANCE = np.random.default_rng(7)


def a_slice(
    rows: int = 120, columns: int = 160
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return a body on black: smooth structures with a striped organ at one place."""
    down, across = np.mgrid[:rows, :columns]
    body = ((down - rows / 2) / (rows * 0.45)) ** 2 + (
        (across - columns / 2) / (columns * 0.45)
    ) ** 2 < 1
    picture = 100.0 * body + 20 * np.sin(down / 9.0) * body
    organ = (slice(30, 60), slice(40, 80))
    picture[organ] += 60 * (across[organ] // 3 % 2)
    return np.asarray(picture, np.float64)


def test_vectors_are_of_unit_length() -> None:
    parts = Parts(a_slice())
    vectors = parts.vectors(parts.tiles())
    assert vectors.shape == (len(parts.tiles()), DIMENSION)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_tiles_lie_inside_of_the_slice() -> None:
    boxes = np.array(Parts(a_slice()).tiles())
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= 160).all()
    assert (boxes[:, 3] <= 120).all()


def test_a_region_is_nearest_to_the_tile_that_it_lies_in() -> None:
    parts = Parts(a_slice())
    tiles = parts.tiles()
    asked = parts.vectors([parts.region((40, 30, 80, 60))])
    left, top, right, bottom = tiles[int(np.argmax(parts.vectors(tiles) @ asked[0]))]
    assert left <= 60 <= right
    assert top <= 45 <= bottom


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(a_slice() * 3 + 500, id="another window"),
        pytest.param(np.kron(a_slice(), np.ones((2, 2))), id="twice as large"),
        pytest.param(np.pad(a_slice(), 30), id="a wider border"),
        pytest.param(a_slice() + CHANCE.normal(0, 3, (120, 160)), id="some noise"),
    ],
)
def test_the_same_organ_in_another_picture_is_like_it(
    changed: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> None:
    first, second = Parts(a_slice()), Parts(changed)
    tiles = second.tiles()
    scale = changed.shape[1] / 160 if changed.shape[0] == 240 else 1
    shift = 30 if changed.shape[0] == 180 else 0
    asked = first.vectors([first.region((40, 30, 80, 60))])
    left, top, right, bottom = tiles[int(np.argmax(second.vectors(tiles) @ asked[0]))]
    assert left <= 60 * scale + shift <= right
    assert top <= 45 * scale + shift <= bottom


def test_pixels_that_are_not_square_are_made_square() -> None:
    thin = a_slice()[::2]
    same = Parts(thin, ratio=2).vectors([(40, 15, 80, 30)])
    whole = Parts(a_slice()).vectors([(40, 30, 80, 60)])
    assert float(same[0] @ whole[0]) > 0.97


def test_a_region_beside_the_slice_is_refused() -> None:
    with pytest.raises(LimitError, match="160 by 120 pixels"):
        Parts(a_slice()).region((300, 10, 340, 50))


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(np.zeros((64, 64)), id="black"),
        pytest.param(np.full((64, 64), np.nan), id="no number at all"),
        pytest.param(np.full((9, 300), 7), id="a flat strip"),
        pytest.param(CHANCE.integers(0, 255, (64, 64, 3)), id="colours"),
    ],
)
def test_odd_pictures_have_vectors_too(
    picture: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> None:
    parts = Parts(picture)
    vectors = parts.vectors([(0, 0, 9, 9), *parts.tiles()])
    assert np.isfinite(vectors).all()


def test_what_is_too_small_is_no_picture() -> None:
    with pytest.raises(LimitError, match="8 x 8"):
        Parts(np.zeros((5, 90)))
