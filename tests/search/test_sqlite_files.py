from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from rounds_search import SqliteBackend, VectorQuery, open_backend
from rounds_search.backends.sqlite.schema import SCHEMA, translated
from rounds_search.errors import (
    DamagedIndexError,
    IndexUnavailableError,
    NewerIndexError,
    SearchError,
    UnsupportedError,
)
from rounds_search.testing.library import ENCODER, ask, axis, case, found, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEG = (VectorQuery(ENCODER, axis(0)),)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteBackend]:
    with closing(SqliteBackend(tmp_path)) as made:
        made.ensure()
        made.write([case("c", "brain"), pictures("c", axis(0))])
        made.write(deletes=[])
        yield made


def generation(folder: Path) -> Path:
    return folder / (folder / "current").read_text(encoding="ascii").strip()


def set_number(folder: Path, name: str, value: int) -> None:
    with closing(sqlite3.connect(generation(folder) / "index.sqlite")) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))
        connection.commit()


@pytest.mark.parametrize("name", ["format", "analyzer"])
def test_a_newer_index_is_refused(
    index: SqliteBackend, tmp_path: Path, name: str
) -> None:
    index.close()
    set_number(tmp_path, name, 99)
    for use in (index.ensure, index.write, lambda: index.search(ask())):
        with pytest.raises(NewerIndexError, match="Update Rounds, or rebuild"):
            use()


def test_an_older_index_is_renewed_from_its_own_documents(
    index: SqliteBackend, tmp_path: Path
) -> None:
    index.close()
    set_number(tmp_path, "analyzer", 0)
    with pytest.raises(IndexUnavailableError, match="older version"):
        index.search(ask())
    index.ensure()
    assert found(index, ask("brain", vectors=LEG)) == ["c"]
    assert index.health()["schema"] == f"{SCHEMA[0]}.{SCHEMA[1]}"


def test_an_index_that_was_never_made_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailableError, match="Make one with"):
        SqliteBackend(tmp_path).search(ask())


def test_cut_vectors_are_noticed_and_a_rebuild_repairs(
    index: SqliteBackend, tmp_path: Path
) -> None:
    index.close()
    (generation(tmp_path) / f"{ENCODER}.f32").write_bytes(b"\0\0")
    with pytest.raises(DamagedIndexError, match=r"cut short. Rebuild the index"):
        index.search(ask(vectors=LEG))
    assert index.health()["problem"] == (
        "The vectors of 'contract-3' are cut short. Rebuild the index from the"
        " catalogue."
    )
    index.rebuild([case("c"), pictures("c", axis(0))])
    assert found(index, ask(vectors=LEG)) == ["c"]


def test_a_write_onto_cut_vectors_is_refused(
    index: SqliteBackend, tmp_path: Path
) -> None:
    (generation(tmp_path) / f"{ENCODER}.f32").write_bytes(b"")
    with pytest.raises(DamagedIndexError):
        index.write([case("d"), pictures("d", axis(1))])
    assert found(index, ask()) == ["c"]


def test_a_file_that_is_no_index_is_noticed(
    index: SqliteBackend, tmp_path: Path
) -> None:
    index.close()
    (generation(tmp_path) / "index.sqlite").write_bytes(b"not a database" * 999)
    with pytest.raises(DamagedIndexError, match="file is damaged"):
        index.search(ask())
    assert index.health()["ok"] is False


def test_a_missing_generation_is_noticed(index: SqliteBackend, tmp_path: Path) -> None:
    index.close()
    shutil.rmtree(generation(tmp_path))
    with pytest.raises(IndexUnavailableError):
        index.search(ask())


def test_a_broken_pointer_is_noticed(index: SqliteBackend, tmp_path: Path) -> None:
    (tmp_path / "current").write_text("../../elsewhere", encoding="ascii")
    with pytest.raises(IndexUnavailableError, match="pointer is unreadable"):
        index.search(ask())


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/secret/path"),
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.OperationalError("database is locked"),
        sqlite3.OperationalError("no such table: words"),
        sqlite3.DatabaseError("file is not a database"),
    ],
    ids=str,
)
def test_what_the_disk_says_becomes_an_error_without_paths(error: Exception) -> None:
    with pytest.raises(SearchError) as told, translated():
        raise error
    assert "/secret/path" not in str(told.value)
    assert told.value.status in {500, 503}


def test_only_unused_vectors_are_dropped_by_a_rebuild(index: SqliteBackend) -> None:
    index.write([pictures("c", axis(1), revision=2)])
    assert index.health()["unused_vectors"] == 1
    index.rebuild([case("c"), pictures("c", axis(1), revision=2)])
    assert index.health()["unused_vectors"] == 0


def test_a_closed_index_opens_again(index: SqliteBackend) -> None:
    index.close()
    index.close()
    assert found(index, ask()) == ["c"]


def test_a_backend_is_opened_by_folder_or_address(tmp_path: Path) -> None:
    for place in (tmp_path / "a", str(tmp_path / "b"), f"sqlite:///{tmp_path}/c"):
        with closing(open_backend(place)) as made:
            made.ensure()
            assert made.health()["ok"]
    assert (tmp_path / "c" / "current").is_file()


@pytest.mark.parametrize("place", ["ftp://localhost", "redis://x", "sqlite://x"])
def test_an_address_of_no_backend_is_refused_by_name(place: str) -> None:
    with pytest.raises(UnsupportedError, match=f"for '{place.partition(':')[0]}'"):
        open_backend(place)
