"""What the words of a request find: Elasticsearch's candidates, in bm25's order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rounds_search.backends.elastic.clauses import phrase, words
from rounds_search.backends.elastic.relevance import Statistics, phrases, score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_search.backends.elastic.asking import Asking
    from rounds_search.queries import TextQuery

    Query = dict[str, Any]

__all__ = ["BestFirst", "Words", "scored"]

BY_SCORE: Final = ({"_score": "desc"}, {"id": "asc"})


@dataclass(frozen=True, slots=True)
class BestFirst:
    """The best documents that the words match, and how many match in all.

    ``edge`` is where Elasticsearch's own order goes on behind them, None at its end.
    """

    ids: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    total: int = 0
    edge: list[Any] | None = None
    counts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Words:
    """A question of words as it is asked, all of them needed or any of them."""

    query: TextQuery
    relaxed: bool
    known: Statistics

    def clause(self) -> Query:
        """Return the scored clause."""
        return words(self.query, self.known.boost, relaxed=self.relaxed)

    def score(self, tokens: Mapping[str, str]) -> float:
        """Return the bm25 of a document with *tokens*."""
        return score(phrases(self.query, relaxed=self.relaxed), tokens, self.known)

    def best(self, asking: Asking, filters: list[Query], *, size: int) -> BestFirst:
        """Return the best documents under *filters*."""
        return self.ordered(self.told(asking, filters, size=size))

    def told(self, asking: Asking, filters: list[Query], **more: Any) -> Query:  # noqa: ANN401 - parts
        """Return what Elasticsearch answers, in its own order."""
        return asking.cases(**self.body(filters, **more))

    def body(self, filters: list[Query], **more: Any) -> Query:  # noqa: ANN401 - parts
        """Return the search for documents under *filters*."""
        return {
            "query": {"bool": {"filter": filters, "must": [self.clause()]}},
            "sort": list(BY_SCORE),
            "track_total_hits": True,
            "_source": ["id", "words"],
            **more,
        }

    def ordered(self, told: Mapping[str, Any]) -> BestFirst:
        """Return the hits of an answer in the order of bm25."""
        hits, total = told["hits"]["hits"], told["hits"]["total"]["value"]
        sources = [hit["_source"] for hit in hits]
        found = sorted((-self.score(one["words"]), one["id"]) for one in sources)
        return BestFirst(
            [name for _, name in found],
            [-less for less, _ in found],
            total,
            hits[-1]["sort"] if 0 < len(hits) < total else None,
            told.get("aggregations", {}),
        )


def scored(
    asking: Asking,
    query: TextQuery,
    filters: list[Query],
    **more: Any,  # noqa: ANN401 - parts
) -> tuple[Words, BestFirst]:
    """Return *query* as it has to be asked, and the best that it finds.

    All the words must match; where that finds nothing, any of them will do.
    """
    strict = _scored(asking, query, filters, more, relaxed=False)
    if strict[1].total:
        return strict
    return _scored(asking, query, filters, more, relaxed=True)


def _scored(
    asking: Asking,
    query: TextQuery,
    filters: list[Query],
    more: Query,
    *,
    relaxed: bool,
) -> tuple[Words, BestFirst]:
    counted = asking.cases(**_counting(query, relaxed=relaxed))
    words = Words(query, relaxed, _statistics(query, counted, relaxed=relaxed))
    return words, words.ordered(words.told(asking, filters, size=asking.head, **more))


def _counting(query: TextQuery, *, relaxed: bool) -> Query:
    """Return the search that counts what bm25 needs of the whole index."""
    every = _every(query, relaxed=relaxed)
    having = {str(at): phrase(*one) for at, one in enumerate(every)}
    return {
        "size": 0,
        "track_total_hits": True,
        "query": {"term": {"gone": False}},
        "aggs": {
            "length": {"sum": {"field": "length"}},
            "having": {"filters": {"filters": having}},
        },
    }


def _statistics(
    query: TextQuery, told: Mapping[str, Any], *, relaxed: bool
) -> Statistics:
    documents = told["hits"]["total"]["value"]
    counted = told["aggregations"]
    buckets = counted["having"]["buckets"]
    every = _every(query, relaxed=relaxed)
    return Statistics(
        documents,
        counted["length"]["value"] / max(documents, 1),
        {one: buckets[str(at)]["doc_count"] for at, one in enumerate(every)},
    )


def _every(query: TextQuery, *, relaxed: bool) -> list[tuple[str, tuple[str, ...]]]:
    alternatives = phrases(query, relaxed=relaxed)
    return list(dict.fromkeys(one for needed in alternatives for one in needed))
