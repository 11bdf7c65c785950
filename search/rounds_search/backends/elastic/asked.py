"""A request with what follows from it: its words, its filters, its place in a list."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rounds_search.backends.elastic.clauses import having, visible
from rounds_search.backends.elastic.pictures import PictureLeg
from rounds_search.backends.elastic.question import question
from rounds_search.cursors import Cursor, read_cursor
from rounds_search.errors import CursorError
from rounds_search.queries import words_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from rounds_search.backends.elastic.asking import Asking
    from rounds_search.requests import Request

    Query = dict[str, Any]

__all__ = ["Asked"]


class Asked:
    """One request of one generation."""

    def __init__(self, asking: Asking, request: Request) -> None:
        """Take down what is asked, and by whom.

        Raises
        ------
        CursorError
            The place to go on after belongs to another search.
        """
        self.asking = asking
        self.request = request
        self.query = words_of(request)
        self.has_words = bool(request.text.strip() or request.prefix.strip())
        ranked = bool(request.vectors) or self.has_words
        unranked = request.sort == "relevance" and not ranked
        self.sort = "newest" if unranked else request.sort
        self.cursor = self._cursor()

    def _cursor(self) -> Cursor | None:
        if self.request.after is None:
            return None
        cursor = read_cursor(self.request.after, self.sort)
        if isinstance(cursor.key, float) and not math.isfinite(cursor.key):
            raise CursorError
        return cursor

    @cached_property
    def legs(self) -> list[PictureLeg]:
        """The legs of the pictures."""
        return [
            PictureLeg(
                self.asking,
                leg,
                question(self.asking, self.request, leg),
                self.request.audience,
            )
            for leg in self.request.vectors
        ]

    def filters(self, *, without: Collection[str] = ()) -> list[Query]:
        """Return the filters for cases, but those on the facets *without*."""
        return [*self.readable(), *self.terms(without=without)]

    def terms(self, *, without: Collection[str] = ()) -> list[Query]:
        """Return the filters that the request names, but those *without*."""
        kept = [one for one in self.request.where if one.field not in without]
        return list(map(having, kept))

    def readable(self) -> list[Query]:
        """Return the filters for cases that the asker may see and did not exclude."""
        liked = {leg.like for leg in self.request.vectors if leg.like}
        excluded = sorted(self.request.exclude | liked)
        seen = visible(self.request.audience)
        if not excluded:
            return seen
        return [*seen, {"bool": {"must_not": {"terms": {"id": excluded}}}}]

    def loose(self) -> frozenset[str]:
        """Return the facets that are filtered, and counted without their own filter."""
        counted = {facet.name for facet in self.request.facets}
        return frozenset(t.field for t in self.request.where if t.field in counted)
