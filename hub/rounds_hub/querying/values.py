"""Understand the values of a query's keys (PS3.4, C.2.2.2), or say what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rounds_hub.archive.moments import clock, day, in_utc, moment_of
from rounds_hub.archive.texts import clean
from rounds_hub.errors import InvalidError

__all__ = ["Span", "checked_text", "clock_span", "day_span", "moment_span", "numbers"]

LONGEST: Final = 1024
MOST_STARS: Final = 16
MOST_VALUES: Final = 1000
LAST: Final = "99"  # after every hour of a day
_NUMBER: Final = re.compile(r"[+-]?\d{1,12}(\.\d{1,12})?([eE][+-]?\d{1,3})?", re.ASCII)
_UID: Final = re.compile(r"[0-9.]{1,64}", re.ASCII)
_ONE_MOMENT: Final = r"\d{4,14}(?:\.\d{1,6})?(?:[+-]\d{4})?"
_MOMENTS: Final = re.compile(f"({_ONE_MOMENT})?-({_ONE_MOMENT})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, both ends included; an empty end is open.

    *utc* is the same in UTC where the value said its zone.
    """

    low: str
    high: str
    utc: tuple[str, str] | None = None


def checked_text(keyword: str, value: str) -> str:
    r"""Return *value* without padding, stars that stand together as one.

    Raises
    ------
    InvalidError
        If it is too long, has control characters, or too many wildcards.

    Examples
    --------
    >>> checked_text("PatientName", "A**B* ")
    'A*B*'
    """
    plain = re.sub(r"\*+", "*", value.strip(" "))
    if len(plain) > LONGEST:
        msg = f"{keyword} has {len(plain)} letters; up to {LONGEST} are looked for."
        raise InvalidError(msg)
    if clean(plain) != plain.strip():
        msg = f"{keyword} has control characters, which no value has."
        raise InvalidError(msg)
    if plain.count("*") > MOST_STARS:
        msg = f"{keyword} has more than {MOST_STARS} wildcards '*'."
        raise InvalidError(msg)
    return plain


def uids(keyword: str, values: tuple[str, ...]) -> list[str]:
    """Return the UIDs of a list (PS3.4, C.2.2.2.2).

    Raises
    ------
    InvalidError
        If one is none, or they are too many.
    """
    found = [value.strip(" \0") for value in values]
    if len(found) > MOST_VALUES:
        msg = f"{keyword} has {len(found)} UIDs; ask for up to {MOST_VALUES} at once."
        raise InvalidError(msg)
    if not all(map(_UID.fullmatch, found)):
        msg = f"{keyword} takes UIDs: up to 64 digits and dots each."
        raise InvalidError(msg)
    return found


def numbers(keyword: str, values: tuple[str, ...]) -> list[str]:
    """Return numbers as the catalogue writes them, each also as it came.

    Raises
    ------
    InvalidError
        If one is none.
    """
    found: list[str] = []
    for value in values[:MOST_VALUES]:
        plain = value.strip()
        if not _NUMBER.fullmatch(plain):
            msg = f"{keyword} takes a number, got {clean(plain)[:32]!r}."
            raise InvalidError(msg)
        found.append(plain)
        if float(plain).is_integer():
            found.append(str(int(float(plain))))
    return found


def day_span(keyword: str, value: str) -> Span:
    """Return from which day to which *value* goes (PS3.4, C.2.2.2.5.1).

    Raises
    ------
    InvalidError
        If it is neither a date nor a range of dates.

    Examples
    --------
    >>> day_span("StudyDate", "20200101-")
    Span(low='20200101', high='', utc=None)
    """
    first, dash, last = value.strip().partition("-")
    last = last if dash else first
    low, high = day(first), day(last)
    if (first.strip() and not low) or (last.strip() and not high) or not low + high:
        msg = f"{keyword} takes YYYYMMDD or a range of two with '-' between."
        raise InvalidError(msg)
    return Span(low, high)


def clock_span(keyword: str, value: str) -> Span:
    """Return from which time of day to which *value* goes (PS3.4, C.2.2.2.5.2).

    A time that leaves seconds or minutes away means all of them.

    Raises
    ------
    InvalidError
        If it is neither a time nor a range of times.

    Examples
    --------
    >>> clock_span("StudyTime", "10-1130")
    Span(low='100000.000000', high='113059.999999', utc=None)
    """
    first, dash, last = value.strip().partition("-")
    last = last if dash else first
    low, high = clock(first), _latest(last)
    if (first.strip() and not low) or (last.strip() and not high) or not low + high:
        msg = f"{keyword} takes HHMMSS or a range of two with '-' between."
        raise InvalidError(msg)
    return Span(low, high)


def moment_span(keyword: str, value: str, zone: str = "") -> Span:
    """Return from which moment to which *value* goes (PS3.4, C.2.2.2.5.3).

    Parameters
    ----------
    keyword
        The key, for messages.
    value
        A date with time, or a range of two.
    zone
        The zone of moments that do not say theirs; empty where it is not known.

    Raises
    ------
    InvalidError
        If it is neither.

    Examples
    --------
    >>> moment_span("AcquisitionDateTime", "2021-202203")
    Span(low='20210101000000.000000', high='20220331995959.999999', utc=None)
    """
    plain = value.strip()
    first = last = plain
    if (ends := _MOMENTS.fullmatch(plain)) and moment_of(plain) is None:
        first, last = ends[1] or "", ends[2] or ""
    low, high = _end(first, zone), _end(last, zone, latest=True)
    if not (first or last) or None in {low, high}:
        msg = f"{keyword} takes YYYYMMDDHHMMSS+ZZZZ or a range of two."
        raise InvalidError(msg)
    assert low is not None  # noqa: S101 (for the type checker; said above)
    assert high is not None  # noqa: S101 (likewise)
    known = all(one[1] or not one[0] for one in (low, high))
    return Span(low[0], high[0], (low[1], high[1]) if known else None)


def _end(said: str, zone: str, *, latest: bool = False) -> tuple[str, str] | None:
    """Return one end of a range, local and in UTC; None if it is no moment."""
    if not said:
        return "", ""
    found = moment_of(said)
    if found is None:
        return None
    plain = re.sub(r"[+-]\d{4}$", "", said)
    offset = said[len(plain) :] or zone
    local = _latest_moment(plain) if latest else found[0]
    return local, moved(local, offset) if offset else ""


def moved(at: str, zone: str) -> str:
    """Return the end of a range in *zone* as UTC; an open end stays open."""
    if not at:
        return ""
    hours = "23" if at[8:10] == LAST else at[8:10]
    return in_utc(at[:8] + hours + at[10:], zone)


def _latest(time: str) -> str:
    """Return the last moment that *time* means, empty if it is no time."""
    full = clock(time)
    if not full:
        return ""
    digits = re.sub(r"[:\s]", "", time)
    whole, _, fraction = digits.partition(".")
    return f"{(whole + '5959'[len(whole) - 2 :]):.6}.{fraction:9<6}"


def _latest_moment(plain: str) -> str:
    """Return the last moment that a date with time, cut short somewhere, means."""
    if len(plain) > 8:  # noqa: PLR2004 (YYYYMMDD)
        return plain[:8] + _latest(plain[8:])
    year, month = plain[:4], plain[4:6] or "12"
    on = plain[6:8]
    if not on:
        on = next(one for one in ("31", "30", "29", "28") if day(year + month + one))
    return f"{year}{month}{on}{LAST}5959.999999"
