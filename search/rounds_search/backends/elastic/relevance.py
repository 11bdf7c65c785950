"""The bm25 of SQLite's FTS5, computed for documents that Elasticsearch found.

FTS5 and ``combined_fields`` mean the same by bm25 and differ in its parts, so that
their orders differ where scores are close:

=====================  ================================  ==============================
part                   FTS5                              ``combined_fields``
=====================  ================================  ==============================
rarity                 rows with the phrase in any       the rarest field's count;
                       column; ``log((N-n+.5)/(n+.5))``  ``log(1 + (N-n+.5)/(n+.5))``
length                 all tokens, exact                 weighted, in 8 bits a field
phrases                counted as one word               not at all
=====================  ================================  ==============================

So ``combined_fields`` chooses the candidates, the best by its own score, and this
orders them. What is counted over the whole index (``Statistics``) comes with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rounds_search.fields import FIELDS, PLAIN_FIELDS, STEM_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_search.queries import Alternative, TextQuery

__all__ = ["Phrase", "Statistics", "phrases", "score"]

# The constants of FTS5 (SQLite documentation, "FTS5 Extension", 5.1.1).
K1: Final = 1.2
B: Final = 0.75
LEAST: Final = 1e-6
FORMS: Final = {"forms": FIELDS["forms"]}
COLUMNS: Final = {"phrase": PLAIN_FIELDS, "stem": STEM_FIELDS}

Phrase = tuple[str, tuple[str, ...]]
"""Which fields it is looked for in, and its tokens."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What bm25 needs of the whole index.

    Parameters
    ----------
    documents
        How many there are, whoever may see them.
    length
        How many tokens they have on average.
    having
        How many have each phrase.
    """

    documents: int
    length: float
    having: Mapping[Phrase, int]

    def rarity(self, phrase: Phrase) -> float:
        """Return how much *phrase* tells."""
        found = self.having.get(phrase, 0)
        odds = (self.documents - found + 0.5) / (found + 0.5)
        return max(math.log(odds), LEAST) if odds > 0 else LEAST

    def boost(self, phrase: Phrase) -> float:
        """Return what makes Elasticsearch's weight of *phrase* about the same."""
        found = self.having.get(phrase, 0)
        theirs = math.log1p((self.documents - found + 0.5) / (found + 0.5))
        return self.rarity(phrase) / theirs


def phrases(query: TextQuery, *, relaxed: bool) -> list[list[Phrase]]:
    """Return the alternatives of *query*, each as the phrases that it needs.

    The order and the repetitions are those of the FTS5 expression.

    Examples
    --------
    >>> from rounds_search.queries import parse
    >>> phrases(parse("x", expand=False), relaxed=False)
    [[('phrase', ('x',))], [('stem', ('x',))]]
    """
    if relaxed:
        return [_needed(one) for one in query.loose()]
    return [_needed(one) for clause in query.clauses for one in clause.alternatives]


def score(
    alternatives: list[list[Phrase]],
    words: Mapping[str, str],
    known: Statistics,
) -> float:
    """Return the bm25 of a document with *words*, tokens by field, spaces between.

    Examples
    --------
    >>> known = Statistics(10, 4.0, {("phrase", ("lung",)): 1})
    >>> query = [[("phrase", ("lung",))]]
    >>> best, other = {"title": "lung cancer"}, {"history": "lung", "title": "case x"}
    >>> score(query, best, known) > score(query, other, known) > 0
    True
    """
    texts = {name: f" {text} " for name, text in words.items() if text}
    length = sum(text.count(" ") - 1 for text in texts.values())
    spread = K1 * (1 - B + B * length / known.length) if known.length else K1
    total = 0.0
    for needed in alternatives:
        counts = [_weight(phrase, texts) for phrase in needed]
        if all(counts):
            for phrase, count in zip(needed, counts, strict=True):
                total += known.rarity(phrase) * (count * (K1 + 1) / (count + spread))
    return total


def _needed(one: Alternative) -> list[Phrase]:
    if one.match == "all":
        return [("stem", (token,)) for token in one.tokens]
    return [(one.match, one.tokens)]


def _weight(phrase: Phrase, texts: Mapping[str, str]) -> float:
    """Return how often *phrase* stands in each field, weighted and summed."""
    match, tokens = phrase
    ending = "" if match == "prefix" else " "
    wanted = f" {' '.join(tokens)}{ending}"
    fields = COLUMNS.get(match, FORMS)
    return sum(
        weight * _count(wanted, texts[name])
        for name, weight in fields.items()
        if name in texts
    )


def _count(wanted: str, text: str) -> int:
    """Return how often *wanted* begins in *text*, where it may overlap itself."""
    count, at = 0, text.find(wanted)
    while at >= 0:
        count += 1
        at = text.find(wanted, at + 1)
    return count
