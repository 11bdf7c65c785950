"""What pictures are near to: candidates of Elasticsearch, compared exactly.

While the vectors are few enough to be compared all (``flat``), Elasticsearch adds up
the best cosine of every row asked with; the order is exact, and where the place of the
slices counts, the candidates are compared again until none that is left could come
before. Above, a graph gives the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.backends.elastic.asking import MOST
from rounds_search.backends.elastic.clauses import fitting, visible
from rounds_search.backends.elastic.reading import picture
from rounds_search.backends.elastic.schema import VECTORS, field_of
from rounds_search.interaction import Interaction, Slices, interact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rounds_search.backends.elastic.asking import Asking
    from rounds_search.documents import ImageDocument, Pair
    from rounds_search.requests import Term, VectorQuery

    Query = dict[str, Any]

__all__ = ["PictureLeg", "compared"]

FIRST: Final = 400
# Where so few cases are left by the filters, only their pictures are compared.
FEW: Final = 2_000
# Elasticsearch adds up in float32.
ROUNDING: Final = 1e-5
SHOWN: Final = 2_000
BY_SCORE: Final = ({"_score": "desc"}, {"id": "asc"})


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A picture: a bound of its score, or its score, and the cases it leads to."""

    bound: float
    score: float
    case_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class PictureLeg:
    """One vector query on its way."""

    asking: Asking
    leg: VectorQuery
    asked: Slices | None
    audience: frozenset[str]

    def top(
        self, where: Sequence[Term], cases: list[Query], window: int
    ) -> list[tuple[float, str]]:
        """Return the *window* nearest documents that pass *cases*: less, and id.

        A document has the score of its nearest picture; the first number is its
        negative, so that the list is in ascending order, ids breaking ties.
        """
        if self.asked is None:
            return []
        few = self._few(where, cases)
        filters = self.filters(where)
        if few is not None:
            filters.append({"terms": {"case_ids": sorted(few)}})
        best: dict[str, float] = {}
        judged: dict[str, bool] = dict.fromkeys(few or (), True)
        for batch in self._batches(filters, window):
            self._judge(batch, cases, judged, closed=few is not None)
            _take(batch, judged, best)
            if self._is_full(best, window, batch):
                break
        found = [(-score, name) for name, score in best.items()]
        kept = [one for one in found if -one[0] >= self.leg.at_least]
        return sorted(kept)[:window]

    def filters(self, where: Sequence[Term]) -> list[Query]:
        """Return the filters for pictures that the asker may see and that fit."""
        of = {"term": {"encoder": self.leg.encoder}}
        return [*visible(self.audience), of, *map(fitting, where)]

    def led(
        self, ids: Sequence[str], where: Sequence[Term]
    ) -> dict[str, tuple[str, tuple[Pair, ...]]]:
        """Return which picture led to each of the documents *ids*, and its pairs."""
        if self.asked is None or not ids:
            return {}
        filters = [*self.filters(where), {"terms": {"case_ids": list(ids)}}]
        found = self.asking.pictures(filters, self.audience, size=SHOWN)
        near = compared(self.asked, found)
        order = np.argsort(-near.scores, kind="stable").tolist()
        led: dict[str, tuple[str, tuple[Pair, ...]]] = {}
        for at in order:
            if near.scores[at] >= self.leg.at_least:
                for name in found[at].case_ids:
                    led.setdefault(name, (found[at].id, near.pairs(at)))
        return led

    def _few(self, where: Sequence[Term], cases: list[Query]) -> set[str] | None:
        """Return the ids of the cases that pass, where a filter leaves only a few."""
        if not where:
            return None
        told = self.asking.cases(
            query={"bool": {"filter": cases}},
            size=FEW,
            track_total_hits=FEW + 1,
            _source=["id"],
            sort=["_doc"],
        )
        if told["hits"]["total"]["value"] > FEW:
            return None
        return {hit["_source"]["id"] for hit in told["hits"]["hits"]}

    def _judge(
        self,
        batch: Sequence[_Candidate],
        cases: list[Query],
        judged: dict[str, bool],
        *,
        closed: bool,
    ) -> None:
        """Find out which documents of *batch* may be shown; *closed*: all are known."""
        new = {name for one in batch for name in one.case_ids if name not in judged}
        judged.update(dict.fromkeys(new, False))
        if new and not closed:
            allowed = self.asking.allowed(new, cases)
            judged.update({one["id"]: True for one in allowed})

    def _is_full(
        self, best: Mapping[str, float], window: int, batch: Sequence[_Candidate]
    ) -> bool:
        """Return whether nothing behind *batch* could come into the window."""
        bound = batch[-1].bound if batch else -1.0
        if bound < self.leg.at_least - ROUNDING:
            return True
        if len(best) < window:
            return False
        last = float(np.partition(list(best.values()), -window)[-window])
        return bound < last - ROUNDING

    def _batches(self, filters: list[Query], window: int) -> Iterator[list[_Candidate]]:
        size = max(FIRST, 2 * window)
        if self.leg.encoder in self.asking.state.graphs:
            yield from self._from_graph(filters, size)
            return
        body: Query = {
            "query": self._all_compared(filters),
            "sort": list(BY_SCORE),
            "track_total_hits": False,
        }
        taken = 0
        while taken < MOST:
            told = self.asking.images(**body, size=size, _source=self._source())
            hits = told["hits"]["hits"]
            if hits:
                yield self._candidates(hits, exact=False)
            if len(hits) < size:
                return
            taken += len(hits)
            body["search_after"] = hits[-1]["sort"]

    def _from_graph(
        self, filters: list[Query], size: int
    ) -> Iterator[list[_Candidate]]:
        """Yield ever more of what the graph finds for each row."""
        wanted, seen = 2 * size, 0
        while True:
            told = self.asking.images(
                knn=[
                    self._knn(row, filters) | {"k": wanted, "num_candidates": wanted}
                    for row in self._rows()
                ],
                size=MOST,
                _source={"excludes": [VECTORS]},
            )
            hits = told["hits"]["hits"]
            if hits:
                found = self._candidates(hits, exact=True)
                yield sorted(found, key=lambda one: -one.score)
            if wanted >= MOST or len(hits) <= seen:
                return
            wanted, seen = min(MOST, 4 * wanted), len(hits)

    def _all_compared(self, filters: list[Query]) -> Query:
        """Return the query that adds up the best cosine of each row."""
        rows = [
            {
                "nested": {
                    "path": VECTORS,
                    "score_mode": "max",
                    "query": {"knn": self._knn(row, filters)},
                }
            }
            for row in self._rows()
        ]
        return {"bool": {"filter": filters, "should": rows, "minimum_should_match": 1}}

    def _knn(self, row: list[float], filters: list[Query]) -> Query:
        field = f"{VECTORS}.{field_of(self.leg.encoder)}"
        return {"field": field, "query_vector": row, "filter": filters}

    def _rows(self) -> list[list[float]]:
        return [] if self.asked is None else self.asked.vectors.tolist()

    def _source(self) -> list[str] | dict[str, list[str]]:
        if self.asked is not None and self.asked.positions is not None:
            return {"excludes": [VECTORS]}
        return ["case_ids"]

    def _candidates(
        self, hits: Sequence[Mapping[str, Any]], *, exact: bool
    ) -> list[_Candidate]:
        """Return the candidates of *hits*, compared again where need be."""
        if self.asked is None:
            return []
        count = len(self.asked.vectors)
        sources = [hit["_source"] for hit in hits]
        again = exact or self.asked.positions is not None
        if again:
            scores = compared(self.asked, [picture(one) for one in sources]).scores
        if exact:
            bounds = scores.tolist()
        else:
            # Elasticsearch's score of a cosine is (1 + cosine) / 2, as float32.
            bounds = [2 * hit["sort"][0] / count - 1 for hit in hits]
        known = scores.tolist() if again else bounds
        return [
            _Candidate(bound, score, source["case_ids"])
            for bound, score, source in zip(bounds, known, sources, strict=True)
        ]


def compared(asked: Slices, found: Sequence[ImageDocument]) -> Interaction:
    """Return how near each of *found* is to *asked*."""
    if not found:
        return interact(
            asked, Slices(np.empty((0, asked.vectors.shape[1]), np.float32)), _NONE
        )
    unknown = [np.full(len(one.vectors), np.nan, np.float32) for one in found]
    placed = [
        none if one.positions is None else one.positions
        for one, none in zip(found, unknown, strict=True)
    ]
    rows = Slices(
        np.concatenate([one.vectors for one in found]), np.concatenate(placed)
    )
    return interact(asked, rows, np.array([len(one.vectors) for one in found]))


_NONE: Final = np.empty(0, np.int64)


def _take(
    batch: Sequence[_Candidate], judged: Mapping[str, bool], best: dict[str, float]
) -> None:
    """Give every document that may be shown the score of its nearest picture."""
    for one in batch:
        for name in one.case_ids:
            if judged[name] and one.score > best.get(name, -np.inf):
                best[name] = one.score
