"""Complete the beginning of a word from titles that the asker may see."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from rounds_search.analyzer import words
from rounds_search.spelling import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["suggestions"]

MOST: Final = 8
LONGEST_RUN: Final = 12


def suggestions(prefix: str, titles: Iterable[str]) -> tuple[str, ...]:
    """Return up to eight completions of *prefix*, the most frequent first.

    Examples
    --------
    >>> suggestions("left hem", ["Hemorrhage of the brain", "Hemangioma", "Hemorrhage"])
    ('left hemorrhage', 'left hemangioma')
    """
    last = None
    for last in words(prefix):  # noqa: B007 - the last one is wanted
        pass
    if last is None:
        return ()
    begun = last.form if last.han else fold(last.form)
    found: Counter[str] = Counter()
    for title in titles:
        found.update(_completions(title, begun, han=last.han))
    head = prefix[: last.start]
    best = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(head + word for word, _ in best[:MOST])


def _completions(title: str, begun: str, *, han: bool) -> set[str]:
    found = set()
    for word in words(title):
        if word.han != han:
            continue
        if han:
            at = word.form.find(begun)
            if at >= 0:
                found.add(word.form[at : at + LONGEST_RUN])
        elif word.form.startswith(begun):
            found.add(title[word.start : word.end].lower())
    return found
