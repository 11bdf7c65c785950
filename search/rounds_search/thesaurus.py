"""Medical words that mean the same, in English, Chinese and abbreviations.

The sets are a plain file, ``data/medical.txt``: one set a line, terms parted by ``|``,
``#`` begins a comment. A term with words in brackets, ``pe [chest, lung]``, has this
meaning only where one of them is in the question too, and is never added itself;
``=US`` has it in capitals only. A site's own file has the same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from rounds_search.analyzer import STOP_WORDS, words
from rounds_search.spelling import fold, stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Key", "Sense", "Thesaurus", "Unit", "key_of", "medical", "units"]

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


class Sense(NamedTuple):
    """What a term means: the terms of one set, and when it has this meaning.

    *context* are stems, and words in ideographs, of which one must be in the text
    beside it; *capitals* says that it has this meaning in capitals only.
    """

    terms: tuple[str, ...]
    context: frozenset[str] = frozenset()
    capitals: bool = False

    def fits(self, piece: Sequence[Unit], given: Sequence[Unit], text: str) -> bool:
        """Return whether *piece* of *given*, the units of *text*, may mean this."""
        if self.capitals:
            written = text[piece[0].start : piece[-1].end]
            if written != written.upper():
                return False
        if not self.context:
            return True
        beside = {unit.key for unit in given if unit not in piece}
        han = any(not one.isascii() and one in text for one in self.context)
        return han or not self.context.isdisjoint(beside)


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """Sets of terms, found by any of their terms.

    Examples
    --------
    >>> both = Thesaurus.of(["magnetic resonance | MRI", "brain | 脑"])
    >>> both.longest(list(units("brain MRI")), 1)
    (1, ('magnetic resonance',))
    """

    terms: Mapping[Key, tuple[Sense, ...]]

    @classmethod
    def of(cls, lines: Iterable[str]) -> Thesaurus:
        """Return the thesaurus that *lines* write down."""
        found: dict[Key, dict[Sense, None]] = {}
        for line in lines:
            written = [_written(part) for part in line.partition("#")[0].split("|")]
            written = [one for one in written if one.term]
            # A term that means it only beside other words would find other things.
            sure = tuple(dict.fromkeys(one.term for one in written if not one.context))
            for one in written if len(written) > 1 else []:
                key = key_of(one.term)
                if 0 < len(key) <= LONGEST:
                    sense = Sense(sure, one.context, one.capitals)
                    found.setdefault(key, {})[sense] = None
        return cls({key: tuple(senses) for key, senses in found.items()})

    def joined(self, other: Thesaurus) -> Thesaurus:
        """Return the sets of both."""
        terms = dict(self.terms)
        for key, senses in other.terms.items():
            terms[key] = (*terms.get(key, ()), *senses)
        return Thesaurus(terms)

    def longest(
        self, given: Sequence[Unit], start: int, text: str = ""
    ) -> tuple[int, tuple[str, ...]]:
        """Return how many units from *start* on are a term, and its other terms.

        *given* are the units of *text*. One ideograph alone is a term only where it
        stands alone: inside a longer run it is most often a part of another word.
        """
        for length in range(min(LONGEST, len(given) - start), 0, -1):
            piece = given[start : start + length]
            key = tuple(unit.key for unit in piece)
            if key not in self.terms or not _unbroken(piece):
                continue
            if length == 1 and piece[0].han and not _alone(given, start):
                continue
            senses = [one for one in self.terms[key] if one.fits(piece, given, text)]
            terms = dict.fromkeys(term for sense in senses for term in sense.terms)
            others = [term for term in terms if key_of(term) not in {key, ()}]
            if others:
                return length, tuple(others[:MAX_TERMS])
        return 0, ()


class _Written(NamedTuple):
    """A term as a line has it: ``=US`` in capitals only, ``ms [brain, 脑]`` beside."""

    term: str
    context: frozenset[str]
    capitals: bool


def _written(part: str) -> _Written:
    term, _, beside = part.strip().partition("[")
    words_beside = (word.strip() for word in beside.rstrip("] ").split(","))
    context = frozenset(
        word if not word.isascii() else stem(fold(word))
        for word in words_beside
        if word
    )
    capitals = term.startswith("=")
    return _Written(term.lstrip("=").strip(), context, capitals)


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
