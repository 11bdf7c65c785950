"""Fuse the ranked lists of several legs into one.

Reciprocal rank fusion: Cormack, Clarke and Buettcher, "Reciprocal rank fusion
outperforms Condorcet and individual rank learning methods", SIGIR 2009.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["CONSTANT", "fuse"]

CONSTANT: Final = 60.0


def fuse(
    legs: Sequence[npt.NDArray[np.int64]], weights: Sequence[float]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the documents of all *legs*, ascending, and their fused scores.

    Parameters
    ----------
    legs
        For each leg the numbers of its documents, the best first.
    weights
        How much each leg counts.

    Examples
    --------
    >>> found, scores = fuse([np.array([7, 3]), np.array([3])], [1.0, 1.0])
    >>> found.tolist(), bool(scores[0] > scores[1])
    ([3, 7], True)
    """
    if not legs:
        return np.empty(0, np.int64), np.empty(0)
    found, places = np.unique(np.concatenate(legs), return_inverse=True)
    gains = [
        weight / (CONSTANT + np.arange(1, len(leg) + 1))
        for leg, weight in zip(legs, weights, strict=True)
    ]
    scores = np.zeros(len(found))
    np.add.at(scores, places, np.concatenate(gains))
    return found, scores
