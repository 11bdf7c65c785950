"""A demo house in a process of its own, for a while."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.cli.visitor import Visitor
from rounds_hub.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DemoHouse", "demo_house"]

_STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class DemoHouse:
    """A demo that answers: where, and how to sign in."""

    url: str
    accounts: dict[str, str]
    data: Path
    process: subprocess.Popen[str]

    def visitor(self, name: str) -> Visitor:
        """Return somebody who is signed in as the demo account *name*."""
        visitor = Visitor(self.url, name)
        visitor.sign_in(self.accounts[name])
        return visitor

    def stop(self) -> int:
        """Stop it as Ctrl-C does and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextmanager
def demo_house(data: Path, *options: str) -> Iterator[DemoHouse]:
    """Start ``rounds demo`` on *data* and any free port; stop it at the end.

    Raises
    ------
    BusyError
        If it ends before it answers, with what it said.
    """
    command = [sys.executable, "-m", "rounds_hub.cli", "demo", "--json"]
    more = ["--port", "0", "--data", str(data), *options]
    with subprocess.Popen(  # noqa: S603 (our own program)
        [*command, *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
        start_new_session=True,
    ) as process:
        try:
            yield _first_word(data, process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(_STOP_SECONDS)


def _first_word(data: Path, process: subprocess.Popen[str]) -> DemoHouse:
    """Return the house when it says that it answers."""
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        said = process.stderr.read() if process.stderr else ""
        msg = f"The house did not start: {said.strip() or 'it said nothing.'}"
        raise BusyError(msg)
    said_at_start = json.loads(line)
    return DemoHouse(said_at_start["url"], said_at_start["accounts"], data, process)
