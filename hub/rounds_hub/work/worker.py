"""The process that does the long work: ``python -m rounds_hub.work.worker``.

It takes what waits in the queues, resumes what a killed worker left, passes events from
the outbox to the index, and looks for work that was recorded and never handed over.
Nothing listens on a port, and nothing is sent anywhere.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from dbos import DBOS, DBOSConfig

from rounds_hub.archive import chores, conformance_work
from rounds_hub.archive.imports import run_import
from rounds_hub.archive.rereading import read_again
from rounds_hub.cases import watching
from rounds_hub.errors import HubError, SettingsError
from rounds_hub.gateway import working as remote
from rounds_hub.house import House
from rounds_hub.indexing import consumer, embedding, nightly
from rounds_hub.logs import log_lines
from rounds_hub.processes import die_with_parent
from rounds_hub.routing import workflow as routing
from rounds_hub.runs.supervise import kill_all
from rounds_hub.runs.workflow import RunWork
from rounds_hub.settings import load_settings
from rounds_hub.work import reconcile
from rounds_hub.work.client import QUEUES, system_url
from rounds_hub.work.serializer import JsonSerializer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["WORKFLOWS_VERSION", "Worker", "main"]

WORKFLOWS_VERSION = "rounds-1"
"""Raised when the steps of a workflow change: a worker resumes its own version."""

LOCK_SECONDS = 20.0
MOST_RECOVERIES = 1000
POLL_SECONDS = 0.1
UNHURRIED_SECONDS = 0.5
"""How often a queue is looked at for which nobody waits in front of a page."""
TICK_SECONDS = 0.5

log = structlog.get_logger()


class Worker:
    """Does the work that waits in the queues of *house*."""

    def __init__(self, house: House) -> None:
        """Be ready; nothing is taken yet."""
        self.house = house
        self.closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Register the workflows, resume what was left, and take what waits."""
        kill_all(self.house.settings.data / "runs")
        DBOS(config=self._config())
        self._register_runs()
        self._register_imports()
        routing.register(self.house)
        embedding.register(self.house, self.closing)
        nightly.register(self.house)
        remote.register(self.house)
        DBOS.launch()
        remote.take(UNHURRIED_SECONDS)
        runs, imports = QUEUES["run"], QUEUES["import"]
        at_once = self.house.settings.run_workers
        DBOS.register_queue(
            runs, worker_concurrency=at_once, polling_interval_sec=POLL_SECONDS
        )
        DBOS.register_queue(
            imports, worker_concurrency=1, polling_interval_sec=2 * POLL_SECONDS
        )
        DBOS.register_queue(
            QUEUES["route"],
            worker_concurrency=4,
            polling_interval_sec=UNHURRIED_SECONDS,
        )
        DBOS.register_queue(
            QUEUES["embed"],
            worker_concurrency=1,
            polling_interval_sec=UNHURRIED_SECONDS,
        )
        self._in_thread("outbox", self._consume)
        self._in_thread("alerts", self._look_for_alerts)
        self._in_thread("nights", self._ask_for_nights)
        self._in_thread("reconcile", self._reconcile)
        self._in_thread("routes", self._route)
        self._in_thread("conformance", self._look_at_instances)
        self._in_thread("fonts", self._warm_fonts)
        self._in_thread("headers", self._read_again)
        self._in_thread("archive", self._look_after_archive)
        log.info("worker ready", pid=os.getpid())

    def stop(self) -> None:
        """End what is under way; the next worker repeats the step it was in."""
        self.closing.set()
        kill_all(self.house.settings.data / "runs")
        for thread in self._threads:
            thread.join(timeout=5)
        log.info("worker ended", pid=os.getpid())

    def _config(self) -> DBOSConfig:
        postgresql = not self.house.settings.work_url.startswith("sqlite")
        return {
            "name": "rounds",
            "system_database_url": system_url(self.house.settings.work_url),
            "serializer": JsonSerializer(),
            "application_version": WORKFLOWS_VERSION,
            "executor_id": os.uname().nodename if postgresql else "local",
            "enable_otlp": False,
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": 1.0,
        }

    def _register_runs(self) -> None:
        work = RunWork(self.house, self.closing)

        @DBOS.step(name="run.prepare")
        def prepare(key: str) -> dict[str, Any]:
            return work.prepare(key)

        @DBOS.step(name="run.execute")
        def execute(key: str) -> dict[str, Any]:
            return work.execute(key)

        @DBOS.step(name="run.store")
        def store(key: str) -> dict[str, Any]:
            return work.store(key)

        @DBOS.step(name="run.end")
        def end(key: str, said: dict[str, Any]) -> dict[str, Any]:
            return work.end(key, said)

        @DBOS.workflow(name="run", max_recovery_attempts=MOST_RECOVERIES)
        def run(key: str) -> dict[str, Any]:
            said = prepare(key)
            if "fault" not in said:
                said = execute(key)
            if "fault" not in said:
                said = store(key)
            return end(key, said)

        del run  # registered by its name

    def _register_imports(self) -> None:
        house = self.house

        @DBOS.step(name="import.take")
        def step(key: str) -> None:
            run_import(house, key)

        @DBOS.workflow(name="import", max_recovery_attempts=MOST_RECOVERIES)
        def take_in(key: str) -> None:
            step(key)

        del take_in  # registered by its name

    def _consume(self) -> None:
        """Pass events from the outbox to the index, until the worker ends."""
        consumer.loop(self.house, self.closing)

    def _look_for_alerts(self) -> None:
        """Ask kept searches again when the index changed, until the worker ends."""
        watching.loop(self.house, self.closing)

    def _ask_for_nights(self) -> None:
        """Have it measured each night how well cases are found."""
        nightly.loop(self.house, self.closing)

    def _reconcile(self) -> None:
        """Look now and then for work that nobody does, until the worker ends."""
        while not self.closing.wait(reconcile.EVERY_SECONDS):
            reconcile.once(self.house)

    def _route(self) -> None:
        """Find complete series and what routes want of them, until the worker ends."""
        routing.loop(self.house, self.closing)

    def _look_at_instances(self) -> None:
        """Check instances against the standard, until the worker ends."""
        conformance_work.loop(self.house, self.closing)

    def _look_after_archive(self) -> None:
        """Purge what is over and move what is old, until the worker ends."""
        chores.loop(self.house, self.closing)

    def _read_again(self) -> None:
        """Read headers again that an older version did not keep all of."""
        read_again(self.house, self.closing)

    def _warm_fonts(self) -> None:
        """Make Matplotlib's list of fonts once, so that no run has to."""
        reconcile.make_font_cache(self.house.settings.data / "cache" / "matplotlib")

    def _in_thread(self, name: str, work: Callable[[], None]) -> None:
        """Do *work* in a thread; where it fails it is begun again."""

        def go_on() -> None:
            while not self.closing.is_set():
                try:
                    work()
                except Exception:  # the administrator's log has it
                    log.exception("thread failed", thread=name)
                    self.closing.wait(5.0)
                else:
                    return

        thread = threading.Thread(target=go_on, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)


@contextmanager
def _alone(house: House) -> Iterator[None]:
    """Be the one worker of a house on SQLite: two would do the same work twice."""
    path = house.settings.data / "worker.lock"
    with path.open("a", encoding="ascii") as file:
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    msg = (
                        "Another worker does the work of this data folder. On one "
                        "machine one is enough; several need PostgreSQL."
                    )
                    raise SettingsError(msg) from error
                time.sleep(0.2)
        yield


def main() -> int:
    """Work until the hub is gone or says so."""
    die_with_parent()
    log_lines()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        house = House.open(load_settings())
        with _alone(house):
            worker = Worker(house)
            worker.start()
            # A signal may come to another thread: look again now and then.
            while not ended.wait(TICK_SECONDS):
                pass
            worker.stop()
            sys.stderr.flush()
            # A step that is under way waits for ever: the next worker repeats it.
            os._exit(0)
    except HubError as error:
        log.error("worker cannot work", why=str(error))  # noqa: TRY400 (its sentence says it)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
