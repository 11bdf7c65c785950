"""Turn what a person typed into clauses of tokens that any backend can compile.

Nothing of the typed text reaches a backend but tokens of the analyzer, which hold no
character that a query language could mean something by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

from rounds_search.analyzer import index_forms, phrase, stem_phrase, words
from rounds_search.codes import Codes
from rounds_search.spelling import stem
from rounds_search.thesaurus import PARTICLES, Thesaurus, Unit, key_of, medical, units

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from rounds_search.codes import Named
    from rounds_search.requests import Request
    from rounds_search.thesaurus import Key

__all__ = ["Alternative", "Clause", "Known", "TextQuery", "parse", "words_of"]

MAX_CLAUSES: Final = 32
MAX_RUN: Final = 16
MAX_TOKENS: Final = 32
MAX_LOOSE: Final = 512
MAX_BELOW: Final = 200
QUOTED: Final = re.compile(r'["\u201c\u201d]([^"\u201c\u201d]*)["\u201c\u201d]')

Match = Literal["phrase", "stem", "all", "form", "prefix"]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to satisfy a clause.

    ``phrase``: the tokens in a row in one field; ``stem``: the stems in a row in one
    field of stems; ``all``: each of the stems anywhere; ``form``: one word in one
    piece; ``prefix``: its beginning.
    """

    match: Match
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing the text asks for, with every way to satisfy it.

    ``source`` is what was typed, ``added`` the synonyms that are searched too.
    """

    source: str
    alternatives: tuple[Alternative, ...]
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Clauses that all must hold, or, relaxed, any of them."""

    clauses: tuple[Clause, ...]

    def __bool__(self) -> bool:
        """Return whether there is anything to look for."""
        return bool(self.clauses)

    def loose(self) -> tuple[Alternative, ...]:
        """Return what of a document must have one, where none has all that is asked.

        That is every alternative, each word that was typed, and the words of each
        synonym where all of them are there.
        """
        found: dict[Alternative, None] = {}
        for clause in self.clauses:
            found.update(dict.fromkeys(clause.alternatives))
            typed = clause.alternatives[0]
            found.update(dict.fromkeys(_singles(typed)))
            for one in clause.alternatives:
                if one.match == "stem" and len(one.tokens) > 1:
                    found[Alternative("all", one.tokens)] = None
        return tuple(found)[:MAX_LOOSE]

    def marked(self, *, relaxed: bool = False) -> frozenset[tuple[str, ...]]:
        """Return the runs of stems that a highlight may mark."""
        runs: set[tuple[str, ...]] = set()
        given = (one for clause in self.clauses for one in clause.alternatives)
        for one in self.loose() if relaxed else given:
            if one.match == "phrase":
                runs.add(tuple(map(stem, one.tokens)))
            elif one.match == "stem":
                runs.add(one.tokens)
            elif one.match == "all":
                runs.update((token,) for token in one.tokens)
        return frozenset(runs)

    def begun(self) -> tuple[str, ...]:
        """Return the beginnings of words that are asked for."""
        return tuple(
            one.tokens[0]
            for clause in self.clauses
            for one in clause.alternatives
            if one.match == "prefix"
        )

    def expansions(self) -> dict[str, tuple[str, ...]]:
        """Return the synonyms by what was typed."""
        return {clause.source: clause.added for clause in self.clauses if clause.added}


class Known(Protocol):
    """What is known of words and codes: a ``Vocabulary``."""

    @property
    def thesaurus(self) -> Thesaurus:
        """Sets of words that mean the same."""

    @property
    def codes(self) -> Codes:
        """Codes with their parents."""


@dataclass(frozen=True, slots=True)
class _BuiltIn:
    """What comes with Rounds."""

    thesaurus: Thesaurus = field(default_factory=medical)
    codes: Codes = field(default_factory=Codes)


@dataclass(frozen=True, slots=True)
class _Added:
    """What is added to the words that were typed, and what of it is left out."""

    known: Known
    left_out: frozenset[Key]
    expand: bool

    def kept(self, others: Iterable[str]) -> tuple[str, ...]:
        """Return those of *others* that are not left out."""
        return tuple(one for one in others if one and key_of(one) not in self.left_out)

    def longest(
        self, given: Sequence[Unit], start: int, text: str
    ) -> tuple[int, tuple[str, ...]]:
        """Return how many units from *start* on are a term, and its other terms."""
        if not self.expand:
            return 0, ()
        return self.known.thesaurus.longest(given, start, text)

    def named(self, text: str) -> list[Named]:
        """Return the codes that *text* names."""
        return list(self.known.codes.named(text)) if self.expand else []


def parse(
    text: str,
    *,
    prefix: str = "",
    expand: bool = True,
    without: Collection[str] = (),
    known: Known | None = None,
) -> TextQuery:
    """Return the clauses of *text* and of the beginning *prefix*.

    Synonyms are added unless *expand* is false, but none of those in *without*.

    Examples
    --------
    >>> query = parse("brain MRI", expand=False)
    >>> [clause.alternatives[0].tokens for clause in query.clauses]
    [('brain',), ('mri',)]
    >>> parse('NEAR(" * ^').clauses[0].alternatives[0].tokens
    ('near',)
    """
    added = _Added(known or _BuiltIn(), frozenset(map(key_of, without)), expand)
    found: dict[Clause, None] = {}
    head, last = _last_word(prefix)
    for piece, quoted in (*_segments(text), (head, False)):
        for clause in _quoted(piece) if quoted else _coded(piece, added):
            found[clause] = None
            if len(found) == MAX_CLAUSES:
                return TextQuery((*found, *_begun(last)))
    return TextQuery((*found, *_begun(last)))


def words_of(request: Request) -> TextQuery:
    """Return the clauses of the words of *request*."""
    return parse(
        request.text,
        prefix=request.prefix,
        expand=request.expand,
        without=request.without,
        known=request.known,
    )


def _tells(token: str) -> bool:
    return len(token) > 1 or token.isascii()


def _singles(typed: Alternative) -> Iterator[Alternative]:
    """Yield the words of what was typed, no ideograph where its pair tells more."""
    if typed.match != "phrase":
        return
    long = [token for token in typed.tokens if _tells(token)]
    for token in long or typed.tokens:
        yield Alternative("phrase", (token,))
        if token.isascii() and token.isalpha():
            yield Alternative("stem", (stem(token),))


def _segments(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of *text*, and whether each was in quotation marks."""
    last = 0
    for found in QUOTED.finditer(text):
        yield text[last : found.start()], False
        yield found[1], True
        last = found.end()
    yield text[last:], False


def _typed(text: str) -> tuple[Alternative, ...]:
    """Return what finds *text* as it is written, and in any inflection."""
    tokens, stemmed = phrase(text)[:MAX_TOKENS], stem_phrase(text)[:MAX_TOKENS]
    ways = [Alternative("phrase", tokens)] if tokens else []
    return (*ways, Alternative("stem", stemmed)) if stemmed else tuple(ways)


def _synonym(text: str) -> tuple[Alternative, ...]:
    """Return what finds a synonym; one way only, so that it counts less."""
    return _typed(text)[-1:]


def _quoted(piece: str) -> Iterator[Clause]:
    ways = _typed(piece[: MAX_TOKENS * 20])
    if ways:
        yield Clause(piece.strip(), ways)


def _coded(piece: str, added: _Added) -> Iterator[Clause]:
    """Yield a clause for each code of a table that is named, and what is between."""
    last = 0
    for named in added.named(piece):
        yield from _free(piece[last : named.start], added)
        yield _code(piece[named.start : named.end], named, added)
        last = named.end
    yield from _free(piece[last:], added)


def _code(source: str, named: Named, added: _Added) -> Clause:
    """Return the clause of a code: itself, its name, and the codes below it."""
    table = added.known.codes.tables[named.scheme]
    below = table.under(named.code.value, MAX_BELOW)
    others = [f"{named.scheme}:{one}" for one in below]
    kept = added.kept([named.code.name, *others])
    ways = dict.fromkeys(_typed(named.code.value))
    for one in kept:
        ways.update(dict.fromkeys(_synonym(one)))
    return Clause(source, tuple(ways), kept)


def _free(piece: str, added: _Added) -> Iterator[Clause]:
    given = list(units(piece))
    index, plain = 0, list[Unit]()
    while index < len(given):
        length, others = added.longest(given, index, piece)
        if length:
            yield from _plain(piece, plain)
            plain = []
            term = given[index : index + length]
            source = piece[term[0].start : term[-1].end]
            yield _synonyms(source, term, added.kept(others))
            index += length
        else:
            plain.append(given[index])
            index += 1
    yield from _plain(piece, plain)


def _synonyms(source: str, term: Sequence[Unit], others: Sequence[str]) -> Clause:
    found = dict.fromkeys(_typed(source))
    if len(term) > 1 and not any(unit.han for unit in term):
        found[Alternative("all", tuple(unit.key for unit in term))] = None
    for other in others:
        found.update(dict.fromkeys(_synonym(other)))
    return Clause(source, tuple(found), tuple(others))


def _plain(piece: str, given: Sequence[Unit]) -> Iterator[Clause]:
    """Yield a clause for each compound word and each run of ideographs."""
    group: list[Unit] = []
    for unit in given:
        if group and not _continues(group, unit):
            yield from _clause(piece, group)
            group = []
        if not (unit.han and unit.key in PARTICLES):
            group.append(unit)
    yield from _clause(piece, group)


def _continues(group: Sequence[Unit], unit: Unit) -> bool:
    last = group[-1]
    together = unit.joined and unit.start <= last.end + 1
    particle = unit.han and unit.key in PARTICLES
    same = unit.han == last.han and (not unit.han or unit.start == last.end)
    return together and same and not particle and len(group) < MAX_RUN


def _clause(piece: str, group: Sequence[Unit]) -> Iterator[Clause]:
    if not group:
        return
    source = piece[group[0].start : group[-1].end]
    if group[0].han:
        run = "".join(unit.key for unit in group)
        yield Clause(source, (Alternative("phrase", phrase(run)),))
        return
    ways = [Alternative("phrase", tuple(unit.form for unit in group))]
    if any(unit.form.isalpha() for unit in group):
        ways.append(Alternative("stem", tuple(unit.key for unit in group)))
    whole = "".join(unit.form for unit in group)
    if len(group) > 1 or not whole.isalpha():
        ways.append(Alternative("form", (whole,)))
    yield Clause(source, tuple(ways))


def _last_word(prefix: str) -> tuple[str, str]:
    """Return *prefix* without its last word, and that word."""
    last = None
    for last in words(prefix):  # noqa: B007 - the last one is wanted
        pass
    if last is None:
        return "", ""
    return prefix[: last.start], prefix[last.start : last.end]


def _begun(last: str) -> Iterator[Clause]:
    forms = index_forms([last]).split()
    if forms:
        yield Clause(last, (Alternative("prefix", (forms[-1],)),))
    elif last and phrase(last):
        yield Clause(last, (Alternative("phrase", phrase(last[:MAX_RUN])),))
