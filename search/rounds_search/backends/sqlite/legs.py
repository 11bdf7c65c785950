"""The legs of a search: what the words find, and what each picture is near to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rounds_search.backends.sqlite.nearest import Nearest
from rounds_search.backends.sqlite.vectors import Ranges
from rounds_search.backends.sqlite.words import find
from rounds_search.encoders import ENCODERS
from rounds_search.errors import (
    DimensionError,
    UnknownDocumentError,
    UnknownEncoderError,
)
from rounds_search.interaction import Slices, interact

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rounds_search.backends.sqlite.answering import View
    from rounds_search.backends.sqlite.columns import Mask, Rows
    from rounds_search.documents import Pair
    from rounds_search.queries import TextQuery
    from rounds_search.requests import Request, Term, VectorQuery

__all__ = ["PictureLeg", "TextLeg", "picture_legs", "text_leg"]

MOST_LIKE = 16


@dataclass(frozen=True, slots=True)
class TextLeg:
    """What the words match, whoever may see it; only ``under`` lets it out."""

    slots: Rows
    scores: npt.NDArray[np.float64]

    def under(self, allowed: Mask) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return the *allowed* slots and their scores."""
        inside = allowed[self.slots]
        return self.slots[inside], self.scores[inside]


def text_leg(view: View, query: TextQuery, allowed: Mask) -> tuple[TextLeg, bool]:
    """Return the leg of *query*, and whether only some of its words had to match.

    All the words must match; where that leaves nothing *allowed*, any of them will do.
    """
    if not query:
        return TextLeg(np.empty(0, np.int64), np.empty(0)), False
    strict = TextLeg(*find(view.connection, query, relaxed=False))
    if allowed[strict.slots].any():
        return strict, False
    loose = TextLeg(*find(view.connection, query, relaxed=True))
    return loose, bool(allowed[loose.slots].any())


@dataclass(slots=True)
class PictureLeg:
    """How near readable pictures are, and the documents they lead to."""

    view: View
    request: Request
    leg: VectorQuery
    nearest: Nearest | None

    def under(
        self, allowed: Mask, where: Sequence[Term]
    ) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return the best *allowed* documents and the nearest picture's score of each.

        There are as many as the window holds, and those as good as the last of them.
        """
        if self.nearest is None:
            return np.empty(0, np.int64), np.empty(0)
        return self.nearest.best(
            self._inside(where), allowed, self.request.window, self.leg.at_least
        )

    def picture_of(self, slot: int) -> tuple[str, tuple[Pair, ...]] | None:
        """Return the id of the nearest picture that leads to *slot*, and its pairs."""
        if self.nearest is None:
            return None
        layout, scores = self.nearest.layout, self.nearest.scores
        low, high = np.searchsorted(layout.pair_document, [slot, slot + 1])
        at = layout.pair_at[low:high]
        at = at[self._inside(self.request.where)[at]]
        at = at[scores[at] >= self.leg.at_least]
        if not len(at):
            return None
        best = int(at[np.argmax(scores[at])])
        first, count = int(layout.start[best]), int(layout.count[best])
        own = self.nearest.sidecar.known.part(first, first + count)
        pairs = interact(self.nearest.asked, own, np.array([count])).pairs(0)
        ids = self.view.snapshot.pictures.table.ids
        return ids[int(layout.pictures[best])], pairs

    def _inside(self, where: Sequence[Term]) -> Mask:
        """Return which pictures of the layout the asker may see and *where* keeps."""
        table = self.view.snapshot.pictures.table
        inside = table.readable(self.request.audience)
        for term in where:
            inside = inside & table.fitting(term)
        if self.nearest is None:
            return inside
        return inside[self.nearest.layout.pictures]


def picture_legs(view: View, request: Request) -> list[PictureLeg]:
    """Return a leg for each vector query of *request*."""
    return [
        PictureLeg(view, request, leg, _nearest(view, request, leg))
        for leg in request.vectors
    ]


def _nearest(view: View, request: Request, leg: VectorQuery) -> Nearest | None:
    asked = _question(view, request, leg)
    if asked is None:
        return None
    layout = view.snapshot.pictures.layout(leg.encoder)
    return Nearest(view.sidecar(leg.encoder), layout, asked)


def _question(view: View, request: Request, leg: VectorQuery) -> Slices | None:
    """Return the rows *leg* asks with, or None where there are none to compare."""
    known = view.snapshot.encoders
    if leg.encoder not in known:
        built_in = {encoder.name: encoder.dimension for encoder in ENCODERS.values()}
        if leg.encoder not in built_in:
            raise UnknownEncoderError(leg.encoder, {*known, *built_in})
        wanted = built_in[leg.encoder]
    else:
        wanted = known[leg.encoder].dimension
    if leg.vector is None:
        return _like(view, request, leg)
    if leg.vector.shape[1] != wanted:
        raise DimensionError(leg.encoder, leg.vector.shape[1], wanted)
    return Slices(leg.vector, leg.positions) if leg.encoder in known else None


def _like(view: View, request: Request, leg: VectorQuery) -> Slices | None:
    """Return rows of a document's own pictures that the asker may see."""
    snapshot, pictures = view.snapshot, view.snapshot.pictures
    readable = snapshot.documents.readable(request.audience)
    slot = snapshot.documents.find(leg.like)
    if slot is None or not readable[slot]:
        raise UnknownDocumentError(leg.like)
    rows = pictures.pair_picture[pictures.pair_document == slot]
    shown = pictures.table.readable(request.audience) & pictures.of(leg.encoder)
    rows = np.unique(rows[shown[rows]])
    if not len(rows):
        return None
    own = Ranges(pictures.start[rows], pictures.count[rows]).rows()
    spread = np.linspace(0, len(own) - 1, min(MOST_LIKE, len(own))).round()
    return view.sidecar(leg.encoder).known.rows(own[spread.astype(np.int64)])
