"""The worker process: one on a house, clean at its end, quiet about patients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Started = subprocess.Popen[bytes]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Started]]:
    """Return a function that starts one more worker on the same data."""
    started: list[Started] = []

    def begin() -> Started:
        environment = {**os.environ, "ROUNDS_DATA": str(tmp_path / "data")}
        command = [sys.executable, "-m", "rounds_hub.work.worker"]
        with (tmp_path / f"{len(started)}.log").open("wb") as log:
            started.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            )
        return started[-1]

    yield begin
    for one in started:
        one.kill()
        one.wait(10)


def until(says: str, log: Path) -> None:
    """Wait until *log* has *says*."""
    for _ in range(1200):
        if log.exists() and says in log.read_text():
            return
        time.sleep(0.05)
    pytest.fail(log.read_text())


def test_a_worker_ends_cleanly_when_it_is_told_to(
    start: Callable[[], Started], tmp_path: Path
) -> None:
    worker = start()
    until("worker ready", tmp_path / "0.log")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert "worker ended" in (tmp_path / "0.log").read_text()


def test_a_worker_listens_on_no_port(
    start: Callable[[], Started], tmp_path: Path
) -> None:
    worker = start()
    until("worker ready", tmp_path / "0.log")
    connections = psutil.Process(worker.pid).net_connections()
    assert [one for one in connections if one.status == psutil.CONN_LISTEN] == []


def test_a_second_worker_on_the_same_data_says_why_it_cannot_work(
    start: Callable[[], Started], tmp_path: Path
) -> None:
    start()
    until("worker ready", tmp_path / "0.log")
    assert start().wait(60) == 1
    assert "Another worker does the work" in (tmp_path / "1.log").read_text()


def test_a_worker_takes_over_from_a_killed_one(
    start: Callable[[], Started], tmp_path: Path
) -> None:
    first = start()
    until("worker ready", tmp_path / "0.log")
    first.kill()
    start()
    until("worker ready", tmp_path / "1.log")
