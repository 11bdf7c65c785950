"""What a picture leg asks with: its own rows, or those of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_search.backends.elastic.clauses import visible
from rounds_search.encoders import ENCODERS
from rounds_search.errors import (
    DimensionError,
    UnknownDocumentError,
    UnknownEncoderError,
)
from rounds_search.interaction import Slices

if TYPE_CHECKING:
    from rounds_search.backends.elastic.asking import Asking
    from rounds_search.requests import Request, VectorQuery

__all__ = ["question"]

MOST_LIKE: Final = 16
OWN_PICTURES: Final = 1_000


def question(asking: Asking, request: Request, leg: VectorQuery) -> Slices | None:
    """Return the rows that *leg* asks with, or None where there are none to compare.

    Raises
    ------
    UnknownEncoderError
        No picture of that encoder is there, and Rounds brings none of that name.
    DimensionError
        A vector has another length than the encoder makes.
    UnknownDocumentError
        The asker can see no case of the name that is to be like.
    """
    known = asking.state.dimensions
    built_in = {encoder.name: encoder.dimension for encoder in ENCODERS.values()}
    wanted = known.get(leg.encoder) or built_in.get(leg.encoder)
    if wanted is None:
        raise UnknownEncoderError(leg.encoder, {*known, *built_in})
    if leg.vector is None:
        return _like(asking, request, leg)
    if leg.vector.shape[1] != wanted:
        raise DimensionError(leg.encoder, leg.vector.shape[1], wanted)
    return Slices(leg.vector, leg.positions) if leg.encoder in known else None


def _like(asking: Asking, request: Request, leg: VectorQuery) -> Slices | None:
    """Return rows of a case's own pictures that the asker may see."""
    this = {"term": {"id": leg.like}}
    told = asking.cases(
        query={"bool": {"filter": [*visible(request.audience), this]}}, size=0
    )
    if not told["hits"]["total"]["value"]:
        raise UnknownDocumentError(leg.like)
    if leg.encoder not in asking.state.dimensions:
        return None
    own = asking.pictures(
        [{"term": {"encoder": leg.encoder}}, {"term": {"case_ids": leg.like}}],
        request.audience,
        size=OWN_PICTURES,
    )
    if not own:
        return None
    unknown = [np.full(len(one.vectors), np.nan, np.float32) for one in own]
    placed = [
        none if one.positions is None else one.positions
        for one, none in zip(own, unknown, strict=True)
    ]
    rows = Slices(np.concatenate([one.vectors for one in own]), np.concatenate(placed))
    count = len(rows.vectors)
    spread = np.linspace(0, count - 1, min(MOST_LIKE, count)).round()
    return rows.rows(spread.astype(np.int64))
