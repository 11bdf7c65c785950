"""How near given pictures are to given vectors, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_search.interaction import Slices, lost_by_distance

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Ranges", "maxima", "nearness"]

# Similarities computed at once: 32 MiB of them.
BLOCK: Final = 8_000_000
# Rows are read straight through when at least this part of the span is wanted.
DENSE: Final = 0.4


class Ranges:
    """Which rows belong to which picture.

    Parameters
    ----------
    start, count
        ``(n,)`` first row and number of rows of each picture, in ascending order.

    Examples
    --------
    >>> Ranges(np.array([0, 5]), np.array([2, 1])).rows().tolist()
    [0, 1, 5]
    """

    def __init__(
        self, start: npt.NDArray[np.int64], count: npt.NDArray[np.int64]
    ) -> None:
        """Keep the ranges with the places where each begins among its rows."""
        self.start = start
        self.count = count
        self.offsets: npt.NDArray[np.int64] = np.cumsum(count) - count
        self.total = int(count.sum())

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.start)

    def rows(self) -> npt.NDArray[np.int64]:
        """Return the number of every row, picture after picture."""
        shift = np.repeat(self.start - self.offsets, self.count)
        return np.arange(self.total) + shift

    def blocks(self, most: int) -> list[Ranges]:
        """Return the pictures in parts of about *most* rows."""
        cuts = np.searchsorted(self.offsets, np.arange(most, self.total, most))
        starts = np.split(self.start, cuts)
        counts = np.split(self.count, cuts)
        return [
            Ranges(start, count)
            for start, count in zip(starts, counts, strict=True)
            if len(start)
        ]


def nearness(known: Slices, ranges: Ranges, asked: Slices) -> npt.NDArray[np.float32]:
    """Return for each picture the mean over *asked*'s rows of its best one.

    Parameters
    ----------
    known
        The rows of every picture.
    ranges
        The rows of the pictures that are asked about.
    asked
        The rows of the question.

    Examples
    --------
    >>> eye = np.eye(3, dtype=np.float32)
    >>> ranges = Ranges(np.array([0, 2]), np.array([2, 1]))
    >>> nearness(Slices(eye), ranges, Slices(eye[:1])).tolist()
    [1.0, 0.0]
    """
    if not len(ranges):
        return np.empty(0, np.float32)
    parts = ranges.blocks(max(1, BLOCK // len(asked.vectors)))
    return np.concatenate([_block(known, part, asked) for part in parts])


def _block(known: Slices, ranges: Ranges, asked: Slices) -> npt.NDArray[np.float32]:
    first = int(ranges.start[0])
    span = int(ranges.start[-1] + ranges.count[-1]) - first
    if ranges.total >= DENSE * span:
        cosines = _cosines(known.part(first, first + span), asked)
        best = maxima(cosines, ranges.start - first, ranges.count)
    else:
        cosines = _cosines(known.rows(ranges.rows()), asked)
        best = maxima(cosines, ranges.offsets, ranges.count)
    found: npt.NDArray[np.float32] = best.mean(axis=1, dtype=np.float32)
    return found


def maxima(
    cosines: npt.NDArray[np.float32],
    start: npt.NDArray[np.int64],
    count: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Return the greatest of each range; ranges ascend and may leave gaps."""
    if (count == 1).all():
        whole = int(start[-1] - start[0]) == len(start) - 1
        return cosines[start[0] : start[-1] + 1] if whole else cosines[start]
    # Beginning, end, beginning, end...: every second piece is a gap, and ignored.
    edges = np.column_stack((start, start + count)).ravel()[:-1]
    best: npt.NDArray[np.float32] = np.maximum.reduceat(
        cosines[: start[-1] + count[-1]], edges
    )[::2]
    return best


def _cosines(rows: Slices, asked: Slices) -> npt.NDArray[np.float32]:
    # One vector keeps the memory busy, not the threads of a matrix product.
    query = asked.vectors
    single = len(query) == 1
    cosines = (
        np.vecdot(rows.vectors, query[0])[:, None] if single else rows.vectors @ query.T
    )
    if rows.positions is not None and asked.positions is not None:
        cosines -= lost_by_distance(rows.positions, asked.positions)
    return cosines
