"""A request with pictures: the windows of its legs, fused by rank and counted."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds_search.backends.elastic.listed import SUGGESTED_FROM
from rounds_search.backends.elastic.pages import Page
from rounds_search.backends.elastic.words import BestFirst, Words, scored
from rounds_search.cursors import Cursor
from rounds_search.fusion import fuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rounds_search.backends.elastic.asked import Asked

    Top = list[tuple[float, str]]

__all__ = ["page"]


def page(asked: Asked) -> Page:
    """Return the page that is asked for; its counts are of the fused windows."""
    return _Fusing(asked).page()


@dataclass(frozen=True, slots=True)
class _Found:
    """Documents with their scores, and each leg's order of them."""

    scores: dict[str, float]
    legs: dict[str, list[str]]


class _Fusing:
    """One fusion on its way."""

    def __init__(self, asked: Asked) -> None:
        """Find out first how the words have to be asked."""
        self.asked = asked
        self.request = asked.request
        self.words: Words | None = None
        self.best = BestFirst()
        if asked.query:
            self.words, self.best = scored(asked.asking, asked.query, asked.filters())
        self.relaxed = bool(self.words and self.words.relaxed and self.best.total)

    def page(self) -> Page:
        """Return what is shown."""
        found = self._found()
        known = self._known(found)
        order = self._ordered(found, known)
        start = 0
        if self.asked.cursor is not None:
            cursor = self.asked.cursor
            start = bisect_right(order, (cursor.key, cursor.id))
        shown = order[start : start + self.request.size]
        more = bool(shown) and start + len(shown) < len(order)
        ids = [name for _, name in order]
        return Page(
            ids[start : start + self.request.size],
            len(order),
            {
                one.name: self._counts(one.name, found, known)[: one.size]
                for one in self.request.facets
            },
            Cursor(self.asked.sort, *shown[-1]) if more else None,
            found.scores,
            {
                leg: {name: at for at, name in enumerate(order_of, 1)}
                for leg, order_of in found.legs.items()
            },
            ids[:SUGGESTED_FROM] if self.request.prefix.strip() else [],
            self.relaxed,
        )

    def _found(self, without: str = "") -> _Found:
        """Return what the legs find under every filter but those on *without*."""
        legs = self._legs(without)
        if len(legs) == 1:
            ((name, _, top),) = legs
            return _Found(
                {one: -less for less, one in top}, {name: [one for _, one in top]}
            )
        numbers = {
            one: at
            for at, one in enumerate(
                sorted({one for _, _, top in legs for _, one in top})
            )
        }
        orders = [
            np.array([numbers[one] for _, one in top], np.int64) for _, _, top in legs
        ]
        found, scores = fuse(orders, [weight for _, weight, _ in legs])
        names = list(numbers)
        return _Found(
            {
                names[at]: score
                for at, score in zip(found, scores.tolist(), strict=True)
            },
            {name: [one for _, one in top] for name, _, top in legs},
        )

    def _legs(self, without: str) -> list[tuple[str, float, Top]]:
        window = self.request.window
        filters = self.asked.filters(without={without})
        where = [term for term in self.request.where if term.field != without]
        legs = [
            (one.leg.name, one.leg.weight, one.top(where, filters, window))
            for one in self.asked.legs
        ]
        if not self.asked.has_words:
            return legs
        best, head = self.best, self.asked.asking.head
        if self.words is not None and (without or window > head):
            best = self.words.best(self.asked.asking, filters, size=max(head, window))
        top = [(-s, name) for s, name in zip(best.scores, best.ids, strict=True)]
        return [("text", self.request.text_weight, top[:window]), *legs]

    def _known(self, found: _Found) -> dict[str, Mapping[str, Any]]:
        """Return the sort keys and facets of what was *found*, where needed."""
        if self.asked.sort == "relevance" and not self.request.facets:
            return {}
        return self._read(found.scores)

    def _read(self, ids: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        read = self.asked.asking.allowed(ids, self.asked.readable())
        return {one["id"]: one for one in read}

    def _ordered(
        self, found: _Found, known: Mapping[str, Mapping[str, Any]]
    ) -> list[tuple[Any, str]]:
        """Return sort keys and ids, in order."""
        if self.asked.sort == "relevance":
            return sorted((-score, name) for name, score in found.scores.items())
        key = self.asked.sort
        return sorted(
            (known[name][key], name) for name in found.scores if name in known
        )

    def _counts(
        self, name: str, found: _Found, known: Mapping[str, Mapping[str, Any]]
    ) -> tuple[tuple[str, int], ...]:
        if any(term.field == name for term in self.request.where):
            found = self._found(without=name)
            known = self._read(found.scores)
        counted = Counter(
            value
            for one in found.scores
            if one in known
            for value in known[one]["facets"].get(name, ())
        )
        return tuple(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
