"""Say what was perhaps meant where nothing has all the words: «did you mean».

Nothing is taken from what the asker may not see: a spelling comes from the sets of
synonyms or from documents that the asker finds, and is named only where it finds one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rapidfuzz.distance import OSA

from rounds_search.analyzer import STOP_WORDS, words
from rounds_search.spelling import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rounds_search.analyzer import Word
    from rounds_search.answers import Answer
    from rounds_search.requests import Request

    Search = Callable[[Request], Answer]

__all__ = ["corrections"]

MOST: Final = 3
MAX_WORDS: Final = 12
MAX_MISSING: Final = 3
MAX_TRIED: Final = 3
SHORTEST: Final = 5
SHORTEST_HAN: Final = 3
LONG: Final = 8
BEGINNING: Final = 2
READ: Final = 60


def corrections(
    request: Request, spellings: Iterable[str], search: Search
) -> tuple[str, ...]:
    """Return up to three texts that *request* perhaps meant, the likeliest first.

    Parameters
    ----------
    spellings
        Words that are written right, whoever asks.
    search
        Answers a request for the same asker.
    """
    return _Correcting(request, tuple(spellings), search).texts()


@dataclass(frozen=True, slots=True)
class _Correcting:
    """One text on its way to better spelling."""

    request: Request
    spellings: tuple[str, ...]
    search: Search

    def texts(self) -> tuple[str, ...]:
        """Return the text with each word that finds nothing replaced."""
        better = [(word, self.near(word)) for word in self.missing()]
        better = [(word, found) for word, found in better if found]
        if not better:
            return ()
        most = max(len(found) for _, found in better)
        told = [self._replaced(better, at) for at in range(min(most, MOST))]
        return tuple(dict.fromkeys(told))

    def missing(self) -> list[Word]:
        """Return the words of the text that find nothing on their own."""
        worth = [word for word in words(self.request.text) if _is_worth(word)]
        asked = list({word.form: word for word in worth}.values())[:MAX_WORDS]
        return [word for word in asked if not self._finds(word.form)][:MAX_MISSING]

    def near(self, word: Word) -> list[str]:
        """Return spellings near to *word* that find something, the nearest first."""
        most = 2 if len(word.form) >= LONG and not word.han else 1
        counted = Counter(self._seen(word))
        known = dict.fromkeys(map(fold, self.spellings), 0) | dict(counted)
        scored = [
            (OSA.distance(word.form, one, score_cutoff=most), -count, one)
            for one, count in known.items()
            if one != word.form and abs(len(one) - len(word.form)) <= most
        ]
        nearest = sorted(one for one in scored if one[0] <= most)[:MAX_TRIED]
        return [one for _, _, one in nearest if self._finds(one)]

    def _seen(self, word: Word) -> Iterator[str]:
        """Yield the words of documents that begin as *word* does."""
        begun = word.form[:BEGINNING]
        asked = self._asking(prefix=begun, size=READ)
        for hit in self.search(asked).hits:
            told = (hit.document.title, hit.document.text.get("diagnosis", ""))
            for text in told:
                yield from (one.form for one in words(text) if one.han == word.han)

    def _finds(self, text: str) -> bool:
        answer = self.search(self._asking(text=text, size=0))
        return answer.total > 0 and not answer.relaxed

    def _asking(self, text: str = "", prefix: str = "", size: int = 0) -> Request:
        return replace(
            self.request,
            text=text,
            prefix=prefix,
            size=size,
            vectors=(),
            facets=(),
            after=None,
            sort="relevance",
            highlight=False,
        )

    def _replaced(self, better: list[tuple[Word, list[str]]], at: int) -> str:
        text = self.request.text
        for word, found in sorted(better, key=lambda pair: -pair[0].start):
            right = found[min(at, len(found) - 1)]
            text = f"{text[: word.start]}{right}{text[word.end :]}"
        return text


def _is_worth(word: Word) -> bool:
    if word.han:
        return len(word.form) >= SHORTEST_HAN
    long = len(word.form) >= SHORTEST and word.form.isalpha()
    return long and word.form not in STOP_WORDS
