"""The process that forks user servers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rounds_hub.spawning.nursery import Seed
from rounds_hub.spawning.seedlings import Nursery

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux forks a process with all its libraries"
)


def seed_in(home: Path) -> Seed:
    """Return what makes a fork print the settings of a server, and end."""
    return Seed(["--version"], {"HOME": str(home), "PATH": os.defpath}, str(home))


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def nursery(loop: asyncio.Runner) -> Iterator[Nursery]:
    made = Nursery()
    loop.run(made.warm())
    yield made
    made.close()


def gone(pid: int, seconds: float = 15) -> bool:
    """Return whether the process *pid* ends in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.02)
    return False


def test_every_server_is_a_process_of_its_own(
    loop: asyncio.Runner, nursery: Nursery, tmp_path: Path
) -> None:
    pids = {loop.run(nursery.grow(seed_in(tmp_path))) for _ in range(2)}
    assert len(pids) == 2


def test_a_server_that_ended_does_not_look_alive(
    loop: asyncio.Runner, nursery: Nursery, tmp_path: Path
) -> None:
    assert gone(loop.run(nursery.grow(seed_in(tmp_path))))


def test_a_server_has_a_home_for_its_user_alone(
    loop: asyncio.Runner, nursery: Nursery, tmp_path: Path
) -> None:
    home = tmp_path / "ada"
    gone(loop.run(nursery.grow(seed_in(home))))
    assert home.stat().st_mode & 0o077 == 0


def test_a_killed_nursery_is_started_again(
    loop: asyncio.Runner, nursery: Nursery, tmp_path: Path
) -> None:
    before = nursery.pid
    os.kill(before, signal.SIGKILL)
    assert loop.run(nursery.grow(seed_in(tmp_path))) > 0
    assert nursery.pid != before


def test_a_closed_nursery_leaves_nothing(loop: asyncio.Runner) -> None:
    short = Nursery()
    loop.run(short.warm())
    pid = short.pid
    short.close()
    assert gone(pid)


def test_a_seed_comes_back_as_it_was() -> None:
    seed = Seed(["--port=1"], {"NAME": "«Ä»"}, "/home/ada")
    assert Seed.unpacked(seed.packed()) == seed
