"""Make a picture ready for an encoder: grey, stretched, cut, fitted into a square."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy

from rounds_search.errors import require

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["SIDE", "finite", "grey", "prepared", "resized", "square_pixels"]

SIDE: Final = 96
SMALLEST_SIDE: Final = 8
EMPTY: Final = 0.06
SMALLEST: Final = 1e-6
LUMINANCE: Final = np.array([0.299, 0.587, 0.114])


def prepared(picture: npt.NDArray[Any], side: int = SIDE) -> npt.NDArray[np.float64]:
    """Return *picture* as *side* x *side* grey levels from 0 to 1.

    Grey levels are stretched between their 1st and 99th percentile, empty borders are
    cut off, and the rest is fitted into the square with its proportions kept.
    """
    levels = grey(picture)
    fits = levels.ndim == 2 and min(levels.shape) >= SMALLEST_SIDE  # noqa: PLR2004 - a picture
    require(fits, "picture", picture.shape, "(rows, columns[, 3]) from 8 x 8")
    low, high = np.percentile(levels, (1, 99))
    if high - low < SMALLEST:
        low, high = float(levels.min()), float(levels.max())
    stretched = np.clip((levels - low) / max(high - low, SMALLEST), 0, 1)
    cut = _without_border(stretched)
    scale = side / max(cut.shape)
    shape = tuple(max(1, round(length * scale)) for length in cut.shape)
    fitted = resized(cut, (shape[0], shape[1]))
    square = np.zeros((side, side))
    top, left = (side - fitted.shape[0]) // 2, (side - fitted.shape[1]) // 2
    square[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return np.clip(square, 0, 1)


def _without_border(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return *picture* without the rows and columns at its edges that show nothing."""
    shown = scipy.ndimage.uniform_filter(picture, 3) > EMPTY
    rows = np.flatnonzero(shown.mean(axis=1) > EMPTY / 3)
    columns = np.flatnonzero(shown.mean(axis=0) > EMPTY / 3)
    if len(rows) < SMALLEST_SIDE or len(columns) < SMALLEST_SIDE:
        return picture
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def grey(picture: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the grey levels of *picture*, known everywhere."""
    known = finite(picture)
    if known.ndim == 3 and known.shape[2] == 3:  # noqa: PLR2004 - rows, columns, colours
        levels: npt.NDArray[np.float64] = known @ LUMINANCE
        return levels
    return known


def finite(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return *values* with the lowest where they are not finite."""
    numbers = np.asarray(values, np.float64)
    known = np.isfinite(numbers)
    if known.all():
        return numbers
    lowest = numbers[known].min() if known.any() else 0.0
    return np.where(known, numbers, lowest)


def square_pixels(shape: tuple[int, ...], ratio: float) -> tuple[int, int]:
    """Return *shape* stretched so that pixels of *ratio* (height/width) are square."""
    bounded = min(max(ratio, 0.05), 20.0)
    rows, columns = shape
    if bounded >= 1:
        return round(rows * bounded), columns
    return rows, round(columns / bounded)


def resized(
    picture: npt.NDArray[np.float64], shape: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Return *picture* at *shape*: blurred first where it shrinks, then linear."""
    if picture.shape == shape:
        return picture
    ratios = [old / new for old, new in zip(picture.shape, shape, strict=True)]
    sigmas = [max(0.0, 0.4 * (ratio - 1)) for ratio in ratios]
    blurred = scipy.ndimage.gaussian_filter(picture, sigmas, mode="nearest", truncate=3)
    rows, columns = (
        (np.arange(new) + 0.5) * ratio - 0.5
        for new, ratio in zip(shape, ratios, strict=True)
    )
    grid = np.meshgrid(rows, columns, indexing="ij")
    fitted: npt.NDArray[np.float64] = scipy.ndimage.map_coordinates(
        blurred, grid, order=1, mode="nearest"
    )
    return fitted
