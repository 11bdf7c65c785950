"""Take rows out of the catalogue with all that hangs on them, and put them back.

What hangs on a row is found by the foreign keys of all tables, so that a table that is
new here goes and comes back with its series without being named.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rounds_hub.access.sight import touched
from rounds_hub.catalogue.models import Base, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Column, ColumnElement
    from sqlalchemy.orm import Session

__all__ = ["Rows", "copy_rows", "put_back", "take_out"]

Rows = dict[str, list[dict[str, Any]]]
"""Rows by the name of their table, as JSON can hold them."""

AT_ONCE = 500

_Found = dict[str, dict[tuple[Any, ...], dict[str, Any]]]
"""Rows by the name of their table, then by their key."""


def copy_rows(session: Session, table: type[Base], keys: Sequence[str]) -> Rows:
    """Return the rows of *table* with those *keys*; nothing is taken out."""
    named = Base.metadata.tables[table.__tablename__]
    return {named.name: _rows_with(session, named, _key_of(named), keys)}


def take_out(session: Session, table: type[Base], keys: Sequence[str]) -> Rows:
    """Take the rows of *table* with those *keys* out, and what hangs on them."""
    found: _Found = {}
    top = Base.metadata.tables[table.__tablename__]
    _gather(session, top, _key_of(top), keys, found)
    taken = {name: list(rows.values()) for name, rows in found.items()}
    for hanging in reversed(Base.metadata.sorted_tables):
        _delete(session, hanging, taken.get(hanging.name, ()))
    touched(session, _series_in(taken))
    return taken


def put_back(session: Session, rows: Rows) -> None:
    """Put *rows* back; what stands there under the same key meanwhile stays."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    insert_new = postgresql_insert if postgresql else sqlite_insert
    for table in Base.metadata.sorted_tables:
        kept = [_as_columns(table, row) for row in rows.get(table.name, ())]
        for some in _in_parts(kept):
            session.execute(insert_new(table).on_conflict_do_nothing(), list(some))
    touched(session, _series_in(rows))


def _series_in(rows: Rows) -> set[str]:
    """Return the series that *rows* decide on who may see them."""
    series = {row["uid"] for row in rows.get("series", ())}
    return series | {row["series_uid"] for row in rows.get("case_series", ())}


def _gather(
    session: Session,
    table: Table,
    column: ColumnElement[Any],
    values: Sequence[Any],
    found: _Found,
) -> None:
    """Add the rows whose *column* has one of *values* to *found*, and those below."""
    rows = _rows_with(session, table, column, values)
    keys = [one.name for one in table.primary_key.columns]
    there = found.setdefault(table.name, {})
    there.update({tuple(row[key] for key in keys): row for row in rows})
    for child, foreign, name in _children(table):
        if rows:
            _gather(session, child, foreign, [row[name] for row in rows], found)


def _children(table: Table) -> Iterable[tuple[Table, ColumnElement[Any], str]]:
    """Yield tables that refer to *table*: their column, and the column it names."""
    for child in Base.metadata.sorted_tables:
        for key in child.foreign_keys:
            if key.column.table is table:
                yield child, key.parent, key.column.name


def _rows_with(
    session: Session,
    table: Table,
    column: ColumnElement[Any],
    values: Sequence[Any],
) -> list[dict[str, Any]]:
    """Return the rows whose *column* has one of *values*, as JSON can hold them."""
    found: list[dict[str, Any]] = []
    for some in _in_parts(values):
        wanted = select(table).where(column.in_(some))
        found += [
            {name: _as_json(value) for name, value in row.items()}
            for row in session.execute(wanted).mappings()
        ]
    return found


def _delete(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Delete *rows* from *table* by their keys."""
    columns = list(table.primary_key.columns)
    for some in _in_parts(rows):
        keys = [tuple(row[column.name] for column in columns) for row in some]
        session.execute(delete(table).where(tuple_(*columns).in_(keys)))


def _key_of(table: Table) -> ColumnElement[Any]:
    """Return the one column by which rows of *table* are named."""
    return next(iter(table.primary_key.columns))


def _in_parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Yield *values* some at a time: a statement takes a bounded number."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _as_json(value: Any) -> Any:  # noqa: ANN401 (whatever a column holds)
    """Return *value* as JSON can hold it."""
    return value.isoformat() if isinstance(value, datetime) else value


def _as_columns(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """Return a kept *row* as the columns of *table* hold it now."""
    return {
        column.name: _as_value(column, row[column.name])
        for column in table.columns
        if column.name in row
    }


def _as_value(column: Column[Any], value: Any) -> Any:  # noqa: ANN401 (see above)
    """Return a kept *value* as *column* holds it."""
    if value is not None and isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    return value
