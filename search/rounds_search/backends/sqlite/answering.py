"""Answer a request from one moment of a generation.

Permission comes first: every leg, count, suggestion and neighbour is taken from the
documents and pictures that the asker may see, and from no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds_search.backends.sqlite.legs import picture_legs, text_leg
from rounds_search.cursors import Cursor, read_cursor, write_cursor
from rounds_search.documents import Answer, Hit, unpacked
from rounds_search.fusion import fuse
from rounds_search.highlights import highlights
from rounds_search.queries import words_of
from rounds_search.suggestions import suggestions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from rounds_search.backends.sqlite.columns import Mask, Rows, Snapshot
    from rounds_search.backends.sqlite.legs import Led, PictureLeg, TextLeg
    from rounds_search.backends.sqlite.scanning import Sidecar
    from rounds_search.documents import Document
    from rounds_search.requests import Request

__all__ = ["View", "answer"]

SUGGESTED_FROM = 60


@dataclass(frozen=True, slots=True)
class View:
    """One moment: a connection inside a read transaction, and what goes with it."""

    connection: sqlite3.Connection
    snapshot: Snapshot
    sidecar: Callable[[str], Sidecar]

    def documents(self, slots: Sequence[int]) -> list[Document]:
        """Return the documents at *slots*, in that order."""
        marks = ", ".join("?" * len(slots))
        found = dict(
            self.connection.execute(
                f"SELECT slot, body FROM documents WHERE slot IN ({marks})",  # noqa: S608 - marks
                list(slots),
            )
        )
        return [unpacked(found[slot]) for slot in slots]


@dataclass(frozen=True, slots=True)
class Found:
    """Slots with their scores, and each leg's order among them."""

    slots: Rows
    scores: npt.NDArray[np.float64]
    legs: dict[str, Rows]


def answer(view: View, request: Request) -> Answer:
    """Return what *request* finds in *view*."""
    return _Search(view, request).answer()


class _Search:
    """One request on its way: masks, legs, then hits and counts."""

    def __init__(self, view: View, request: Request) -> None:
        """Take down who may see what, and run each leg once."""
        self.view = view
        self.request = request
        self.table = view.snapshot.documents
        self.readable = self._readable()
        self.terms = [(term.field, self.table.having(term)) for term in request.where]
        self.query = words_of(request)
        self.relaxed = False

    def _readable(self) -> Mask:
        readable = self.table.readable(self.request.audience)
        left_out = self.request.exclude | {
            leg.like for leg in self.request.vectors if leg.like
        }
        slots = [self.table.find(name) for name in left_out]
        shown = readable.copy()
        shown[[slot for slot in slots if slot is not None]] = False
        return shown

    def allowed(self, without: str = "") -> Mask:
        """Return what may be shown under every filter but those on *without*."""
        mask = self.readable
        for name, having in self.terms:
            if name != without:
                mask = mask & having
        return mask

    @cached_property
    def text(self) -> TextLeg | None:
        """The leg of the words, or None where the request has none."""
        if not (self.request.text.strip() or self.request.prefix.strip()):
            return None
        leg, self.relaxed = text_leg(self.view, self.query, self.allowed())
        return leg

    @cached_property
    def pictures(self) -> list[PictureLeg]:
        """The legs of the pictures."""
        return picture_legs(self.view, self.request)

    def found(self, without: str = "") -> Found:
        """Return the documents found under every filter but those on *without*."""
        allowed = self.allowed(without)
        text = self.text
        if not self.request.vectors:
            return self._by_words(text, allowed)
        where = [term for term in self.request.where if term.field != without]
        legs = [leg.under(allowed, where) for leg in self.pictures]
        names = [leg.name for leg in self.request.vectors]
        weights = [leg.weight for leg in self.request.vectors]
        if text is not None:
            legs, names = [text.under(allowed), *legs], ["text", *names]
            weights = [self.request.text_weight, *weights]
        tops = [self._top(slots, scores) for slots, scores in legs]
        if len(tops) == 1:
            slots, scores = legs[0]
            inside = np.isin(slots, tops[0])
            return Found(slots[inside], scores[inside], {names[0]: tops[0]})
        slots, scores = fuse(tops, weights)
        return Found(slots, scores, dict(zip(names, tops, strict=True)))

    def _by_words(self, text: TextLeg | None, allowed: Mask) -> Found:
        if text is None:
            slots = np.flatnonzero(allowed)
            return Found(slots, np.zeros(len(slots)), {})
        slots, scores = text.under(allowed)
        order = self._relevance(slots, scores)
        return Found(slots, scores, {"text": slots[order]})

    def _relevance(self, slots: Rows, scores: npt.NDArray[np.float64]) -> Rows:
        return np.lexsort((self.view.snapshot.by_id()[slots], -scores))

    def _top(self, slots: Rows, scores: npt.NDArray[np.float64]) -> Rows:
        """Return the best *slots* of a leg, as many as the window holds."""
        window = self.request.window
        if len(slots) > 4 * window:
            edge = np.partition(scores, -window)[-window]
            slots, scores = slots[scores >= edge], scores[scores >= edge]
        return slots[self._relevance(slots, scores)][:window]

    def answer(self) -> Answer:
        """Return the page, its counts and what goes with them."""
        found = self.found()
        ordered = _Ordered.of(self.view.snapshot, found, self._sort())
        page = ordered.page(self.request)
        facets = {
            facet.name: tuple(self._counts(facet.name, found)[: facet.size])
            for facet in self.request.facets
        }
        return Answer(
            hits=self._hits(page, found),
            total=len(found.slots),
            facets=facets,
            after=ordered.after(page, self.request),
            suggestions=self._suggestions(ordered),
            expansions=self.query.expansions(),
            relaxed=self.relaxed,
        )

    def _sort(self) -> str:
        ranked = bool(self.request.vectors) or self.text is not None
        if self.request.sort == "relevance" and not ranked:
            return "newest"
        return self.request.sort

    def _counts(self, name: str, found: Found) -> list[tuple[str, int]]:
        if any(field == name for field, _ in self.terms):
            found = self.found(without=name)
        return self.table.columns[name].counts_of(found.slots)

    def _hits(self, page: Rows, found: Found) -> tuple[Hit, ...]:
        slots = page.tolist()
        scores = dict(_among(page, found.slots, found.scores))
        ranks = {
            name: dict(_among(page, order, np.arange(1, len(order) + 1)))
            for name, order in found.legs.items()
        }
        led_by = self._led_by(slots)
        return tuple(
            Hit(
                id=document.id,
                score=scores[slot],
                document=document,
                ranks={name: at[slot] for name, at in ranks.items() if slot in at},
                highlights=self._highlights(document),
                pictures={
                    leg: led[slot][0] for leg, led in led_by.items() if slot in led
                },
                pairs={leg: led[slot][1] for leg, led in led_by.items() if slot in led},
            )
            for slot, document in zip(slots, self.view.documents(slots), strict=True)
        )

    def _highlights(self, document: Document) -> dict[str, str]:
        if not (self.request.highlight and self.query):
            return {}
        marked = self.query.marked(relaxed=self.relaxed)
        return highlights(document.fields(), marked, self.query.begun())

    def _led_by(self, slots: Sequence[int]) -> dict[str, dict[int, Led]]:
        if not self.request.vectors:
            return {}
        legs = zip(self.request.vectors, self.pictures, strict=True)
        return {query.name: leg.led_by(slots) for query, leg in legs}

    def _suggestions(self, ordered: _Ordered) -> tuple[str, ...]:
        if not self.request.prefix.strip():
            return ()
        first = self.view.documents(ordered.slots[:SUGGESTED_FROM].tolist())
        return suggestions(self.request.prefix, [document.title for document in first])


def _among(
    page: Rows, slots: Rows, values: npt.NDArray[Any]
) -> Iterator[tuple[int, Any]]:
    """Yield those of *slots* that are on *page*, with their *values*."""
    at = np.flatnonzero(np.isin(slots, page))
    return zip(slots[at].tolist(), values[at].tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class _Ordered:
    """Found slots in the order of *sort*, with the key each was ordered by."""

    sort: str
    slots: Rows
    keys: list[Any]
    ids: list[str]

    @classmethod
    def of(cls, snapshot: Snapshot, found: Found, sort: str) -> _Ordered:
        """Order *found*; ids break ties, so that the order is one and the same."""
        slots, places = found.slots, snapshot.by_id()[found.slots]
        if sort == "title":
            titles = [snapshot.titles[slot] for slot in slots.tolist()]
            order = np.array(
                sorted(range(len(slots)), key=lambda at: (titles[at], places[at])),
                np.int64,
            )
            return cls._taken(
                snapshot, sort, slots[order], [titles[at] for at in order]
            )
        keys = _numbers(snapshot, found, sort)
        order = np.lexsort((places, keys))
        return cls._taken(snapshot, sort, slots[order], keys[order].tolist())

    @classmethod
    def _taken(
        cls, snapshot: Snapshot, sort: str, slots: Rows, keys: list[Any]
    ) -> _Ordered:
        return cls(sort, slots, keys, snapshot.documents.ids)

    def page(self, request: Request) -> Rows:
        """Return the slots of the page that *request* asks for."""
        first = 0
        if request.after is not None:
            cursor = read_cursor(request.after, self.sort)
            first = self._first_after(cursor)
        return self.slots[first : first + request.size]

    def _first_after(self, cursor: Cursor) -> int:
        wanted = (cursor.key, cursor.id)
        low, high = 0, len(self.slots)
        while low < high:
            middle = (low + high) // 2
            if (self.keys[middle], self.ids[self.slots[middle]]) <= wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def after(self, page: Rows, request: Request) -> str | None:
        """Return the cursor behind *page*, or None where nothing follows."""
        if not len(page) or page[-1] == self.slots[-1] or not request.size:
            return None
        at = int(np.flatnonzero(self.slots == page[-1])[0])
        return write_cursor(Cursor(self.sort, self.keys[at], self.ids[int(page[-1])]))


def _numbers(snapshot: Snapshot, found: Found, sort: str) -> npt.NDArray[np.float64]:
    """Return ascending sort keys; what has no date comes last either way."""
    if sort == "relevance":
        return -found.scores
    dates = snapshot.dates[found.slots]
    if sort == "newest":
        return -dates
    return np.where(np.isneginf(dates), np.inf, dates)
