"""The legs of a search: what the words find, and what each picture is near to."""

from __future__ import annotations

from dataclasses import dataclass, field
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

    Led = tuple[str, tuple[Pair, ...]]

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
    masks: dict[tuple[Term, ...], Mask] = field(default_factory=dict)

    def under(
        self, allowed: Mask, where: Sequence[Term]
    ) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return the best *allowed* documents and the nearest picture's score of each.

        There are as many as the window holds, and those as good as the last of them.
        """
        if self.nearest is None:
            return np.empty(0, np.int64), np.empty(0)
        return self.nearest.best(
            self._inside(self.nearest, where),
            allowed,
            self.request.window,
            self.leg.at_least,
        )

    def led_by(self, slots: Sequence[int]) -> dict[int, Led]:
        """Return for each of *slots* the nearest picture that leads to it, if any."""
        if self.nearest is None:
            return {}
        found = {slot: self._nearest_of(self.nearest, slot) for slot in slots}
        best = {slot: at for slot, at in found.items() if at >= 0}
        if not best:
            return {}
        layout, at = self.nearest.layout, np.array(list(best.values()))
        ranges = Ranges(layout.start[at], layout.count[at])
        rows = self.nearest.sidecar.known.rows(ranges.rows())
        compared = interact(self.nearest.asked, rows, ranges.count)
        ids = self.view.snapshot.pictures.table.ids
        return {
            slot: (ids[int(layout.pictures[one])], compared.pairs(number))
            for number, (slot, one) in enumerate(best.items())
        }

    def _nearest_of(self, nearest: Nearest, slot: int) -> int:
        """Return which picture of the layout is nearest and leads to *slot*, or -1."""
        layout, scores = nearest.layout, nearest.scores
        low, high = np.searchsorted(layout.pair_document, (slot, slot + 1))
        at = layout.pair_at[low:high]
        at = at[self._inside(nearest, self.request.where)[at]]
        at = at[scores[at] >= self.leg.at_least]
        return int(at[np.argmax(scores[at])]) if len(at) else -1

    def _inside(self, nearest: Nearest, where: Sequence[Term]) -> Mask:
        """Return which pictures of the layout the asker may see and *where* keeps."""
        found = self.masks.get(tuple(where))
        if found is None:
            table = self.view.snapshot.pictures.table
            found = table.readable(self.request.audience)
            for term in where:
                found = found & table.fitting(term)
            found = found[nearest.layout.pictures]
            self.masks[tuple(where)] = found
        return found


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
