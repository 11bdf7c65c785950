"""The order of writes and deletes, and the rebuild."""
# ruff: noqa: D102, PLR2004, S101 - tests: their names are their documentation

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_search.documents import Delete, Document
from rounds_search.errors import DimensionError
from rounds_search.requests import VectorQuery
from rounds_search.testing.library import ENCODER, ask, axis, case, found, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_search.backends.base import Backend

__all__ = ["VersionsContract"]


class VersionsContract:
    """That the newest revision wins, in whatever order writes arrive."""

    def test_a_newer_revision_replaces(self, index: Backend) -> None:
        index.write([case("c", "old words")])
        index.write([case("c", "new words", revision=2)])
        assert found(index, ask("old")) == []
        assert found(index, ask("new")) == ["c"]

    def test_an_older_revision_is_left_out_and_named(self, index: Backend) -> None:
        index.write([case("c", "new words", revision=2)])
        report = index.write([case("c", "old words", revision=1)])
        assert (report.written, report.stale) == (0, ("c",))
        assert found(index, ask("new")) == ["c"]

    def test_the_same_revision_may_come_twice(self, index: Backend) -> None:
        index.write([case("c", "words")])
        assert index.write([case("c", "words")]).stale == ()
        assert index.search(ask("words")).total == 1

    def test_the_newest_of_one_write_stays(self, index: Backend) -> None:
        index.write([case("c", "new", revision=3), case("c", "old", revision=2)])
        assert found(index, ask("new")) == ["c"]

    def test_a_delete_takes_out(self, index: Backend) -> None:
        index.write([case("c", "words")])
        assert index.write(deletes=[Delete("c", revision=2)]).deleted == 1
        assert index.search(ask()).total == 0
        assert found(index, ask("words")) == []

    def test_a_late_write_does_not_undo_a_delete(self, index: Backend) -> None:
        index.write(deletes=[Delete("c", revision=2)])
        assert index.write([case("c", revision=2)]).stale == ("c",)
        assert index.search(ask()).total == 0

    def test_a_late_delete_does_not_undo_a_write(self, index: Backend) -> None:
        index.write([case("c", revision=3)])
        assert index.write(deletes=[Delete("c", revision=2)]).stale == ("c",)
        assert found(index, ask()) == ["c"]

    def test_a_deleted_document_may_come_back(self, index: Backend) -> None:
        index.write([case("c", "words")])
        index.write(deletes=[Delete("c", revision=2)])
        index.write([case("c", "words", revision=3)])
        assert found(index, ask("words")) == ["c"]

    def test_a_changed_audience_is_seen_at_once(self, index: Backend) -> None:
        index.write([case("c")])
        assert found(index, ask()) == ["c"]
        index.write([case("c", revision=2, audience=frozenset({"role:admin"}))])
        assert found(index, ask()) == []

    def test_pictures_keep_the_order_too(self, index: Backend) -> None:
        index.write([case("c"), pictures("c", axis(0), revision=2)])
        report = index.write([pictures("c", axis(1))])
        assert report.stale == (f"series-of-c:{ENCODER}",)
        hit = index.search(ask(vectors=(VectorQuery(ENCODER, axis(0)),))).hits[0]
        assert hit.score == pytest.approx(1.0)

    def test_deleted_pictures_lead_nowhere(self, index: Backend) -> None:
        index.write([case("c"), pictures("c", axis(0))])
        gone = Delete(f"series-of-c:{ENCODER}", revision=2, pictures=True)
        index.write(deletes=[gone])
        assert found(index, ask(vectors=(VectorQuery(ENCODER, axis(0)),))) == []
        assert index.write([pictures("c", axis(0))]).stale

    def test_pictures_may_come_before_their_case(self, index: Backend) -> None:
        index.write([pictures("c", axis(0))])
        leg = (VectorQuery(ENCODER, axis(0)),)
        assert found(index, ask(vectors=leg)) == []
        index.write([case("c")])
        assert found(index, ask(vectors=leg)) == ["c"]

    def test_a_failed_write_changes_nothing(self, index: Backend) -> None:
        index.write([case("a"), pictures("a", axis(0))])
        bad = pictures("b", axis(0, size=4))
        with pytest.raises(DimensionError, match="3 numbers, got one of 4"):
            index.write([case("b"), bad])
        assert found(index, ask()) == ["a"]

    def test_a_rebuild_keeps_only_what_it_is_given(self, index: Backend) -> None:
        index.write([case("old"), case("both", "first words")])
        index.rebuild([case("both", "second words"), case("new")])
        assert set(found(index, ask())) == {"both", "new"}
        assert found(index, ask("second")) == ["both"]

    def test_a_rebuild_keeps_deletions(self, index: Backend) -> None:
        index.write([case("c"), pictures("c", axis(0))])
        index.write(
            deletes=[
                Delete("c", revision=5),
                Delete(f"series-of-c:{ENCODER}", revision=5, pictures=True),
            ]
        )
        index.rebuild([case("c", revision=4)])
        assert index.write([pictures("c", axis(0), revision=4)]).stale
        assert index.search(ask()).total == 0

    def test_pictures_of_a_case_deleted_before_a_rebuild(self, index: Backend) -> None:
        index.write(deletes=[Delete("c", revision=1)])
        index.rebuild([])
        index.write([pictures("c", axis(0))])
        assert found(index, ask(vectors=(VectorQuery(ENCODER, axis(0)),))) == []

    def test_a_failed_rebuild_keeps_the_old_index(self, index: Backend) -> None:
        def broken() -> Iterator[Document]:
            yield case("new")
            msg = "the catalogue went away"
            raise ConnectionError(msg)

        index.write([case("old")])
        with pytest.raises(ConnectionError, match="the catalogue went away"):
            index.rebuild(broken())
        assert found(index, ask()) == ["old"]

    def test_searches_go_on_during_a_rebuild(self, index: Backend) -> None:
        seen = []

        def watching() -> Iterator[Document]:
            for at in range(3):
                seen.append(found(index, ask()))
                yield case(f"new{at}")

        index.write([case("old")])
        index.rebuild(watching())
        assert seen == [["old"]] * 3
        assert index.search(ask()).total == 3

    def test_a_write_after_a_rebuild_goes_on(self, index: Backend) -> None:
        index.rebuild([case("a"), pictures("a", axis(0))])
        index.write([case("b"), pictures("b", axis(1))])
        leg = (VectorQuery(ENCODER, axis(1)),)
        assert found(index, ask(vectors=leg)) == ["b", "a"]

    def test_health_counts(self, index: Backend) -> None:
        index.write([case("a"), case("b"), pictures("a", [axis(0), axis(1)])])
        health = index.health()
        assert health["ok"]
        assert (health["documents"], health["pictures"]) == (2, 1)

    def test_ensuring_twice_loses_nothing(self, index: Backend) -> None:
        index.write([case("a")])
        index.ensure()
        assert found(index, ask()) == ["a"]
