"""Elasticsearch killed, cut off and full while cases are brought: nothing is lost.

The short form has a few rounds; ``ROUNDS_LONG=1`` has ten of each over 5,000 cases.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest
from elasticsearch import Elasticsearch
from sqlalchemy import select

from rounds_hub.cases.models import Case
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.house import House
from rounds_hub.indexing import consumer
from rounds_hub.indexing.entries import Entries
from rounds_hub.settings import load_settings
from rounds_search.backends.elastic.reading import scanned
from rounds_search.backends.elastic.state import look
from rounds_search.documents import Document, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session

LONG: Final = os.environ.get("ROUNDS_LONG") == "1"
CASES: Final = 5_000 if LONG else 400
ROUNDS: Final = 10 if LONG else 2
KILLS: Final = 10 if LONG else 1
NODE: Final = Path(__file__).parents[1] / "elasticsearch" / "elasticsearch-node"
# A minute on a machine that does nothing else; a busy one needs more.
BACK_SECONDS: Final = 240.0


class WireThatIsCut:
    """A way to a server on loopback that can be cut, in mid-sentence, and mended."""

    def __init__(self, port: int) -> None:
        self.port_behind = port
        self.whole = True
        self.ends: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.whole = False
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.ends.clear()

    def mend(self) -> None:
        self.whole = True

    def close(self) -> None:
        self.listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self._join(near)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.port_behind))
        except OSError:
            near.close()
            return
        if not self.whole:
            near.close()
            far.close()
            return
        self.ends += [near, far]
        for pair in ((near, far), (far, near)):
            threading.Thread(target=_carry, args=pair, daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


class Node:
    """A node of a test's own that can be killed and comes back with its data."""

    def __init__(self, folder: Path, java: Path) -> None:
        self.folder = folder
        self.java = java
        self.port = 0
        self.script: subprocess.Popen[str] | None = None

    def start(self) -> None:
        options = ["--port", str(self.port), "--data", str(self.folder / "data")]
        options += ["--java-home", str(self.java), "--wait", "240", "--heap", "512m"]
        with (self.folder / "said").open("w") as said:
            self.script = subprocess.Popen(
                [str(NODE), *options], stdout=subprocess.PIPE, stderr=said, text=True
            )
        assert self.script.stdout is not None
        with self.script.stdout as told:
            self.port = int(told.readline().strip().rsplit(":", 1)[1])

    def kill(self) -> None:
        """End the server at once, as a power cut does to a process."""
        assert self.script is not None
        for child in psutil.Process(self.script.pid).children(recursive=True):
            child.kill()
        self.script.wait(60)

    def stop(self) -> None:
        if self.script is not None and self.script.poll() is None:
            self.script.terminate()
            self.script.wait(60)


class Ingest:
    """Cases brought, changed and deleted while a worker brings them into the index."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.chance = random.Random(3)  # noqa: S311 (a test)
        self.brought = 0

    def step(self, count: int) -> None:
        """Bring *count* cases, and change and delete a few of the earlier ones."""
        with self.house.sessions.begin() as session:
            for at in range(self.brought, self.brought + count):
                name = f"case-{at:05}"
                title = f"Case {at} of nodules"
                told = {
                    "owner": "tess",
                    "status": "published",
                    "audience": ["everyone"],
                }
                session.add(Case(id=name, title=title, **told))
                session.add(OutboxEvent(kind="case", key=name))
            for _ in range(min(self.brought, count // 10)):
                self._change(session)
        self.brought += count

    def _change(self, session: Session) -> None:
        name = f"case-{self.chance.randrange(self.brought):05}"
        case = session.get_one(Case, name)
        if self.chance.random() < 0.3:
            case.status = "deleted"
        else:
            case.title = f"{name} changed {self.chance.random()}"
        session.add(OutboxEvent(kind="case", key=name))


@contextmanager
def worker(house: House) -> Iterator[None]:
    """Let a worker bring changes into the index meanwhile."""
    stop = threading.Event()
    thread = threading.Thread(target=consumer.loop, args=(house, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(120)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker look again soon after trouble."""
    monkeypatch.setattr(consumer, "TROUBLE_SECONDS", 0.2)


@contextmanager
def house_on(folder: Path, port: int, prefix: str) -> Iterator[House]:
    url = f"http://127.0.0.1:{port}"
    settings = load_settings(
        data_dir=str(folder / "data"), search_url=url, search_prefix=prefix
    )
    opened = House.open(settings)
    yield opened
    opened.close()


def wait_until(done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.1)


def expected(house: House) -> dict[str, tuple[str, frozenset[str]]]:
    """Return what the catalogue says that the index has."""
    with house.sessions.begin(write=False) as session:
        made = list(Entries(house, session, 1).everything())
        assert session.scalar(select(Case.id).limit(1))
    return {
        one.id: (one.title, one.audience) for one in made if isinstance(one, Document)
    }


def indexed(url: str, prefix: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return what the index has, read past everything of ours that searches."""
    with Elasticsearch(url, request_timeout=60) as client:
        state = look(client, prefix)
        assert state is not None
        client.indices.refresh(index=state.names["cases"])
        there = {"term": {"gone": False}}
        bodies = [one["body"] for one in scanned(client, state.names["cases"], there)]
    made = map(unpacked, bodies)
    return {one.id: (one.title, one.audience) for one in made}


def full(url: str, prefix: str, *, blocked: bool) -> None:
    """Do to our indices what a node does when its disk is full, or undo it."""
    block = {"index.blocks.read_only_allow_delete": True if blocked else None}
    with Elasticsearch(url, request_timeout=60) as client:
        client.indices.put_settings(index=f"{prefix}-*", settings=block)


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(3_000)
def test_nothing_is_lost_while_the_index_is_cut_off_and_full(
    elasticsearch: str, tmp_path: Path
) -> None:
    prefix = f"outage-{secrets.token_hex(4)}"
    wire = WireThatIsCut(int(elasticsearch.rsplit(":", 1)[1]))
    with house_on(tmp_path, wire.port, prefix) as house:
        ingest = Ingest(house)
        assert house.index.health()["ok"]
        with worker(house):
            for _ in range(ROUNDS):
                ingest.step(CASES // (2 * ROUNDS))
                wire.cut()
                ingest.step(CASES // (4 * ROUNDS))
                wire.mend()
                full(elasticsearch, prefix, blocked=True)
                ingest.step(CASES // (4 * ROUNDS))
                full(elasticsearch, prefix, blocked=False)
            wait_until(lambda: consumer.waiting(house) == 0, BACK_SECONDS)
        wanted = expected(house)
        assert indexed(elasticsearch, prefix) == wanted
        consumer.rebuild(house)
        assert indexed(elasticsearch, prefix) == wanted
    wire.close()


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(3_000)
def test_nothing_is_lost_while_the_node_is_killed(
    tmp_path: Path, elasticsearch_java: Path
) -> None:
    with tempfile.TemporaryDirectory(dir=_memory()) as kept:
        node = Node(Path(kept), elasticsearch_java)
        node.start()
        with house_on(tmp_path, node.port, "killed") as house:
            ingest = Ingest(house)
            assert house.index.health()["ok"]
            with worker(house):
                for _ in range(KILLS):
                    ingest.step(CASES // 20)
                    node.kill()
                    ingest.step(CASES // 20)
                    node.start()
                wait_until(lambda: consumer.waiting(house) == 0, BACK_SECONDS)
            wanted, url = expected(house), f"http://127.0.0.1:{node.port}"
            assert indexed(url, "killed") == wanted
            consumer.rebuild(house)
            assert indexed(url, "killed") == wanted
        node.stop()


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
