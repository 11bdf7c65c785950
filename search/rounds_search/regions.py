"""Describe parts of slices, so that a drawn region finds its like.

Maps of gradients, grey levels and local patterns are computed once for a slice; any box
is then described by sums over it, so that hundreds of tiles cost little more than one.
A slice is put into the index as overlapping square tiles of some sizes over what it
shows; a drawn region is described in the same way, with a little of what is around it.

Sources: sums over boxes, Viola and Jones, "Rapid object detection using a boosted
cascade of simple features", CVPR 2001; histograms of gradients and binary patterns as
in :mod:`rounds_search.encoders`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from rounds_search.encoders.preparing import grey, resized, square_pixels
from rounds_search.errors import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["DIMENSION", "REGIONS", "Parts"]

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge, in pixels of the slice."""

REGIONS: Final = "rounds-parts-1"
"""What requests and picture documents call these vectors."""
SIDE: Final = 144
SIZES: Final = (2, 3)
"""How often a tile fits along the longer side of what a slice shows."""
MARGIN: Final = 0.1
"""What is added on each side of a drawn region, as a part of its longer side."""
ANGLES: Final = 8
SCALES: Final = (1.0, 2.0)
CELLS: Final = 3
LAYOUT: Final = 4
LEVELS: Final = 12
PATTERNS: Final = 10
EMPTY: Final = 0.06
LEAST: Final = 0.2
SMALLEST: Final = 8
TINY: Final = 1e-6
DIMENSION: Final = (
    len(SCALES) * CELLS * CELLS * ANGLES + LAYOUT * LAYOUT + LEVELS + PATTERNS + 2
)

# How much each part counts in the cosine.
GRADIENTS_PART: Final = 1.0
LAYOUT_PART: Final = 0.7
LEVELS_PART: Final = 1.2
PATTERNS_PART: Final = 0.8
PLACE_PART: Final = 0.6


@dataclass(frozen=True, slots=True)
class _Frame:
    """How pixels of a slice lie in its map: from where on, and how large."""

    left: float
    top: float
    width: float
    height: float
    scale: tuple[float, float]
    """Pixels of the map for a pixel of the slice, across and down."""


class Parts:
    """A slice of which any part can be described.

    Parameters
    ----------
    picture
        ``(rows, columns)`` or ``(rows, columns, 3)``, any number type and any unit.
    ratio
        Height by width of a pixel.

    Raises
    ------
    LimitError
        It is no picture, or smaller than 8 pixels a side.

    Examples
    --------
    >>> ramp = np.add.outer(np.arange(60.0), np.arange(60.0) % 20)
    >>> parts = Parts(ramp)
    >>> parts.vectors([(10, 10, 40, 40)]).shape == (1, DIMENSION)
    True
    """

    def __init__(self, picture: npt.NDArray[Any], ratio: float = 1.0) -> None:
        """Compute the maps."""
        levels = grey(picture)
        fits = levels.ndim == 2 and min(levels.shape) >= SMALLEST  # noqa: PLR2004
        require(fits, "picture", picture.shape, "(rows, columns[, 3]) from 8 x 8")
        self.shape: tuple[int, int] = (levels.shape[0], levels.shape[1])
        stretched = _stretched(levels)
        left, top, right, bottom = _shown(stretched)
        cut = stretched[top:bottom, left:right]
        high, wide = square_pixels(cut.shape, ratio)
        scale = SIDE / max(high, wide)
        size = (max(SMALLEST, round(high * scale)), max(SMALLEST, round(wide * scale)))
        fitted = np.clip(resized(cut, size), 0, 1)
        across, down = size[1] / (right - left), size[0] / (bottom - top)
        self._frame = _Frame(left, top, size[1], size[0], (across, down))
        self._contrast = float(fitted.std())
        self._grey = fitted
        self._maps = _maps(fitted)

    def tiles(self) -> list[Box]:
        """Return the boxes of the tiles that show something.

        They overlap by half. A tile shows something when its contrast is at least a
        fifth of that of the whole.
        """
        frame = self._frame
        longer = max(frame.width, frame.height)
        found: list[Box] = []
        for count in SIZES:
            side = longer / count
            for top in _begins(frame.height, side):
                for left in _begins(frame.width, side):
                    right = min(left + side, frame.width)
                    bottom = min(top + side, frame.height)
                    part = self._grey[
                        round(top) : round(bottom), round(left) : round(right)
                    ]
                    if part.size and part.std() >= LEAST * self._contrast:
                        found.append(self._in_slice((left, top, right, bottom)))
        return found

    def vectors(self, boxes: Sequence[Box]) -> npt.NDArray[np.float32]:
        """Return ``(n, d)`` float32 of unit length for *boxes*, in pixels of the slice.

        Raises
        ------
        LimitError
            A box lies outside of the slice, or is too small to be described.
        """
        inside = np.array([self._in_map(box) for box in boxes], np.float64)
        return _described(self._maps, inside, self._frame)

    def region(self, box: Box) -> Box:
        """Return the square to compare for a region drawn in *box*.

        It has some of what is around the region.

        Raises
        ------
        LimitError
            Less than 8 pixels of it are inside of the slice.
        """
        left, top, right, bottom = box
        rows, columns = self.shape
        inside = min(right, columns) - max(left, 0), min(bottom, rows) - max(top, 0)
        allowed = f"a part of the slice's {columns} by {rows} pixels, 8 by 8 at least"
        edges = tuple(round(one) for one in box)
        require(min(inside) >= SMALLEST, "The region", edges, allowed)
        across, down = self._frame.scale
        half = max((right - left) * across, (bottom - top) * down) * (0.5 + MARGIN)
        x, y = (left + right) / 2, (top + bottom) / 2
        return (
            max(0.0, x - half / across),
            max(0.0, y - half / down),
            min(float(columns), x + half / across),
            min(float(rows), y + half / down),
        )

    def _in_slice(self, box: Box) -> Box:
        """Return a box of the map in pixels of the slice."""
        frame = self._frame
        (across, down), (left, top, right, bottom) = frame.scale, box
        return (
            frame.left + left / across,
            frame.top + top / down,
            frame.left + right / across,
            frame.top + bottom / down,
        )

    def _in_map(self, box: Box) -> Box:
        """Return a box of the slice in pixels of the map, at least 3 by 3 of them."""
        frame = self._frame
        (across, down), (left, top, right, bottom) = frame.scale, box
        wide = _between(
            (left - frame.left) * across, (right - frame.left) * across, frame.width
        )
        high = _between(
            (top - frame.top) * down, (bottom - frame.top) * down, frame.height
        )
        return wide[0], high[0], wide[1], high[1]


def _between(low: float, high: float, length: float) -> tuple[float, float]:
    """Return *low* and *high* inside of 0 and *length*, three apart at least."""
    low, high = max(0.0, min(low, length - 3)), min(length, max(high, 3.0))
    return low, max(high, low + 3)


def _stretched(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return *levels* between their 1st and 99th percentile as 0 to 1."""
    low, high = np.percentile(levels, (1, 99))
    if high - low < TINY:
        low, high = float(levels.min()), float(levels.max())
    stretched: npt.NDArray[np.float64] = (levels - low) / max(high - low, TINY)
    return np.clip(stretched, 0, 1)


def _shown(stretched: npt.NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return the box around what is shown, without its dark border."""
    bright = ndimage.uniform_filter(stretched, 3) > EMPTY
    rows = np.flatnonzero(bright.mean(axis=1) > EMPTY / 3)
    columns = np.flatnonzero(bright.mean(axis=0) > EMPTY / 3)
    if len(rows) < SMALLEST or len(columns) < SMALLEST:
        return 0, 0, stretched.shape[1], stretched.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _begins(length: float, side: float) -> list[float]:
    """Return where tiles of *side* begin that overlap by half or more."""
    if length <= side:
        return [0.0]
    count = 1 + int(np.ceil(2 * (length - side) / side - TINY))
    return [float(at) for at in np.linspace(0, length - side, count)]


def _maps(fitted: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return sums from the upper left corner: ``(channels, rows + 1, columns + 1)``."""
    layers: list[npt.NDArray[np.float32]] = []
    for sigma in SCALES:
        down = ndimage.gaussian_filter(fitted, sigma, order=(1, 0), mode="nearest")
        across = ndimage.gaussian_filter(fitted, sigma, order=(0, 1), mode="nearest")
        angle = np.mod(np.arctan2(down, across), np.pi) * (ANGLES / np.pi)
        layers += _shared(angle, ANGLES, np.hypot(down, across), turns=True)
    level = fitted * (LEVELS - 1)
    layers += _shared(level, LEVELS, np.ones_like(fitted), turns=False)
    pattern = _patterns(fitted)
    layers += [(pattern == code).astype(np.float32) for code in range(PATTERNS)]
    layers.append(fitted.astype(np.float32))
    sums = np.zeros((len(layers), fitted.shape[0] + 1, fitted.shape[1] + 1))
    sums[:, 1:, 1:] = np.stack(layers).cumsum(axis=1).cumsum(axis=2)
    return sums.astype(np.float32)


def _shared(
    at: npt.NDArray[np.float64],
    bins: int,
    strength: npt.NDArray[np.float64],
    *,
    turns: bool,
) -> list[npt.NDArray[np.float32]]:
    """Return *strength* by bin, shared by the two neighbours of *at*."""
    low = np.floor(at).astype(np.int64)
    part = at - low
    low, high = low % bins, (low + 1) % bins if turns else np.minimum(low + 1, bins - 1)
    return [
        (strength * (1 - part) * (low == one) + strength * part * (high == one)).astype(
            np.float32
        )
        for one in range(bins)
    ]


def _patterns(fitted: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the uniform binary pattern of each pixel, two pixels around it."""
    blurred = ndimage.gaussian_filter(fitted, 0.7, mode="nearest")
    padded = np.pad(blurred, 2, mode="edge")
    rows, columns = fitted.shape
    around = ((0, 2), (1, 1), (2, 0), (1, -1), (0, -2), (-1, -1), (-2, 0), (-1, 1))
    # A margin keeps flat background from being read as noise.
    ring = np.stack(
        [
            padded[2 + y : 2 + y + rows, 2 + x : 2 + x + columns] >= blurred - 0.01
            for y, x in around
        ]
    )
    changes = (ring != np.roll(ring, 1, axis=0)).sum(axis=0)
    return np.where(changes <= 2, ring.sum(axis=0), PATTERNS - 1)  # noqa: PLR2004


def _described(
    maps: npt.NDArray[np.float32], boxes: npt.NDArray[np.float64], frame: _Frame
) -> npt.NDArray[np.float32]:
    """Return the vectors of *boxes*, ``(n, 4)`` in pixels of the map."""
    turned = len(SCALES) * ANGLES
    cells = _sums(maps[:turned], boxes, CELLS)
    by_scale = cells.reshape(len(SCALES), ANGLES, CELLS * CELLS, len(boxes))
    gradients = [
        _unit(_centred(np.sqrt(np.maximum(one, 0)).reshape(-1, len(boxes))))
        for one in by_scale
    ]
    whole = _sums(maps[turned:-1], boxes, 1).reshape(LEVELS + PATTERNS, len(boxes))
    layout = _sums(maps[-1:], boxes, LAYOUT).reshape(LAYOUT * LAYOUT, len(boxes))
    middle = np.stack([boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]]) / 2
    size = np.array([[frame.width], [frame.height]])
    parts = (
        (GRADIENTS_PART, _unit(np.concatenate(gradients))),
        (LAYOUT_PART, _unit(_centred(layout))),
        (LEVELS_PART, _unit(_rooted(whole[:LEVELS]))),
        (PATTERNS_PART, _unit(_rooted(whole[LEVELS:]))),
        (PLACE_PART, 2 * middle / size - 1),
    )
    joined = np.concatenate([weight * part for weight, part in parts])
    return _unit(joined).T.astype(np.float32)


def _sums(
    maps: npt.NDArray[np.float32], boxes: npt.NDArray[np.float64], cells: int
) -> npt.NDArray[np.float64]:
    """Return ``(channels, cells * cells, n)`` sums over the cells of each box."""
    steps = np.arange(cells + 1) / cells
    across = boxes[:, 0] + steps[:, None] * (boxes[:, 2] - boxes[:, 0])
    down = boxes[:, 1] + steps[:, None] * (boxes[:, 3] - boxes[:, 1])
    columns = np.clip(np.rint(across).astype(np.int64), 0, maps.shape[2] - 1)
    rows = np.clip(np.rint(down).astype(np.int64), 0, maps.shape[1] - 1)
    corners = maps[:, rows[:, None], columns[None]].astype(np.float64)
    found: npt.NDArray[np.float64] = (
        corners[:, 1:, 1:] - corners[:, :-1, 1:] - corners[:, 1:, :-1]
    ) + corners[:, :-1, :-1]
    return found.reshape(len(maps), cells * cells, len(boxes))


def _rooted(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return counts as the square roots of their parts, the mean taken off."""
    total = np.maximum(counts.sum(axis=0), 1)
    return _centred(np.sqrt(np.maximum(counts, 0) / total))


def _centred(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    centred: npt.NDArray[np.float64] = values - values.mean(axis=0)
    return centred


def _unit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return columns of unit length; a flat one says nothing, and is spread evenly."""
    lengths = np.sqrt((values * values).sum(axis=0))
    flat = lengths < TINY
    found = values / np.where(flat, 1, lengths)
    return np.where(flat, 1 / np.sqrt(len(values)), found)
