"""Quotas and full disks: refused whole, nothing half stored, and work goes on."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.committing import stage
from rounds_hub.archive.intake import Attribution
from rounds_hub.archive.service import Offer, Status, get_series, store
from rounds_hub.errors import NoSpaceError
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SERIES = "1.2.826.0.1.3680043.10.1338.1.1"
SCANNER = Principal("node:ct1", frozenset({Role.NODE}))
ROOM_FOR_TWO = 4000


@pytest.fixture
def open_with(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Return a function that opens a house with settings."""
    opened: list[House] = []

    def make(**settings: Any) -> House:  # noqa: ANN401 (whatever a setting is)
        folder = str(tmp_path / "data")
        opened.append(House.open(load_settings(data_dir=folder, **settings)))
        return opened[-1]

    yield make
    for house in opened:
        house.close()


def test_an_owner_has_a_quota(
    open_with: Callable[..., House], instance: Callable[..., bytes]
) -> None:
    house = open_with(owner_bytes={"node:ct1": ROOM_FOR_TWO})
    store(house, SCANNER, [Offer("slice", instance(n)) for n in (1, 2)])
    with pytest.raises(NoSpaceError, match="The quota of 'node:ct1' is used up"):
        store(house, SCANNER, [Offer("slice", instance(3))])
    assert len(list(house.store.every())) == 2


def test_others_have_their_own_room(
    open_with: Callable[..., House], instance: Callable[..., bytes], doctor: Principal
) -> None:
    house = open_with(owner_bytes={"node:ct1": 1, "*": ROOM_FOR_TWO})
    with pytest.raises(NoSpaceError):
        store(house, SCANNER, [Offer("slice", instance(1))])
    (outcome,) = store(house, doctor, [Offer("slice", instance(1))])
    assert outcome.status is Status.TAKEN


def test_the_archive_has_a_quota(
    open_with: Callable[..., House], instance: Callable[..., bytes], doctor: Principal
) -> None:
    house = open_with(archive_bytes=ROOM_FOR_TWO)
    store(house, doctor, [Offer("slice", instance(n)) for n in (1, 2)])
    with pytest.raises(NoSpaceError, match="holds all that it may"):
        store(house, SCANNER, [Offer("slice", instance(1, 2))])


def test_what_is_there_already_takes_no_room(
    open_with: Callable[..., House], instance: Callable[..., bytes]
) -> None:
    house = open_with(owner_bytes={"node:ct1": ROOM_FOR_TWO})
    for _ in range(2):
        some = [Offer("slice", instance(n)) for n in (1, 2)]
        outcomes = store(house, SCANNER, some)
    assert [one.status for one in outcomes] == [Status.SAME, Status.SAME]


def test_one_without_room_does_not_harm_others_of_its_group(
    open_with: Callable[..., House], instance: Callable[..., bytes], doctor: Principal
) -> None:
    house = open_with(owner_bytes={"node:ct1": 1})
    ready = [stage(house, "slice", instance(n, n)) for n in (1, 2)]
    refused = house.committer.submit(ready[0], Attribution(SCANNER, ["everyone"]))
    taken = house.committer.submit(ready[1], Attribution(doctor, ["everyone"]))
    assert taken.result(30).status is Status.TAKEN
    assert isinstance(refused.exception(30), NoSpaceError)


@pytest.fixture
def small_archive(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 1 MiB for the archive, or skip where that is not allowed."""
    folder = tmp_path / "data" / "archive"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_work_goes_on_when_a_full_disk_has_room_again(
    small_archive: Path,
    open_with: Callable[..., House],
    instance: Callable[..., bytes],
    doctor: Principal,
) -> None:
    house = open_with(free_space_bytes=0)
    store(house, doctor, [Offer("slice", instance(1))])
    filler = small_archive / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(b"x" * 2**21)
    with pytest.raises(NoSpaceError):
        store(house, doctor, [Offer("slice", instance(2))])
    assert get_series(house, doctor, SERIES).instance_count == 1
    filler.unlink()
    (outcome,) = store(house, doctor, [Offer("slice", instance(2))])
    assert outcome.status is Status.TAKEN
    assert len(list(house.store.every())) == 2
