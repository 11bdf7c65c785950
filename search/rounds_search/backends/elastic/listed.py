"""A request without pictures: everything that its words and filters match, in order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from rounds_search.backends.elastic.pages import Page
from rounds_search.backends.elastic.words import BestFirst, Words, scored
from rounds_search.cursors import Cursor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_search.backends.elastic.asked import Asked

    Query = dict[str, Any]

__all__ = ["SUGGESTED_FROM", "page"]

SUGGESTED_FROM: Final = 60


def page(asked: Asked) -> Page:
    """Return the page that is asked for; its counts are of the whole index."""
    return _Listed(asked).page()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a list, the cursor behind it, and whether anything follows."""

    ids: list[str]
    scores: dict[str, float]
    last: Cursor | None
    more: bool

    @property
    def after(self) -> Cursor | None:
        return self.last if self.more else None


class _Listed:
    """One list on its way."""

    def __init__(self, asked: Asked) -> None:
        """Take down which filters hold for everything, and which not for counts."""
        self.asked = asked
        self.request = asked.request
        self.loose = asked.loose()
        self.tight = asked.filters(without=self.loose)

    def page(self) -> Page:
        """Return what is shown."""
        if not self.asked.has_words:
            return self._browsed()
        if not self.asked.query:
            names = [facet.name for facet in self.request.facets]
            return Page([], 0, dict.fromkeys(names, ()))
        words, best = scored(
            self.asked.asking, self.asked.query, self.tight, **self._counting()
        )
        by_words = self.asked.sort == "relevance"
        piece = self._ranked(words, best) if by_words else self._in_order(words)
        return Page(
            piece.ids,
            best.total,
            self._facets(best.counts),
            piece.after,
            piece.scores,
            {"text": {name: at for at, name in enumerate(best.ids, 1)}},
            self._first(words, best),
            words.relaxed and best.total > 0,
        )

    def _browsed(self) -> Page:
        told = self._sorted(self.tight, **self._counting())
        piece = self._piece(told)
        facets = self._facets(told.get("aggregations", {}))
        return Page(piece.ids, told["hits"]["total"]["value"], facets, piece.after)

    def _ranked(self, words: Words, best: BestFirst) -> _Piece:
        """Return the piece in the order of bm25, and what is behind its head."""
        cursor, edge = self.asked.cursor, best.edge
        keys = [(-s, name) for s, name in zip(best.scores, best.ids, strict=True)]
        start = 0
        if cursor is not None:
            start = bisect_right(keys, (cursor.key, cursor.id))
        if cursor is not None and float(cursor.key) > 0:
            edge = [cursor.key, cursor.id]
        ids = best.ids[start : start + self.request.size]
        last = Cursor("relevance", *keys[start + len(ids) - 1]) if ids else None
        more = edge is not None or start + len(ids) < len(keys)
        head = _Piece(
            ids, dict(zip(best.ids, best.scores, strict=True)), last, more and bool(ids)
        )
        lacking = self.request.size - len(ids)
        return self._behind(words, head, edge, lacking) if lacking and edge else head

    def _behind(self, words: Words, head: _Piece, edge: list[Any], size: int) -> _Piece:
        """Return *head* and what follows it in Elasticsearch's own order.

        Its scores are positive, and so are the keys of these cursors; in the head
        they are negative.
        """
        told = words.told(
            self.asked.asking, self.asked.filters(), size=size + 1, search_after=edge
        )
        hits = told["hits"]["hits"][:size]
        if not hits:
            return replace(head, more=False)
        scores = {h["_source"]["id"]: words.score(h["_source"]["words"]) for h in hits}
        score, name = hits[-1]["sort"]
        return _Piece(
            [*head.ids, *scores],
            head.scores | scores,
            Cursor("relevance", float(score), name),
            len(told["hits"]["hits"]) > size,
        )

    def _in_order(self, words: Words) -> _Piece:
        told = self._sorted([*self.asked.filters(), words.clause()])
        return self._piece(told, words)

    def _sorted(self, filters: list[Query], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - a search's parts
        """Return the page in the order of a date or of titles."""
        cursor, size = self.asked.cursor, self.request.size
        if cursor is not None and size:
            more["search_after"] = [cursor.key, cursor.id]
        return self.asked.asking.cases(
            query={"bool": {"filter": filters}},
            sort=[{self.asked.sort: "asc"}, {"id": "asc"}],
            size=size + 1 if size else 0,
            track_total_hits=True,
            _source=["id", "words"],
            **more,
        )

    def _piece(self, told: Mapping[str, Any], words: Words | None = None) -> _Piece:
        hits = told["hits"]["hits"]
        shown = hits[: self.request.size]
        if not shown:
            return _Piece([], {}, None, more=False)
        sources = [hit["_source"] for hit in shown]
        scores = {one["id"]: words.score(one["words"]) for one in sources if words}
        key, name = shown[-1]["sort"]
        kind = str if self.asked.sort == "title" else float
        last = Cursor(self.asked.sort, kind(key), name)
        return _Piece(
            [one["id"] for one in sources], scores, last, len(hits) > len(shown)
        )

    def _first(self, words: Words, best: BestFirst) -> list[str]:
        """Return the head of the list where a prefix wants to be completed."""
        if not self.request.prefix.strip():
            return []
        if self.asked.sort == "relevance":
            return best.ids[:SUGGESTED_FROM]
        told = self.asked.asking.cases(
            query={"bool": {"filter": [*self.asked.filters(), words.clause()]}},
            sort=[{self.asked.sort: "asc"}, {"id": "asc"}],
            size=SUGGESTED_FROM,
            _source=["id"],
        )
        return [hit["_source"]["id"] for hit in told["hits"]["hits"]]

    def _counting(self) -> Query:
        """Return the parts of a search that count facets without their own filters."""
        parts: Query = {}
        loose = [t for t in self.request.where if t.field in self.loose]
        kept = {t.field for t in self.request.where} - self.loose
        if loose:
            parts["post_filter"] = {"bool": {"filter": self.asked.terms(without=kept)}}
        if self.request.facets:
            parts["aggs"] = {
                facet.name: {
                    "filter": {
                        "bool": {
                            "filter": self.asked.terms(without={*kept, facet.name})
                        }
                    },
                    "aggs": {
                        "values": {
                            "terms": {
                                "field": f"facets.{facet.name}",
                                "size": facet.size,
                            }
                        }
                    },
                }
                for facet in self.request.facets
            }
        return parts

    def _facets(
        self, told: Mapping[str, Any]
    ) -> dict[str, tuple[tuple[str, int], ...]]:
        return {
            facet.name: tuple(
                (bucket["key"], bucket["doc_count"])
                for bucket in told[facet.name]["values"]["buckets"]
            )
            for facet in self.request.facets
        }
