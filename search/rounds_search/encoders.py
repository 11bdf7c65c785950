"""Describe pictures by vectors, so that like pictures have near vectors.

``rounds-gist-1`` needs no weights: it is computed from gradients, grey levels and local
patterns. It tells modality, region and plane apart, and little of the disease.

Sources: the gist of a scene by oriented energy on a coarse grid, Oliva and Torralba,
"Modeling the shape of the scene", IJCV 42, 2001; histograms of gradients, Dalal and
Triggs, CVPR 2005; local binary patterns, Ojala, Pietikäinen and Mäenpää, PAMI 24, 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from scipy import ndimage

from rounds_search.errors import UnknownEncoderError, require

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = [
    "ENCODER",
    "ENCODERS",
    "Encoder",
    "encode",
    "encode_volume",
    "encoder",
    "prepared",
    "representative",
]

ENCODER: Final = "rounds-gist-1"
SIDE: Final = 96
GRID: Final = 4
ANGLES: Final = 8
SCALES: Final = (1.0, 2.5)
LAYOUT: Final = 8
LEVELS: Final = 16
UNIFORM: Final = 10
RADII: Final = (1, 3)
SPECTRUM: Final = 12
MOST_SLICES: Final = 8
LUMINANCE: Final = np.array([0.299, 0.587, 0.114])
SMALLEST: Final = 1e-6

# How much each part counts in the cosine.
GRADIENTS_PART: Final = 1.0
LAYOUT_PART: Final = 0.7
LEVELS_PART: Final = 0.5
PATTERNS_PART: Final = 0.7
SPECTRUM_PART: Final = 0.4

Image = "npt.NDArray[np.float64]"


class Encoder(Protocol):
    """What turns a picture into a vector.

    To add one: a class with these, in a module beside this one, named in ``ENCODERS``.
    A change of what it computes is a new name beside the old.
    """

    @property
    def name(self) -> str:
        """What requests and picture documents call it."""

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""

    def encode(self, picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return ``(dimension,)`` float32 of unit length for a ``(rows, columns)``."""


@dataclass(frozen=True, slots=True)
class Gist:
    """Oriented gradients on a grid, grey levels and their layout, local patterns."""

    name: str = ENCODER
    dimension: int = (
        len(SCALES) * GRID * GRID * ANGLES
        + LAYOUT * LAYOUT
        + LEVELS
        + len(RADII) * UNIFORM
        + SPECTRUM
    )

    def encode(self, picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the descriptor of *picture*, ``(rows, columns)`` or colour."""
        square = prepared(picture)
        parts = (
            (GRADIENTS_PART, _gradients(square)),
            (LAYOUT_PART, _layout(square)),
            (LEVELS_PART, _levels(square)),
            (PATTERNS_PART, _patterns(square)),
            (SPECTRUM_PART, _spectrum(square)),
        )
        joined = np.concatenate([weight * _unit(part) for weight, part in parts])
        return _unit(joined).astype(np.float32)


ENCODERS: Final[Mapping[str, Encoder]] = MappingProxyType({ENCODER: Gist()})


def encoder(name: str = ENCODER) -> Encoder:
    """Return the encoder called *name*.

    Raises
    ------
    UnknownEncoderError
        There is none; the message names those there are.
    """
    if name not in ENCODERS:
        raise UnknownEncoderError(name, ENCODERS)
    return ENCODERS[name]


def encode(picture: npt.NDArray[Any], name: str = ENCODER) -> npt.NDArray[np.float32]:
    """Return the vector of *picture*: ``(d,)`` float32 of unit length.

    Parameters
    ----------
    picture
        ``(rows, columns)`` or ``(rows, columns, 3)``, any number type and any unit.
        Window, size and sign of contrast beyond scale do not matter.

    Raises
    ------
    LimitError
        *picture* is no picture: another shape, or smaller than 8 pixels a side.

    Examples
    --------
    >>> ramp = np.add.outer(np.arange(40), np.arange(60))
    >>> vector = encode(ramp)
    >>> vector.shape, bool(np.isclose(vector @ encode(ramp * 3 + 7), 1, atol=1e-3))
    ((368,), True)
    """
    return encoder(name).encode(picture)


def encode_volume(
    volume: npt.NDArray[Any], spacing: tuple[float, float, float], name: str = ENCODER
) -> npt.NDArray[np.float32]:
    """Return ``(n, d)`` vectors of up to eight slices spread over what *volume* shows.

    Parameters
    ----------
    volume
        ``(slices, rows, columns)``, or with a last axis of 3 colours.
    spacing
        Millimetres between slices, rows and columns: pixels are made square.

    Raises
    ------
    LimitError
        *volume* has another shape, or *spacing* is not positive.

    Examples
    --------
    >>> block = np.zeros((30, 32, 32))
    >>> block[10:20, 8:24, 8:24] = 1
    >>> encode_volume(block, (1, 1, 1)).shape
    (8, 368)
    """
    shaped = volume.ndim == 3 or (volume.ndim == 4 and volume.shape[3] == 3)  # noqa: PLR2004 - axes
    require(shaped, "volume", volume.shape, "(slices, rows, columns[, 3])")
    positive = all(0 < one < np.inf for one in spacing)
    require(positive, "spacing", spacing, "three positive numbers")
    chosen = representative(volume)
    shape = _square_pixels(volume.shape[1:3], spacing[1] / spacing[2])
    pictures = (_resized(_grey(volume[index]), shape) for index in chosen)
    return np.stack([encoder(name).encode(picture) for picture in pictures])


def representative(volume: npt.NDArray[Any]) -> list[int]:
    """Return up to eight slice numbers, spread over the slices that show something.

    A slice shows something when its contrast is at least a quarter of the strongest.
    """
    thinned = volume[:, ::4, ::4] if min(volume.shape[1:3]) >= SIDE else volume
    contrast = np.array([float(np.std(_finite(one))) for one in thinned])
    full = np.flatnonzero(contrast >= contrast.max() / 4)
    first, last = int(full[0]), int(full[-1])
    count = min(MOST_SLICES, last - first + 1)
    # The middles of equal parts: the very ends show the least.
    places = first + (np.arange(count) + 0.5) * (last - first + 1) / count - 0.5
    return [int(place) for place in np.round(places)]


def prepared(picture: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return *picture* as 96 x 96 grey levels from 0 to 1.

    Grey levels are stretched between their 1st and 99th percentile, empty borders are
    cut off, and the rest is fitted into the square with its proportions kept.
    """
    grey = _grey(picture)
    fits = grey.ndim == 2 and min(grey.shape) >= SMALLEST_SIDE  # noqa: PLR2004 - a picture
    require(fits, "picture", picture.shape, "(rows, columns[, 3]) from 8 x 8")
    low, high = np.percentile(grey, (1, 99))
    if high - low < SMALLEST:
        low, high = float(grey.min()), float(grey.max())
    stretched = np.clip((grey - low) / max(high - low, SMALLEST), 0, 1)
    cut = _without_border(stretched)
    scale = SIDE / max(cut.shape)
    shape = tuple(max(1, round(side * scale)) for side in cut.shape)
    fitted = _resized(cut, (shape[0], shape[1]))
    square = np.zeros((SIDE, SIDE))
    top, left = (SIDE - fitted.shape[0]) // 2, (SIDE - fitted.shape[1]) // 2
    square[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return np.clip(square, 0, 1)


SMALLEST_SIDE: Final = 8
EMPTY: Final = 0.06


def _without_border(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return *picture* without the rows and columns at its edges that show nothing."""
    shown = ndimage.uniform_filter(picture, 3) > EMPTY
    rows = np.flatnonzero(shown.mean(axis=1) > EMPTY / 3)
    columns = np.flatnonzero(shown.mean(axis=0) > EMPTY / 3)
    if len(rows) < SMALLEST_SIDE or len(columns) < SMALLEST_SIDE:
        return picture
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _grey(picture: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    finite = _finite(picture)
    if finite.ndim == 3 and finite.shape[2] == 3:  # noqa: PLR2004 - rows, columns, colours
        grey: npt.NDArray[np.float64] = finite @ LUMINANCE
        return grey
    return finite


def _finite(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    numbers = np.asarray(values, np.float64)
    known = np.isfinite(numbers)
    if known.all():
        return numbers
    lowest = numbers[known].min() if known.any() else 0.0
    return np.where(known, numbers, lowest)


def _square_pixels(shape: tuple[int, ...], ratio: float) -> tuple[int, int]:
    """Return *shape* stretched so that pixels of *ratio* (height/width) are square."""
    bounded = min(max(ratio, 0.05), 20.0)
    rows, columns = shape
    if bounded >= 1:
        return round(rows * bounded), columns
    return rows, round(columns / bounded)


def _resized(
    picture: npt.NDArray[np.float64], shape: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Return *picture* at *shape*: blurred first where it shrinks, then linear."""
    if picture.shape == shape:
        return picture
    ratios = [old / new for old, new in zip(picture.shape, shape, strict=True)]
    sigmas = [max(0.0, 0.4 * (ratio - 1)) for ratio in ratios]
    blurred = ndimage.gaussian_filter(picture, sigmas, mode="nearest", truncate=3)
    rows, columns = (
        (np.arange(new) + 0.5) * ratio - 0.5
        for new, ratio in zip(shape, ratios, strict=True)
    )
    grid = np.meshgrid(rows, columns, indexing="ij")
    resized: npt.NDArray[np.float64] = ndimage.map_coordinates(
        blurred, grid, order=1, mode="nearest"
    )
    return resized


def _gradients(square: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return gradient energy by cell and angle at each scale, square-rooted."""
    found = []
    for sigma in SCALES:
        down = ndimage.gaussian_filter(square, sigma, order=(1, 0), mode="nearest")
        across = ndimage.gaussian_filter(square, sigma, order=(0, 1), mode="nearest")
        strength = np.hypot(down, across)
        angle = np.mod(np.arctan2(down, across), np.pi) * (ANGLES / np.pi)
        found.append(_by_cell(strength, angle))
    joined = np.concatenate([_unit(np.sqrt(one.ravel())) for one in found])
    centred: npt.NDArray[np.float64] = joined - joined.mean()
    return centred


def _by_cell(
    strength: npt.NDArray[np.float64], angle: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return ``(cells, angles)`` sums of *strength*, shared by neighbouring angles."""
    low = np.floor(angle).astype(np.int64)
    part = angle - low
    side = SIDE // GRID
    rows, columns = np.indices(strength.shape) // side
    cell = (rows * GRID + columns) * ANGLES
    sums = np.zeros(GRID * GRID * ANGLES)
    np.add.at(sums, cell + low % ANGLES, strength * (1 - part))
    np.add.at(sums, cell + (low + 1) % ANGLES, strength * part)
    return sums


def _layout(square: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean grey level on a grid of 8 x 8, its own mean taken off."""
    side = SIDE // LAYOUT
    cells = square.reshape(LAYOUT, side, LAYOUT, side).mean(axis=(1, 3)).ravel()
    centred: npt.NDArray[np.float64] = cells - cells.mean()
    return centred


def _levels(square: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the square-rooted histogram of grey levels."""
    counts, _ = np.histogram(square, LEVELS, (0, 1))
    return _centred_root(counts)


def _patterns(square: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return histograms of uniform, rotation-invariant binary patterns."""
    found = [_pattern(square, radius) for radius in RADII]
    return np.concatenate([_centred_root(one) for one in found])


def _pattern(square: npt.NDArray[np.float64], radius: int) -> npt.NDArray[np.int64]:
    blurred = ndimage.gaussian_filter(square, radius / 3, mode="nearest")
    turns = np.arange(8) * (np.pi / 4)
    inner = blurred[radius:-radius, radius:-radius]
    signs = []
    for turn in turns:
        down, across = round(radius * np.sin(turn)), round(radius * np.cos(turn))
        rows = slice(radius + down, SIDE - radius + down)
        columns = slice(radius + across, SIDE - radius + across)
        # A margin keeps flat background from being read as noise.
        signs.append(blurred[rows, columns] >= inner - 0.01)
    ring = np.stack(signs)
    changes = (ring != np.roll(ring, 1, axis=0)).sum(axis=0)
    uniform = changes <= 2  # noqa: PLR2004 - one run of ones
    code = np.where(uniform, ring.sum(axis=0), UNIFORM - 1)
    return np.bincount(code.ravel(), minlength=UNIFORM)


def _spectrum(square: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the logarithm of energy by spatial frequency, its mean taken off."""
    taper = np.hanning(SIDE)
    energy = (
        np.abs(np.fft.rfft2((square - square.mean()) * np.outer(taper, taper))) ** 2
    )
    down = np.fft.fftfreq(SIDE)[:, np.newaxis]
    across = np.fft.rfftfreq(SIDE)[np.newaxis]
    ring = np.minimum(np.hypot(down, across) * 2 * SPECTRUM, SPECTRUM - 1).astype(int)
    total = np.bincount(ring.ravel(), energy.ravel(), SPECTRUM)
    count = np.bincount(ring.ravel(), minlength=SPECTRUM)
    level = np.log10(total / count + SMALLEST)
    centred: npt.NDArray[np.float64] = level - level.mean()
    return centred


def _centred_root(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    root = np.sqrt(counts / max(int(counts.sum()), 1))
    centred: npt.NDArray[np.float64] = root - root.mean()
    return centred


def _unit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = float(np.sqrt(np.sum(values * values)))
    if length < SMALLEST:
        # A flat part says nothing; spread evenly it changes no comparison.
        return np.full(len(values), 1 / np.sqrt(len(values)))
    return values / length
