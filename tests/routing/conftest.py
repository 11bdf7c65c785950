"""Series that arrive, the administrator who routes them, and a real worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, store
from rounds_hub.routing import completeness
from rounds_hub.routing.models import SeriesState
from rounds_hub.routing.service import Draft, create
from rounds_hub.routing.workflow import RouteWork
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydicom import Dataset

    from rounds_hub.house import House
    from rounds_hub.routing.matching import RouteRecord

ADMIN = Principal("ann", frozenset({Role.ADMIN}))
DOCTOR = Principal("dora", frozenset({Role.DOCTOR}))
SMALL = Grid((6, 32, 32), (1.0, 1.5, 1.5))
THIN = 'Modality == "CT" and SliceThickness <= 1.25'
LABEL = {"kind": "label", "label": "thin"}


def slices(seed: int = 3, count: int = 6) -> list[Dataset]:
    """Return the slices of a small thin CT."""
    grid = Grid((count, 32, 32), (1.0, 1.5, 1.5))
    return phantoms.to_dicom(phantoms.sphere(grid, seed=seed))


def bring(house: House, made: list[Dataset], who: Principal = DOCTOR) -> str:
    """Bring instances into the archive; return the UID of their series."""
    offers = [Offer(f"{number}.dcm", one) for number, one in enumerate(made)]
    return store(house, who, offers)[0].series_uid


def route(house: House, condition: str, *actions: object) -> RouteRecord:
    """Make a route."""
    return create(house, ADMIN, Draft("A route", condition, list(actions)))


def complete_now(house: House, series_uid: str) -> list[str]:
    """Bring a series to complete; return the keys of its actions."""
    with house.sessions.begin(write=False) as session:
        state = session.get_one(SeriesState, series_uid)
    due = completeness.Due(series_uid, state.content_hash, "A test says so.")
    return completeness.complete(house, due)


def act_on(house: House, series_uid: str) -> list[str]:
    """Complete a series and do its actions here; return how each ended."""
    work = RouteWork(house)
    return [work.act(key) for key in complete_now(house, series_uid)]


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that starts a real worker of a house, ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(house: House) -> subprocess.Popen[bytes]:
        settings = house.settings
        kept = ("data_dir", "database_url", "series_silence_seconds")
        said = [f"c.Rounds.{name} = {getattr(settings, name)!r}" for name in kept]
        config = tmp_path / "config.py"
        config.write_text("\n".join(said), encoding="utf-8")
        environment = {**os.environ, "ROUNDS_CONFIG": str(config)}
        with (tmp_path / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "rounds_hub.work.worker"]
            started.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
