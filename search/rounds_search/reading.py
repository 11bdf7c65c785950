"""Read what arrives as JSON: bounded in length, of the types that were meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from rounds_search.errors import LimitError, RequestError, check_known, require

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Reader = Callable[[str, Any], Any]

__all__ = ["a_list", "load", "plain", "read_object", "strings"]

MAX_JSON: Final = 8_000_000


def load(data: Mapping[str, Any] | str | bytes) -> object:
    """Return what the JSON *data* says.

    Raises
    ------
    RequestError
        It is too long, or no JSON.
    """
    if not isinstance(data, str | bytes):
        return data
    fits = len(data) <= MAX_JSON
    require(fits, "The length of a request", len(data), f"at most {MAX_JSON}")
    try:
        parsed: object = json.loads(data)
    except (ValueError, RecursionError):
        msg = "A request must be a JSON object."
        raise RequestError(msg) from None
    return parsed


def read_object(data: object, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return *data* with each value as the reader of its key makes it.

    Raises
    ------
    RequestError
        *data* is no object, has a key that is none of *readers*, or a wrong value.
    """
    if not isinstance(data, dict):
        msg = f"A JSON object was expected, got {type(data).__name__}."
        raise RequestError(msg)
    for key in data:
        check_known("key", key, readers)
    return {key: readers[key](key, value) for key, value in data.items()}


def plain(*kinds: type) -> Reader:
    """Return a reader that takes values of *kinds* as they are."""
    names = " or ".join(kind.__name__ for kind in kinds)

    def read(key: str, value: object) -> object:
        # bool is an int to Python, and is none to a person.
        is_flag = isinstance(value, bool) and bool not in kinds
        if is_flag or not isinstance(value, kinds):
            raise LimitError(repr(key), value, names)
        return value

    return read


def a_list(key: str, value: object, most: int) -> list[Any]:
    """Return *value* if it is a list of at most *most*.

    Raises
    ------
    LimitError
        It is none, or longer.
    """
    if not isinstance(value, list) or len(value) > most:
        raise LimitError(repr(key), value, f"a list of at most {most}")
    return value


def strings(most: int) -> Reader:
    """Return a reader of at most *most* strings."""
    read = plain(str)
    return lambda key, value: tuple(read(key, one) for one in a_list(key, value, most))
