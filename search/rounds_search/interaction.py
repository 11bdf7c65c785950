"""Compare pictures slice by slice: late interaction, with where each slice lies.

Every row asked with looks for the row of a candidate that is nearest to it; a
candidate's score is the mean over the rows asked with (Khattab and Zaharia, "ColBERT:
efficient and effective passage search via contextualized late interaction over BERT",
SIGIR 2020). Both backends rank with ``interact``, so that they agree.

Where the place of both rows along the stack is known, what lies elsewhere counts a
little less: a pair at distance ``d`` loses ``AWAY * (1 - exp(-(d / WIDTH)^2 / 2))`` of
its cosine. Where either place is unknown, nothing is taken away. A score is therefore
never above the plain one, so a search that prunes by cosines loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_search.answers import Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = [
    "AWAY",
    "MOST_PAIRS",
    "WIDTH",
    "Interaction",
    "Slices",
    "interact",
    "lost_by_distance",
]

AWAY: Final = 0.1
WIDTH: Final = 0.2
MOST_PAIRS: Final = 8
# Cosines in memory at once: 32 MiB of them.
BLOCK: Final = 8_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """Rows of unit length and where each lies along its stack.

    Parameters
    ----------
    vectors
        ``(n, d)`` float32.
    positions
        ``(n,)`` in 0..1, NaN where unknown; None where all are.
    """

    vectors: npt.NDArray[np.float32]
    positions: npt.NDArray[np.float32] | None = None

    def part(self, first: int, end: int) -> Slices:
        """Return the rows from *first* up to *end*."""
        placed = None if self.positions is None else self.positions[first:end]
        return Slices(self.vectors[first:end], placed)

    def rows(self, numbers: npt.NDArray[np.int64]) -> Slices:
        """Return the rows with these *numbers*, in that order."""
        placed = None if self.positions is None else self.positions[numbers]
        return Slices(self.vectors[numbers], placed)


@dataclass(frozen=True, slots=True, eq=False)
class Interaction:
    """How near each of ``c`` candidates is to ``n`` rows, and by which of its rows.

    Parameters
    ----------
    scores
        ``(c,)`` float32, the mean over the rows asked with.
    nearness
        ``(c, n)`` float32, what each row asked with found.
    rows
        ``(c, n)`` int64, where: a row of the candidate, counted from 0.
    """

    scores: npt.NDArray[np.float32]
    nearness: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]

    def pairs(self, candidate: int) -> tuple[Pair, ...]:
        """Return the best pairs of *candidate*, the nearest first, eight at most."""
        near = self.nearness[candidate]
        return tuple(
            Pair(asked, int(self.rows[candidate, asked]), float(near[asked]))
            for asked in np.argsort(-near, kind="stable")[:MOST_PAIRS].tolist()
        )


def interact(
    asked: Slices, candidates: Slices, counts: npt.NDArray[np.int64]
) -> Interaction:
    """Return how near each candidate is to *asked*.

    Parameters
    ----------
    asked
        ``(n, d)`` rows of the question.
    candidates
        ``(m, d)``: the rows of all candidates, one candidate after the other.
    counts
        ``(c,)`` how many of the rows each has, at least one.

    Examples
    --------
    >>> eye = np.eye(3, dtype=np.float32)
    >>> found = interact(Slices(eye[:2]), Slices(eye[[2, 0, 1]]), np.array([2, 1]))
    >>> found.scores.tolist(), found.pairs(0)[0]
    ([0.5, 0.5], Pair(asked=0, row=1, score=1.0))
    >>> top = np.zeros(2, np.float32)
    >>> far = np.ones(3, np.float32)
    >>> found = interact(Slices(eye[:2], top), Slices(eye, far), np.array([3]))
    >>> round(float(found.scores[0]), 3)
    0.9
    """
    ends = np.cumsum(counts)
    parts = [
        _part(asked, candidates.part(ends[low] - counts[low], ends[high - 1]), own)
        for low, high, own in _blocks(counts, BLOCK // len(asked.vectors))
    ]
    width = len(asked.vectors)
    nearness = np.concatenate(
        [np.empty((0, width), np.float32), *(p[0] for p in parts)]
    )
    rows = np.concatenate([np.empty((0, width), np.int64), *(p[1] for p in parts)])
    return Interaction(nearness.mean(axis=1, dtype=np.float32), nearness, rows)


def _blocks(
    counts: npt.NDArray[np.int64], most: int
) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
    """Yield which candidates to take together, about *most* rows at once."""
    ends = np.cumsum(counts)
    low = 0
    while low < len(counts):
        before = int(ends[low] - counts[low])
        high = max(low + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield low, high, counts[low:high]
        low = high


def _part(
    asked: Slices, candidates: Slices, counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    near = candidates.vectors @ asked.vectors.T
    if asked.positions is not None and candidates.positions is not None:
        near -= lost_by_distance(candidates.positions, asked.positions)
    first = np.cumsum(counts) - counts
    best = np.maximum.reduceat(near, first, axis=0)
    owner = np.repeat(np.arange(len(counts)), counts)
    at, column = np.nonzero(near == best[owner])
    rows = np.zeros(best.shape, np.int64)
    # Written backwards, so that the first of equal rows stays.
    rows[owner[at][::-1], column[::-1]] = (at - first[owner[at]])[::-1]
    return best, rows


def lost_by_distance(
    rows: npt.NDArray[np.float32], asked: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return what distance takes from each pair, 0 where a place is unknown.

    Parameters
    ----------
    rows, asked
        ``(m,)`` and ``(n,)`` positions; the result is ``(m, n)`` float32.

    Examples
    --------
    >>> lost_by_distance(np.float32([0.5, np.nan]), np.float32([0.5])).tolist()
    [[0.0], [0.0]]
    """
    distance = (rows[:, np.newaxis] - asked) / np.float32(WIDTH)
    lost = np.float32(AWAY) * (1 - np.exp(-(distance**2) / 2))
    known: npt.NDArray[np.float32] = np.nan_to_num(lost, copy=False, nan=0.0)
    return known
