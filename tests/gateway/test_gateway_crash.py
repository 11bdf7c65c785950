"""``kill -9`` of the gateway in the middle of four senders loses nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.gateway.gateway_crash import INSTANCES, KILLS, differences, stormed
from tests.gateway.speaking import (
    ROOT,
    UID,
    free_port,
    listens,
    storescu,
    wait_until,
    write_slices,
)

from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = [pytest.mark.timeout(1200), pytest.mark.xdist_group("gateway_crash")]

SENT = re.compile(r"Sending file: (\S+)")


FORKING = """
import os, sys
from rounds_hub.gateway import listener
for _ in sys.stdin:
    child = os.fork()
    if not child:
        listener.main()
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
"""
"""Starts the gateway's process without its imports, which take a while in CI."""


class Gateway:
    """The gateway in a process of its own, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = folder / "config.py"
        node = {"name": "storescu", "ae_title": "STORESCU"}
        config.write_text(
            f"c.Rounds.gateway_port = {self.port}\nc.Rounds.nodes = [{node!r}]\n"
        )
        environment = os.environ | {
            "ROUNDS_CONFIG": str(config),
            "ROUNDS_DATA": str(folder / "data"),
            "PYTHONPATH": str(ROOT / "hub"),
        }
        with (folder / "log").open("ab") as log:
            self.forking = subprocess.Popen(
                [sys.executable, "-c", FORKING],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.pid = 0

    def start(self) -> float:
        """Start it and return after how many seconds it answers."""
        began = time.monotonic()
        assert self.forking.stdin is not None
        assert self.forking.stdout is not None
        self.forking.stdin.write(b"\n")
        self.forking.stdin.flush()
        self.pid = int(self.forking.stdout.readline())
        wait_until(lambda: listens(self.port))
        return time.monotonic() - began

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """End everything."""
        self.kill()
        self.forking.communicate()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path)
    yield made
    made.close()


def test_what_was_acknowledged_is_there_after_kill_9(
    gateway: Gateway, tmp_path: Path
) -> None:
    paths = write_slices(tmp_path / "in", range(INSTANCES))

    def send(some: Sequence[Path]) -> set[Path]:
        said = storescu(gateway.port, *some)
        if "Connection refused" in said:
            time.sleep(0.1)
        pieces = SENT.split(said)[1:]
        answers = zip(pieces[::2], pieces[1::2], strict=True)
        return {Path(name) for name, answer in answers if "(Success)" in answer}

    tally = stormed(gateway, paths, send)
    house = House.open(load_settings(data_dir=str(tmp_path / "data")))
    by_uid = {f"{UID}.1.{100_000 + int(path.stem)}": path for path in paths}
    found = differences(house, by_uid)
    house.close()
    sys.stderr.write(f"{len(tally.acknowledged)} acknowledged, {tally.kills} kills, ")
    sys.stderr.write(f"back in {tally.slowest_start:.1f} s at most\n")
    assert (found, tally.kills, len(tally.acknowledged)) == ([], KILLS, INSTANCES)
