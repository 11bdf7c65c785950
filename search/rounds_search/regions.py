"""Parts of slices: tiles to index, and the crop of a region that somebody drew.

Each slice that is indexed is also described by overlapping square tiles of two sizes
over what it shows, so that a region is compared with parts of its own scale. A drawn
region is cut out with some of what is around it, like a tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from rounds_search.errors import require

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["MARGIN", "REGIONS", "SCALES", "crop", "region_encoder", "shown", "tiles"]

Box = tuple[int, int, int, int]
"""Left, top, right and bottom edge, in pixels."""

REGIONS: Final = "regions"
SCALES: Final = (2, 3)
"""How often a tile fits along the longer side of what a slice shows."""
MARGIN: Final = 0.15
"""What is added on each side of a drawn region, as a part of its longer side."""
EMPTY: Final = 0.06
LEAST: Final = 0.25
SMALLEST: Final = 8


def region_encoder(encoder: str) -> str:
    """Return under which name the index has the tiles that *encoder* describes.

    Examples
    --------
    >>> region_encoder("rounds-gist-1")
    'rounds-gist-1.regions'
    """
    return f"{encoder}.{REGIONS}"


def shown(picture: npt.NDArray[Any]) -> Box:
    """Return the box around what *picture* shows, without its dark border.

    Parameters
    ----------
    picture
        ``(rows, columns)`` grey levels, any unit.

    Examples
    --------
    >>> picture = np.zeros((40, 60))
    >>> picture[10:30, 5:50] = 1
    >>> shown(picture)
    (4, 9, 51, 31)
    """
    grey = np.asarray(picture, np.float32)
    low, high = np.percentile(grey, (1, 99))
    if high <= low:
        low, high = float(grey.min()), float(grey.max())
    bright = ndimage.uniform_filter((grey - low) / max(high - low, 1e-6), 3) > EMPTY
    rows = np.flatnonzero(bright.mean(axis=1) > EMPTY / 3)
    columns = np.flatnonzero(bright.mean(axis=0) > EMPTY / 3)
    if len(rows) < SMALLEST or len(columns) < SMALLEST:
        return 0, 0, grey.shape[1], grey.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def tiles(picture: npt.NDArray[Any]) -> list[Box]:
    """Return the boxes of the tiles of *picture* that show something.

    They overlap by half. A tile shows something when its contrast is at least a quarter
    of that of the whole.

    Parameters
    ----------
    picture
        ``(rows, columns)`` grey levels, any unit.

    Examples
    --------
    >>> picture = np.add.outer(np.arange(60.0), np.arange(60.0))
    >>> len(tiles(picture))
    34
    """
    grey = np.asarray(picture, np.float32)
    left, top, right, bottom = shown(grey)
    longer = max(right - left, bottom - top)
    contrast = float(grey[top:bottom, left:right].std())
    found: list[Box] = []
    for scale in SCALES:
        side = max(SMALLEST, round(longer / scale))
        for y in _begins(top, bottom, side):
            for x in _begins(left, right, side):
                box = (x, y, min(x + side, right), min(y + side, bottom))
                part = grey[box[1] : box[3], box[0] : box[2]]
                if min(part.shape) >= SMALLEST and part.std() >= LEAST * contrast:
                    found.append(box)
    return found


def _begins(first: int, end: int, side: int) -> list[int]:
    """Return where tiles of *side* begin that overlap by half or more."""
    length = end - first
    if length <= side:
        return [first]
    count = 1 + int(np.ceil(2 * (length - side) / side - 1e-6))
    return [first + round(at) for at in np.linspace(0, length - side, count)]


def crop(shape: tuple[int, int], box: tuple[float, float, float, float]) -> Box:
    """Return the part of a slice of *shape* to compare for a region drawn in *box*.

    It has some of what is around the region.

    Raises
    ------
    LimitError
        The region lies outside of the slice, or less than 8 pixels of it are inside.

    Examples
    --------
    >>> crop((100, 100), (40, 40, 60, 60))
    (37, 37, 63, 63)
    """
    left, top, right, bottom = box
    more = MARGIN * max(right - left, bottom - top)
    rows, columns = shape
    cut = (
        max(0, round(left - more)),
        max(0, round(top - more)),
        min(columns, round(right + more)),
        min(rows, round(bottom + more)),
    )
    fits = cut[2] - cut[0] >= SMALLEST and cut[3] - cut[1] >= SMALLEST
    allowed = f"a part of the slice's {columns} by {rows} pixels, 8 by 8 at least"
    require(fits, "The region", tuple(round(one) for one in box), allowed)
    return cut
