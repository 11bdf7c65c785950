"""Keep the hub running, and leave no process behind.

Every process of a house descends from the supervisor. On Linux it is a «subreaper»:
a process whose parent was killed becomes its child, so that it can end every one of
them at the end, whatever happened in between.
"""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import IO, TYPE_CHECKING

import structlog

from rounds_hub.deployment.descendants import adopt_orphans, bury, end_descendants
from rounds_hub.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

__all__ = ["Command", "Supervisor"]

_TICK = 0.1
_LONG_ENOUGH = 30.0
_LONGEST_PAUSE = 30.0
_FAILED_STARTS = 3
_STOP_SECONDS = 30.0
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Command:
    """The program to keep running, and how to see that it is ready."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    log_file: Path
    ports: tuple[int, ...]
    ready_path: str = "/services/rounds/api/health"


class Supervisor:
    """Runs one command until it is told to stop."""

    def __init__(self, command: Command) -> None:
        """Keep *command* for :meth:`run`."""
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._stops = 0
        self._failed = 0
        self._ready = False

    def stop(self) -> None:
        """Ask for the end; a second time: at once."""
        self._stops += 1

    def run(self, on_ready: Callable[[], None]) -> None:
        """Keep the command running until :meth:`stop` or a signal.

        *on_ready* is called once, when the house answers. It may call :meth:`stop`.

        Raises
        ------
        BusyError
            If the command ended several times before it was ever ready.
        """
        adopt_orphans()
        with self._signals():
            try:
                while not self._stops:
                    self._run_once(on_ready)
            finally:
                self._end_everything()

    def _run_once(self, on_ready: Callable[[], None]) -> None:
        """Start the command and watch it until it ends or is to be stopped."""
        started = time.monotonic()
        self._process = self._start()
        while not self._stops and self._process.poll() is None:
            if not self._ready and self._answers():
                self._ready = True
                on_ready()
            bury(self._process.pid)
            time.sleep(_TICK)
        if not self._stops:
            self._pause_before_next(time.monotonic() - started)

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the command in a session of its own: Ctrl-C is ours to hand on."""
        with self._open_log() as out:
            return subprocess.Popen(  # noqa: S603 (the command is ours)
                self._command.arguments,
                env=self._command.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _open_log(self) -> IO[bytes]:
        """Open the log for appending; a long one is put aside first."""
        file = self._command.log_file
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if file.exists() and file.stat().st_size > 10 * 2**20:
            file.replace(file.with_suffix(".log.1"))
        return file.open("ab")

    def _answers(self) -> bool:
        """Return whether the house answers now: the service, then also its proxy."""
        return all(self._answers_at(port) for port in self._command.ports)

    def _answers_at(self, port: int) -> bool:
        """Return whether the house answers at *port*."""
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", self._command.ready_path)
            return connection.getresponse().status == 200  # noqa: PLR2004 (RFC 9110)
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _pause_before_next(self, lived: float) -> None:
        """Wait before the next start, longer after each failure in a row."""
        self._failed = 1 if lived > _LONG_ENOUGH else self._failed + 1
        if not self._ready and self._failed >= _FAILED_STARTS:
            msg = (
                f"The hub did not start in {self._failed} tries; "
                "the file log/hub.log in the data folder says why."
            )
            raise BusyError(msg)
        log.warning("hub_ended", lived_seconds=round(lived, 1), failed=self._failed)
        until = time.monotonic() + min(_LONGEST_PAUSE, 0.25 * 2**self._failed)
        while not self._stops and time.monotonic() < until:
            time.sleep(_TICK)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Turn signals into :meth:`stop` meanwhile."""

        def told(number: int, frame: FrameType | None) -> None:
            del number, frame
            self.stop()

        before = {number: signal.signal(number, told) for number in _STOPS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end_everything(self) -> None:
        """End the hub by its own way first, then whatever is left of the house."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            until = time.monotonic() + _STOP_SECONDS
            told_again = self._stops
            while process.poll() is None and time.monotonic() < until:
                bury(process.pid)
                if self._stops > told_again:
                    break
                time.sleep(_TICK)
        end_descendants()
