"""Conditions in SQL for the keys of a query, the same on SQLite and PostgreSQL.

Nothing of a query becomes part of a statement: values are bound, columns and keywords
come from :mod:`rounds_hub.querying.keys`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Table, and_, func, literal, or_, select, true

from rounds_hub.archive.models import Instance, Series, Study
from rounds_hub.archive.names import compared, words_of
from rounds_hub.errors import InvalidError
from rounds_hub.querying import values as given
from rounds_hub.querying.keys import TIME_OF, Level, Matching
from rounds_hub.querying.values import Span, checked_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import ColumnElement

    from rounds_hub.querying.keys import Key

    Condition = ColumnElement[bool]
    Matches = Callable[[Any], Condition]

__all__ = ["INSTANCE", "SERIES", "STUDY", "TABLES", "Conditions"]

# As plain tables: to put a statement together takes a third of the time.
STUDY: Final = cast("Table", Study.__table__)
SERIES: Final = cast("Table", Series.__table__)
INSTANCE: Final = cast("Table", Instance.__table__)
TABLES: Final[dict[Level, Table]] = {
    Level.PATIENT: STUDY,
    Level.STUDY: STUDY,
    Level.SERIES: SERIES,
    Level.IMAGE: INSTANCE,
}
_BEGIN: Final = "000000.000000"
_END: Final = "995959.999999"
MOST_LETTERS: Final = 20_000
"""Of all values of one key."""


class Conditions:
    """Makes conditions for one kind of database.

    Parameters
    ----------
    dialect
        ``sqlite`` or ``postgresql``.
    zone
        The zone in which the query's dates and times are, empty where it says none.
    fuzzy
        Whether names are matched by the beginnings of their words.
    narrow
        Whether a key leaves few studies, so that dates need no index.
    """

    def __init__(
        self, dialect: str, *, zone: str = "", fuzzy: bool = False, narrow: bool = False
    ) -> None:
        """Remember how to say it."""
        self.postgresql = dialect == "postgresql"
        self.zone = zone
        self.fuzzy = fuzzy
        # SQLite would take the index of the order, and look at every study of a year.
        hidden = narrow and not self.postgresql
        self.moment: ColumnElement[str] = (
            STUDY.c.moment.concat("") if hidden else STUDY.c.moment
        )

    def of(self, key: Key, values: tuple[str, ...]) -> Condition:
        """Return the condition that *key* has one of *values*.

        Raises
        ------
        InvalidError
            If a value cannot be one of this key.
        """
        if key.matching is Matching.UIDS:
            return self._has(key, given.uids(key.keyword, values))
        if key.matching is Matching.NUMBER:
            return self._has(key, given.numbers(key.keyword, values))
        each = [checked_text(key.keyword, value) for value in values]
        if len(each) > given.MOST_VALUES or sum(map(len, each)) > MOST_LETTERS:
            msg = f"{key.keyword} has too many values for one query."
            raise InvalidError(msg)
        one = self._one_of(key)
        return or_(*(one(key, value) for value in each))

    def on_column(
        self, key: Key, column: ColumnElement[str], values: tuple[str, ...]
    ) -> Condition:
        """Return the condition that *column* has one of *values*, made for *key*."""
        if key.matching is Matching.UIDS:
            return column.in_(given.uids(key.keyword, values))
        each = [checked_text(key.keyword, value) for value in values]
        return or_(*(self._like(value)(column) for value in each))

    def _one_of(self, key: Key) -> Callable[[Key, str], Condition]:
        """Return what makes the condition for one value of *key*."""
        if key.matching is Matching.NAME:
            return self._name
        if key.vr == "TM":
            return self._clock
        if key.vr == "DT":
            return self._moment
        return self._day if key.vr == "DA" else self._text

    def combined(self, date: Key, on: str, at: str) -> Condition:
        """Return the condition for a range of dates and one of times taken together.

        From the first date at the first time to the last date at the last time
        (PS3.4, C.2.2.2.5.4).
        """
        days = given.day_span(date.keyword, on)
        times = given.clock_span(TIME_OF[date.keyword], at)
        low = days.low and days.low + (times.low or _BEGIN)
        high = days.high and days.high + (times.high or _END)
        return self._within(date, Span(low, high))

    def inside(self, key: Key, wanted: Mapping[str, tuple[str, ...]]) -> Condition:
        """Return the condition that one item of a sequence has all that is *wanted*."""
        item, value_of = self._items(key)
        conditions = []
        for keyword, values in wanted.items():
            each = [checked_text(keyword, value) for value in values]
            column = value_of(keyword)
            conditions.append(or_(*(self._like(value)(column) for value in each)))
        return select(literal(1)).select_from(item).where(*conditions).exists()

    def _text(self, key: Key, value: str) -> Condition:
        """Return the condition for a value with or without wildcards."""
        return self._any(key, self._like(value))

    def _name(self, key: Key, value: str) -> Condition:
        """Return the condition for a name, by its component groups.

        A value with one group may be any of the three; of several each is compared
        with its own (PS3.5, 6.2.1.2).
        """
        if self.fuzzy:
            return self._fuzzy(key, value)
        groups = [compared(group) for group in value.split("=")[:3]]
        if not any(groups):
            return true()
        own = key.column == "patient_name"
        if not own:
            texts = [self._like(group) for group in groups if group]
            return and_(*(self._any(key, text, "~") for text in texts))
        columns = (
            STUDY.c.name_alphabetic,
            STUDY.c.name_ideographic,
            STUDY.c.name_phonetic,
        )
        if len(groups) == 1:
            return or_(*(self._like(groups[0])(column) for column in columns))
        pairs = zip(groups, columns, strict=False)
        return and_(*(self._like(group)(column) for group, column in pairs if group))

    def _fuzzy(self, key: Key, value: str) -> Condition:
        """Return the condition that each word of *value* begins one of the name's."""
        words = words_of(value.replace("*", " ").replace("?", " ")).split()
        if not words:
            return true()
        if key.column == "patient_name":
            return and_(
                *(self._like(f"* {word}*")(STUDY.c.name_words) for word in words)
            )
        any_of = [
            or_(
                self._any(key, self._like(f"{word}*"), "~"),
                *(self._any(key, self._like(f"*{by}{word}*"), "~") for by in "^ -"),
            )
            for word in words
        ]
        return and_(*any_of)

    def _day(self, key: Key, value: str) -> Condition:
        """Return the condition for a day or a range of days."""
        days = given.day_span(key.keyword, value)
        if key.keyword not in TIME_OF:
            return _between(self._scalar(key), days.low, days.high)
        low = days.low and days.low + _BEGIN
        return self._within(key, Span(low, days.high and days.high + _END))

    def _within(self, date: Key, span: Span) -> Condition:
        """Return the condition that the moment of *date* is within *span*."""
        local = self._scalar(date, "@")
        if not self.zone:
            return _between(local, span.low, span.high)
        moved = (given.moved(end, self.zone) for end in (span.low, span.high))
        utc = self._scalar(date, "@@")
        known = and_(utc.is_not(None), _between(utc, *moved))
        return or_(known, and_(utc.is_(None), _between(local, span.low, span.high)))

    def _clock(self, key: Key, value: str) -> Condition:
        """Return the condition for a time of day or a range."""
        times = given.clock_span(key.keyword, value)
        column = self._scalar(key, "~")
        if key.keyword == "StudyTime":
            column = func.substr(STUDY.c.moment, 9)
            return and_(STUDY.c.time != "", _between(column, times.low, times.high))
        return _between(column, times.low, times.high)

    def _moment(self, key: Key, value: str) -> Condition:
        """Return the condition for a date with time or a range."""
        span = given.moment_span(key.keyword, value, self.zone)
        local = self._scalar(key, "@")
        if span.utc is None:
            return _between(local, span.low, span.high)
        utc = self._scalar(key, "@@")
        known = and_(utc.is_not(None), _between(utc, *span.utc))
        return or_(known, and_(utc.is_(None), _between(local, span.low, span.high)))

    def _has(self, key: Key, values: list[str]) -> Condition:
        """Return the condition that a value of *key* is one of *values*."""
        return self._any(key, lambda column: column.in_(values))

    def _any(self, key: Key, matches: Matches, mark: str = "") -> Condition:
        """Return the condition that a value of *key* matches."""
        if not (key.several or mark) or key.column:
            return matches(self._scalar(key, mark))
        kept = TABLES[key.level].c.attributes
        name = mark + key.keyword
        if self.postgresql:
            each = func.json_array_elements_text(kept[name])
        else:
            each = func.json_each(kept, f'$."{name}"')
        values = each.table_valued("value", name=f"each_{key.keyword}")
        return (
            select(literal(1))
            .select_from(values)
            .where(matches(values.c.value))
            .exists()
        )

    def _scalar(self, key: Key, mark: str = "") -> ColumnElement[Any]:
        """Return the one value of *key*, or under *mark* how it is compared."""
        table = TABLES[key.level]
        if key.keyword == "StudyDate" and mark == "@":
            return self.moment
        if key.column and not mark:
            column: ColumnElement[Any] = table.c[key.column]
            return column
        text: ColumnElement[Any] = table.c.attributes[mark + key.keyword].as_string()
        return text

    def _items(self, key: Key) -> tuple[Any, Callable[[str], ColumnElement[str]]]:
        """Return the items of a sequence as rows, and what gives a value of one."""
        kept = TABLES[key.level].c.attributes
        if self.postgresql:
            each = func.json_array_elements(kept[key.keyword])
            rows = each.table_valued("value", name=f"item_{key.keyword}")
            return rows, rows.c.value.op("->>")
        each = func.json_each(kept, f'$."{key.keyword}"')
        rows = each.table_valued("value", name=f"item_{key.keyword}")
        return rows, lambda keyword: func.json_extract(rows.c.value, f"$.{keyword}")

    def _like(self, value: str) -> Matches:
        """Return what compares with *value*, in which * and ? may stand for others."""
        if "*" not in value and "?" not in value:
            return lambda column: column == value
        if self.postgresql:
            escaped = re.sub(r"([\\%_])", r"\\\1", value)
            like = escaped.replace("*", "%").replace("?", "_")
            return lambda column: column.like(like, escape="\\")
        pattern = value.replace("[", "[[]")
        return lambda column: column.op("GLOB", is_comparison=True)(pattern)


def _between(column: ColumnElement[Any], low: str, high: str) -> Condition:
    """Return the condition that *column* lies between, an empty end being open."""
    ends = [column >= low] if low else [column != ""]
    return and_(*ends, *([column <= high] if high else []))
