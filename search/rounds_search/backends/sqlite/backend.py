"""The index for one machine: SQLite's FTS5 for words, exact nearness for pictures."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.backends.sqlite.answering import answer
from rounds_search.backends.sqlite.compaction import compact
from rounds_search.backends.sqlite.generation import Generation
from rounds_search.backends.sqlite.place import Place, sync_folder
from rounds_search.backends.sqlite.schema import (
    SCHEMA,
    connect,
    create,
    given,
    schema_of,
    translated,
)
from rounds_search.backends.sqlite.sidecar import Pace, Stand, mapped, slices
from rounds_search.backends.sqlite.writing import PACE, put_codes, write
from rounds_search.documents import ImageDocument, WriteReport, unpacked
from rounds_search.errors import IndexUnavailableError, SearchError
from rounds_search.interaction import Slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rounds_search.backends.base import Entry, Health
    from rounds_search.documents import Answer, Delete
    from rounds_search.requests import Request

__all__ = ["SqliteBackend"]

BATCH: Final = 1_000
# The first schema that keeps where each slice lies.
PLACED: Final = 2


class SqliteBackend:
    """A search index in a folder.

    Any number of processes and threads may search while one writes; a write is seen by
    the next search of every process.

    Parameters
    ----------
    folder
        Where the index lives; ``ensure`` makes it.
    patience
        Seconds that a write waits for another writer.
    pace
        From how many rows on the files of vectors are worked on.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from rounds_search import Document, Request
    >>> folder = tempfile.TemporaryDirectory()
    >>> index = SqliteBackend(Path(folder.name))
    >>> index.ensure()
    >>> everyone = frozenset({"everyone"})
    >>> case = Document(id="c1", kind="case", revision=1, title="Brain abscess",
    ...                 audience=everyone)
    >>> index.write([case]).written
    1
    >>> index.search(Request(text="脑脓肿", audience=everyone)).hits[0].id
    'c1'
    >>> index.close(); folder.cleanup()
    """

    def __init__(
        self, folder: Path, *, patience: float = 60.0, pace: Pace = PACE
    ) -> None:
        """Remember where; nothing is opened yet."""
        self._pace = pace
        self._place = Place(folder)
        self._patience = patience
        self._lock = threading.Lock()
        self._open: Generation | None = None

    def ensure(self) -> None:
        """Create the index, or renew one of an older version from its own documents.

        Raises
        ------
        NewerIndexError
            A newer version of Rounds wrote it.
        """
        with translated():
            if self._is_ready():
                return
            with self._place.writing(self._patience):
                if not self._is_ready():
                    self._renew(self._place.current())

    def write(
        self, documents: Iterable[Entry] = (), deletes: Iterable[Delete] = ()
    ) -> WriteReport:
        """Put *documents* in and take *deletes* out, all or nothing, durably."""
        with translated(), self._place.writing(self._patience):
            current = self._current()
            with closing(connect(current, write=True)) as connection:
                schema_of(connection)
                entries = given(documents), given(deletes)
                report = write(connection, current, *entries, self._pace)
                # The write is done; what cannot be compacted now will be another time.
                with suppress(OSError, sqlite3.Error):
                    compact(connection, current, self._pace)
                return report

    def search(self, request: Request) -> Answer:
        """Return what *request* finds, for its audience only."""
        with translated(), self._generation().view() as view:
            return answer(view, request)

    def rebuild(self, documents: Iterable[Entry]) -> WriteReport:
        """Fill a new generation with *documents* and swap it in.

        Searches go on in the old one; writers wait. When *documents* fails on the way,
        the old generation stays.
        """
        with translated(), self._place.writing(self._patience):
            return self._fill(given(documents), before=self._place.current())

    def health(self) -> Health:
        """Return the index's size and whether it agrees with itself."""
        try:
            with translated(), self._generation().view() as view:
                documents = int(view.snapshot.documents.live.sum())
                pictures = view.snapshot.pictures
                stands = view.snapshot.encoders
                rows = sum(stand.rows for stand in stands.values())
                sidecars = [view.sidecar(encoder) for encoder in stands]
                used = int(pictures.count[pictures.table.live].sum())
        except SearchError as error:
            return {"ok": False, "backend": "sqlite", "problem": str(error)}
        return {
            "ok": True,
            "backend": "sqlite",
            "schema": f"{SCHEMA[0]}.{SCHEMA[1]}",
            "documents": documents,
            "pictures": int(pictures.table.live.sum()),
            "vectors": used,
            "unused_vectors": rows - used,
            "coded_vectors": sum(len(sidecar.codes) for sidecar in sidecars),
        }

    def close(self) -> None:
        """Free what is held; closing twice changes nothing."""
        with self._lock:
            if self._open is not None:
                self._open.retire()
                self._open = None

    def _is_ready(self) -> bool:
        current = self._place.current()
        if current is None:
            return False
        with closing(connect(current, write=False)) as connection:
            return schema_of(connection) == SCHEMA

    def _renew(self, current: Path | None) -> None:
        if current is None:
            self._fill((), before=None)
            return
        with closing(connect(current, write=False)) as connection:
            self._fill(_entries(connection, current), before=current)

    def _current(self) -> Path:
        current = self._place.current()
        if current is None:
            msg = "There is no index yet. Make one with 'rounds index rebuild'."
            raise IndexUnavailableError(msg)
        return current

    def _generation(self) -> Generation:
        """Return the generation in use, opened anew after a swap."""
        current = self._current()
        with self._lock:
            if self._open is None or self._open.folder != current:
                opened = Generation(current)
                if self._open is not None:
                    self._open.retire()
                self._open = opened
            return self._open

    def _fill(self, documents: Iterable[Entry], *, before: Path | None) -> WriteReport:
        made = self._place.fresh()
        try:
            with closing(create(made)) as connection:
                # Nobody reads it before it is whole; it is made durable once, below.
                connection.execute("PRAGMA synchronous = OFF")
                if before is not None:
                    _carry_deletions(connection, before)
                report = _write_all(connection, made, documents, self._pace)
                put_codes(connection, made, replace(self._pace, block=1))
                connection.execute("INSERT INTO words (words) VALUES ('optimize')")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            sync_folder(made)
            self._place.point_to(made)
        except BaseException:
            # Whoever called hears of it; the old generation is still in use.
            shutil.rmtree(made, ignore_errors=True)
            raise
        return report


def _write_all(
    connection: sqlite3.Connection,
    folder: Path,
    documents: Iterable[Entry],
    pace: Pace,
) -> WriteReport:
    written, stale = 0, list[str]()
    remaining = iter(documents)
    while part := list(islice(remaining, BATCH)):
        report = write(connection, folder, part, (), pace)
        written += report.written
        stale += report.stale
    return WriteReport(written, 0, tuple(stale))


def _carry_deletions(connection: sqlite3.Connection, before: Path) -> None:
    """Take what was deleted over, so that a late write cannot bring it back."""
    with closing(connect(before, write=False)) as old:
        documents = old.execute(
            "SELECT id, revision FROM documents WHERE body IS NULL AND revision >= 0"
        ).fetchall()
        pictures = old.execute(
            "SELECT id, revision FROM pictures WHERE keys IS NULL"
        ).fetchall()
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO documents (id, revision, seq) VALUES (?, ?, 1)", documents
    )
    connection.executemany(
        "INSERT INTO pictures (id, revision, seq, encoder, start, count)"
        " VALUES (?, ?, 1, '', 0, 0)",
        pictures,
    )
    connection.execute("UPDATE meta SET value = 1 WHERE name = 'seq'")
    connection.execute("COMMIT")


def _entries(connection: sqlite3.Connection, folder: Path) -> Iterator[Entry]:
    """Yield everything that an older generation holds."""
    for (body,) in connection.execute(
        "SELECT body FROM documents WHERE body IS NOT NULL"
    ):
        yield unpacked(body)
    stands = [Stand(*row) for row in connection.execute("SELECT * FROM encoders")]
    read = slices if (schema_of(connection)[0] >= PLACED) else _unplaced
    files = {stand.name: read(folder, stand) for stand in stands}
    for row in connection.execute(
        "SELECT id, revision, encoder, start, count, keys FROM pictures"
        " WHERE keys IS NOT NULL"
    ):
        yield _image(row, files)


def _unplaced(folder: Path, stand: Stand) -> Slices:
    shape = (stand.rows, stand.dimension)
    return Slices(mapped(folder / f"{stand.stem}.f32", shape))


def _image(row: tuple[Any, ...], files: dict[str, Slices]) -> ImageDocument:
    name, revision, encoder, start, count, keys = row
    known = json.loads(keys)
    own = files[encoder].part(start, start + count)
    placed = own.positions
    is_known = placed is not None and not np.isnan(placed).any()
    return ImageDocument(
        id=name,
        case_ids=tuple(known["cases"]),
        revision=revision,
        encoder=encoder,
        vectors=own.vectors,
        positions=placed if is_known else None,
        audience=frozenset(known["audience"]),
        where={field: tuple(values) for field, values in known["facets"].items()},
    )
