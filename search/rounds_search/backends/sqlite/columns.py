"""What filters, facets and permissions are decided on, as arrays in memory.

A snapshot holds, for every document and picture, its facet values and its audience as
pairs of row and value. It is a value of one moment (one ``seq``) and never changes; the
next one is made from it and from the rows that changed since, whoever wrote them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rounds_search.backends.sqlite.layouts import Layout
from rounds_search.backends.sqlite.sidecar import Stand
from rounds_search.documents import FACETS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rounds_search.requests import Term

__all__ = ["Column", "Pictures", "Snapshot", "Table", "refreshed"]

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

AUDIENCE: Final = "audience"
ENCODER: Final = "encoder"
COLUMNS: Final = (*FACETS, AUDIENCE, ENCODER)
KEPT_MASKS: Final = 64
# Rows are looked up one by one where they are fewer than one in so many.
FEW_OF: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The values of one facet: ``rows[i]``, ascending, has ``names[values[i]]``.

    Examples
    --------
    >>> column = Column().replaced(np.array([0, 1]), [(0, ["CT"]), (1, ["CT", "MR"])])
    >>> column.counts(np.array([True, True]))
    [('CT', 2), ('MR', 1)]
    >>> column.having(["MR"], 2).tolist()
    [False, True]
    """

    rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    values: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    names: Mapping[str, int] = field(default_factory=dict)

    def replaced(
        self, changed: Rows, entries: Iterable[tuple[int, Sequence[str]]]
    ) -> Column:
        """Return the column in which the rows *changed* have the *entries* instead."""
        names = dict(self.names)
        pairs = [
            (row, names.setdefault(name, len(names)))
            for row, given in entries
            for name in (given if len(given) == 1 else dict.fromkeys(given))
        ]
        added = np.array(pairs, np.int64).reshape(-1, 2)
        kept = ~np.isin(self.rows, changed)
        rows = np.concatenate((self.rows[kept], added[:, 0]))
        values = np.concatenate((self.values[kept], added[:, 1]))
        if len(rows) and (np.diff(rows) < 0).any():
            order = np.argsort(rows, kind="stable")
            rows, values = rows[order], values[order]
        return Column(rows, values, names)

    def having(self, wanted: Iterable[str], size: int) -> Mask:
        """Return which of *size* rows have one of the values *wanted*."""
        chosen = np.zeros(len(self.names), np.bool_)
        chosen[[self.names[name] for name in wanted if name in self.names]] = True
        found = np.zeros(size, np.bool_)
        found[self.rows[chosen[self.values]]] = True
        return found

    def lacking(self, size: int) -> Mask:
        """Return which of *size* rows have no value at all."""
        found = np.ones(size, np.bool_)
        found[self.rows] = False
        return found

    def counts(self, among: Mask) -> list[tuple[str, int]]:
        """Return how many rows *among* have each value, the most frequent first."""
        return self._counted(self.values[among[self.rows]])

    def counts_of(self, slots: Rows) -> list[tuple[str, int]]:
        """Return what ``counts`` does, among different *slots*; quick where few."""
        if len(slots) * FEW_OF > len(self.rows):
            last = max(slots.max(initial=0), self.rows[-1:].max(initial=0))
            among = np.zeros(int(last) + 1, np.bool_)
            among[slots] = True
            return self.counts(among)
        low = np.searchsorted(self.rows, slots)
        high = np.searchsorted(self.rows, slots, side="right")
        most = int((high - low).max(initial=0))
        pairs = [low[low + one < high] + one for one in range(most)]
        at = np.concatenate([np.empty(0, np.int64), *pairs])
        return self._counted(self.values[at])

    def _counted(self, values: Rows) -> list[tuple[str, int]]:
        found = np.bincount(values, minlength=len(self.names))
        named = [(name, int(found[number])) for name, number in self.names.items()]
        return sorted(
            (pair for pair in named if pair[1]), key=lambda pair: (-pair[1], pair[0])
        )


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows with ids, of which some are live, and their columns."""

    live: Mask = field(default_factory=lambda: np.empty(0, np.bool_))
    ids: list[str] = field(default_factory=list)
    columns: Mapping[str, Column] = field(
        default_factory=lambda: {name: Column() for name in COLUMNS}
    )
    cache: dict[object, Mask] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many rows there are, dead ones included."""
        return len(self.ids)

    def readable(self, audience: frozenset[str]) -> Mask:
        """Return which rows *audience* may see. Do not write into it."""
        column = self.columns[AUDIENCE]
        return self._kept(
            audience, lambda: self.live & column.having(audience, self.size)
        )

    def having(self, term: Term) -> Mask:
        """Return which rows have *term*. Do not write into it."""
        column = self.columns[term.field]
        return self._kept(term, lambda: column.having(term.values, self.size))

    def fitting(self, term: Term) -> Mask:
        """Return which rows have *term* or no value of its field at all."""
        lacking = self.columns[term.field].lacking
        key = ("fitting", term)
        return self._kept(key, lambda: self.having(term) | lacking(self.size))

    def _kept(self, key: object, made: Callable[[], Mask]) -> Mask:
        """Return the mask of *key*: a search asks for it often, the next one again."""
        found = self.cache.get(key)
        if found is None:
            found = made()
            if len(self.cache) >= KEPT_MASKS:
                self.cache.clear()
            self.cache[key] = found
        return found

    def find(self, name: str) -> int | None:
        """Return the row whose id is *name*."""
        if not self.slots:
            self.slots.update({one: row for row, one in enumerate(self.ids)})
        return self.slots.get(name)

    def changed(
        self, rows: Rows, ids: Sequence[str], keys: Sequence[Mapping[str, Any] | None]
    ) -> Table:
        """Return the table in which *rows* have these ids and keys; no keys: dead."""
        size = max(self.size, int(rows.max()) + 1)
        live = np.zeros(size, np.bool_)
        live[: self.size] = self.live
        live[rows] = [key is not None for key in keys]
        named = self.ids + [""] * (size - self.size)
        for row, name in zip(rows.tolist(), ids, strict=True):
            named[row] = name
        known = [
            (row, key) for row, key in zip(rows.tolist(), keys, strict=True) if key
        ]
        facets = [(row, key["facets"]) for row, key in known]
        columns = {
            name: column.replaced(
                rows, _having(name, facets if name in FACETS else known)
            )
            for name, column in self.columns.items()
        }
        return Table(live, named, columns)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The pictures: where their vectors are and which documents they lead to."""

    table: Table = field(default_factory=Table)
    start: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    count: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    pair_picture: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    pair_document: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    layouts: dict[str, Layout] = field(default_factory=dict)

    def layout(self, encoder: str) -> Layout:
        """Return where the pictures of *encoder* lie."""
        if encoder not in self.layouts:
            self.layouts[encoder] = Layout.of(self, encoder)
        return self.layouts[encoder]

    def of(self, encoder: str) -> Mask:
        """Return which pictures have vectors of *encoder*."""
        return self.table.columns[ENCODER].having((encoder,), self.table.size)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything that filters need, as it was after transaction *seq*."""

    seq: int = 0
    documents: Table = field(default_factory=Table)
    titles: list[str] = field(default_factory=list)
    dates: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    pictures: Pictures = field(default_factory=Pictures)
    encoders: Mapping[str, Stand] = field(default_factory=dict)
    _order: list[Rows] = field(default_factory=list)

    def by_id(self) -> Rows:
        """Return the place of each document in the order of ids."""
        if not self._order:
            ids = self.documents.ids
            order = sorted(range(len(ids)), key=ids.__getitem__)
            places = np.empty(len(ids), np.int64)
            places[order] = np.arange(len(ids))
            self._order.append(places)
        return self._order[0]


def refreshed(before: Snapshot, connection: sqlite3.Connection) -> Snapshot:
    """Return the snapshot of the transaction that *connection* is in."""
    ((seq,),) = connection.execute("SELECT value FROM meta WHERE name = 'seq'")
    if seq == before.seq:
        return before
    documents, titles, dates = _documents(before, connection)
    encoders = connection.execute("SELECT * FROM encoders").fetchall()
    return Snapshot(
        seq,
        documents,
        titles,
        dates,
        _pictures(before, connection),
        {row[0]: Stand(*row) for row in encoders},
    )


def _documents(
    before: Snapshot, connection: sqlite3.Connection
) -> tuple[Table, list[str], npt.NDArray[np.float64]]:
    found = connection.execute(
        "SELECT slot, id, keys FROM documents WHERE seq > ?", (before.seq,)
    ).fetchall()
    if not found:
        return before.documents, before.titles, before.dates
    rows = np.array([row[0] for row in found], np.int64)
    keys = _keys([row[2] for row in found])
    table = before.documents.changed(rows, [row[1] for row in found], keys)
    titles = before.titles + [""] * (table.size - len(before.titles))
    dates = np.full(table.size, -np.inf)
    dates[: len(before.dates)] = before.dates
    for row, key in zip(rows.tolist(), keys, strict=True):
        titles[row] = key["title"] if key else ""
        date = key["date"] if key else None
        dates[row] = -np.inf if date is None else date
    return table, titles, dates


def _pictures(before: Snapshot, connection: sqlite3.Connection) -> Pictures:
    found = connection.execute(
        "SELECT slot, id, keys, encoder, start, count FROM pictures WHERE seq > ?",
        (before.seq,),
    ).fetchall()
    old = before.pictures
    if not found:
        return old
    rows = np.array([row[0] for row in found], np.int64)
    keys = _keys([row[2] for row in found])
    for row, key in zip(found, keys, strict=True):
        if key:
            key[ENCODER] = (row[3],)
    table = old.table.changed(rows, [row[1] for row in found], keys)
    pairs = [
        (row, slot)
        for row, key in zip(rows.tolist(), keys, strict=True)
        for slot in (key or {"slots": ()})["slots"]
    ]
    added = np.array(pairs, np.int64).reshape(-1, 2)
    kept = ~np.isin(old.pair_picture, rows)
    return Pictures(
        table,
        _put(old.start, rows, [row[4] for row in found], table.size),
        _put(old.count, rows, [row[5] for row in found], table.size),
        np.concatenate((old.pair_picture[kept], added[:, 0])),
        np.concatenate((old.pair_document[kept], added[:, 1])),
    )


def _put(old: Rows, rows: Rows, values: Sequence[int], size: int) -> Rows:
    made = np.zeros(size, np.int64)
    made[: len(old)] = old
    made[rows] = values
    return made


def _keys(lines: Sequence[str | None]) -> list[dict[str, Any] | None]:
    """Return what the *lines* of JSON say; one long reading is quicker than many."""
    read: list[dict[str, Any] | None] = json.loads(
        f"[{','.join(line or 'null' for line in lines)}]"
    )
    return read


def _having(
    name: str, known: Sequence[tuple[int, Mapping[str, Any]]]
) -> list[tuple[int, Sequence[str]]]:
    """Return the rows that have values of *name*, and those."""
    return [(row, values) for row, one in known if (values := one.get(name))]
