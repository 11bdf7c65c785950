"""What every test may ask for: a house, people of every role, real servers."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response
from tests import newborn
from tests.servers import Postgresql, free_port

from rounds_hub.access.principal import Principal, Role
from rounds_hub.access.signin import refuse_cross_site
from rounds_hub.catalogue.sessions import Sessions
from rounds_hub.cli.demo_process import demo_house
from rounds_hub.errors import NotSignedInError
from rounds_hub.settings import load_settings
from rounds_search.backends.elastic import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from fastapi import FastAPI

    from rounds_hub.cli.demo_process import DemoHouse
    from rounds_hub.house import House

ROOT = Path(__file__).parent.parent
IN_CI = os.environ.get("CI") == "true"
POSTGRESQL = Path("/usr/lib/postgresql")


def missing(what: str, how: str) -> None:
    """Skip because *what* is not here, which CI may not do."""
    message = f"{what} is not here: {how}"
    if IN_CI:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real series, or skip by name where it is missing."""
    folder = Path(os.environ.get("ROUNDS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("real series are not here: set ROUNDS_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("Chromium", "install the package chromium")
    return str(found)


@pytest.fixture(scope="session")
def dciodvfy() -> str:
    """Return the path of the DICOM verifier."""
    found = shutil.which("dciodvfy")
    if found is None:
        missing("dciodvfy", "install the package dicom3tools")
    return str(found)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Start a PostgreSQL server on loopback and return its URL without a database."""
    programs = sorted(POSTGRESQL.glob("*/bin")) if POSTGRESQL.is_dir() else []
    if not programs:
        missing("PostgreSQL", "install the package postgresql")
    # Not below pytest's own folder: that one is closed to the server's user.
    with tempfile.TemporaryDirectory(prefix="rounds-postgresql-") as folder:
        server = Postgresql(programs[-1], Path(folder))
        server.start()
        yield server.url
        server.stop()


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[str]:
    """Return the URL of a cluster: a node of the tests' own, or one that is given.

    The tests that ask for it run in one process (``SHARED`` in the root's
    ``conftest.py``), so that one node is started.
    """
    given = os.environ.get("ROUNDS_TEST_ELASTICSEARCH_URL")
    if given:
        yield given
        return
    # In memory, where there is such a folder: a node syncs at every turn.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 (a new folder in it)
    with (
        tempfile.TemporaryDirectory(prefix="rounds-elasticsearch-", dir=memory) as kept,
        elasticsearch_node(Path(kept)) as url,
    ):
        yield url


@pytest.fixture(scope="session")
def elasticsearch_java() -> Path:
    """Return the folder of the Java that runs a node."""
    found = java_home()
    if found is None:
        missing("Elasticsearch", "install maven and a JDK of Java 21 or newer")
    return Path(str(found))


@pytest.fixture
def cluster(elasticsearch: str) -> Iterator[Cluster]:
    """Return a cluster with a prefix of its own, which has no index yet."""
    from elasticsearch import Elasticsearch

    made = Cluster(elasticsearch, prefix=f"test-{secrets.token_hex(4)}", seconds=120)
    yield made
    with Elasticsearch(elasticsearch, request_timeout=120) as client:
        found = client.indices.get(index=f"{made.prefix}-*", allow_no_indices=True)
        if found.body:
            client.indices.delete(index=list(found.body))


@contextmanager
def elasticsearch_node(folder: Path, *, port: int = 0) -> Iterator[str]:
    """Run an Elasticsearch node with its data in *folder* and give its URL."""
    if shutil.which("mvn") is None or java_home() is None:
        missing("Elasticsearch", "install maven and a JDK of Java 21 or newer")
    log = folder / "node.log"
    command = [
        str(ROOT / "tests" / "elasticsearch" / "elasticsearch-node"),
        *("--port", str(port), "--data", str(folder / "data"), "--log", str(log)),
        *("--java-home", str(java_home()), "--wait", "240"),
    ]
    said = (folder / "said").open("w+")
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=pipe, stderr=said, stdin=null, text=True)
    try:
        assert process.stdout is not None
        with process.stdout as told:
            url = told.readline().strip()
        said.seek(0)
        assert url, f"The node did not start: {said.read()[-2000:]}"
        yield url
    finally:
        process.terminate()
        process.wait(60)
        said.close()
        if process.stdout is not None:
            process.stdout.close()


def java_home() -> Path | None:
    """Return the folder of a JDK of Java 21 or newer, if one is here."""
    named = [os.environ.get(name) for name in ("ES_JAVA_HOME", "JAVA_HOME")]
    homes = [*map(Path, filter(None, named)), *Path("/usr/lib/jvm").glob("*")]
    for home in homes:
        told = home / "release"
        version = told.read_text() if told.is_file() else ""
        found = re.search(r'JAVA_VERSION="(\d+)', version)
        if found and int(found[1]) >= 21 and (home / "bin" / "javac").exists():
            return home
    return None


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, first on SQLite, then on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    return newborn.fresh_database(request.getfixturevalue("postgresql"), empty=True)


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def catalogue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new house's database, first on SQLite, then on PostgreSQL."""
    if request.param == "sqlite":
        newborn.put_newborn(tmp_path / "data")
        return f"sqlite:///{tmp_path / 'data' / 'catalogue.sqlite'}"
    return newborn.fresh_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def sessions(catalogue_url: str) -> Iterator[Sessions]:
    """Return sessions on a catalogue with its tables, on each kind of database."""
    opened = Sessions(catalogue_url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Return a house in a folder of its own, on SQLite and local disk."""
    opened = open_house(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def any_house(tmp_path: Path, catalogue_url: str) -> Iterator[House]:
    """Return a house in a folder of its own, on each kind of database."""
    opened = open_house(tmp_path, database_url=catalogue_url)
    yield opened
    opened.close()


def open_house(folder: Path, **settings: str) -> House:
    """Open a house below *folder*."""
    from rounds_hub import house

    if "database_url" not in settings:
        newborn.put_newborn(folder / "data")
    return house.House.open(load_settings(data_dir=str(folder / "data"), **settings))


def person(name: str, *roles: Role) -> Principal:
    """Return somebody called *name* with *roles*, by default the one so called."""
    own = roles or (Role(name),)
    return Principal(name, frozenset(own), frozenset(f"{role.value}s" for role in own))


class SignInByHeader:
    """Believe the header ``X-Person: name role role``: for tests without a hub.

    A role ``-`` says that the person has none.
    """

    async def identify(self, request: Request) -> Principal:
        said = request.headers.get("x-person", "").split()
        if not said:
            msg = "Nobody is signed in."
            raise NotSignedInError(msg)
        if "x-cookie" in request.headers:
            refuse_cross_site(request)
        if said[1:] == ["-"]:
            return Principal(said[0])
        return person(said[0], *map(Role, said[1:]))

    def start(self, request: Request) -> Response:
        return RedirectResponse(f"/hub/login?next={request.url.path}", 302)

    def router(self) -> APIRouter:
        return APIRouter()


@pytest.fixture(scope="session")
def serve_house() -> Callable[..., AbstractContextManager[tuple[House, str]]]:
    """Return a function that serves a house of its own in a folder, with settings."""
    from rounds_hub.web import create_app

    @contextmanager
    def serve(folder: Path, **settings: str) -> Iterator[tuple[House, str]]:
        opened, port = open_house(folder, **settings), free_port()
        app = create_app(opened, SignInByHeader(), "/services/rounds/")
        with serving(app, port):
            yield opened, f"http://127.0.0.1:{port}/services/rounds/"
        opened.close()

    return serve


@pytest.fixture
def service_url(house: House) -> Iterator[str]:
    """Serve *house* over HTTP on loopback; people sign in by a header."""
    from rounds_hub.web import create_app

    app = create_app(house, SignInByHeader(), "/services/rounds/")
    port = free_port()
    with serving(app, port):
        yield f"http://127.0.0.1:{port}/services/rounds/"


@contextmanager
def serving(app: FastAPI, port: int) -> Iterator[None]:
    """Serve *app* on *port* of loopback in a thread."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def client_as(service_url: str) -> Iterator[Callable[..., httpx.Client]]:
    """Return a function that gives an HTTP client of the service for a person.

    ``client_as("student")`` signs in a student, ``client_as("ada", "teacher")`` a
    teacher called ada, ``client_as("")`` nobody. Addresses are relative:
    ``client.get("api/me")``.
    """
    opened: list[httpx.Client] = []

    def make(name: str, *roles: str) -> httpx.Client:
        said = " ".join([name, *(roles or (name,))]) if name else ""
        headers = {"x-person": said} if said else {}
        client = httpx.Client(base_url=service_url, headers=headers, timeout=60)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def inside() -> Iterator[Any]:
    """Return a network of its own for programs that listen on every address.

    See ``tests/gateway/netns.py``: ``start``, ``way_in``, ``way_out``.
    """
    path = Path(__file__).parent / "gateway" / "netns.py"
    found = importlib.util.spec_from_file_location("netns", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    with module.network() as made:
        yield made


@pytest.fixture
def worker(
    house: House, tmp_path: Path
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Return a function that starts a worker of *house*."""
    started: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {
        "ROUNDS_DATA": str(house.settings.data),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as said:
            command = [sys.executable, "-m", "rounds_hub.work.worker"]
            started.append(subprocess.Popen(command, env=environment, stderr=said))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHouse]:
    """Run ``rounds demo`` with its sample cases on loopback, once for all tests.

    ``demo.visitor("doctor")`` is somebody signed in through the hub's form.
    """
    with demo_house(tmp_path_factory.mktemp("demo") / "house") as running:
        yield running
