"""The tables of a generation, and how its file is opened."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from rounds_search.analyzer import ANALYZER
from rounds_search.errors import (
    DamagedIndexError,
    IndexBusyError,
    IndexUnavailableError,
    NewerIndexError,
)
from rounds_search.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["FIELDS", "SCHEMA", "connect", "create", "given", "schema_of", "translated"]

# The numbers of the tables and of the analyzer: an older one misreads a newer one's.
SCHEMA: Final = (3, ANALYZER)

# A row with no body is deleted, or (revision -1) known only as what a picture leads to.
# Rows are never taken away, so that a deletion keeps its place in the order of writes.
TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    slot INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    keys TEXT,
    body TEXT
);
CREATE INDEX documents_by_seq ON documents (seq);
CREATE TABLE pictures (
    slot INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    encoder TEXT NOT NULL,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    keys TEXT
);
CREATE INDEX pictures_by_seq ON pictures (seq);
CREATE TABLE encoders (
    name TEXT PRIMARY KEY,
    dimension INTEGER NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0,
    live INTEGER NOT NULL DEFAULT 0,
    file INTEGER NOT NULL DEFAULT 0,
    coded INTEGER NOT NULL DEFAULT 0,
    turn INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""
WORDS: Final = (
    f"CREATE VIRTUAL TABLE words USING fts5 ({', '.join(FIELDS)}, content = '',"
    " prefix = '2 3', tokenize = \"ascii tokenchars '.'\")"
)

FILE: Final = "index.sqlite"
BUSY_S: Final = 30.0

T = TypeVar("T")


def connect(folder: Path, *, write: bool) -> sqlite3.Connection:
    """Return a connection to the generation in *folder*, in autocommit."""
    mode = "rwc" if write else "rw"
    connection = sqlite3.connect(
        f"{(folder / FILE).absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -16000")
    if not write:
        connection.execute("PRAGMA query_only = ON")
    return connection


def create(folder: Path) -> sqlite3.Connection:
    """Return a connection for writing to a new generation with empty tables."""
    connection = connect(folder, write=True)
    connection.executescript(TABLES)
    connection.execute(WORDS)
    named = {"format": SCHEMA[0], "analyzer": SCHEMA[1], "seq": 0}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", named.items())
    return connection


def schema_of(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the schema that *connection*'s generation was written with.

    Raises
    ------
    NewerIndexError
        It is newer than ``SCHEMA``.
    """
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    found = (int(meta["format"]), int(meta["analyzer"]))
    if found > SCHEMA:
        raise NewerIndexError(_dotted(found), _dotted(SCHEMA))
    return found


def _dotted(schema: tuple[int, int]) -> str:
    return f"{schema[0]}.{schema[1]}"


class _FromCaller(Exception):  # noqa: N818 - carries an error, is none
    """What a caller's own iterable raised, on its way back to the caller."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def given(entries: Iterable[T]) -> Iterator[T]:
    """Yield the caller's *entries*; what they raise passes ``translated`` unchanged."""
    remaining = iter(entries)
    while True:
        try:
            entry = next(remaining)
        except StopIteration:
            return
        except Exception as error:
            # The caller hears of it: translated() raises it again.
            raise _FromCaller(error) from error
        yield entry


@contextmanager
def translated() -> Iterator[None]:
    """Turn what SQLite and the disk say into the errors of this package."""
    try:
        yield
    except _FromCaller as error:
        raise error.error from None
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise IndexBusyError(BUSY_S) from error
        if "malformed" in str(error) or "no such table" in str(error):
            msg = "The index's file is damaged."
            raise DamagedIndexError(msg) from error
        msg = f"The index cannot be used now ({error})."
        raise IndexUnavailableError(msg) from error
    except sqlite3.DatabaseError as error:
        msg = "The index's file is damaged."
        raise DamagedIndexError(msg) from error
    except OSError as error:
        msg = f"The index cannot be used now ({errno.errorcode.get(error.errno or 0)})."
        raise IndexUnavailableError(msg) from error
