from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rounds_search.encoders import (
    ENCODER,
    encode,
    encode_volume,
    encoder,
    prepared,
    representative,
)
from rounds_search.errors import LimitError, UnknownEncoderError

SIDES = st.integers(8, 70)


def disc(rows: int = 90, columns: int = 70, size: float = 0.6) -> np.ndarray:
    """Return a bright, textured ellipse on black."""
    down, across = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    inside = np.hypot(down, across) < size
    shown: np.ndarray = inside * (60 + 40 * np.sin(9 * down) * np.cos(7 * across))
    return shown


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(encode(one) @ encode(other))


@given(SIDES, SIDES, st.integers(0, 2**31), st.sampled_from(["u1", "<i2", "f4", "f8"]))
@settings(deadline=None, max_examples=40)
def test_any_picture_has_a_unit_vector(
    rows: int, columns: int, seed: int, kind: str
) -> None:
    noise = np.random.default_rng(seed).integers(0, 255, (rows, columns))
    vector = encode(noise.astype(kind))
    assert vector.dtype == np.float32
    assert vector.shape == (encoder(ENCODER).dimension,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(np.zeros((20, 20)), id="all black"),
        pytest.param(np.full((20, 20), 7.0), id="all one grey"),
        pytest.param(np.full((20, 20), np.nan), id="nothing known"),
        pytest.param(np.where(np.eye(20) > 0, np.inf, 0.0), id="infinite"),
        pytest.param(np.eye(8), id="smallest"),
        pytest.param(np.ones((8, 3_000)) * np.arange(3_000), id="a strip"),
    ],
)
def test_odd_pictures_have_a_finite_vector(picture: np.ndarray) -> None:
    vector = encode(picture)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "shape", [(7, 20), (20,), (20, 20, 4), (2, 20, 20), (0, 0)], ids=str
)
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(LimitError, match="picture must be"):
        encode(np.ones(shape))


def test_a_vector_is_the_same_each_time() -> None:
    assert np.array_equal(encode(disc()), encode(disc()))


def test_the_descriptor_is_the_one_that_its_name_stands_for() -> None:
    # If this fails, vectors changed: that is a new encoder beside this one.
    vector = encode(disc())
    wanted = [-0.0604, -0.0381, 0.052, 0.0918, -0.0984]
    assert vector[[0, 100, 200, 300, 367]] == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(disc() * 12.5 - 1024, id="another window"),
        pytest.param(disc(180, 140), id="twice the size"),
        pytest.param(np.pad(disc(), 30), id="an empty border"),
        pytest.param(np.repeat(disc()[..., np.newaxis], 3, axis=2), id="as colour"),
    ],
)
def test_how_a_picture_was_saved_matters_little(changed: np.ndarray) -> None:
    assert likeness(disc(), changed) > 0.97


def test_another_picture_is_farther_away() -> None:
    noise = np.random.default_rng(1).normal(size=(90, 70))
    ramp = np.add.outer(np.arange(90), np.arange(70))
    assert likeness(disc(), noise) < 0.6
    assert likeness(disc(), ramp) < 0.6
    assert likeness(disc(), disc(size=0.5)) > 0.8


def test_proportions_are_kept() -> None:
    filled = prepared(np.pad(np.ones((40, 10)), 4))
    shown = np.argwhere(filled > 0.5)
    tall, wide = np.ptp(shown, axis=0) + 1
    assert 3 < tall / wide < 5


def test_slices_of_a_volume_spread_over_what_shows() -> None:
    volume = np.zeros((60, 24, 24))
    volume[20:44, 4:20, 6:18] = np.random.default_rng(0).normal(100, 9, (24, 16, 12))
    chosen = representative(volume)
    assert len(chosen) == 8
    assert min(chosen) >= 20
    assert max(chosen) < 44
    assert chosen == sorted(set(chosen))


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        pytest.param((1, 16, 16), 1, id="one slice"),
        pytest.param((3, 16, 16), 3, id="three slices"),
        pytest.param((40, 16, 16), 8, id="many slices"),
        pytest.param((5, 16, 16, 3), 5, id="colour"),
    ],
)
def test_a_volume_has_a_row_a_slice(shape: tuple[int, ...], rows: int) -> None:
    volume = np.random.default_rng(0).normal(size=shape)
    assert encode_volume(volume, (3.0, 1.0, 1.0)).shape == (rows, 368)


def test_pixels_are_made_square() -> None:
    tall = np.stack([disc(120, 60, 0.8)] * 2)
    even = np.stack([disc(120, 120, 0.8)] * 2)
    squared = encode_volume(tall, (1.0, 0.5, 1.0))
    assert float(squared[0] @ encode_volume(even, (1.0, 0.5, 0.5))[0]) > 0.97


@pytest.mark.parametrize("spacing", [(1, 0, 1), (1, -1, 1), (1, float("nan"), 1)])
def test_spacing_must_be_positive(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(LimitError, match="three positive numbers"):
        encode_volume(np.ones((2, 16, 16)), spacing)


def test_an_unknown_encoder_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownEncoderError, match=r"'best'. Known: rounds-gist-1."):
        encode(disc(), "best")
