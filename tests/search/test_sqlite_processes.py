from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds_search import Facet, Request, SqliteBackend, VectorQuery
from rounds_search.errors import IndexBusyError
from rounds_search.testing.library import ask, axis, case, found, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_search import Document

WRITER = Path(__file__).with_name("writer_process.py")
SIZE = 20
EVERYONE = frozenset({"everyone"})


@contextmanager
def writing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), str(SIZE)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def acknowledged(process: subprocess.Popen[str], count: int) -> int:
    assert process.stdout is not None
    return [int(process.stdout.readline()) for _ in range(count)][-1]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteBackend]:
    with closing(SqliteBackend(tmp_path, patience=5)) as made:
        made.ensure()
        yield made


def levels(index: SqliteBackend) -> dict[str, int]:
    request = Request(audience=EVERYONE, size=0, facets=(Facet("level", 500),))
    return dict(index.search(request).facets["level"])


@pytest.mark.parametrize("wait", [0.0, 0.013, 0.031])
def test_a_killed_writer_loses_nothing_acknowledged(
    index: SqliteBackend, tmp_path: Path, wait: float
) -> None:
    with writing(tmp_path) as process:
        last = acknowledged(process, 6)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
    counts = levels(index)
    assert {f"b{number}" for number in range(last + 1)} <= set(counts)
    assert set(counts.values()) == {SIZE}


def test_an_index_goes_on_after_a_killed_writer(
    index: SqliteBackend, tmp_path: Path
) -> None:
    with writing(tmp_path) as process:
        acknowledged(process, 3)
    index.write([case("after"), pictures("after", axis(5, 64), encoder="e")])
    leg = VectorQuery("e", axis(5, 64), at_least=0.99)
    assert found(index, ask(vectors=(leg,))) == ["after"]
    assert index.health()["ok"]
    assert intact(tmp_path)


def test_vectors_belong_to_their_pictures_after_kills(
    index: SqliteBackend, tmp_path: Path
) -> None:
    for _ in range(3):
        with writing(tmp_path) as process:
            acknowledged(process, 2)
    chance = np.random.default_rng([1, 7])
    leg = VectorQuery("e", chance.normal(size=(3, 64)).astype(np.float32))
    (first, *_) = index.search(ask(vectors=(leg,))).hits
    assert first.id == "c1-7"
    assert first.score == pytest.approx(1.0)


def test_another_process_sees_writes_at_once(
    index: SqliteBackend, tmp_path: Path
) -> None:
    with writing(tmp_path) as process:
        for _ in range(5):
            last = acknowledged(process, 1)
            assert levels(index)[f"b{last}"] == SIZE


def test_every_search_beside_a_writer_is_of_one_moment(
    index: SqliteBackend, tmp_path: Path
) -> None:
    request = Request(
        text="lesion", audience=EVERYONE, facets=(Facet("level", 500),), size=0
    )

    def look(_: int) -> bool:
        answer = index.search(request)
        counts = [count for _, count in answer.facets["level"]]
        return sum(counts) == answer.total and set(counts) <= {SIZE}

    with writing(tmp_path) as process, ThreadPoolExecutor(3) as pool:
        acknowledged(process, 1)
        assert all(pool.map(look, range(60)))


def test_a_killed_rebuild_leaves_the_old_index(
    index: SqliteBackend, tmp_path: Path
) -> None:
    index.write([case("old")])
    child = os.fork()
    if child == 0:
        SqliteBackend(tmp_path).rebuild(_endless())
        os._exit(1)  # not reached
    time.sleep(0.3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert found(index, ask()) == ["old"]
    index.rebuild([case("new")])
    assert found(index, ask()) == ["new"]
    assert len(list(tmp_path.glob("index-*"))) == 2


def _endless() -> Iterator[Document]:
    at = 0
    while True:
        at += 1
        yield case(f"half{at}")


def test_a_writer_waits_for_a_rebuild_and_lands_in_the_new_index(
    index: SqliteBackend, tmp_path: Path
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[Document]:
        begun.set()
        go_on.wait(10)
        yield case("rebuilt")

    with closing(SqliteBackend(tmp_path)) as other, ThreadPoolExecutor(2) as pool:
        rebuild = pool.submit(index.rebuild, slow())
        begun.wait(10)
        write = pool.submit(other.write, [case("late")])
        go_on.set()
        assert (rebuild.result().written, write.result().written) == (1, 1)
    assert set(found(index, ask())) == {"rebuilt", "late"}


def test_a_writer_that_waits_too_long_says_so(tmp_path: Path) -> None:
    with closing(SqliteBackend(tmp_path, patience=0.1)) as index:
        index.ensure()

        def held() -> Iterator[Document]:
            with pytest.raises(IndexBusyError, match=r"for 0.1 s. Try again later"):
                index.write([case("other")])
            yield case("mine")

        index.rebuild(held())
        assert found(index, ask()) == ["mine"]


def test_a_process_starts_while_another_rebuilds(index: SqliteBackend) -> None:
    def looked() -> Iterator[Document]:
        index.ensure()
        yield case("new")

    index.rebuild(looked())
    assert found(index, ask()) == ["new"]


def test_swaps_under_searches_never_fail(index: SqliteBackend, tmp_path: Path) -> None:
    def look(_: int) -> int:
        return index.search(ask("brain")).total

    index.write([case("c0", "brain")])
    with closing(SqliteBackend(tmp_path)) as other, ThreadPoolExecutor(3) as pool:
        looking = pool.map(look, range(120))
        for number in range(6):
            other.rebuild([case(f"c{number}", "brain")])
        assert set(looking) == {1}


def intact(folder: Path) -> bool:
    current = (folder / "current").read_text(encoding="ascii").strip()
    with closing(sqlite3.connect(folder / current / "index.sqlite")) as connection:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
