"""What comes out of the index: hits, why each was found, and what became of a write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_search.documents import Document

__all__ = ["Answer", "Hit", "Pair", "WriteReport"]


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of a write: counts, and the ids that were too old.

    Examples
    --------
    >>> WriteReport(written=2, deleted=0, stale=("c3",)).stale
    ('c3',)
    """

    written: int
    deleted: int
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """A row asked with and the row of a found picture that is nearest to it.

    Both are counted from 0, in the order in which they were given. ``score`` is their
    cosine, less what their distance along the stack takes away.

    Examples
    --------
    >>> Pair(asked=0, row=17, score=0.93).row
    17
    """

    asked: int
    row: int
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One found document.

    ``score`` is bm25 for words alone, the cosine for one picture alone, the fused
    rank score for several legs, and 0 where nothing ranks. ``ranks`` gives the place
    in each leg, from 1. ``highlights`` are safe HTML with ``<mark>``. ``pictures``
    names the pictures that led here, by leg; ``pairs`` has, by leg, which of their
    rows are nearest to which of the rows asked with, the nearest first.
    """

    id: str
    score: float
    document: Document
    ranks: Mapping[str, int] = field(default_factory=dict)
    highlights: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[str, tuple[Pair, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found.

    ``total`` counts every document the words and filters match; with pictures in the
    request it counts the fused windows. ``facets`` are ``(value, count)`` pairs, the
    most frequent first. ``after`` continues the list and is None at its end.
    ``suggestions`` complete ``prefix``. ``expansions`` say which other words were
    searched too. ``relaxed`` is true when no document had all the words.
    ``corrections`` are whole queries that the asker may have meant, the likeliest
    first.
    """

    hits: tuple[Hit, ...]
    total: int
    facets: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    after: str | None = None
    suggestions: tuple[str, ...] = ()
    expansions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relaxed: bool = False
    corrections: tuple[str, ...] = ()
