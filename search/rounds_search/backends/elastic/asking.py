"""Ask one generation: the calls that a search makes, and what it takes from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rounds_search.backends.elastic.clauses import visible
from rounds_search.backends.elastic.reading import picture
from rounds_search.backends.elastic.schema import CASES, IMAGES
from rounds_search.backends.elastic.writing import key
from rounds_search.documents import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from elasticsearch import Elasticsearch

    from rounds_search.backends.elastic.state import State
    from rounds_search.documents import Document, ImageDocument

    Query = dict[str, Any]
    Found = list[dict[str, Any]]

__all__ = ["HEAD", "MOST", "Asking"]

# The most rows that Elasticsearch gives at once (index.max_result_window).
MOST: Final = 10_000
# So many of the best are put into the exact order of bm25; behind them it is
# Elasticsearch's.
HEAD: Final = 1_000
BY_ID: Final = {"id": "asc"}


@dataclass(frozen=True, slots=True)
class Asking:
    """A client, the generation that it asks, and how many are put in exact order."""

    client: Elasticsearch
    state: State
    head: int = HEAD

    def cases(self, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - a search's parts
        """Return the answer to a search of the cases."""
        return self._search(CASES, body)

    def images(self, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - a search's parts
        """Return the answer to a search of the images."""
        return self._search(IMAGES, body)

    def documents(
        self, ids: Sequence[str], audience: frozenset[str]
    ) -> dict[str, Document]:
        """Return those of *ids* that are there and that *audience* may see."""
        if not ids:
            return {}
        told = self.client.mget(
            index=self.state.names[CASES],
            ids=[key(one) for one in ids],
            source_includes=["body", "gone"],
        ).body["docs"]
        kept = [one["_source"] for one in told if one.get("found")]
        found = [unpacked(one["body"]) for one in kept if not one["gone"]]
        return {one.id: one for one in found if one.audience & audience}

    def allowed(self, ids: Iterable[str], filters: list[Query]) -> Found:
        """Return the cases among *ids* that pass *filters*, with their sort keys."""
        wanted = sorted(set(ids))
        found: Found = []
        for start in range(0, len(wanted), MOST):
            part = {"terms": {"id": wanted[start : start + MOST]}}
            told = self.cases(
                query={"bool": {"filter": [part, *filters]}},
                size=MOST,
                _source=["id", "title", "newest", "oldest", "facets"],
                sort=["_doc"],
            )
            found += [hit["_source"] for hit in told["hits"]["hits"]]
        return found

    def pictures(
        self, filters: list[Query], audience: frozenset[str], *, size: int
    ) -> list[ImageDocument]:
        """Return pictures that pass *filters* and that *audience* may see, by id."""
        told = self.images(
            query={"bool": {"filter": [*visible(audience), *filters]}},
            size=size,
            sort=[BY_ID],
            _source={"excludes": ["rows"]},
        )
        return [picture(hit["_source"]) for hit in told["hits"]["hits"]]

    def _search(self, part: str, body: Query) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.search(
            index=self.state.names[part], body=body
        ).body
        return answer
