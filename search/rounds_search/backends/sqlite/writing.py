"""Put documents and pictures into a generation, each write in one transaction."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds_search.backends.sqlite.sidecar import Pace, Stand, append, coded
from rounds_search.documents import (
    FACETS,
    Document,
    ImageDocument,
    WriteReport,
    packed,
    seconds,
    unpacked,
)
from rounds_search.errors import DimensionError
from rounds_search.fields import FIELDS, indexed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt

    from rounds_search.documents import Delete

__all__ = ["put_codes", "put_stand", "write"]

PACE = Pace()
COLUMNS = ", ".join(FIELDS)
MARKS = ", ".join("?" for _ in FIELDS)
PUT_WORDS = f"INSERT INTO words (rowid, {COLUMNS}) VALUES (?, {MARKS})"  # noqa: S608 - constants
TAKE_WORDS = (
    f"INSERT INTO words (words, rowid, {COLUMNS}) VALUES ('delete', ?, {MARKS})"  # noqa: S608 - constants
)


def write(
    connection: sqlite3.Connection,
    folder: Path,
    documents: Iterable[Document | ImageDocument],
    deletes: Iterable[Delete],
    pace: Pace = PACE,
) -> WriteReport:
    """Write everything or, when anything fails, nothing; return what became of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        batch = _Batch(connection, folder, pace)
        for entry in documents:
            batch.put(entry)
        for delete in deletes:
            batch.take(delete)
        batch.finish()
        connection.execute("COMMIT")
    except BaseException:
        # Whoever called hears of it; here only the half-done transaction ends.
        connection.execute("ROLLBACK")
        raise
    return WriteReport(batch.written, batch.deleted, tuple(batch.stale))


@dataclass(slots=True)
class _Batch:
    """One transaction's work."""

    connection: sqlite3.Connection
    folder: Path
    pace: Pace
    seq: int = 0
    written: int = 0
    deleted: int = 0
    stale: list[str] = field(default_factory=list)
    images: dict[str, list[ImageDocument]] = field(default_factory=dict)
    stands: dict[str, Stand] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the next number in the order of transactions."""
        (self.seq,) = self.connection.execute(
            "UPDATE meta SET value = value + 1 WHERE name = 'seq' RETURNING value"
        ).fetchone()

    def put(self, entry: Document | ImageDocument) -> None:
        """Put *entry* in, unless the index has a newer one."""
        table = "documents" if isinstance(entry, Document) else "pictures"
        known = self._known(table, entry.id)
        if known and not _supersedes(entry.revision, *known):
            self.stale.append(entry.id)
            return
        if isinstance(entry, Document):
            self._put_document(entry)
        else:
            self._put_pictures(entry)
        self.written += 1

    def take(self, delete: Delete) -> None:
        """Take out what *delete* names, and remember it for writes that come late."""
        table = "pictures" if delete.pictures else "documents"
        known = self._known(table, delete.id)
        if known and delete.revision < known[0]:
            self.stale.append(delete.id)
            return
        if delete.pictures:
            self._mark_pictures_gone(delete)
        else:
            slot = self._slot(delete.id)
            self._take_words(slot)
            self.connection.execute(
                "UPDATE documents SET revision = ?, seq = ?, keys = NULL, body = NULL"
                " WHERE slot = ?",
                (delete.revision, self.seq, slot),
            )
        self.deleted += 1

    def finish(self) -> None:
        """Append the vectors and make them durable before the rows that name them."""
        for encoder, stand in self.stands.items():
            images = self.images.get(encoder, [])
            rows = [image.vectors.astype("<f4", copy=False) for image in images]
            first = stand.rows - sum(map(len, rows))
            append(self.folder / f"{stand.stem}.f32", first, rows)
            append(self.folder / f"{stand.stem}.at", first, map(_placed, images))
            put_stand(self.connection, coded(self.folder, stand, self.pace))

    def _known(self, table: str, name: str) -> tuple[int, bool] | None:
        """Return the revision the index has, and whether it is a live one."""
        row = self.connection.execute(
            f"SELECT revision, keys IS NOT NULL FROM {table} WHERE id = ?",  # noqa: S608 - ours
            (name,),
        ).fetchone()
        return (row[0], bool(row[1])) if row else None

    def _slot(self, name: str) -> int:
        """Return the row of the document *name*, made if it is not there yet."""
        self.connection.execute(
            "INSERT OR IGNORE INTO documents (id, revision, seq) VALUES (?, -1, ?)",
            (name, self.seq),
        )
        (slot,) = self.connection.execute(
            "SELECT slot FROM documents WHERE id = ?", (name,)
        ).fetchone()
        return int(slot)

    def _put_document(self, document: Document) -> None:
        slot = self._slot(document.id)
        self._take_words(slot)
        self.connection.execute(
            "UPDATE documents SET revision = ?, seq = ?, keys = ?, body = ?"
            " WHERE slot = ?",
            (document.revision, self.seq, _keys(document), packed(document), slot),
        )
        self.connection.execute(PUT_WORDS, (slot, *indexed(document).values()))

    def _take_words(self, slot: int) -> None:
        """Take the words of the document at *slot* out of the contentless table.

        FTS5 wants the very tokens that were put in; the same analyzer gives them again
        from the stored document, which is why its number is part of the schema.
        """
        (body,) = self.connection.execute(
            "SELECT body FROM documents WHERE slot = ?", (slot,)
        ).fetchone()
        if body is not None:
            before = unpacked(body)
            self.connection.execute(TAKE_WORDS, (slot, *indexed(before).values()))

    def _put_pictures(self, image: ImageDocument) -> None:
        self._release(image.id)
        start = self._reserve(image)
        slots = [self._slot(name) for name in image.case_ids]
        keys = _image_keys(image, slots)
        self.connection.execute(
            "INSERT INTO pictures (id, revision, seq, encoder, start, count, keys)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " revision = excluded.revision, seq = excluded.seq,"
            " encoder = excluded.encoder, start = excluded.start,"
            " count = excluded.count, keys = excluded.keys",
            (
                image.id,
                image.revision,
                self.seq,
                image.encoder,
                start,
                len(image.vectors),
                keys,
            ),
        )

    def _reserve(self, image: ImageDocument) -> int:
        """Return the first row for the vectors of *image*."""
        count, dimension = image.vectors.shape
        stand = self._stand(image.encoder) or Stand(image.encoder, dimension)
        if dimension != stand.dimension:
            raise DimensionError(image.encoder, dimension, stand.dimension)
        start = stand.rows
        self.stands[image.encoder] = replace(
            stand, rows=start + count, live=stand.live + count
        )
        self.images.setdefault(image.encoder, []).append(image)
        return start

    def _stand(self, encoder: str) -> Stand | None:
        """Return how the files of *encoder* stand with what this batch adds."""
        if encoder in self.stands:
            return self.stands[encoder]
        row = self.connection.execute(
            "SELECT * FROM encoders WHERE name = ?", (encoder,)
        ).fetchone()
        return Stand(*row) if row else None

    def _release(self, name: str) -> None:
        """Count the rows of the pictures *name*, if there are any, as used no more."""
        row = self.connection.execute(
            "SELECT encoder, count FROM pictures WHERE id = ? AND keys IS NOT NULL",
            (name,),
        ).fetchone()
        stand = self._stand(row[0]) if row else None
        if stand is not None:
            self.stands[stand.name] = replace(stand, live=stand.live - row[1])

    def _mark_pictures_gone(self, delete: Delete) -> None:
        self._release(delete.id)
        self.connection.execute(
            "INSERT INTO pictures (id, revision, seq, encoder, start, count)"
            " VALUES (?, ?, ?, '', 0, 0) ON CONFLICT (id) DO UPDATE SET"
            " revision = excluded.revision, seq = excluded.seq, keys = NULL",
            (delete.id, delete.revision, self.seq),
        )


def put_stand(connection: sqlite3.Connection, stand: Stand) -> None:
    """Write down how the files of an encoder stand."""
    values = astuple(stand)
    marks = ", ".join("?" * len(values))
    connection.execute(f"REPLACE INTO encoders VALUES ({marks})", values)  # noqa: S608 - marks


def put_codes(connection: sqlite3.Connection, folder: Path, pace: Pace) -> None:
    """Give the vectors of every encoder their codes, where *pace* asks for it."""
    for row in connection.execute("SELECT * FROM encoders").fetchall():
        put_stand(connection, coded(folder, Stand(*row), pace))


def _supersedes(revision: int, known: int, live: bool) -> bool:  # noqa: FBT001 - a row
    """Return whether a write may follow what is known; a delete wins a tie."""
    return revision >= known if live else revision > known


def _keys(document: Document) -> str:
    plain: dict[str, Any] = {
        "audience": sorted(document.audience),
        "facets": {name: document.values(name) for name in FACETS},
        "title": document.title.casefold(),
        "date": seconds(document.date) if document.date else None,
    }
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _image_keys(image: ImageDocument, slots: list[int]) -> str:
    plain = {
        "audience": sorted(image.audience),
        "facets": dict(image.where),
        "cases": image.case_ids,
        "slots": slots,
    }
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _placed(image: ImageDocument) -> npt.NDArray[np.float32]:
    """Return ``(n, 1)`` where the rows of *image* lie, NaN where it is unknown."""
    if image.positions is None:
        return np.full((len(image.vectors), 1), np.nan, np.float32)
    return image.positions[:, np.newaxis].astype("<f4", copy=False)
