"""Check the values that somebody gives for a template's parameters."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rounds_hub.runs.schema import Parameter, Schema, Value

__all__ = ["check_value", "parse_form", "validate"]

MOST_EXACT = 2**53
"""Beyond this a whole number is not itself any more as a float."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,17}", re.ASCII)
_TRUE = frozenset({"true", "on", "1", "yes"})
_FALSE = frozenset({"false", "off", "0", "no", ""})
_LINES = frozenset("\n\t")
_NO_TEXT = frozenset({"Cc", "Cs"})


class _UnfitError(ValueError):
    """A value that does not fit; its text says what would."""


def validate(schema: Schema, given: Mapping[str, Any]) -> dict[str, Value]:
    """Return the values of all parameters of *schema*, defaults filled in.

    Nothing is changed silently: a value is of the declared type and in the declared
    range, or the whole request is refused.

    Raises
    ------
    InvalidError
        If a name is unknown or a value does not fit; *problems* has each by its name.
    """
    known = {one.name: one for one in schema.parameters}
    problems = {
        str(name)[
            :80
        ]: f"There is no such parameter. Known: {', '.join(known) or 'none'}."
        for name in given
        if name not in known
    }
    values: dict[str, Value] = {}
    for name, parameter in known.items():
        try:
            values[name] = check_value(parameter, given.get(name, parameter.default))
        except _UnfitError as why:
            problems[name] = str(why)
    if problems:
        raise _refusal(problems)
    return values


def parse_form(
    schema: Schema, form: Mapping[str, Any], prefix: str = ""
) -> dict[str, Any]:
    """Return the values that the text fields of a submitted *form* stand for.

    The field of a parameter is called *prefix* and its name. An empty field of a
    number or choice is left out, so that it gets its default; a box that is not
    ticked is not sent at all, and means no.

    Raises
    ------
    InvalidError
        If a text is no number; *problems* has each by the parameter's name.
    """
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for parameter in schema.parameters:
        text = form.get(prefix + parameter.name, "")
        try:
            parsed = _PARSERS[parameter.type](text if isinstance(text, str) else "")
        except _UnfitError as why:
            problems[parameter.name] = str(why)
            continue
        if parsed is not None:
            values[parameter.name] = parsed
    if problems:
        raise _refusal(problems)
    return values


def check_value(parameter: Parameter, value: object) -> Value:
    """Return *value* where it fits *parameter*.

    Raises
    ------
    ValueError
        If it does not, with what would.
    """
    checked = _CHECKS[parameter.type](parameter, value)
    _check_range(parameter, checked)
    return checked


def _check_float(parameter: Parameter, value: object) -> float:
    del parameter
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{_shown(value)} is not a number."
        raise _UnfitError(msg)
    if isinstance(value, int) and abs(value) > MOST_EXACT:
        msg = f"{_shown(value)} is too large to be exact."
        raise _UnfitError(msg)
    if not math.isfinite(value):
        msg = f"{value!r} is not a finite number."
        raise _UnfitError(msg)
    return float(value) + 0.0  # -0.0 is the same request as 0.0


def _check_int(parameter: Parameter, value: object) -> int:
    del parameter
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{_shown(value)} is not a whole number."
        raise _UnfitError(msg)
    if abs(value) > MOST_EXACT:
        msg = f"{_shown(value)} is too large to be exact."
        raise _UnfitError(msg)
    return value


def _check_bool(parameter: Parameter, value: object) -> bool:
    del parameter
    if not isinstance(value, bool):
        msg = f"{_shown(value)} is neither true nor false."
        raise _UnfitError(msg)
    return value


def _check_choice(parameter: Parameter, value: object) -> str:
    known = [choice.value for choice in parameter.choices]
    if not isinstance(value, str) or value not in known:
        msg = f"{_shown(value)} is not a choice. Known: {', '.join(known)}."
        raise _UnfitError(msg)
    return value


def _check_string(parameter: Parameter, value: object) -> str:
    if not isinstance(value, str):
        msg = f"{_shown(value)} is not a text."
        raise _UnfitError(msg)
    if len(value) > parameter.max_length:
        msg = f"It has {len(value)} characters; {parameter.max_length} are taken."
        raise _UnfitError(msg)
    if any(unicodedata.category(one) in _NO_TEXT for one in value if one not in _LINES):
        msg = "It holds characters that are no text."
        raise _UnfitError(msg)
    return value


def _check_range(parameter: Parameter, value: Value) -> None:
    """Refuse a number outside the declared range."""
    low, high = parameter.minimum, parameter.maximum
    if isinstance(value, str):
        return
    if (low is not None and value < low) or (high is not None and value > high):
        unit = f" {parameter.unit}" if parameter.unit else ""
        least = "any" if low is None else f"{low:g}"
        most = "any" if high is None else f"{high:g}"
        msg = f"{value:g} is outside {least} to {most}{unit}."
        raise _UnfitError(msg)


_CHECKS: dict[str, Callable[[Parameter, object], Value]] = {
    "float": _check_float,
    "int": _check_int,
    "bool": _check_bool,
    "choice": _check_choice,
    "string": _check_string,
}


def _parse_float(text: str) -> float | None:
    if not text.strip():
        return None
    if not _NUMBER.fullmatch(text.strip()):
        msg = f"{_shown(text)} is not a number."
        raise _UnfitError(msg)
    return float(text)


def _parse_int(text: str) -> int | None:
    if not text.strip():
        return None
    if not _WHOLE.fullmatch(text.strip()):
        msg = f"{_shown(text)} is not a whole number."
        raise _UnfitError(msg)
    return int(text)


def _parse_bool(text: str) -> bool:
    said = text.strip().lower()
    if said not in _TRUE | _FALSE:
        msg = f"{_shown(text)} is neither true nor false."
        raise _UnfitError(msg)
    return said in _TRUE


def _parse_choice(text: str) -> str | None:
    return text or None


def _parse_string(text: str) -> str:
    return text.replace("\r\n", "\n")


_PARSERS: dict[str, Callable[[str], Any]] = {
    "float": _parse_float,
    "int": _parse_int,
    "bool": _parse_bool,
    "choice": _parse_choice,
    "string": _parse_string,
}


def _refusal(problems: dict[str, str]) -> InvalidError:
    named = " ".join(f"{name}: {why}" for name, why in sorted(problems.items()))
    return InvalidError(f"The parameters do not fit. {named}", problems)


def _shown(value: object) -> str:
    """Return *value* as a person can read it, cut short."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of more than 4300 digits
        text = "A number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 (a line)
