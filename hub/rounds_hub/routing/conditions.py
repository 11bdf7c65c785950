"""Conditions as trees: what they ask, and with which values they were answered.

An answer is True, False, or None where a tag is not there: *unknown*. Unknown goes
through ``not`` as it is; ``and`` is False where any part is; ``or`` is True where any
part is (Kleene's logic). A route is for a series only where its condition is True.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from rounds_hub.routing.values import glob, readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rounds_hub.routing.names import Name
    from rounds_hub.routing.values import Value

__all__ = [
    "All",
    "Answer",
    "Asked",
    "Comparison",
    "Condition",
    "Exists",
    "Explained",
    "Flag",
    "Inverse",
    "Likeness",
    "Membership",
    "Some",
    "names_in",
]

Answer: TypeAlias = bool | None
MOST_SHOWN = 6
LONGEST_SHOWN = 64

_COMPARE: dict[str, Callable[[Value, Value], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Asked(Protocol):
    """What can be asked of a series."""

    def values(self, name: Name) -> tuple[object, ...]:
        """Return the values of *name* as the series has them; none where it has none.

        Of a sequence, or bytes, any one value says that it is there.
        """


@dataclass(frozen=True, slots=True)
class Explained:
    """A clause, its answer, and why: the values found, or the clauses inside it."""

    text: str
    answer: Answer
    kind: str
    values: tuple[str, ...] = ()
    parts: tuple[Explained, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A clause of a condition; *text* is how it was written."""

    kind: ClassVar[str] = ""
    text: str = field(kw_only=True)

    def explain(self, asked: Asked) -> Explained:
        """Return the answer for a series, with its reasons."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Joined(Condition):
    """Several clauses."""

    parts: tuple[Condition, ...]

    def _explained(self, asked: Asked, settles: bool) -> Explained:  # noqa: FBT001 (says which answer settles it)
        """Explain every part: one that *settles* decides, else one unknown does."""
        parts = tuple(one.explain(asked) for one in self.parts)
        answers = [one.answer for one in parts]
        answer: Answer = not settles
        if settles in answers:
            answer = settles
        elif None in answers:
            answer = None
        return Explained(self.text, answer, self.kind, parts=parts)


@dataclass(frozen=True, slots=True)
class All(_Joined):
    """Clauses joined by ``and``."""

    kind: ClassVar[str] = "and"

    def explain(self, asked: Asked) -> Explained:
        """Return the answer for a series, with that of each part."""
        return self._explained(asked, settles=False)


@dataclass(frozen=True, slots=True)
class Some(_Joined):
    """Clauses joined by ``or``."""

    kind: ClassVar[str] = "or"

    def explain(self, asked: Asked) -> Explained:
        """Return the answer for a series, with that of each part."""
        return self._explained(asked, settles=True)


@dataclass(frozen=True, slots=True)
class Inverse(Condition):
    """The opposite of a clause."""

    kind: ClassVar[str] = "not"
    part: Condition

    def explain(self, asked: Asked) -> Explained:
        """Return the answer for a series, with that of the part."""
        part = self.part.explain(asked)
        answer = None if part.answer is None else not part.answer
        return Explained(self.text, answer, self.kind, parts=(part,))


@dataclass(frozen=True, slots=True)
class _OfName(Condition):
    """A clause on the values of one name."""

    kind: ClassVar[str] = "clause"
    name: Name

    def explain(self, asked: Asked) -> Explained:
        """Return the answer for a series, with the values found."""
        found = asked.values(self.name)
        values = readable(self.name.kind, found)
        answer = self.answer(values) if values else None
        return Explained(self.text, answer, self.kind, _shown(found))

    def answer(self, values: tuple[Value, ...]) -> Answer:
        """Return the answer for *values*, of which there is at least one."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Comparison(_OfName):
    """``Name == literal``: true where any of the values is so.

    ``!=`` is the opposite of ``==``: true where none of the values is equal.
    """

    sign: str
    literal: Value

    def answer(self, values: tuple[Value, ...]) -> Answer:
        """Return whether any value compares so with the literal."""
        if self.sign == "!=":
            return all(one != self.literal for one in values)
        return any(_COMPARE[self.sign](one, self.literal) for one in values)


@dataclass(frozen=True, slots=True)
class Membership(_OfName):
    """``Name in [literals]``: true where any of the values is one of them."""

    literals: frozenset[Value]

    def answer(self, values: tuple[Value, ...]) -> Answer:
        """Return whether any value is one of the literals."""
        return not self.literals.isdisjoint(values)


@dataclass(frozen=True, slots=True)
class Likeness(_OfName):
    """``Name like "pattern"``: true where any of the values is like it."""

    pattern: str

    def answer(self, values: tuple[Value, ...]) -> Answer:
        """Return whether any value is like the pattern."""
        return any(glob(self.pattern, str(one)) for one in values)


@dataclass(frozen=True, slots=True)
class Flag(_OfName):
    """A name that is true or false, alone."""

    def answer(self, values: tuple[Value, ...]) -> Answer:
        """Return whether it is true."""
        return bool(values[0])


@dataclass(frozen=True, slots=True)
class Exists(Condition):
    """``exists(Name)``: true where the series has any value for it, never unknown."""

    kind: ClassVar[str] = "clause"
    name: Name

    def explain(self, asked: Asked) -> Explained:
        """Return the answer for a series, with the values found."""
        found = asked.values(self.name)
        there = any(str(one).strip(" \0") for one in found)
        return Explained(self.text, there, self.kind, _shown(found))


def names_in(condition: Condition) -> Iterator[Name]:
    """Give every name that *condition* asks for, in the order of its text."""
    if isinstance(condition, _Joined):
        for part in condition.parts:
            yield from names_in(part)
    elif isinstance(condition, Inverse):
        yield from names_in(condition.part)
    elif isinstance(condition, _OfName | Exists):
        yield condition.name


def _shown(values: tuple[object, ...]) -> tuple[str, ...]:
    """Return *values* as a page shows them: a few, and cut."""
    shown = [_words(one) for one in values[:MOST_SHOWN]]
    more = len(values) - MOST_SHOWN
    return (*shown, f"… (+{more})") if more > 0 else tuple(shown)


def _words(value: object) -> str:
    """Return *value* as a condition writes it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
