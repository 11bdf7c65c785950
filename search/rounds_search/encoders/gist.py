"""The encoder that needs no weights: gradients, grey levels and local patterns.

It tells modality, region and plane apart, and little of the disease.

Sources: the gist of a scene by oriented energy on a coarse grid, Oliva and Torralba,
"Modeling the shape of the scene", IJCV 42, 2001; histograms of gradients, Dalal and
Triggs, CVPR 2005; local binary patterns, Ojala, Pietikäinen and Mäenpää, PAMI 24, 2002.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy  # its parts load when they are first used, which takes a while

from rounds_search.encoders.preparing import SIDE, SMALLEST, prepared

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ENCODER", "Gist"]

ENCODER: Final = "rounds-gist-1"
GRID: Final = 4
ANGLES: Final = 8
SCALES: Final = (1.0, 2.5)
LAYOUT: Final = 8
LEVELS: Final = 16
UNIFORM: Final = 10
RADII: Final = (1, 3)
SPECTRUM: Final = 12

# How much each part counts in the cosine.
GRADIENTS_PART: Final = 1.0
LAYOUT_PART: Final = 0.7
LEVELS_PART: Final = 0.5
PATTERNS_PART: Final = 0.7
SPECTRUM_PART: Final = 0.4


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


def _gradients(square: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return gradient energy by cell and angle at each scale, square-rooted."""
    found = []
    for sigma in SCALES:
        down = scipy.ndimage.gaussian_filter(
            square, sigma, order=(1, 0), mode="nearest"
        )
        across = scipy.ndimage.gaussian_filter(
            square, sigma, order=(0, 1), mode="nearest"
        )
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
    blurred = scipy.ndimage.gaussian_filter(square, radius / 3, mode="nearest")
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
