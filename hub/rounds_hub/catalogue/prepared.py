"""Statements that are compiled once and given to the database's driver as they are.

SQLAlchemy takes most of a millisecond around a handful of statements. Where a scanner
waits for each of thousands of commits, these take a tenth of that. They are written as
everywhere else, for every database; only who runs them is another.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.sql.dml import Insert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Dialect, Engine
    from sqlalchemy.sql.expression import ClauseElement

__all__ = ["Bare", "Prepared", "bare_transaction"]


class _Compiled(NamedTuple):
    """A statement in a database's own words, and how its values are given."""

    words: str
    order: tuple[str, ...] | None
    defaults: dict[str, Any]
    """Values of columns that are not given: plain ones, or what makes them."""
    processors: dict[str, Callable[[Any], Any]]

    def given(self, values: Mapping[str, Any]) -> dict[str, Any] | tuple[Any, ...]:
        """Return *values* as the driver wants them."""
        full = dict(values)
        for name, default in self.defaults.items():
            full[name] = default(None) if callable(default) else default
        for name, process in self.processors.items():
            full[name] = process(full[name])
        if self.order is None:
            return full
        return tuple(full[name] for name in self.order)


class Prepared:
    """A statement that is compiled once for each kind of database.

    Parameters
    ----------
    statement
        The statement; every value that changes is a bound parameter.
    names
        For an insert, the columns that are given; others get their defaults.
    """

    def __init__(self, statement: ClauseElement, names: Sequence[str] = ()) -> None:
        """Compile nothing yet."""
        self._statement = statement
        self._names = list(names)
        self._compiled: dict[str, _Compiled] = {}

    def compiled(self, dialect: Dialect) -> _Compiled:
        """Return the statement for *dialect*."""
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        return self._compiled[dialect.name]

    def _compile(self, dialect: Dialect) -> _Compiled:
        """Compile the statement."""
        keys = self._names or None
        made: Any = self._statement.compile(dialect=dialect, column_keys=keys)
        order = tuple(made.positiontup) if made.positional else None
        defaults = {}
        if isinstance(self._statement, Insert):
            columns: Any = self._statement.table.c
            defaults = {
                name: columns[name].default.arg
                for name in made.binds
                if name not in self._names and name in columns
            }
        processors = {
            name: process
            for name, bound in made.binds.items()
            if (process := _processor(bound.type, dialect)) is not None
        }
        return _Compiled(str(made), order, defaults, processors)


class Bare:
    """A cursor of the driver, inside a transaction.

    Parameters
    ----------
    cursor
        The cursor (PEP 249).
    dialect
        The kind of database.
    """

    def __init__(self, cursor: Any, dialect: Dialect) -> None:  # noqa: ANN401 (PEP 249)
        """Wrap *cursor*."""
        self._cursor = cursor
        self._dialect = dialect

    def run(self, statement: Prepared, **values: Any) -> None:  # noqa: ANN401 (columns)
        """Run *statement* with *values*."""
        made = statement.compiled(self._dialect)
        self._cursor.execute(made.words, made.given(values))

    def rows(self, statement: Prepared, **values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 (columns)
        """Return the rows that *statement* finds with *values*."""
        self.run(statement, **values)
        return list(self._cursor.fetchall())

    def run_each(self, statement: Prepared, every: Sequence[Mapping[str, Any]]) -> None:
        """Run *statement* with each of *every*."""
        made = statement.compiled(self._dialect)
        self._cursor.executemany(made.words, [made.given(values) for values in every])


@contextmanager
def bare_transaction(engine: Engine) -> Iterator[Bare]:
    """Give a cursor in a transaction that writes; it is undone by an error.

    Errors of the database are those of its driver, ``engine.dialect.dbapi.Error``.
    """
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        if engine.dialect.name == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")
        try:
            yield Bare(cursor, engine.dialect)
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    finally:
        connection.close()


def _processor(kind: Any, dialect: Dialect) -> Callable[[Any], Any] | None:  # noqa: ANN401 (a type of a column)
    """Return what turns a value of *kind* into one of the driver, if need be."""
    made: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(
        dialect
    )
    return made
