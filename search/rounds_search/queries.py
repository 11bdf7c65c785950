"""Turn what a person typed into clauses of tokens that any backend can compile.

Nothing of the typed text reaches a backend but tokens of the analyzer, which hold no
character that a query language could mean something by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rounds_search.analyzer import index_forms, phrase, words
from rounds_search.thesaurus import PARTICLES, Thesaurus, Unit, medical, units

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Alternative", "Clause", "TextQuery", "parse"]

MAX_CLAUSES: Final = 32
MAX_RUN: Final = 16
MAX_TOKENS: Final = 32
QUOTED: Final = re.compile(r'["\u201c\u201d]([^"\u201c\u201d]*)["\u201c\u201d]')

Match = Literal["phrase", "all", "form", "prefix"]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to satisfy a clause.

    ``phrase``: the tokens in a row in one field; ``all``: each token anywhere;
    ``form``: one unstemmed word; ``prefix``: the beginning of an unstemmed word.
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

    def single_tokens(self) -> tuple[str, ...]:
        """Return the tokens worth looking for on their own, in order.

        Single ideographs are left out where they came with their neighbours.
        """
        found: dict[str, None] = {}
        for clause in self.clauses:
            for one in clause.alternatives:
                if one.match in {"phrase", "all"}:
                    long = [token for token in one.tokens if _tells(token)]
                    found.update(dict.fromkeys(long or one.tokens))
        return tuple(found)[: MAX_CLAUSES * 8]

    def marked(self) -> frozenset[tuple[str, ...]]:
        """Return the runs of tokens that a highlight may mark."""
        runs: set[tuple[str, ...]] = set()
        for clause in self.clauses:
            for one in clause.alternatives:
                if one.match == "phrase":
                    runs.add(one.tokens)
                elif one.match == "all":
                    runs.update((token,) for token in one.tokens)
        return frozenset(runs)

    def expansions(self) -> dict[str, tuple[str, ...]]:
        """Return the synonyms by what was typed."""
        return {clause.source: clause.added for clause in self.clauses if clause.added}


def parse(
    text: str,
    *,
    prefix: str = "",
    expand: bool = True,
    thesaurus: Thesaurus | None = None,
) -> TextQuery:
    """Return the clauses of *text* and of the beginning *prefix*.

    Examples
    --------
    >>> query = parse("brain MRI", expand=False)
    >>> [clause.alternatives[0].tokens for clause in query.clauses]
    [('brain',), ('mri',)]
    >>> parse('NEAR(" * ^').clauses[0].alternatives[0].tokens
    ('near',)
    """
    known = (thesaurus or medical()) if expand else Thesaurus({})
    found: dict[Clause, None] = {}
    head, last = _last_word(prefix)
    for piece, quoted in (*_segments(text), (head, False)):
        for clause in _quoted(piece) if quoted else _free(piece, known):
            found[clause] = None
            if len(found) == MAX_CLAUSES:
                return TextQuery((*found, *_begun(last)))
    return TextQuery((*found, *_begun(last)))


def _tells(token: str) -> bool:
    return len(token) > 1 or token.isascii()


def _segments(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of *text*, and whether each was in quotation marks."""
    last = 0
    for found in QUOTED.finditer(text):
        yield text[last : found.start()], False
        yield found[1], True
        last = found.end()
    yield text[last:], False


def _quoted(piece: str) -> Iterator[Clause]:
    tokens = phrase(piece[: MAX_TOKENS * 20])[:MAX_TOKENS]
    if tokens:
        yield Clause(piece.strip(), (Alternative("phrase", tokens),))


def _free(piece: str, known: Thesaurus) -> Iterator[Clause]:
    given = list(units(piece))
    index, plain = 0, list[Unit]()
    while index < len(given):
        length, others = known.longest(given, index)
        if length:
            yield from _plain(piece, plain)
            plain = []
            term = given[index : index + length]
            yield _synonyms(piece[term[0].start : term[-1].end], term, others)
            index += length
        else:
            plain.append(given[index])
            index += 1
    yield from _plain(piece, plain)


def _synonyms(source: str, term: Sequence[Unit], others: Sequence[str]) -> Clause:
    found = {Alternative("phrase", phrase(source)): None}
    if len(term) > 1 and not any(unit.han for unit in term):
        found[Alternative("all", tuple(unit.key for unit in term))] = None
    for other in others:
        found[Alternative("phrase", phrase(other))] = None
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
    ways = [Alternative("phrase", tuple(unit.key for unit in group))]
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
