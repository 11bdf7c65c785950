"""The supervisor: it keeps a program running and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A program that answers on a port, with a child in a session of its own, as user
# servers are; it writes both numbers down.
SERVER = """
import http.server, os, pathlib, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
with open(sys.argv[2], "a") as file:
    file.write(f"{os.getpid()} {child.pid}\\n")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

SUPERVISE = """
import os, pathlib, sys
from rounds_hub.deployment.supervisor import Command, Supervisor
from rounds_hub.errors import HubError
arguments = (sys.executable, "-c", *sys.argv[2:])
log = pathlib.Path(sys.argv[1]) / "log" / "hub.log"
command = Command(arguments, dict(os.environ), log, (int(sys.argv[3]),), "/")
try:
    Supervisor(command).run(lambda: print("ready", flush=True))
except HubError as error:
    print(error, flush=True)
"""


def alive(pid: int) -> bool:
    """Return whether *pid* runs; one that waits to be buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
    except FileNotFoundError:
        return False
    return state.split()[0] != "Z"


def eventually(true: Callable[[], bool], seconds: float = 15) -> bool:
    """Return whether *true* becomes so in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return False


class Supervised:
    """A supervisor in a process of its own, with the numbers of what it started."""

    def __init__(self, folder: Path, port: int) -> None:
        self.pids = folder / "pids"
        command = [sys.executable, "-c", SUPERVISE, folder, SERVER, port, self.pids]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def started(self) -> list[list[int]]:
        """Return the numbers of each server and its child, the newest last."""
        lines = self.pids.read_text().splitlines() if self.pids.exists() else []
        return [[int(number) for number in line.split()] for line in lines]

    def end(self) -> None:
        """Leave nothing of the test behind."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        for pid in chain.from_iterable(self.started()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def supervised(tmp_path: Path, unused_port: int) -> Iterator[Supervised]:
    made = Supervised(tmp_path, unused_port)
    yield made
    made.end()


def test_it_says_when_the_program_answers(supervised: Supervised) -> None:
    assert supervised.line() == "ready"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(supervised: Supervised, number: int) -> None:
    supervised.line()
    supervised.process.send_signal(number)
    assert supervised.process.wait(20) == 0
    assert not [pid for pid in supervised.started()[0] if alive(pid)]


def test_a_killed_program_is_started_again(supervised: Supervised) -> None:
    supervised.line()
    os.kill(supervised.started()[0][0], signal.SIGKILL)
    assert eventually(lambda: len(supervised.started()) == 2)


def test_what_a_killed_program_left_ends_as_well(supervised: Supervised) -> None:
    supervised.line()
    os.kill(supervised.started()[0][0], signal.SIGKILL)
    assert eventually(lambda: len(supervised.started()) == 2)
    supervised.process.send_signal(signal.SIGINT)
    supervised.process.wait(20)
    assert not [pid for pair in supervised.started() for pid in pair if alive(pid)]


def test_an_adopted_process_that_ended_does_not_look_alive(
    supervised: Supervised,
) -> None:
    supervised.line()
    server, child = supervised.started()[0]
    os.kill(server, signal.SIGKILL)
    assert eventually(lambda: len(supervised.started()) == 2)
    os.kill(child, signal.SIGKILL)
    assert eventually(lambda: not Path(f"/proc/{child}").exists())


def fail_to_start(folder: Path, source: str) -> str:
    """Supervise a program that ends at once; return what the supervisor says."""
    command = [sys.executable, "-c", SUPERVISE, str(folder), source, "1"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def test_a_program_that_never_starts_is_given_up(tmp_path: Path) -> None:
    said = fail_to_start(tmp_path, "raise SystemExit(3)")
    assert "did not start in 3 tries" in said


def test_what_the_program_prints_is_kept(tmp_path: Path) -> None:
    fail_to_start(tmp_path, "print('why', flush=True); raise SystemExit(3)")
    assert (tmp_path / "log" / "hub.log").read_text().count("why") == 3
