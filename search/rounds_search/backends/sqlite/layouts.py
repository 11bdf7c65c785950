"""Where the pictures of one encoder lie, and which documents they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_search.backends.sqlite.columns import Pictures

    Rows = npt.NDArray[np.int64]

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The live pictures of an encoder in the order of their rows.

    Parameters
    ----------
    pictures
        ``(p,)`` their numbers in the table.
    start, count
        ``(p,)`` the first row of each and how many it has.
    pair_at, pair_document
        ``(q,)`` which of the ``p`` leads to which document, by document.
    alone
        ``(p,)`` which document each leads to, where each has one of its own; else None.
    """

    pictures: Rows
    start: Rows
    count: Rows
    pair_at: Rows
    pair_document: Rows
    alone: Rows | None = None

    @classmethod
    def of(cls, known: Pictures, encoder: str) -> Layout:
        """Return the layout of *encoder*'s pictures."""
        numbers = np.flatnonzero(known.of(encoder) & known.table.live)
        numbers = numbers[np.argsort(known.start[numbers], kind="stable")]
        place = np.full(known.table.size, -1, np.int64)
        place[numbers] = np.arange(len(numbers))
        at = place[known.pair_picture]
        inside = at >= 0
        at, document = at[inside], known.pair_document[inside]
        order = np.argsort(document, kind="stable")
        pairs = at[order], document[order]
        rows = known.start[numbers], known.count[numbers]
        return cls(numbers, *rows, *pairs, _alone(len(numbers), *pairs))


def _alone(pictures: int, at: Rows, document: Rows) -> Rows | None:
    if len(at) != pictures or not (np.diff(document) > 0).all():
        return None
    led = np.empty(pictures, np.int64)
    led[at] = document
    # As many pairs as pictures, and yet one picture in two of them: another has none.
    return led if len(np.unique(at)) == pictures else None
