"""Order and pages."""
# ruff: noqa: D102, S101 - tests: their names are their documentation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rounds_search.errors import CursorError
from rounds_search.requests import VectorQuery
from rounds_search.testing.library import ENCODER, ask, axis, case, pictures

if TYPE_CHECKING:
    from rounds_search.backends.base import Backend

__all__ = ["PagingContract"]

DATES = ("2026-01-02", "", "2026-01-03", "2026-01-02T10:00:00+08:00", "2025-12-31")
TITLES = ("delta brain", "Alpha brain", "charlie brain", "bravo brain", "alpha brain")
LIBRARY = tuple(
    case(f"c{at}", title, date=date)
    for at, (title, date) in enumerate(zip(TITLES, DATES, strict=True))
)


def walked(index: Backend, **wanted: Any) -> list[str]:  # noqa: ANN401 - any field
    """Return the ids on all pages of two, one page after the other."""
    ids: list[str] = []
    after = None
    for _ in range(30):
        answer = index.search(ask(after=after, size=2, **wanted))
        ids += [hit.id for hit in answer.hits]
        after = answer.after
        if after is None:
            return ids
    msg = f"The pages do not end: {ids}."
    raise AssertionError(msg)


class PagingContract:
    """In which order hits come, and that pages neither repeat nor leave out."""

    @pytest.mark.parametrize(
        ("sort", "ids"),
        [
            pytest.param("newest", ["c2", "c3", "c0", "c4", "c1"], id="newest"),
            pytest.param("oldest", ["c4", "c0", "c3", "c2", "c1"], id="oldest"),
            pytest.param("title", ["c1", "c4", "c3", "c2", "c0"], id="title"),
            pytest.param("relevance", ["c2", "c3", "c0", "c4", "c1"], id="no words"),
        ],
    )
    def test_pages_walk_an_order(
        self, index: Backend, sort: str, ids: list[str]
    ) -> None:
        # 10:00 at +08:00 is two in the morning, after midnight of that day.
        index.write(LIBRARY)
        assert walked(index, sort=sort) == ids

    def test_pages_walk_relevance_with_ties_by_id(self, index: Backend) -> None:
        index.write(LIBRARY)
        ids = walked(index, text="brain")
        assert sorted(ids) == ["c0", "c1", "c2", "c3", "c4"]
        assert ids == [hit.id for hit in index.search(ask("brain")).hits]

    def test_pages_walk_a_fusion(self, index: Backend) -> None:
        index.write(LIBRARY)
        index.write(pictures(one.id, axis(at % 3)) for at, one in enumerate(LIBRARY))
        legs = (VectorQuery(ENCODER, axis(1)),)
        ids = walked(index, text="alpha", vectors=legs)
        assert sorted(ids) == ["c0", "c1", "c2", "c3", "c4"]
        assert ids[:2] == ["c1", "c4"]

    def test_a_write_between_pages_moves_nothing_seen(self, index: Backend) -> None:
        index.write(LIBRARY)
        first = index.search(ask(sort="newest", size=2))
        index.write([case("new", date="2026-02-01")])
        second = index.search(ask(sort="newest", size=2, after=first.after))
        assert [hit.id for hit in second.hits] == ["c0", "c4"]

    def test_the_last_hit_may_go_between_pages(self, index: Backend) -> None:
        index.write(LIBRARY)
        first = index.search(ask(sort="title", size=2))
        index.write([case("c4", "alpha brain", revision=2, audience=frozenset())])
        second = index.search(ask(sort="title", size=2, after=first.after))
        assert [hit.id for hit in second.hits] == ["c3", "c2"]

    def test_no_hits_may_be_asked_for(self, index: Backend) -> None:
        index.write(LIBRARY)
        answer = index.search(ask("brain", size=0))
        assert (answer.hits, answer.total, answer.after) == ((), 5, None)

    def test_a_cursor_of_another_order_is_refused(self, index: Backend) -> None:
        index.write(LIBRARY)
        first = index.search(ask(sort="title", size=2))
        with pytest.raises(CursorError, match="Start again"):
            index.search(ask(sort="newest", after=first.after))

    @pytest.mark.parametrize("after", ["", "!", "AAAA", "W10", "WzEsMiwzXQ", "é" * 9])
    def test_a_forged_cursor_is_refused(self, index: Backend, after: str) -> None:
        index.write(LIBRARY)
        with pytest.raises(CursorError):
            index.search(ask(after=after))
