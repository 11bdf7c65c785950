"""Kill -9 of the web process while four senders store: what was acknowledged is there.

In CI it is killed a few times; with ROUNDS_LONG=1 twenty times and with thousands.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import select
from tests.archive.conftest import make_instance
from tests.conftest import ROOT, open_house
from tests.dicomweb.test_stow import RELATED, STORED, body_of, file_of
from tests.servers import free_port

from rounds_hub.archive.models import Instance, Series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG = os.environ.get("ROUNDS_LONG") == "1"
KILLS, SENT = (20, 3000) if LONG else (2, 120)
SENDERS, OF_A_BODY = 4, 5
READY_SECONDS = 5.0 if LONG else 120.0
SERVICE = """
    import sys
    import uvicorn
    from fastapi import APIRouter
    from rounds_hub.access.principal import Principal, Role
    from rounds_hub.house import House
    from rounds_hub.settings import load_settings
    from rounds_hub.web import create_app

    class Everybody:
        async def identify(self, request):
            return Principal(request.headers["x-person"], frozenset({Role.DOCTOR}))
        def router(self):
            return APIRouter()

    house = House.open(load_settings(data_dir=sys.argv[1]))
    app = create_app(house, Everybody(), "/")
    uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


class Service:
    """A web process that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}/dicomweb/studies"
        self.slowest = 0.0
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        began = time.monotonic()
        script, where = textwrap.dedent(SERVICE), str(self.folder / "data")
        command = [sys.executable, "-c", script, where, str(self.port)]
        process = subprocess.Popen(command, cwd=ROOT)
        while process.poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{self.port}/api/health", timeout=5)
                break
            time.sleep(0.02)
        self.slowest = max(self.slowest, time.monotonic() - began)
        return process

    def kill(self) -> None:
        """Kill it at once, and start it again."""
        self.end()
        self.process = self._started()

    def end(self) -> None:
        """Kill it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Sender(threading.Thread):
    """Sends bodies one after the other, each again until it is acknowledged."""

    def __init__(self, service: Service, number: int) -> None:
        super().__init__(daemon=True)
        self.service, self.number = service, number
        self.acknowledged: dict[str, bytes] = {}
        self.ended = threading.Event()
        self._next = 0

    def run(self) -> None:
        headers = {"x-person": f"sender{self.number}", "content-type": RELATED}
        with httpx.Client(headers=headers, timeout=60) as client:
            while not self.ended.is_set():
                files = dict(self._made())
                while not self._sent(client, files):
                    time.sleep(0.02)

    def _made(self) -> Iterator[tuple[str, bytes]]:
        for _ in range(OF_A_BODY):
            self._next += 1
            made = make_instance(self._next, 1 + self._next % 3, self.number + 1)
            yield made.SOPInstanceUID, file_of(made)

    def _sent(self, client: httpx.Client, files: dict[str, bytes]) -> bool:
        """Send *files*; return whether all of them were acknowledged."""
        try:
            answer = client.post(
                self.service.url, content=body_of(list(files.values()))
            )
        except httpx.TransportError:
            return False
        if answer.status_code not in {200, 202}:
            return False
        for item in answer.json()[STORED]["Value"]:
            uid = item["00081155"]["Value"][0]
            self.acknowledged[uid] = files[uid]
        return files.keys() <= self.acknowledged.keys()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Run a web process with an archive of its own."""
    running = Service(tmp_path)
    yield running
    running.end()


def test_nothing_that_was_acknowledged_is_lost(
    service: Service, tmp_path: Path
) -> None:
    senders = [Sender(service, number) for number in range(SENDERS)]
    for one in senders:
        one.start()
    chance = random.Random(4)  # noqa: S311 (when to kill)
    for number in range(KILLS):
        wait_for(senders, SENT * (number + 1) // (KILLS + 1))
        time.sleep(chance.random() / 10)
        service.kill()
    wait_for(senders, SENT)
    for one in senders:
        one.ended.set()
    for one in senders:
        one.join(60)
    service.end()
    sent = {uid: file for one in senders for uid, file in one.acknowledged.items()}
    said = f"{len(sent)} acknowledged, ready in {service.slowest:.2f} s at most"
    print(said)  # noqa: T201 (the figures of the long version)
    compare(tmp_path, sent)
    assert service.slowest < READY_SECONDS


def wait_for(senders: list[Sender], count: int) -> None:
    """Wait until so many were acknowledged."""
    until = time.monotonic() + 300
    while sum(len(one.acknowledged) for one in senders) < count:
        assert time.monotonic() < until, "nothing is acknowledged any more"
        time.sleep(0.01)


def compare(folder: Path, sent: dict[str, bytes]) -> None:
    """Compare what was acknowledged with the catalogue and the bytes."""
    house = open_house(folder)
    with house.sessions.begin(write=False) as session:
        rows = {one.uid: one.sha256 for one in session.scalars(select(Instance))}
        counted = sum(one.instance_count for one in session.scalars(select(Series)))
    lost = sent.keys() - rows.keys()
    phantom = rows.keys() - sent.keys()
    damaged = [
        uid
        for uid, file in sent.items()
        if uid in rows and house.store.path(rows[uid]).read_bytes() != file
    ]
    objects = {one.sha256 for one in house.store.every()}
    unlisted = objects - set(rows.values())
    house.close()
    assert (lost, phantom, damaged, unlisted) == (set(), set(), [], set())
    assert counted == len(rows)
