from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from rounds_search import errors
from rounds_search.documents import FACETS, TEXT_FIELDS
from rounds_search.encoders import ENCODERS
from rounds_search.errors import SearchError, shown
from rounds_search.requests import Request

PAGE = Path(__file__).parents[2] / "docs" / "search.md"
CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, SearchError)
]


def drawn() -> dict[str, int]:
    """Return the names and statuses of the tree at the top of the module."""
    lines = [
        line.strip("│├└─ ").split() for line in (errors.__doc__ or "").splitlines()
    ]
    return {line[0]: int(line[1]) for line in lines if len(line) == 2}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_error_is_drawn_with_its_status(kind: type[SearchError]) -> None:
    assert drawn()[kind.__name__] == kind.status
    assert kind.__name__ in errors.__all__


def test_no_drawn_error_is_missing() -> None:
    assert set(drawn()) == {kind.__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_error_says_what_it_means(kind: type[SearchError]) -> None:
    assert kind.__doc__
    assert kind.__doc__.endswith(".")


def test_a_long_value_is_cut_in_a_message() -> None:
    assert len(shown("x" * 10_000)) == 60
    assert shown("x" * 10_000).endswith("…")


@pytest.mark.parametrize("name", sorted(Request.__dataclass_fields__))
def test_each_field_of_a_request_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*FACETS, *ENCODERS])
def test_each_facet_and_encoder_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TEXT_FIELDS)
def test_each_text_field_is_weighted(name: str) -> None:
    from rounds_search.backends.sqlite.schema import FIELDS

    assert FIELDS[name] > 0
