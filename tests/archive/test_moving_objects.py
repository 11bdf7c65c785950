"""Objects on their way between stores: new here, old there, the last copy safe."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rounds_hub.archive import chores, placing
from rounds_hub.archive.inspecting import Look, inspect
from rounds_hub.archive.models import ObjectPlace
from rounds_hub.archive.service import Offer, instances_of, store
from rounds_hub.archive.stores import parts_of
from rounds_hub.catalogue.models import utc_now
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.store import Store

SERIES = "1.2.826.0.1.3680043.10.1338.1.1"
LATER = timedelta(days=91)
OLD_THERE = [{"stores": ["near"]}, {"after_days": 90, "stores": ["far"]}]
ONE_MORE = [{"stores": ["near", "far"], "copies": 1}]


@pytest.fixture
def make(
    tmp_path: Path, doctor: Principal, instance: Callable[..., bytes]
) -> Iterator[Callable[..., House]]:
    """Return a function that opens a house with two stores and three instances."""
    opened: list[House] = []

    def open_with(rules: list[dict[str, Any]], url: str = "") -> House:
        places = {name: {"url": str(tmp_path / name)} for name in ("near", "far")}
        folder = str(tmp_path / "data")
        settings = load_settings(
            data_dir=folder,
            archive_stores=places,
            archive_rules=rules,
            database_url=url,
        )
        house = House.open(settings)
        opened.append(house)
        store(house, doctor, [Offer("slice", instance(n)) for n in (1, 2, 3)])
        return house

    yield open_with
    for house in opened:
        house.close()


def in_store(house: House, name: str) -> int:
    return len(list(parts_of(house.store)[name].every()))


def part(house: House, name: str) -> Store:
    return parts_of(house.store)[name]


def test_what_is_young_stays(make: Callable[..., House]) -> None:
    house = make(OLD_THERE)
    assert placing.move(house) == placing.Moved(0)
    assert (in_store(house, "near"), in_store(house, "far")) == (3, 0)


def test_what_is_old_moves(make: Callable[..., House], doctor: Principal) -> None:
    house = make(OLD_THERE)
    now = utc_now() + LATER
    assert placing.waiting(house, now=now) == 3
    assert placing.move(house, now=now) == placing.Moved(3)
    assert (in_store(house, "near"), in_store(house, "far")) == (0, 3)
    assert placing.waiting(house, now=now) == 0
    found = instances_of(house, doctor, SERIES)
    assert all(one.path.stat().st_size == one.size for one in found)


def test_each_database_knows_what_moved(
    make: Callable[..., House], database_url: str
) -> None:
    house = make(OLD_THERE, database_url)
    now = utc_now() + LATER
    assert placing.move(house, now=now) == placing.Moved(3)
    assert placing.waiting(house, now=now) == 0
    assert inspect(house, Look(deep=True)).problems == []


def test_a_second_copy_is_made(make: Callable[..., House]) -> None:
    house = make(ONE_MORE)
    assert in_store(house, "far") == 0
    assert placing.move(house) == placing.Moved(3)
    assert (in_store(house, "near"), in_store(house, "far")) == (3, 3)


def test_what_came_twice_is_known_where_it_lies(
    make: Callable[..., House], doctor: Principal, instance: Callable[..., bytes]
) -> None:
    house = make(OLD_THERE)
    placing.move(house, now=utc_now() + LATER)
    store(house, doctor, [Offer("again", instance(1))])
    assert in_store(house, "near") == 0


def test_a_damaged_copy_is_not_taken_for_a_whole_one(
    make: Callable[..., House],
) -> None:
    house = make(OLD_THERE)
    sha256 = next(part(house, "near").every()).sha256
    path = part(house, "near").path(sha256)
    path.chmod(0o600)
    path.write_bytes(b"x" * path.stat().st_size)
    moved = placing.move(house, now=utc_now() + LATER)
    assert moved == placing.Moved(2, (sha256,))
    assert (in_store(house, "near"), in_store(house, "far")) == (1, 2)


def test_a_mover_that_was_killed_is_followed_by_one_that_goes_on(
    make: Callable[..., House],
) -> None:
    house = make(OLD_THERE)
    sha256 = next(part(house, "near").every()).sha256
    part(house, "far").put(part(house, "near").path(sha256))
    with house.sessions.begin() as session:
        for name, state in (("far", "kept"), ("near", "leaving")):
            session.add(ObjectPlace(sha256=sha256, store=name, state=state))
    placing.move(house)
    assert not part(house, "near").has(sha256)
    assert part(house, "far").verify(sha256)


def test_two_that_move_against_each_other_leave_a_copy(
    make: Callable[..., House],
) -> None:
    house = make(OLD_THERE)
    sha256 = next(part(house, "near").every()).sha256
    part(house, "far").put(part(house, "near").path(sha256))
    with house.sessions.begin() as session:
        for name in ("near", "far"):
            row = ObjectPlace(sha256=sha256, store=name, state="leaving")
            session.add(row)
    placing.move(house)
    assert part(house, "near").verify(sha256)
    assert part(house, "far").verify(sha256)


def test_each_store_tells_what_it_holds(make: Callable[..., House]) -> None:
    house = make(OLD_THERE)
    near, far = placing.status(house)
    assert (near.name, near.objects, far.objects) == ("near", 3, 0)
    assert near.size == sum(one.size for one in part(house, "near").every())


def test_the_worker_makes_further_copies(make: Callable[..., House]) -> None:
    house = make(ONE_MORE)
    chores.once(house, moving=False)
    assert in_store(house, "far") == 0
    chores.once(house, moving=True)
    assert in_store(house, "far") == 3
