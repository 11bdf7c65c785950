"""A Jupyter server, a browser that notes every request, and answers gone wrong."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import APIRouter
from fastapi import Request as FastAPIRequest
from playwright.sync_api import sync_playwright
from starlette.responses import RedirectResponse, Response

from rounds.client import Service
from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases import service as cases
from rounds_hub.errors import NotSignedInError
from rounds_hub.house import House
from rounds_hub.indexing import consumer
from rounds_hub.settings import load_settings
from rounds_hub.web import create_app
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid, Phantom
from rounds_kernels.volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from playwright.sync_api import BrowserContext, Error, Page, Request

AXIAL = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
"""Array axes z, y, x along head, back and left."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def volume_of(array: object, **about: object) -> Volume:
    """Return a CT volume of *array* with slices of 5 mm, changed by *about*."""
    said: dict[str, object] = {
        "spacing": (5.0, 2.0, 1.0),
        "origin": (-10.0, -20.0, -30.0),
        "direction": AXIAL,
        "units": "HU",
        "modality": "CT",
        "series_uid": "1.2.3",
    }
    return Volume(np.asarray(array), **(said | about))  # type: ignore[arg-type] # by the caller


@pytest.fixture
def make_volume() -> Callable[..., Volume]:
    """Return the function that makes a volume of an array."""
    return volume_of


@pytest.fixture
def answering() -> Iterator[Callable[[type[BaseHTTPRequestHandler]], Service]]:
    """Return a function that serves an answer class on loopback and speaks with it."""
    servers: list[ThreadingHTTPServer] = []
    services: list[Service] = []

    def serve(answers: type[BaseHTTPRequestHandler]) -> Service:
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), answers))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        port = servers[-1].server_address[1]
        services.append(Service(f"http://127.0.0.1:{port}/services/rounds", "s3cret"))
        return services[-1]

    yield serve
    for service in services:
        service.close()
    for server in servers:
        server.shutdown()
        server.server_close()


@dataclass
class Jupyter:
    """A Jupyter server with JupyterLab and Notebook, alone on loopback."""

    url: str
    token: str
    home: Path
    log: Path

    def get(self, path: str, **params: str) -> httpx.Response:
        """Return the answer to GET *path*, redirects not followed."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.get(
            f"{self.url}{path}", params=params, headers=headers, timeout=60
        )

    def wait_for_kernel(self) -> None:
        """Wait until every kernel is idle, and there is one."""
        for _ in range(300):
            kernels = self.get("api/kernels").json()
            if kernels and {one["execution_state"] for one in kernels} == {"idle"}:
                return
            time.sleep(0.2)
        pytest.fail(f"No kernel got ready: {kernels}")

    def end_sessions(self) -> None:
        """End every kernel, and forget which notebooks were open."""
        headers = {"Authorization": f"token {self.token}"}
        httpx.delete(f"{self.url}lab/api/workspaces/default", headers=headers)
        for session in self.get("api/sessions").json():
            place = f"{self.url}api/sessions/{session['id']}"
            httpx.delete(place, headers=headers, timeout=60)

    def write(self, name: str, *cells: str) -> None:
        """Write a notebook of *cells* into the home."""
        made: list[dict[str, object]] = [
            {
                "cell_type": "code",
                "id": f"c{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": spec},
            "cells": made,
        }
        (self.home / name).write_text(json.dumps(notebook), "utf-8")


@contextmanager
def jupyter_server(folder: Path, **environment: str) -> Iterator[Jupyter]:
    """Start a Jupyter server as under a hub; stop it with its kernels."""
    home = folder / "home"
    home.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Jupyter(
        f"http://127.0.0.1:{port}/", secrets.token_hex(8), home, folder / "log"
    )
    command = [
        *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={home}",
        f"--IdentityProvider.token={server.token}",
    ]
    lab = folder / "config" / "labconfig"
    lab.mkdir(parents=True)
    (lab / "page_config.json").write_text('{"hubPrefix": "/hub/"}', "utf-8")
    own = {
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    with server.log.open("w") as log:
        process = subprocess.Popen(
            command, env=os.environ | own | environment, stdout=log, stderr=log
        )
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(server: Jupyter, process: subprocess.Popen[bytes]) -> None:
    """Wait until *server* answers."""
    for _ in range(300):
        assert process.poll() is None, server.log.read_text()
        try:
            if server.get("api/status").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"Jupyter did not start: {server.log.read_text()}")


@pytest.fixture(scope="session")
def jupyter(
    served_house: ServedHouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jupyter]:
    """Return a student's Jupyter server, which all tests of a session share."""
    folder = tmp_path_factory.mktemp("jupyter")
    with jupyter_server(folder, **served_house.environment("student")) as server:
        yield server


@pytest.fixture
def jupyter_without_house(tmp_path: Path) -> Iterator[Jupyter]:
    """Return a Jupyter server whose house does not answer."""
    nowhere = {"ROUNDS_URL": "http://127.0.0.1:9/", "JUPYTERHUB_API_TOKEN": "s3cret"}
    with jupyter_server(tmp_path / "jupyter", **nowhere) as server:
        yield server


@dataclass
class Browser:
    """A browser, and every request that it made to somewhere else."""

    context: BrowserContext
    jupyter: Jupyter
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def note(self, request: Request) -> None:
        """Keep the address of *request* if it leaves the server."""
        own = (self.jupyter.url, self.jupyter.url.replace("http", "ws", 1))
        if not request.url.startswith((*own, "blob:", "data:")):
            self.elsewhere.append(request.url)

    def hear(self, error: Error) -> None:
        """Keep *error* if widgets have to do with it; Notebook has its own."""
        if "widget" in (error.stack or "") or "@rounds" in (error.stack or ""):
            self.complaints.append(str(error))

    def open(self, url: str) -> Page:
        """Return a new page at *url*."""
        page = self.context.new_page()
        page.on("pageerror", self.hear)
        page.goto(url)
        return page

    def run_all(self, page: Page) -> None:
        """Run every cell, once the kernel is there and the page knows it."""
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        self.jupyter.wait_for_kernel()
        page.wait_for_timeout(1000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


@pytest.fixture
def browser(chromium: str, jupyter: Jupyter, tmp_path: Path) -> Iterator[Browser]:
    """Return a fresh Chromium that may speak with the Jupyter server alone."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=chromium,
            args=FLAGS,
            viewport={"width": 1280, "height": 1100},
        )
        opened = Browser(context, jupyter)
        context.on("request", opened.note)
        yield opened
        context.close()
        jupyter.end_sessions()


class SignInByToken:
    """Believes the token to be a name: what a hub does for tokens that it gave out."""

    people: ClassVar[dict[str, Role]] = {
        "teacher's token": Role.TEACHER,
        "student's token": Role.STUDENT,
        "researcher's token": Role.RESEARCHER,
    }

    async def identify(self, request: FastAPIRequest) -> Principal:
        """Return who has the token of *request*."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "token" or token not in self.people:
            msg = "The hub does not know this token."
            raise NotSignedInError(msg)
        role = self.people[token]
        return Principal(role.value, frozenset({role}), frozenset({f"{role.value}s"}))

    def start(self, request: FastAPIRequest) -> Response:
        """Send a browser to the hub."""
        del request
        return RedirectResponse("/hub/login", 302)

    def router(self) -> APIRouter:
        """Return no routes of its own."""
        return APIRouter()


@dataclass
class ServedHouse:
    """A real house with a chest and a hidden head, answering on loopback."""

    house: House
    url: str
    chest: str
    hidden: str
    series: str
    phantom: Phantom

    def as_person(self, name: str, environment: pytest.MonkeyPatch) -> None:
        """Make this process a notebook of *name*."""
        for key, value in self.environment(name).items():
            environment.setenv(key, value)

    def environment(self, name: str) -> dict[str, str]:
        """Return what the hub puts into the environment of *name*'s server."""
        return {"ROUNDS_URL": self.url, "JUPYTERHUB_API_TOKEN": f"{name}'s token"}


@pytest.fixture(scope="session")
def served_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedHouse]:
    """Return a house that serves two cases: one for everybody, one for its author."""
    settings = load_settings(data_dir=str(tmp_path_factory.mktemp("house") / "data"))
    house = House.open(settings)
    teacher = Principal("teacher", frozenset({Role.TEACHER}))
    phantom = phantoms.thorax(Grid((48, 96, 96), (6.0, 4.0, 4.0)))
    series = _keep(house, teacher, phantom)
    told: dict[str, Any] = {
        "title": "Emphysema <b>of</b> the lungs",
        "history": "A miner & smoker.",
        "audience": ["everyone"],
        "body_part": "chest",
        "series": [series],
    }
    chest = cases.publish(house, teacher, cases.create(house, teacher, told).id)
    hidden = cases.create(house, teacher, told | {"title": "A draft"})
    consumer.run_once(house)
    with _serving(create_app(house, SignInByToken(), "/services/rounds/")) as origin:
        url = f"{origin}/services/rounds/"
        yield ServedHouse(house, url, chest.id, hidden.id, series, phantom)
    house.close()


def _keep(house: House, owner: Principal, phantom: Phantom) -> str:
    """Put *phantom* into the archive and return its series."""
    instances = phantoms.to_dicom(phantom)
    offers = [Offer(f"{number}.dcm", one) for number, one in enumerate(instances)]
    return str(store(house, owner, offers)[0].series_uid)


@contextmanager
def _serving(app: FastAPI) -> Iterator[str]:
    """Serve *app* on a free port of loopback and give its origin."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
