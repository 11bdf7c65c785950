"""A worker that is killed in the middle of a sending, and the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.archive import service as archive
from rounds_hub.gateway import pulling, sending
from rounds_hub.gateway.orders import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

COUNT = 60


class Workers:
    """Worker processes of one house."""

    def __init__(self, house: House, log: Path) -> None:
        self.house = house
        self.log = log
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        environment = {**os.environ, "ROUNDS_DATA": str(self.house.settings.data)}
        command = [sys.executable, "-m", "rounds_hub.work.worker"]
        with self.log.open("ab") as log:
            self.started.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            )

    def kill(self) -> None:
        for one in self.started:
            one.kill()
            one.wait(10)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* holds."""
        end = time.monotonic() + 90
        while not condition():
            if time.monotonic() > end:
                pytest.fail(self.log.read_text())
            time.sleep(0.02)


@pytest.fixture
def workers(house: House, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(house, tmp_path / "worker.log")
    yield made
    made.kill()


def test_after_kill_9_each_instance_has_arrived_once(
    doctor: Principal,
    receiver: Callable[..., Any],
    kept: Callable[..., archive.Outcome],
    workers: Workers,
) -> None:
    desk, house = receiver(), workers.house
    series = kept(count=COUNT).series_uid
    sent = sending.send(house, doctor, desk.known_to(house), [series])
    workers.start()
    workers.until(lambda: desk.received() > 5)
    workers.kill()
    assert sending.get_sending(house, doctor, sent).state == "running"
    workers.start()
    workers.until(lambda: sending.get_sending(house, doctor, sent).state == "done")
    # Only the one whose acceptance was on its way when the worker died may come twice.
    assert desk.received() in {COUNT, COUNT + 1}
    assert len(desk.files()) == COUNT


def test_a_worker_pulls_a_study_that_is_here_then(
    doctor: Principal, remote: Callable[..., Any], workers: Workers
) -> None:
    far, house = remote(), workers.house
    study = far.study_uid()
    pull = pulling.begin_pull(house, doctor, far.known_to(house), study)
    workers.start()
    workers.until(lambda: pulling.get_pull(house, doctor, pull.id).state not in OPEN)
    found = archive.get_study(house, doctor, study)
    assert [one.instance_count for one in found.series] == [4]
