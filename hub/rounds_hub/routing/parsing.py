"""Read the text of a condition into a tree, or say where it cannot be read.

The grammar is in ``condition.lark`` and read by lark; nothing of a condition is ever
run as code. Its length and its depth are bounded, and reading takes time in proportion
to its length.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from rounds_hub.errors import InvalidError
from rounds_hub.routing import names
from rounds_hub.routing.conditions import (
    All,
    Comparison,
    Condition,
    Exists,
    Flag,
    Inverse,
    Likeness,
    Membership,
    Some,
)
from rounds_hub.routing.names import Kind, Name
from rounds_hub.routing.values import Literal, Value, comparable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEEPEST", "LONGEST", "ConditionError", "parse"]

LONGEST: Final = 2000
DEEPEST: Final = 24
MOST_IN_A_LIST: Final = 100
_GRAMMAR = Path(__file__).with_name("condition.lark")
_HINTS: Final = {
    "=": "Write == to compare.",
    "&": "Write and.",
    "|": "Write or.",
    "!": "Write not, or != to compare.",
    '"': "The quotes are not closed.",
    "'": "The quotes are not closed.",
    "“": 'Write plain quotes: "…".',
    "”": 'Write plain quotes: "…".',
}
_WORDS: Final = {
    "NAME": "a name",
    "SIGN": "a comparison (==, !=, <, <=, >, >=)",
    "STRING": "a text in quotes",
    "NUMBER": "a number",
    "$END": "the end",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": "a comma",
}


class ConditionError(InvalidError):
    """A condition cannot be read at *place*, counted from 0, for *length* signs."""

    def __init__(self, why: str, text: str, place: int, length: int = 1) -> None:
        """Say *why*, and at which sign of *text*."""
        self.why = why
        self.place = min(place, len(text))
        self.length = max(1, min(length, len(text) - self.place))
        line = text.count("\n", 0, self.place) + 1
        column = self.place - (text.rfind("\n", 0, self.place) + 1) + 1
        where = f"sign {column}" if line == 1 else f"line {line}, sign {column}"
        msg = f"The condition cannot be read at {where}: {why}"
        super().__init__(msg, {"condition": msg})


def parse(text: str) -> Condition:
    """Return the condition that *text* says.

    Raises
    ------
    ConditionError
        If it cannot be read, is too long or too deep, or asks for what is not there.

    Examples
    --------
    >>> parse('Modality == "CT" and not IsResult').kind
    'and'
    >>> parse('Modalty == "CT"')
    Traceback (most recent call last):
    rounds_hub.routing.parsing.ConditionError: The condition cannot be read at sign 1: \
There is no name 'Modalty'. Did you mean Modality?
    """
    if len(text) > LONGEST:
        why = f"It has {len(text)} signs; {LONGEST} are the most."
        raise ConditionError(why, text, LONGEST)
    return _parsed(text)


@lru_cache(maxsize=512)
def _parsed(text: str) -> Condition:
    """Do the work of :func:`parse`, once for each text."""
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _in_our_words(error, text) from None
    return _Reader(text).clause(_trees(tree)[0], 0)


@cache
def _parser() -> Lark:
    """Return the parser, built once in a process."""
    return Lark(
        _GRAMMAR.read_text(encoding="utf-8"), parser="lalr", propagate_positions=True
    )


def _in_our_words(error: UnexpectedInput, text: str) -> ConditionError:
    """Return what lark found as an error that a person can act upon."""
    place: int = getattr(error, "pos_in_stream", None) or 0
    if isinstance(error, UnexpectedCharacters):
        sign = text[place : place + 1]
        why = _HINTS.get(sign, f"The sign {sign!r} has no meaning here.")
        return ConditionError(why, text, place)
    expected = ", ".join(_expected(error))
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        found = str(error.token)
        why = f"Here is {found[:40]!r}; expected was {expected}."
        return ConditionError(why, text, place, len(found))
    why = f"Something is missing at the end; expected was {expected}."
    return ConditionError(why, text, len(text.rstrip()))


def _expected(error: UnexpectedInput) -> list[str]:
    """Return in words what could have stood there."""
    could = getattr(error, "accepts", None) or getattr(error, "expected", None)
    kinds: set[str] = set(could or ())
    return sorted(_WORDS.get(one, one.lower()) for one in kinds)


class _Reader:
    """Turns the tree of one text into clauses."""

    def __init__(self, text: str) -> None:
        self.text = text

    def clause(self, tree: Tree[Token], depth: int) -> Condition:
        """Return the clause that *tree* is; *depth* clauses are around it."""
        if depth > DEEPEST:
            why = f"Clauses stand in each other more than {DEEPEST} deep."
            raise ConditionError(why, self.text, tree.meta.start_pos)
        kind = str(tree.data)
        if kind in _JOINED:
            parts = [self.clause(one, depth + 1) for one in _trees(tree)]
            return _JOINED[kind](tuple(parts), text=self._said(tree))
        if kind == "inverse":
            part = self.clause(_trees(tree)[0], depth + 1)
            return Inverse(part, text=self._said(tree))
        return self._of_name(kind, tree)

    def _of_name(self, kind: str, tree: Tree[Token]) -> Condition:
        """Return a clause on one name."""
        token = next(one for one in tree.children if isinstance(one, Token))
        name, said = self._name(token), self._said(tree)
        if kind == "exists":
            return Exists(name, text=said)
        if kind == "flag":
            self._refuse_unless(name.kind is Kind.FLAG, token, _ALONE)
            return Flag(name, text=said)
        made = _MAKERS[kind.removeprefix("not_")](self, name, tree, said)
        return Inverse(made, text=said) if kind.startswith("not_") else made

    def comparison(self, name: Name, tree: Tree[Token], said: str) -> Condition:
        """Return ``Name == literal``."""
        sign, literal = tree.children[1], self._literal(name, tree.children[2])
        ordered = str(sign) not in {"==", "!="}
        if ordered:
            self._refuse_unless(name.kind is not Kind.FLAG, sign, _NO_ORDER)
        return Comparison(name, str(sign), literal, text=said)

    def membership(self, name: Name, tree: Tree[Token], said: str) -> Condition:
        """Return ``Name in [literals]``."""
        written = _trees(tree)[-1].children
        many = f"A list has at most {MOST_IN_A_LIST} values."
        self._refuse_unless(len(written) <= MOST_IN_A_LIST, tree.children[0], many)
        literals = frozenset(self._literal(name, one) for one in written)
        return Membership(name, literals, text=said)

    def likeness(self, name: Name, tree: Tree[Token], said: str) -> Condition:
        """Return ``Name like "pattern"``."""
        self._refuse_unless(name.kind is Kind.TEXT, tree.children[0], _NOT_LIKE)
        return Likeness(name, _unquoted(tree.children[-1]), text=said)

    def _name(self, token: Token) -> Name:
        """Return the name that *token* is."""
        found = names.find(str(token))
        if found is None:
            meant = " or ".join(names.near(str(token)))
            ask = f" Did you mean {meant}?" if meant else " Names are DICOM keywords."
            why = f"There is no name {str(token)[:64]!r}.{ask}"
            raise ConditionError(why, self.text, token.start_pos or 0, len(token))
        return found

    def _literal(self, name: Name, written: Token | Tree[Token]) -> Value:
        """Return what stands written, in the form in which *name* is compared."""
        assert isinstance(written, Token)  # noqa: S101 (the grammar says so)
        try:
            return comparable(name.kind, _plain(written))
        except ValueError as error:
            why = f"{name.word} {error}"
            place = written.start_pos or 0
            raise ConditionError(why, self.text, place, len(written)) from None

    def _refuse_unless(
        self,
        good: bool,  # noqa: FBT001 (the question itself)
        at: Token | Tree[Token],
        why: str,
    ) -> None:
        """Refuse the clause at the token *at* unless it is *good*."""
        if not good:
            place = getattr(at, "start_pos", 0) or 0
            raise ConditionError(why, self.text, place, len(str(at)))

    def _said(self, tree: Tree[Token]) -> str:
        """Return how *tree* was written, with the parentheses that it needs."""
        said = self.text[tree.meta.start_pos : tree.meta.end_pos]
        return " ".join(said.split())


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    """Return those children of *tree* that are trees."""
    return [one for one in tree.children if isinstance(one, Tree)]


def _plain(token: Token) -> Literal:
    """Return the literal that *token* is."""
    if token.type == "STRING":
        return _unquoted(token)
    if token.type == "NUMBER":
        return float(token)
    return token.type == "TRUE"


def _unquoted(token: Token | Tree[Token]) -> str:
    """Return a text without its quotes."""
    return str(token)[1:-1].strip(" ")


_ALONE = "Only a name that is true or false stands alone; compare it with a value."
_NO_ORDER = "What is true or false is not more or less than anything."
_NOT_LIKE = "Only a text can be like a pattern."
_JOINED: Final = {"either": Some, "both": All}
_MAKERS: Final[dict[str, Callable[[_Reader, Name, Tree[Token], str], Condition]]] = {
    "comparison": _Reader.comparison,
    "membership": _Reader.membership,
    "likeness": _Reader.likeness,
}
