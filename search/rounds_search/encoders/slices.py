"""Which slices stand for a volume, and where in it they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.encoders.preparing import SIDE, finite, grey, resized, square_pixels
from rounds_search.errors import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rounds_search.encoders.base import Encoder

__all__ = ["encode_slices", "places", "representative"]

MOST_SLICES: Final = 8
COLOUR_AXES: Final = 4


def encode_slices(
    volume: npt.NDArray[Any], spacing: tuple[float, float, float], encoder: Encoder
) -> npt.NDArray[np.float32]:
    """Return ``(n, d)`` vectors of the representative slices of *volume*.

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
    """
    colour = volume.ndim == COLOUR_AXES and volume.shape[-1] == 3  # noqa: PLR2004
    shaped = volume.ndim == 3 or colour  # noqa: PLR2004 - axes
    require(shaped, "volume", volume.shape, "(slices, rows, columns[, 3])")
    positive = all(0 < one < np.inf for one in spacing)
    require(positive, "spacing", spacing, "three positive numbers")
    chosen = representative(volume)
    shape = square_pixels(volume.shape[1:3], spacing[1] / spacing[2])
    pictures = (resized(grey(volume[index]), shape) for index in chosen)
    return np.stack([encoder.encode(picture) for picture in pictures])


def representative(volume: npt.NDArray[Any]) -> list[int]:
    """Return up to eight slice numbers, spread over the slices that show something.

    A slice shows something when its contrast is at least a quarter of the strongest.
    """
    thinned = volume[:, ::4, ::4] if min(volume.shape[1:3]) >= SIDE else volume
    contrast = np.array([float(np.std(finite(one))) for one in thinned])
    full = np.flatnonzero(contrast >= contrast.max() / 4)
    first, last = int(full[0]), int(full[-1])
    count = min(MOST_SLICES, last - first + 1)
    # The middles of equal parts: the very ends show the least.
    middles = first + (np.arange(count) + 0.5) * (last - first + 1) / count - 0.5
    return [int(place) for place in np.round(middles)]


def places(
    chosen: Sequence[int], count: int, *, reversed_: bool = False
) -> npt.NDArray[np.float32]:
    """Return where slices lie along a stack of *count*: 0 its first, 1 its last.

    *reversed_* turns it round, for a stack whose first slice is the last in the body.

    Examples
    --------
    >>> places([0, 5, 10], 11).tolist(), places([0, 5], 11, reversed_=True).tolist()
    ([0.0, 0.5, 1.0], [1.0, 0.5])
    """
    along = np.asarray(chosen, np.float32) / np.float32(max(count - 1, 1))
    return np.float32(1) - along if reversed_ else along
