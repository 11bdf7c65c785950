"""Dates and times of DICOM in one form that sorts as time goes (PS3.5, 6.2).

A moment is ``YYYYMMDDHHMMSS.FFFFFF``, a time of day ``HHMMSS.FFFFFF``: what was not
said is zero. Old forms with dots and colons are understood. What is no date or time is
empty.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

__all__ = ["clock", "day", "in_utc", "moment", "moment_of", "zone_of"]

_DAY = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)", re.ASCII)
_CLOCK = re.compile(
    r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d|60)(?:\.(\d{1,6}))?)?)?", re.ASCII
)
_ZONE = re.compile(r"([+-])(\d\d)([0-5]\d)", re.ASCII)
_MOMENT = re.compile(r"(\d{4})(\d\d)?(\d\d)?([\d.]*?)([+-]\d{4})?", re.ASCII)
MIDNIGHT: Final = "000000.000000"
_FORM: Final = "%Y%m%d%H%M%S.%f"


def day(text: str) -> str:
    """Return the date as ``YYYYMMDD``, empty if it is none.

    Examples
    --------
    >>> day("2021.02.03"), day("20210231")
    ('20210203', '')
    """
    found = _DAY.fullmatch(text.strip())
    if found is None:
        return ""
    try:
        datetime(*map(int, found.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc] # three numbers
    except ValueError:
        return ""
    return "".join(found.groups())


def clock(text: str) -> str:
    """Return the time of day with all its places, empty if it is none.

    Examples
    --------
    >>> clock("10:30"), clock("1030"), clock("9")
    ('103000.000000', '103000.000000', '')
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return ""
    hour, minute, second, fraction = (part or "" for part in found.groups())
    return f"{hour}{minute or '00'}{second or '00'}.{fraction:0<6}"


def moment(date: str, time: str = "") -> str:
    """Return the moment of a date and a time, midnight where that is not known."""
    on = day(date)
    return on and on + (clock(time) or MIDNIGHT)


def zone_of(text: str) -> timezone | None:
    """Return the time zone written as ``+HHMM``, None if it is none.

    The attribute is TimezoneOffsetFromUTC (PS3.3, C.12.1.1).

    Examples
    --------
    >>> zone_of("-0330")
    datetime.timezone(datetime.timedelta(days=-1, seconds=73800))
    """
    found = _ZONE.fullmatch(text.strip())
    if found is None:
        return None
    away = timedelta(hours=int(found[2]), minutes=int(found[3]))
    if away > timedelta(hours=14):
        return None
    return timezone(-away if found[1] == "-" else away)


def in_utc(at: str, zone: str) -> str:
    """Return the moment *at* of a *zone* in UTC, empty if that cannot be.

    Examples
    --------
    >>> in_utc("20210101013000.000000", "+0200")
    '20201231233000.000000'
    """
    known = zone_of(zone)
    if known is None:
        return ""
    try:
        return (
            datetime.strptime(at, _FORM)
            .replace(tzinfo=known)
            .astimezone(UTC)
            .strftime(_FORM)
            .rjust(21, "0")
        )
    except (ValueError, OverflowError):
        return ""


def moment_of(text: str) -> tuple[str, str] | None:
    """Return a date with time (DT) as local moment and in UTC, which may be empty.

    Examples
    --------
    >>> moment_of("202103041200+0100")
    ('20210304120000.000000', '20210304110000.000000')
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    year, month, on, time, zone = (part or "" for part in found.groups())
    local = moment(f"{year}{month or '01'}{on or '01'}", time)
    if not local or (time and not clock(time)):
        return None
    return local, in_utc(local, zone) if zone else ""
