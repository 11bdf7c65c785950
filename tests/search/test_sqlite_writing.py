from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds_search.backends.sqlite.schema import connect, create
from rounds_search.backends.sqlite.sidecar import mapped
from rounds_search.backends.sqlite.writing import write
from rounds_search.documents import Delete, WriteReport
from rounds_search.testing.library import ENCODER, axis, case, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_search.backends.base import Entry


class Generation:
    """One generation, written without the lock that a backend takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = create(folder)

    def write(self, *entries: Entry, gone: tuple[Delete, ...] = ()) -> WriteReport:
        return write(self.connection, self.folder, entries, gone)

    def matches(self, expression: str) -> list[int]:
        rows = self.connection.execute(
            "SELECT rowid FROM words WHERE words MATCH ?", (expression,)
        )
        return [slot for (slot,) in rows]

    def terms(self) -> set[str]:
        self.connection.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary"
            " USING fts5vocab(main, words, row)"
        )
        rows = self.connection.execute("SELECT term FROM vocabulary")
        return {term for (term,) in rows}

    def one(self, query: str) -> tuple[object, ...]:
        row: tuple[object, ...] = self.connection.execute(query).fetchone()
        return row


@pytest.fixture
def generation(tmp_path: Path) -> Iterator[Generation]:
    made = Generation(tmp_path)
    yield made
    made.connection.close()


def test_words_of_a_replaced_document_are_gone_entirely(generation: Generation) -> None:
    text = {"findings": "Ring-enhancing 脑脓肿 3.5cm", "diagnosis": "haemorrhage"}
    facets = {"modality": ("MR",), "body_part": ("HEAD",)}
    generation.write(case("c", "old", text=text, facets=facets, codes=("RID1",)))
    generation.write(case("c", "new", revision=2))
    assert generation.terms() == {"new"}


def test_words_of_a_deleted_document_are_gone_entirely(generation: Generation) -> None:
    generation.write(case("a", "alpha beta"), case("b", "beta gamma"))
    generation.write(gone=(Delete("a", 2),))
    assert generation.terms() == {"beta", "gamma"}
    assert generation.one("SELECT body, keys FROM documents WHERE id = 'a'") == (
        None,
        None,
    )


def test_the_word_index_stays_sound_under_many_changes(generation: Generation) -> None:
    chance = np.random.default_rng(3)
    names = ("alpha", "beta", "脑脓肿", "ring-enhancing", "T2")
    for revision in range(60):
        title = " ".join(chance.choice(names, 3))
        generation.write(case(f"c{chance.integers(8)}", title, revision=revision))
        if revision % 7 == 0:
            generation.write(gone=(Delete(f"c{chance.integers(8)}", revision),))
    check = "INSERT INTO words (words) VALUES ('integrity-check')"
    assert generation.connection.execute(check).fetchall() == []
    live = "SELECT count(*) FROM documents WHERE body IS NOT NULL"
    assert generation.one(live) == generation.one("SELECT count(*) FROM words_docsize")


def test_a_slot_stays_with_its_id(generation: Generation) -> None:
    slot = "SELECT slot FROM documents WHERE id = 'a'"
    generation.write(case("a"))
    before = generation.one(slot)
    generation.write(gone=(Delete("a", 2),))
    generation.write(case("b"), case("a", revision=3))
    assert generation.one(slot) == before


def test_vectors_are_appended_and_named_by_row(generation: Generation) -> None:
    generation.write(pictures("a", [axis(0), axis(1)]))
    generation.write(pictures("b", axis(2)))
    assert generation.one("SELECT name, rows, live FROM encoders") == (ENCODER, 3, 3)
    rows = mapped(generation.folder / f"{ENCODER}.f32", (3, 3))
    assert rows.tolist() == np.eye(3).tolist()


def test_what_an_unfinished_write_left_is_written_over(generation: Generation) -> None:
    generation.write(pictures("a", axis(0)))
    with (generation.folder / f"{ENCODER}.f32").open("ab") as file:
        file.write(b"left over by a killed writer")
    generation.write(pictures("b", axis(1)))
    rows = mapped(generation.folder / f"{ENCODER}.f32", (2, 3))
    assert rows.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_stale_pictures_use_no_room(generation: Generation) -> None:
    generation.write(pictures("a", axis(0), revision=5))
    assert generation.write(pictures("a", axis(1), revision=4)).stale
    assert generation.one("SELECT rows FROM encoders") == (1,)


def test_a_report_counts_what_happened(generation: Generation) -> None:
    generation.write(case("a", revision=2), case("b", revision=2))
    report = generation.write(
        case("a", revision=1),
        case("c"),
        gone=(Delete("b", 3), Delete("a", 1), Delete("never", 1)),
    )
    assert report == WriteReport(written=1, deleted=2, stale=("a", "a"))


def test_an_error_on_the_way_takes_everything_back(generation: Generation) -> None:
    def entries() -> Iterator[Entry]:
        yield case("a")
        yield pictures("a", axis(0))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(generation.connection, generation.folder, entries(), ())
    assert generation.one("SELECT count(*) FROM documents") == (0,)
    assert generation.one("SELECT value FROM meta WHERE name = 'seq'") == (0,)
    assert generation.write(case("a")).written == 1


def test_a_facet_is_searched_as_a_word(generation: Generation) -> None:
    facets = {"modality": ("MR",), "body_part": ("Lower leg",)}
    generation.write(case("a", "x", facets=facets, codes=("RID1234",)))
    assert generation.matches("labels : mr AND labels : leg") == [1]
    assert generation.matches("labels : rid1234") == [1]


def test_a_reading_connection_cannot_write(generation: Generation) -> None:
    reader = connect(generation.folder, write=False)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM documents")
    reader.close()
