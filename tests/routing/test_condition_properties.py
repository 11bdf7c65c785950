"""Conditions against a model in plain Python, and texts that mean harm."""

from __future__ import annotations

import fnmatch
import time
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rounds_hub.routing.parsing import LONGEST, ConditionError, parse
from rounds_hub.routing.values import glob

if TYPE_CHECKING:
    from rounds_hub.routing.names import Name

NUMBERS = ("Rows", "SliceThickness", "InstanceCount")
TEXTS = ("Modality", "ImageType", "Node")
FLAGS = ("IsVolume", "IsResult")
SIGNS = {
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
words = st.text("ABc*? ", max_size=4).map(str.strip).filter(bool)
numbers = st.integers(-3, 3) | st.sampled_from([0.5, 1.25])
Tree = tuple[Any, ...]


class Holding:
    """A series with these values."""

    def __init__(self, values: dict[str, tuple[object, ...]]) -> None:
        self.held = values

    def values(self, name: Name) -> tuple[object, ...]:
        return self.held.get(name.word, ())


def clauses() -> st.SearchStrategy[Tree]:
    """Give clauses: a kind, a name, a sign and what stands on the right."""
    number = st.tuples(
        st.just("is"),
        st.sampled_from(NUMBERS),
        st.sampled_from([*SIGNS, "!="]),
        numbers,
    )
    text = st.tuples(
        st.just("is"), st.sampled_from(TEXTS), st.sampled_from([*SIGNS, "!="]), words
    )
    listed = st.tuples(
        st.just("in"), st.sampled_from(TEXTS), st.lists(words, max_size=3)
    )
    counted = st.tuples(
        st.just("in"), st.sampled_from(NUMBERS), st.lists(numbers, max_size=3)
    )
    like = st.tuples(st.just("like"), st.sampled_from(TEXTS), words)
    flag = st.tuples(st.just("flag"), st.sampled_from(FLAGS))
    there = st.tuples(
        st.just("exists"), st.sampled_from([*TEXTS, *NUMBERS, "EchoTime"])
    )
    return number | text | listed | counted | like | flag | there


trees = st.recursive(
    clauses(),
    lambda inner: (
        st.tuples(st.just("not"), inner)
        | st.tuples(st.sampled_from(["and", "or"]), inner, inner)
    ),
    max_leaves=8,
)
series = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: st.lists(numbers, min_size=1, max_size=3).map(tuple)
            for name in NUMBERS
        },
        **{name: st.lists(words, min_size=1, max_size=3).map(tuple) for name in TEXTS},
        **{name: st.booleans().map(lambda one: (one,)) for name in FLAGS},
    },
)


def written(tree: Tree) -> str:
    """Return *tree* as a condition."""
    kind, first, *rest = tree
    if kind == "not":
        return f"not ({written(first)})"
    if kind in {"and", "or"}:
        return f"({written(first)}) {kind} ({written(rest[0])})"
    right = rest[-1] if rest else None
    shapes = {
        "exists": f"exists({first})",
        "flag": str(first),
        "like": f'{first} like "{right}"',
        "is": f"{first} {rest[0] if rest else ''} {literal(right)}",
    }
    if kind == "in":
        return f"{first} in [{', '.join(map(literal, rest[0]))}]"
    return shapes[kind]


def literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def expected(tree: Tree, held: dict[str, tuple[Any, ...]]) -> bool | None:
    """Answer *tree* as one would by hand: None where a value is missing."""
    kind, first, *rest = tree
    if kind == "not":
        inner = expected(first, held)
        return None if inner is None else not inner
    if kind in {"and", "or"}:
        sides = [expected(first, held), expected(rest[0], held)]
        if (kind == "or") in sides:
            return bool(kind == "or")
        return None if None in sides else bool(kind == "and")
    if kind == "exists":
        return first in held
    if first not in held:
        return None
    return by_hand(tree, held[first])


def by_hand(tree: Tree, values: tuple[Any, ...]) -> bool:
    """Answer a clause on values that are there."""
    kind, _, *rest = tree
    if kind == "flag":
        return bool(values[0])
    if kind == "like":
        patterns = rest[0].lower().replace("[", "[[]")
        return any(fnmatch.fnmatchcase(one.lower(), patterns) for one in values)
    if kind == "in":
        return any(one in rest[0] for one in values)
    if rest[0] == "!=":
        return not any(one == rest[1] for one in values)
    return any(SIGNS[rest[0]](one, rest[1]) for one in values)


@settings(max_examples=200, deadline=None)
@given(trees, series)
def test_a_condition_answers_as_the_model_does(
    tree: Tree, held: dict[str, tuple[Any, ...]]
) -> None:
    text = written(tree)
    if len(text) <= LONGEST:
        explained = parse(text).explain(Holding(held))
        assert explained.answer is expected(tree, held)


def place_of_error(text: str) -> int:
    """Return where *text* cannot be read, 0 where it can."""
    try:
        parse(text)
    except ConditionError as error:
        return error.place
    return 0


@settings(max_examples=150, deadline=None)
@given(st.text("()[]\"'<>=!,notandorinlike Rows1.e+-\\\n{}%_*", max_size=300))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    begun = time.monotonic()
    assert 0 <= place_of_error(text) <= len(text)
    assert time.monotonic() - begun < 5


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=3000))
def test_any_signs_at_all_are_read_or_refused(text: str) -> None:
    assert 0 <= place_of_error(text) <= len(text)


@settings(max_examples=150, deadline=None)
@given(st.text("ab*?", max_size=12), st.text("abc", max_size=12))
def test_a_pattern_is_like_what_the_shell_says(pattern: str, text: str) -> None:
    assert glob(pattern, text) == fnmatch.fnmatchcase(text, pattern)


def test_no_pattern_makes_the_time_explode() -> None:
    begun = time.monotonic()
    assert not glob("*a" * 900 + "b", "a" * 2000)
    assert time.monotonic() - begun < 5
