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
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from rounds.client import Service
from rounds_kernels.volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page, Request

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
    """Start a Jupyter server below *folder*, and stop it with its kernels."""
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
        process.wait(30)


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
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """Return a Jupyter server that all tests of a session share."""
    with jupyter_server(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@dataclass
class Browser:
    """A browser, and every request that it made to somewhere else."""

    context: BrowserContext
    own: tuple[str, ...]
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def note(self, request: Request) -> None:
        """Keep the address of *request* if it leaves the server."""
        if not request.url.startswith((*self.own, "blob:", "data:")):
            self.elsewhere.append(request.url)

    def open(self, url: str) -> Page:
        """Return a new page at *url*."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(url)
        return page

    def run_all(self, page: Page, cells: int) -> None:
        """Run the first *cells* cells, one after the other."""
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        page.locator(".jp-CodeCell .cm-content").first.click()
        for _ in range(cells):
            page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(300)


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
        own = (jupyter.url, jupyter.url.replace("http", "ws", 1))
        opened = Browser(context, own)
        context.on("request", opened.note)
        yield opened
        context.close()
