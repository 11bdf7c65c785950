"""Medical words that mean the same, in English, Chinese and abbreviations.

The sets are a plain file, ``data/medical.txt``: one set a line, terms parted by ``|``,
``#`` begins a comment. A site's own file has the same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from rounds_search.analyzer import STOP_WORDS, words
from rounds_search.spelling import stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Key", "Thesaurus", "Unit", "key_of", "medical", "units"]

Key = tuple[str, ...]

# Chinese words that join others: of, and, with, or, in.
PARTICLES: Final = frozenset("的和与及或在伴并")
LONGEST: Final = 12
MAX_TERMS: Final = 24


class Unit(NamedTuple):
    """What is compared with the sets: a word's stem, or one ideograph.

    ``joined`` says that nothing but a hyphen parts it from the unit before.
    """

    key: str
    form: str
    start: int
    end: int
    han: bool
    joined: bool


def units(text: str) -> Iterator[Unit]:
    """Yield the units of *text*, stop words left out.

    Examples
    --------
    >>> [unit.key for unit in units("abscess of the 脑")]
    ['abscess', '脑']
    """
    for word in words(text):
        if word.han:
            for index, one in enumerate(word.form):
                start = word.start + index
                joined = word.joined or index > 0
                yield Unit(one, one, start, start + 1, han=True, joined=joined)
        elif word.form not in STOP_WORDS:
            yield Unit(
                stem(word.form),
                word.form,
                word.start,
                word.end,
                han=False,
                joined=word.joined,
            )


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """Sets of terms, found by any of their terms.

    Examples
    --------
    >>> both = Thesaurus.of(["magnetic resonance | MRI", "brain | 脑"])
    >>> both.longest(list(units("brain MRI")), 1)
    (1, ('magnetic resonance',))
    """

    terms: Mapping[tuple[str, ...], tuple[str, ...]]

    @classmethod
    def of(cls, lines: Iterable[str]) -> Thesaurus:
        """Return the thesaurus that *lines* write down."""
        found: dict[tuple[str, ...], dict[str, None]] = {}
        for line in lines:
            terms = [term.strip() for term in line.partition("#")[0].split("|")]
            terms = [term for term in terms if term]
            for term in terms if len(terms) > 1 else []:
                key = tuple(unit.key for unit in units(term))
                if 0 < len(key) <= LONGEST:
                    found.setdefault(key, {}).update(dict.fromkeys(terms))
        return cls({key: tuple(terms) for key, terms in found.items()})

    def longest(self, given: Sequence[Unit], start: int) -> tuple[int, tuple[str, ...]]:
        """Return how many units from *start* on are a term, and its other terms.

        One ideograph alone is a term only where it stands alone: inside a longer run
        it is most often a part of another word.
        """
        for length in range(min(LONGEST, len(given) - start), 0, -1):
            piece = given[start : start + length]
            key = tuple(unit.key for unit in piece)
            if key not in self.terms or not _unbroken(piece):
                continue
            if length == 1 and piece[0].han and not _alone(given, start):
                continue
            others = [term for term in self.terms[key] if key_of(term) not in {key, ()}]
            return length, tuple(others[:MAX_TERMS])
        return 0, ()


def _unbroken(piece: Sequence[Unit]) -> bool:
    """Return whether no two ideographs of *piece* are parted."""
    return all(
        after.start == before.end
        for before, after in pairwise(piece)
        if before.han and after.han
    )


def _alone(given: Sequence[Unit], index: int) -> bool:
    before = index > 0 and given[index].joined and _writes_on(given[index - 1])
    last = index + 1 == len(given)
    after = not last and given[index + 1].joined and _writes_on(given[index + 1])
    return not before and not after


def _writes_on(unit: Unit) -> bool:
    return unit.han and unit.key not in PARTICLES


@lru_cache(maxsize=4_096)
def key_of(term: str) -> Key:
    """Return what *term* is known by, however it is spelt."""
    return tuple(unit.key for unit in units(term))


@lru_cache(maxsize=1)
def medical() -> Thesaurus:
    """Return the sets that come with Rounds."""
    file = resources.files("rounds_search").joinpath("data", "medical.txt")
    return Thesaurus.of(file.read_text(encoding="utf-8").splitlines())
