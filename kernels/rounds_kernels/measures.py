"""What is measured on a mask: volumes, densities, tissue.

Every function takes a mask of the volume's shape and gives plain numbers, with the unit
at the end of its name or in its first line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_kernels.errors import MaskError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_kernels.volumes import Volume

__all__ = [
    "Histogram",
    "Tissue",
    "histogram",
    "mean_inside",
    "percent_below",
    "tissue",
    "volume_ml",
]

_BINS: Final = 256
_STEPS: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How often values occur: *edges* has one more entry than *counts*.

    Attributes
    ----------
    edges
        (n + 1,) float64 in the volume's units.
    counts
        (n,) int64, voxels.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """A brain parted into fluid, grey and white matter.

    Attributes
    ----------
    labels
        uint8 of the mask's shape: 1 fluid, 2 grey, 3 white matter.
    means
        Of the three, in the volume's units.
    """

    labels: npt.NDArray[np.uint8]
    means: tuple[float, float, float]


def volume_ml(volume: Volume, mask: npt.NDArray[Any]) -> float:
    """Return how many ml *mask* fills: every voxel that is not 0 counts.

    Examples
    --------
    >>> from rounds_kernels import phantoms
    >>> ball = phantoms.sphere()
    >>> volume_ml(ball.volume, ball.masks["ball"]) == ball.truth["ball_ml"]
    True
    """
    _check(volume, mask)
    return float(round(np.count_nonzero(mask) * volume.voxel_volume / 1000, 6))


def mean_inside(volume: Volume, mask: npt.NDArray[Any]) -> float:
    """Return the mean value inside *mask*, in the volume's units."""
    return float(_inside(volume, mask).mean(dtype=np.float64))


def percent_below(volume: Volume, mask: npt.NDArray[Any], limit: float) -> float:
    """Return how much of *mask* is below *limit*, in percent.

    Below -950 HU on the lungs this is the emphysema index (LAA-950) of Gevenois et al.,
    Am J Respir Crit Care Med 1996;154:187-192.
    """
    inside = _inside(volume, mask)
    return float(100 * np.count_nonzero(inside < limit) / inside.size)


def histogram(
    volume: Volume,
    mask: npt.NDArray[Any],
    bounds: tuple[float, float] = (-1024.0, 200.0),
    bins: int = 153,
) -> Histogram:
    """Return the histogram of the values inside *mask* between *bounds*."""
    counts, edges = np.histogram(_inside(volume, mask), bins, bounds)
    return Histogram(edges.astype(np.float64), counts.astype(np.int64))


def tissue(volume: Volume, mask: npt.NDArray[Any]) -> Tissue:
    """Return a brain parted by its T1 values: fluid, grey and white matter.

    Three normal distributions are fitted to the histogram by expectation maximisation
    (Dempster, Laird and Rubin, J R Stat Soc B 1977;39:1-38); no account is taken of
    neighbours or of an uneven coil.

    Raises
    ------
    MaskError
        When the values inside *mask* are too alike to be parted.
    """
    inside = _inside(volume, mask).astype(np.float64)
    low, high = np.percentile(inside, (0.1, 99.9))
    if high <= low:
        msg = "The values inside the mask are all alike: there is nothing to part."
        raise MaskError(msg)
    counts, edges = np.histogram(inside, _BINS, (low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    means, parts = _mixture(centres, counts.astype(np.float64))
    order = np.argsort(means)
    # Beyond the outer means a wide neighbour must not win: labels only rise.
    by_bin = np.maximum.accumulate(np.argsort(order)[parts.argmax(axis=0)]) + 1
    bins = np.clip(np.digitize(inside, edges) - 1, 0, _BINS - 1)
    labels = np.zeros(mask.shape, np.uint8)
    labels[mask > 0] = by_bin[bins]
    fluid, grey, white = (float(means[index]) for index in order)
    return Tissue(labels, (fluid, grey, white))


def _mixture(
    centres: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return three means, and how much each part claims of each bin."""
    share = np.cumsum(counts) / counts.sum()
    means = np.interp([0.08, 0.4, 0.8], share, centres)
    widths = np.full(3, np.ptp(centres) / 10)
    weights = np.full(3, 1 / 3)
    parts = np.zeros((3, centres.size))
    for _ in range(_STEPS):
        apart = (centres[None] - means[:, None]) / widths[:, None]
        parts = (weights / widths)[:, None] * np.exp(-0.5 * apart**2) + 1e-12
        claims = parts / parts.sum(axis=0) * counts
        mass = claims.sum(axis=1)
        new = (claims * centres).sum(axis=1) / mass
        spread = (claims * (centres[None] - new[:, None]) ** 2).sum(axis=1) / mass
        widths = np.sqrt(spread) + np.ptp(centres) / 500
        weights = mass / mass.sum()
        done = np.abs(new - means).max() < 1e-4 * np.ptp(centres)
        means = new
        if done:
            break
    return means, parts


def _inside(volume: Volume, mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
    _check(volume, mask)
    inside = volume.array[mask > 0]
    if inside.size == 0:
        msg = "The mask is empty: there is nothing to measure."
        raise MaskError(msg)
    return np.asarray(inside)


def _check(volume: Volume, mask: npt.NDArray[Any]) -> None:
    if mask.shape != volume.array.shape[:3]:
        msg = f"A mask of shape {mask.shape} does not lie on {volume.array.shape[:3]}."
        raise MaskError(msg)
