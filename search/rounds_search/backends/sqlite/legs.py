"""The legs of a search: what the words find, and what each picture is near to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rounds_search.backends.sqlite.vectors import Ranges, nearness
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
    from rounds_search.backends.sqlite.columns import Mask, Rows, Snapshot
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


@dataclass(frozen=True, slots=True)
class PictureLeg:
    """How near readable pictures are, and the documents they lead to."""

    view: View
    encoder: str
    asked: Slices | None
    scores: npt.NDArray[np.float64]
    at_least: float

    @property
    def snapshot(self) -> Snapshot:
        """The moment that the leg looks at."""
        return self.view.snapshot

    def under(
        self, allowed: Mask, where: Sequence[Term]
    ) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return the *allowed* documents and the score of the best picture of each."""
        pictures = self.snapshot.pictures
        inside = self.scores >= self.at_least
        for term in where:
            inside = inside & _fits(self.snapshot, term)
        kept = inside[pictures.pair_picture] & allowed[pictures.pair_document]
        best = np.full(self.snapshot.documents.size, -np.inf)
        led = pictures.pair_document[kept]
        np.maximum.at(best, led, self.scores[pictures.pair_picture[kept]])
        slots = np.flatnonzero(best > -np.inf)
        return slots, best[slots]

    def picture_of(self, slot: int) -> tuple[str, tuple[Pair, ...]] | None:
        """Return the id of the nearest picture that leads to *slot*, and its pairs."""
        pictures = self.snapshot.pictures
        rows = pictures.pair_picture[pictures.pair_document == slot]
        rows = rows[self.scores[rows] >= self.at_least]
        if not len(rows) or self.asked is None:
            return None
        nearest = int(rows[np.argmax(self.scores[rows])])
        first, count = int(pictures.start[nearest]), int(pictures.count[nearest])
        own = self.view.slices(self.encoder).part(first, first + count)
        pairs = interact(self.asked, own, np.array([count])).pairs(0)
        return pictures.table.ids[nearest], pairs


def picture_legs(
    view: View, request: Request, where: Sequence[Term]
) -> list[PictureLeg]:
    """Return a leg for each vector query, over pictures that fit *where*."""
    pictures = view.snapshot.pictures
    readable = pictures.table.readable(request.audience)
    for term in where:
        readable = readable & _fits(view.snapshot, term)
    return [_picture_leg(view, request, leg, readable) for leg in request.vectors]


def _picture_leg(
    view: View, request: Request, leg: VectorQuery, readable: Mask
) -> PictureLeg:
    pictures = view.snapshot.pictures
    scores = np.full(pictures.table.size, -np.inf)
    asked = _question(view, request, leg)
    if asked is not None:
        rows = np.flatnonzero(readable & pictures.of(leg.encoder))
        rows = rows[np.argsort(pictures.start[rows], kind="stable")]
        ranges = Ranges(pictures.start[rows], pictures.count[rows])
        scores[rows] = nearness(view.slices(leg.encoder), ranges, asked)
    return PictureLeg(view, leg.encoder, asked, scores, leg.at_least)


def _question(view: View, request: Request, leg: VectorQuery) -> Slices | None:
    """Return the rows *leg* asks with, or None where there are none to compare."""
    known = view.snapshot.dimensions
    if leg.encoder not in known:
        built_in = {encoder.name: encoder.dimension for encoder in ENCODERS.values()}
        if leg.encoder not in built_in:
            raise UnknownEncoderError(leg.encoder, {*known, *built_in})
        wanted = built_in[leg.encoder]
    else:
        wanted = known[leg.encoder][0]
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
    return view.slices(leg.encoder).rows(own[spread.astype(np.int64)])


def _fits(snapshot: Snapshot, term: Term) -> Mask:
    """Return which pictures have *term*, or leave it to the document."""
    table = snapshot.pictures.table
    column = table.columns[term.field]
    return column.having(term.values, table.size) | column.lacking(table.size)
