from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rounds_search.backends.sqlite.columns import (
    COLUMNS,
    Column,
    Snapshot,
    Table,
    refreshed,
)
from rounds_search.backends.sqlite.schema import create
from rounds_search.backends.sqlite.writing import write
from rounds_search.documents import Delete
from rounds_search.testing.library import EVERYONE, axis, case, pictures

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rounds_search.backends.base import Entry

SIZE = 6
VALUES = st.lists(st.sampled_from("abcd"), max_size=4)
CHANGES = st.lists(
    st.dictionaries(st.integers(0, SIZE - 1), VALUES, min_size=1), max_size=6
)


def column_of(changes: Sequence[dict[int, list[str]]]) -> Column:
    column = Column()
    for change in changes:
        column = column.replaced(np.array(list(change)), list(change.items()))
    return column


def plain_of(changes: Sequence[dict[int, list[str]]]) -> dict[int, set[str]]:
    plain: dict[int, set[str]] = {}
    for change in changes:
        plain.update({row: set(values) for row, values in change.items()})
    return plain


@given(CHANGES, st.sets(st.sampled_from("abcdz")))
@settings(deadline=None)
def test_a_column_filters_like_a_dict_of_sets(
    changes: list[dict[int, list[str]]], wanted: set[str]
) -> None:
    plain = plain_of(changes)
    found = column_of(changes).having(wanted, SIZE)
    assert found.tolist() == [
        bool(plain.get(row, set()) & wanted) for row in range(SIZE)
    ]


@given(CHANGES, st.lists(st.booleans(), min_size=SIZE, max_size=SIZE))
@settings(deadline=None)
def test_a_column_counts_like_a_dict_of_sets(
    changes: list[dict[int, list[str]]], among: list[bool]
) -> None:
    plain = plain_of(changes)
    counts = Counter(
        value for row, values in plain.items() if among[row] for value in values
    )
    column = column_of(changes)
    found = column.counts(np.array(among))
    assert column.counts_of(np.flatnonzero(among)) == found
    assert dict(found) == counts
    assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))


def test_few_rows_are_counted_one_by_one() -> None:
    entries = [(row, ["b", "a"] if row % 3 else ["c"]) for row in range(90)]
    column = Column().replaced(np.arange(90), entries)
    assert column.counts_of(np.array([4, 3, 89])) == [("a", 2), ("b", 2), ("c", 1)]


@given(CHANGES)
@settings(deadline=None)
def test_a_column_knows_which_rows_have_nothing(
    changes: list[dict[int, list[str]]],
) -> None:
    plain = plain_of(changes)
    assert column_of(changes).lacking(SIZE).tolist() == [
        not plain.get(row) for row in range(SIZE)
    ]


def test_a_column_stays_as_it_was_when_the_next_is_made() -> None:
    before = column_of([{0: ["a"], 1: ["b"]}])
    before.replaced(np.array([0, 2]), [(0, ["c"]), (2, ["a"])])
    assert before.counts(np.ones(SIZE, np.bool_)) == [("a", 1), ("b", 1)]


def key(*members: str, **facets: list[str]) -> dict[str, object]:
    return {"audience": list(members), "facets": facets}


def test_a_dead_row_is_readable_by_nobody() -> None:
    rows = np.array([0, 1])
    table = Table().changed(rows, ["a", "b"], [key("everyone"), key("everyone")])
    after = table.changed(np.array([1]), ["b"], [None])
    assert table.readable(EVERYONE).tolist() == [True, True]
    assert after.readable(EVERYONE).tolist() == [True, False]


def test_no_audience_reads_nothing() -> None:
    table = Table().changed(np.array([0]), ["a"], [key("everyone")])
    assert not table.readable(frozenset()).any()
    assert not table.readable(frozenset({"user:x"})).any()


def test_kept_answers_for_audiences_are_few() -> None:
    table = Table().changed(np.array([0]), ["a"], [key("user:7")])
    seen = [table.readable(frozenset({f"user:{at}"})).any() for at in range(200)]
    assert [at for at, one in enumerate(seen) if one] == [7]
    assert len(table.cache) <= 64


def test_rows_are_found_by_id() -> None:
    table = Table().changed(np.array([1, 3]), ["b", "d"], [key(), None])
    assert (table.find("b"), table.find("d"), table.find("x")) == (1, 3, None)
    assert table.size == 4


def test_every_facet_has_a_column() -> None:
    assert set(Table().columns) == set(COLUMNS)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = create(tmp_path)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_snapshot_without_a_change_is_the_same(
    connection: sqlite3.Connection,
) -> None:
    first = refreshed(Snapshot(), connection)
    assert refreshed(first, connection) is first


def test_a_snapshot_takes_up_only_what_changed(
    connection: sqlite3.Connection, folder: Path
) -> None:
    write(connection, folder, [case("a"), pictures("a", axis(0))], ())
    first = refreshed(Snapshot(), connection)
    write(connection, folder, [case("b", date="2026-01-01")], ())
    second = refreshed(first, connection)
    assert second.pictures is first.pictures
    assert first.documents.ids == ["", "a"]
    assert second.documents.ids == ["", "a", "b"]
    assert second.dates[2] > 0 > second.dates[1]


def test_a_snapshot_step_by_step_is_the_one_from_scratch(
    connection: sqlite3.Connection, folder: Path
) -> None:
    steps = Snapshot()
    for at in range(12):
        name = f"c{at % 5}"
        shown = pictures(name, axis(at % 3), revision=at)
        entries: list[Entry] = [case(name, revision=at), shown]
        gone = [Delete(f"c{(at + 2) % 5}", at)] if at % 3 == 0 else []
        write(connection, folder, entries, gone)
        steps = refreshed(steps, connection)
    assert told(steps) == told(refreshed(Snapshot(), connection))


def told(snapshot: Snapshot) -> tuple[object, ...]:
    pairs = zip(
        snapshot.pictures.pair_picture.tolist(),
        snapshot.pictures.pair_document.tolist(),
        strict=True,
    )
    live = snapshot.documents.live
    return (
        snapshot.seq,
        snapshot.documents.ids,
        live.tolist(),
        {name: one.counts(live) for name, one in snapshot.documents.columns.items()},
        snapshot.titles,
        snapshot.dates.tolist(),
        snapshot.pictures.start.tolist(),
        sorted(pairs),
        dict(snapshot.encoders),
        snapshot.by_id().tolist(),
    )
