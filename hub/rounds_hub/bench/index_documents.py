"""Row ``index``: documents of 60 words with a picture each, durable after each batch.

The peer is SQLite's FTS5 with its own tokenizer: a table of rows, the words, and the
vector as a blob, in one transaction a batch. Equal means that both have them all.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rounds_hub.bench.base import Contestant, Race
from rounds_hub.bench.library import COUNTED, Library
from rounds_search import SqliteBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["races"]

CASES: Final = 5_000
QUICK_CASES: Final = 200
BATCH: Final = 1_000


def races(*, quick: bool) -> Iterator[Race]:
    """Yield indexing against plain FTS5."""
    library = Library.of(QUICK_CASES if quick else CASES)
    entries = list(library.entries())

    def ours() -> int:
        with _folder() as folder, closing(SqliteBackend(Path(folder))) as index:
            index.ensure()
            remaining = iter(entries)
            while part := list(islice(remaining, 2 * BATCH)):
                index.write(part)
            return int(index.health()["documents"])

    yield Race(
        "index",
        "put documents and pictures in, durably",
        f"{len(library):,} documents of 60 words, as many vectors, {BATCH} at once",
        Contestant("rounds", "sqlite", ours),
        Contestant(
            "sqlite3 FTS5 unicode61", sqlite3.sqlite_version, lambda: _plain(library)
        ),
        lambda one, other: bool(one == other == len(library)),
        waits=True,
    )


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _plain(library: Library) -> int:
    with _folder() as folder, closing(sqlite3.connect(Path(folder) / "plain")) as plain:
        plain.executescript(
            f"""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            CREATE TABLE cases (at INTEGER PRIMARY KEY, id TEXT UNIQUE, body TEXT,
                {", ".join(COUNTED)}, vector BLOB);
            CREATE VIRTUAL TABLE words USING fts5 (findings, content = '',
                tokenize = 'unicode61');
            """
        )
        for at in range(len(library)):
            text = library.text(at)
            facets = [value[0] for value in library.facets(at).values()]
            row = (at, f"case-{at}", text, *facets, library.vectors[at].tobytes())
            plain.execute("INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            plain.execute(
                "INSERT INTO words (rowid, findings) VALUES (?, ?)", (at, text)
            )
            if at % BATCH == BATCH - 1:
                plain.commit()
        plain.commit()
        (found,) = plain.execute("SELECT count(*) FROM words").fetchone()
        return int(found)
