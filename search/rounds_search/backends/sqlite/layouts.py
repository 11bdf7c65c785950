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
    """

    pictures: Rows
    start: Rows
    count: Rows
    pair_at: Rows
    pair_document: Rows

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
        return cls(
            numbers,
            known.start[numbers],
            known.count[numbers],
            at[order],
            document[order],
        )
