from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from rounds_hub.bench import hybrid, index_documents, knn
from rounds_hub.bench.base import Race, run
from rounds_hub.bench.search_cases import races

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


@pytest.fixture
def race() -> Iterator[Race]:
    """Yield the first race; its index lasts as long as the row goes on."""
    with closing(cast("Generator[Race]", races(quick=True))) as row:
        yield next(row)


def test_ours_and_the_peers_find_the_same() -> None:
    rows = [run(race) for race in races(quick=True)]
    assert [row.peer for row in rows] == ["sqlite3 FTS5 unicode61", "numpy brute force"]
    assert all(row.equal for row in rows)
    assert all(row.ours_cpu_s > 0 for row in rows)


def test_the_library_has_something_to_find(race: Race) -> None:
    totals = [total for total, _, _ in race.peer.work()]
    assert max(totals) > 5
    assert race.ours.work() == race.peer.work()


@pytest.mark.parametrize("changed", [1, -1])
def test_a_difference_would_be_seen(race: Race, changed: int) -> None:
    result = race.ours.work()
    total, counts, ids = result[0]
    assert not race.equal(result, [(total + changed, counts, ids), *result[1:]])


@pytest.mark.parametrize(
    ("races", "peers"),
    [
        pytest.param(knn.races, ["numpy brute force"] * 2, id="knn"),
        pytest.param(knn.millions, ["numpy brute force"] * 2, id="knn-million"),
        pytest.param(index_documents.races, ["sqlite3 FTS5 unicode61"], id="index"),
        pytest.param(
            hybrid.races,
            ["tantivy and usearch exact", "tantivy and usearch HNSW i8"],
            id="hybrid",
        ),
    ],
)
def test_each_row_finds_what_its_peers_find(
    races: Callable[..., Iterator[Race]], peers: list[str]
) -> None:
    pytest.importorskip("usearch")
    rows = [run(replace(race, turns=1)) for race in races(quick=True)]
    assert [row.peer for row in rows] == peers
    assert all(row.equal for row in rows)


def test_another_nearest_case_would_be_seen() -> None:
    found = [{"a": 0.9, "b": 0.8}]
    assert knn.same_nearest(found, [{"a": 0.9, "c": 0.8}])
    assert not knn.same_nearest(found, [{"a": 0.9, "c": 0.85}])
