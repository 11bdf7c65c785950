"""Two hubs on loopback that know each other, each with a small library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.principal import SYSTEM, Principal, Role
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases import service
from rounds_hub.federation import registry
from rounds_hub.indexing.consumer import run_once
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rounds_hub.house import House

    Serve = Callable[[Path], AbstractContextManager[tuple[House, str]]]

TEACHER = Principal("teacher", frozenset({Role.TEACHER}))
HIDDEN = "wombatitis"
"""Stands in every text that no other hub may learn."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, where it answers, and its public key."""

    house: House
    url: str
    key: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The hub that asks, and the one that is asked, which it calls «north»."""

    here: Hub
    north: Hub


@pytest.fixture(scope="session")
def pair(
    serve_house: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Serve two hubs that know each other."""
    folder = tmp_path_factory.mktemp("hubs")
    with serve_house(folder / "here") as one, serve_house(folder / "north") as two:
        here, north = _hub(*one), _hub(*two)
        registry.add_peer(here.house, SYSTEM, told_of("north", north))
        registry.add_peer(north.house, SYSTEM, told_of("here", here, may_ask=True))
        _fill(here.house, {"Abscess here": ["everyone"]})
        _fill(
            north.house,
            {
                "Abscess for all hubs": ["everyone", "peers"],
                "Abscess of this hub": ["everyone"],
                "Abscess of the teachers": ["role:teacher"],
                "Abscess to be found out": ["everyone", "peers"],
            },
        )
        yield Pair(here, north)


def told_of(name: str, hub: Hub, **more: object) -> dict[str, object]:
    """Return the record of *hub* that another one makes."""
    said = {"name": name, "title": name.title(), "url": hub.url, "public_key": hub.key}
    return {**said, "is_asked": name != "here", "seconds": 20, **more}


def _hub(house: House, url: str) -> Hub:
    return Hub(house, url, registry.our_key(house, SYSTEM))


def _fill(house: House, cases: dict[str, list[str]]) -> None:
    instances = phantoms.to_dicom(phantoms.sphere(Grid((4, 32, 32), (7.0, 1.5, 1.5))))
    offers = [Offer(f"{n}.dcm", one) for n, one in enumerate(instances)]
    uid = store(house, TEACHER, offers)[0].series_uid
    for number, (title, audience) in enumerate(cases.items()):
        told = {
            "title": title,
            "audience": audience,
            "series": [{"uid": uid, "label": f"The {HIDDEN} sign"}],
            "history": f"An abscess; {HIDDEN}.",
            "unknown": "found out" in title,
        }
        service.create(house, TEACHER, told, case_id=f"c{number}")
        service.publish(house, TEACHER, f"c{number}")
    while run_once(house):
        pass
