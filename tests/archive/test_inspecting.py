"""The doctor of the archive: what is missing, damaged, extra, and not alike."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from rounds_hub.archive import deleting
from rounds_hub.archive.inspecting import Look, Problem, inspect
from rounds_hub.archive.service import Offer, store
from rounds_hub.archive.stores import parts_of
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.store import Store

SERIES = "1.2.826.0.1.3680043.10.1338.1.1"
DEEP, REPAIR = Look(deep=True), Look(deep=True, repair=True)


@pytest.fixture
def pair(
    tmp_path: Path, doctor: Principal, instance: Callable[..., bytes]
) -> Iterator[House]:
    """Return a house that keeps its two instances in two stores each."""
    places = {name: {"url": str(tmp_path / name)} for name in ("near", "far")}
    rules = [{"stores": ["near", "far"], "copies": 2}]
    settings = load_settings(
        data_dir=str(tmp_path / "data"), archive_stores=places, archive_rules=rules
    )
    house = House.open(settings)
    store(house, doctor, [Offer("slice", instance(n)) for n in (1, 2)])
    yield house
    house.close()


def first(house: House) -> str:
    return next(house.store.every()).sha256


def part(house: House, name: str) -> Store:
    return parts_of(house.store)[name]


def damage(store: Store, sha256: str) -> None:
    path = store.path(sha256)
    path.chmod(0o600)
    path.write_bytes(b"x" * path.stat().st_size)


def age(store: Store, sha256: str) -> None:
    path = store.path(sha256)
    os.utime(path, (0, time.time() - 7200))


def test_a_whole_archive_has_no_problems(pair: House) -> None:
    report = inspect(pair, DEEP)
    assert (report.known, report.problems, report.silent) == (2, [], {})


def test_an_object_that_no_store_has_is_missing(pair: House) -> None:
    sha256 = first(pair)
    pair.store.remove(sha256)
    (problem,) = inspect(pair, REPAIR).problems
    assert (problem.kind, problem.sha256, problem.repaired) == (
        "missing",
        sha256,
        False,
    )
    assert problem.uids[0].startswith(SERIES)


def test_a_lost_copy_is_made_again(pair: House) -> None:
    sha256 = first(pair)
    part(pair, "far").remove(sha256)
    (problem,) = inspect(pair, Look(repair=True)).problems
    assert (problem.kind, problem.store, problem.repaired) == ("lacking", "far", True)
    assert part(pair, "far").verify(sha256)


def test_damage_is_found_only_by_reading(pair: House) -> None:
    damage(part(pair, "near"), first(pair))
    assert inspect(pair, Look()).problems == []
    (problem,) = inspect(pair, DEEP).problems
    assert (problem.kind, problem.store) == ("damaged", "near")


def test_damage_is_repaired_from_the_other_store(pair: House) -> None:
    sha256 = first(pair)
    damage(part(pair, "near"), sha256)
    report = inspect(pair, REPAIR)
    assert (report.problems[0].repaired, report.unrepaired) == (True, [])
    assert part(pair, "near").verify(sha256)
    assert inspect(pair, DEEP).problems == []


def test_damage_everywhere_is_not_repaired(pair: House) -> None:
    sha256 = first(pair)
    for name in ("near", "far"):
        damage(part(pair, name), sha256)
    report = inspect(pair, REPAIR)
    assert [one.kind for one in report.unrepaired] == ["damaged", "damaged"]


def test_what_no_row_needs_is_set_aside(house: House) -> None:
    kept = house.store.put(b"lung")
    age(house.store, kept.sha256)
    assert inspect(house, Look()).problems == [
        Problem("extra", kept.sha256, "local", (), repaired=False)
    ]
    assert inspect(house, REPAIR).problems[0].repaired
    assert list(house.store.every()) == []
    assert house.store.bring_back(kept.sha256)


def test_what_may_be_on_its_way_in_is_not_extra(house: House) -> None:
    house.store.put(b"lung")
    assert inspect(house, REPAIR).problems == []


def test_what_was_set_aside_and_is_needed_comes_back(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    store(house, doctor, [Offer("slice", instance(1))])
    house.store.set_aside(first(house))
    report = inspect(house, REPAIR)
    assert (report.problems[0].kind, report.unrepaired) == ("missing", [])


def test_what_can_be_undone_is_not_extra(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    store(house, doctor, [Offer("slice", instance(1))])
    deleting.delete(house, doctor, "series", SERIES, "sent twice")
    age(house.store, first(house))
    assert inspect(house, REPAIR).problems == []


def test_reading_keeps_to_its_rate(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    file = instance(1)
    store(house, doctor, [Offer("slice", file)])
    started = time.monotonic()
    inspect(house, Look(deep=True, rate=len(file) * 4))
    assert time.monotonic() - started > 0.2
