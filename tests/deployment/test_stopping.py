"""A house that is stopped and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from rounds_hub.cli.demo_process import demo_house

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.hub, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stopping") / "house"


def below(pid: int) -> Iterator[psutil.Process]:
    """Give every process of the house."""
    yield from psutil.Process(pid).children(recursive=True)


def test_ctrl_c_leaves_no_process(data: Path) -> None:
    with demo_house(data, "--no-samples") as demo:
        with demo.visitor("doctor") as doctor:
            doctor.open_in_server("lab", {})
        started = list(below(demo.process.pid))
        assert demo.stop() == 0
    assert [process for process in started if process.is_running()] == []


def test_a_second_start_knows_everybody(data: Path) -> None:
    with demo_house(data, "--no-samples") as first:
        passwords = first.accounts
    with demo_house(data, "--no-samples") as second:
        assert second.accounts == passwords


def test_a_second_start_is_quick(data: Path) -> None:
    with demo_house(data, "--no-samples") as demo:
        house = [psutil.Process(demo.process.pid), *below(demo.process.pid)]
        busy = sum(sum(process.cpu_times()[:2]) for process in house)
    # About 7 s of the processor, most of it five processes that import what they need,
    # two at a time; seconds by the clock would measure what else the machine does.
    assert busy < 14


def lives(process: psutil.Process) -> bool:
    """Return whether *process* still does anything; a zombie only waits for us."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def test_a_killed_house_leaves_nothing_that_blocks_the_next(data: Path) -> None:
    with demo_house(data, "--no-samples") as first:
        started = list(below(first.process.pid))
        first.process.kill()
        until = time.monotonic() + 30
        while any(map(lives, started)) and time.monotonic() < until:
            time.sleep(0.1)
    assert [process.pid for process in started if lives(process)] == []
    with demo_house(data, "--no-samples") as second, second.visitor("doctor") as doctor:
        assert doctor.api("me")["name"] == "doctor"


def test_a_house_from_its_configuration_answers(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text("c.Deployment.port = 0\nc.Rounds.gateway_port = 0\n")
    command = [sys.executable, "-m", "rounds_hub.cli", "up", "--json"]
    with subprocess.Popen(
        [*command, "--config", str(file), "--data", str(tmp_path / "house")],
        stdout=subprocess.PIPE,
        text=True,
    ) as house:
        assert house.stdout is not None
        said = json.loads(house.stdout.readline())
        answer = httpx.get(f"{said['url']}services/rounds/api/health")
        house.send_signal(signal.SIGINT)
        assert (answer.status_code, said["accounts"], house.wait(60)) == (200, {}, 0)
