"""Imports that are killed, and imports that meet."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from rounds_hub.archive.importing import import_paths
from rounds_hub.archive.models import Instance, Series
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rounds_hub.access.principal import Principal

    MakeBytes = Callable[..., bytes]

FILES = 240
IMPORTER = """
    import pathlib, sys
    from rounds_hub.access.principal import SYSTEM
    from rounds_hub.archive.bringing import Plan, import_listing
    from rounds_hub.archive.sources import look
    from rounds_hub.house import House
    from rounds_hub.settings import load_settings

    house = House.open(load_settings(data_dir=sys.argv[1], database_url=sys.argv[3]))
    print("begun", flush=True)
    plan = Plan(progress=lambda told: print(told.done, flush=True), batch=20)
    summary = import_listing(house, SYSTEM, look([pathlib.Path(sys.argv[2])]), plan)
    print("taken", summary.taken, "same", summary.same, flush=True)
    house.close()
"""


@pytest.fixture
def folder(tmp_path: Path, instance: MakeBytes) -> Path:
    """Return a folder with many instances of three series."""
    made = tmp_path / "many"
    made.mkdir()
    for number in range(FILES):
        (made / f"{number:03}").write_bytes(instance(number + 1, number % 3 + 1))
    return made


def importer(data: Path, folder: Path, url: str = "") -> subprocess.Popen[str]:
    """Start a process that imports *folder* by batches of 20."""
    script = textwrap.dedent(IMPORTER)
    command = [sys.executable, "-c", script, str(data), str(folder), url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed_after(process: subprocess.Popen[str], batches: int, seconds: float) -> int:
    """Kill *process* some time after so many batches; return what it acknowledged."""
    assert process.stdout is not None
    acknowledged = 0
    for line in process.stdout:
        words = line.split()
        acknowledged = int(words[0]) if words[0].isdigit() else acknowledged
        if acknowledged >= batches * 20:
            break
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = [line.split()[0] for line in process.stdout]
    process.wait()
    process.stdout.close()
    return max([acknowledged, *(int(word) for word in rest if word.isdigit())])


def rows(house: House) -> list[tuple[str, int]]:
    with house.sessions.begin(write=False) as session:
        found = session.execute(select(Instance.sha256, Instance.size)).all()
        return [(sha256, size) for sha256, size in found]


def open_house(data: Path, url: str = "") -> House:
    return House.open(load_settings(data_dir=str(data), database_url=url))


@pytest.mark.parametrize("seed", range(4))
def test_what_a_killed_import_acknowledged_is_there(
    seed: int, folder: Path, tmp_path: Path
) -> None:
    chance = random.Random(seed)  # noqa: S311 (moments, not secrets)
    data = tmp_path / "data"
    process = importer(data, folder)
    acknowledged = killed_after(process, chance.randrange(10), chance.random() / 20)
    house = open_house(data)
    kept = rows(house)
    assert len(kept) >= acknowledged
    assert all(house.store.verify(sha256) for sha256, _ in kept)
    house.close()


def test_a_killed_import_leaves_a_whole_catalogue_and_whole_objects(
    folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    killed_after(importer(data, folder), 4, 0.01)
    with sqlite3.connect(data / "catalogue.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    house = open_house(data)
    objects = list((data / "archive" / "objects").glob("*/*"))
    assert objects
    assert all(house.store.verify(path.name) for path in objects)
    house.close()


def test_the_next_import_goes_on_and_sweeps(
    folder: Path, tmp_path: Path, doctor: Principal
) -> None:
    data = tmp_path / "data"
    acknowledged = killed_after(importer(data, folder), 3, 0.02)
    house = open_house(data)
    summary = import_paths(house, doctor, [folder])
    assert summary.same >= acknowledged
    assert summary.taken + summary.same == FILES
    assert not list((data / "archive" / "temporary").glob("*/*"))
    house.close()


def test_two_importing_processes_share_the_work(
    database_url: str, folder: Path, tmp_path: Path
) -> None:
    house = open_house(tmp_path / "data", database_url)
    both = [importer(tmp_path / "data", folder, database_url) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].split()[-4:] for process in both]
    assert sum(int(words[1]) for words in said) == FILES
    assert sum(int(words[3]) for words in said) == FILES
    with house.sessions.begin(write=False) as session:
        counts = session.scalars(select(Series.instance_count)).all()
    assert counts == [FILES // 3] * 3
    house.close()
