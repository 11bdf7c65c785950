"""The languages of the pages: which one a request gets, and its words.

The words are in ``locale/<language>/LC_MESSAGES/rounds.po``; they are read as they are,
so that nothing has to be compiled. English is what the sources say.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import TYPE_CHECKING

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta, get_timezone
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

from rounds_hub.catalogue.models import utc_now

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["COOKIE", "LANGUAGES", "Language", "language_of"]

COOKIE = "rounds-language"
LANGUAGES = {"en": "English", "zh": "中文"}
LOCALES = {"en": "en_GB", "zh": "zh_Hans_CN"}
FOLDER = Path(__file__).parent / "locale"
_RECENT_SECONDS = 7 * 86_400
_PLAIN_FROM = 10_000
_SHORTEST = 0.1


@dataclass(frozen=True)
class Language:
    """A language, its words and the way it writes numbers and dates.

    Examples
    --------
    >>> Language("en").number(4812.25)
    '4812.25'
    >>> Language("zh").gettext("Cases")
    '病例'
    """

    tag: str

    @property
    def locale(self) -> Locale:
        """What Babel knows of the language."""
        return Locale.parse(LOCALES[self.tag])

    @property
    def html(self) -> str:
        """The tag for ``<html lang>``."""
        return "zh-Hans" if self.tag == "zh" else self.tag

    @property
    def words(self) -> NullTranslations:
        """The translations of the language."""
        return _words(self.tag)

    def gettext(self, message: str) -> str:
        """Return *message* in this language."""
        return self.words.gettext(message) if message else ""

    def ngettext(self, one: str, many: str, count: int) -> str:
        """Return *one* or *many* in this language, as *count* asks."""
        return self.words.ngettext(one, many, count)

    def number(self, value: float, digits: int = 2) -> str:
        """Return *value* with at most *digits* decimals, thousands set apart."""
        text = format_decimal(
            round(value, digits), f"#,##0.{'#' * digits}", locale=self.locale
        )
        grouped = abs(value) >= _PLAIN_FROM
        return text.replace(",", "\u202f" if grouped else "").replace("-", "\u2212")

    def seconds(self, value: float) -> str:
        """Return a duration with one decimal, as steps show it."""
        if 0 < value < _SHORTEST:
            return f"< {_SHORTEST}\u202fs"
        return f"{format_decimal(value, '0.0', locale=self.locale)}\u202fs"

    def date(self, moment: datetime) -> str:
        """Return the day of *moment*."""
        return str(format_date(moment, "medium", locale=self.locale))

    def dicom_day(self, date: str) -> str:
        """Return the day of a DICOM date (DA, PS3.5 6.2), or what stands there instead.

        Examples
        --------
        >>> Language("en").dicom_day("20240229"), Language("en").dicom_day("2024")
        ('29 Feb 2024', '2024')
        """
        try:
            day = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
        except ValueError:
            return date
        return self.date(day)

    def moment(self, moment: datetime) -> str:
        """Return *moment* with its hour, in UTC as the server keeps it."""
        zone = get_timezone("UTC")
        text = format_datetime(moment, "medium", tzinfo=zone, locale=self.locale)
        return f"{text} UTC"

    def ago(self, moment: datetime) -> str:
        """Return how long ago *moment* was, or the day where that is clearer."""
        gone = utc_now() - moment
        if gone.total_seconds() > _RECENT_SECONDS:
            return self.date(moment)
        return str(format_timedelta(-gone, add_direction=True, locale=self.locale))


@cache
def _words(tag: str) -> NullTranslations:
    """Read the words of the language *tag*."""
    file = FOLDER / tag / "LC_MESSAGES" / "rounds.po"
    if not file.is_file():
        return NullTranslations()
    with file.open("rb") as stream:
        catalog = read_po(stream, locale=tag)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled, domain="rounds")


def language_of(request: Request) -> Language:
    """Return the language that the person chose, else one their browser asks for."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return Language(chosen)
    return Language(_negotiated(request.headers.get("accept-language", "")))


def _negotiated(accepted: str) -> str:
    """Return the best of our languages for the header *accepted*.

    Examples
    --------
    >>> _negotiated("de, zh-CN;q=0.8, en;q=0.4")
    'zh'
    >>> _negotiated("")
    'en'
    """
    wishes = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, quality = part.strip().partition(";")
        weight = _weight(quality)
        if weight > 0 and tag:
            wishes.append((-weight, place, tag.lower()))
    for _weighed, _place, tag in sorted(wishes):
        short = tag.partition("-")[0]
        if short in LANGUAGES:
            return short
    return "en"


def _weight(quality: str) -> float:
    """Return the weight in ``q=0.8``, 1 where there is none, 0 where it is garbled."""
    _, _, value = quality.partition("q=")
    try:
        return float(value) if value else 1.0
    except ValueError:
        return 0.0
