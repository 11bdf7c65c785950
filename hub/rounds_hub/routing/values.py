"""Bring what a condition says and what a series holds into one form to compare.

Numbers are floats, dates ``YYYYMMDD``, times seconds of the day, moments fourteen
digits and a fraction, ages days. What a tag holds and cannot be read that way counts as
not there.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final, TypeAlias

from rounds_hub.routing.names import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Literal", "Value", "comparable", "glob", "readable"]

Literal: TypeAlias = float | str | bool
"""What may stand in a condition."""
Value: TypeAlias = float | str | bool
"""What is compared."""

_DATE = re.compile(r"(\d{4})[-.]?(\d{2})[-.]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(?:(\d{2}):?(?:(\d{2})(?:\.(\d{1,6}))?)?)?")
_MOMENT = re.compile(
    r"(\d{4})-?(\d{2})?-?(\d{2})?[T ]?(?:(\d{2}):?(?:(\d{2}):?"
    r"(?:(\d{2})(?:\.(\d{1,6}))?)?)?)?([+-]\d{2}:?\d{2})?"
)
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DAYS: Final = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
_LATEST: Final = {"hour": 23, "minute": 59, "second": 59}


def comparable(kind: Kind, literal: Literal) -> Value:
    """Return what *literal* of a condition is compared as with values of *kind*.

    Raises
    ------
    ValueError
        If it cannot be; the message says what would work.

    Examples
    --------
    >>> comparable(Kind.DATE, "2026-03-01"), comparable(Kind.AGE, "18Y")
    ('20260301', 6574.5)
    """
    wanted, example = _WANTED[kind]
    if type(literal) is not wanted:
        raise ValueError(example)
    made = _as_value(kind, literal)
    if made is None:
        raise ValueError(example)
    return made


def readable(kind: Kind, held: Iterable[object]) -> tuple[Value, ...]:
    """Return those of the values that a series has for a name which can be compared.

    Examples
    --------
    >>> readable(Kind.NUMBER, ["1.25 ", "thick"])
    (1.25,)
    """
    found = (_as_value(kind, one) for one in held)
    return tuple(one for one in found if one is not None)


def glob(pattern: str, text: str) -> bool:
    """Return whether *text* is like *pattern*, whatever its case.

    ``*`` stands for any signs and ``?`` for one. The time is bounded by the product
    of both lengths: no pattern makes it explode.

    Examples
    --------
    >>> glob("*lung*", "CT Lung 1.0"), glob("B?0f", "B60f"), glob("B?0f", "B0f")
    (True, True, False)
    """
    wanted, given = pattern.casefold(), text.casefold()
    at = place = 0
    star, mark = -1, 0
    while place < len(given):
        if at < len(wanted) and wanted[at] == "*":
            star, mark = at, place
            at += 1
        elif at < len(wanted) and wanted[at] in {"?", given[place]}:
            at += 1
            place += 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return not wanted[at:].strip("*")


def _as_value(kind: Kind, said: object) -> Value | None:
    """Return *said* in the form of *kind*, None where it has none."""
    if kind is Kind.FLAG:
        return said if isinstance(said, bool) else None
    if kind is Kind.NUMBER:
        return _number(said)
    text = str(said).strip(" \0")
    if kind is Kind.TEXT:
        return text or None
    reader = _READERS.get(kind)
    return None if reader is None else reader(text)


def _number(said: object) -> float | None:
    """Return a finite number, None for anything else."""
    try:
        number = float(str(said).strip(" \0"))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> str | None:
    """Return a day as ``YYYYMMDD`` (DA, PS3.5 6.2)."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        return date(*map(int, found.groups())).strftime("%Y%m%d").rjust(8, "0")
    except ValueError:
        return None


def _time(text: str) -> float | None:
    """Return the seconds since midnight (TM, PS3.5 6.2)."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    if (
        hour > _LATEST["hour"]
        or minute > _LATEST["minute"]
        or second > _LATEST["second"]
    ):
        return None
    return hour * 3600 + minute * 60 + second + float(f"0.{found[4] or 0}")


def _moment(text: str) -> str | None:
    """Return a moment so that later ones sort later (DT, PS3.5 6.2).

    One with an offset is brought to UTC; one without stays as it is.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (
        int(one or 0) for one in found.groups()[:6]
    )
    micro = int((found[7] or "").ljust(6, "0"))
    try:
        said = datetime(  # noqa: DTZ001 (its zone is added where it says one)
            year, month or 1, day or 1, hour, minute, second, micro
        )
        if found[8]:
            said = said.replace(tzinfo=_zone(found[8])).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return said.strftime("%Y%m%d%H%M%S.%f").rjust(21, "0")


def _zone(offset: str) -> timezone:
    """Return the zone of an offset such as ``+0800``."""
    minutes = int(offset[1:3]) * 60 + int(offset[-2:])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))


def _age(text: str) -> float | None:
    """Return an age in days (AS, PS3.5 6.2)."""
    found = _AGE.fullmatch(text.upper())
    return None if found is None else int(found[1]) * _DAYS[found[2]]


_READERS: dict[Kind, Callable[[str], Value | None]] = {
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.MOMENT: _moment,
    Kind.AGE: _age,
}
_WANTED: dict[Kind, tuple[type, str]] = {
    Kind.NUMBER: (float, "is a number; write it without quotes, as 1.25."),
    Kind.TEXT: (str, 'is a text; write it in quotes, as "CT".'),
    Kind.DATE: (str, 'is a date; write it as "2026-03-01".'),
    Kind.TIME: (str, 'is a time; write it as "14:30".'),
    Kind.MOMENT: (str, 'is a date and time; write it as "2026-03-01 14:30".'),
    Kind.AGE: (str, 'is an age; write it as "18Y", "6M", "3W" or "5D".'),
    Kind.FLAG: (bool, "is true or false; write it alone, or compare it with true."),
    Kind.OTHER: (type(None), "is a sequence or bytes; only exists() can ask for it."),
}
