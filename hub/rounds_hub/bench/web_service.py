"""A web service of a house of its own, for a race: ``python -m … DATA PORT``.

It listens on loopback and knows one person, who sends the word that it was given in
the environment.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import uvicorn
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse

from rounds_hub.access.principal import SYSTEM, Principal, Role
from rounds_hub.errors import BusyError, NotSignedInError
from rounds_hub.house import House
from rounds_hub.processes import die_with_parent
from rounds_hub.settings import load_settings
from rounds_hub.web import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.responses import Response

__all__ = ["main", "web_service"]

WORD = "ROUNDS_RACE_WORD"
SECONDS = 60.0


class OneWord:
    """Signs in who sends the word of this race."""

    def __init__(self, word: str, principal: Principal = SYSTEM) -> None:
        """Know the *word*, and who sends it."""
        self.word = word
        self.principal = principal

    async def identify(self, request: Request) -> Principal:
        """Return who sends the word, or raise NotSignedInError."""
        said = request.headers.get("authorization", "")
        if not secrets.compare_digest(said, f"token {self.word}"):
            msg = "This service is for a race alone."
            raise NotSignedInError(msg)
        return self.principal

    def start(self, request: Request) -> Response:
        """Send a browser back to where it was: nobody signs in here."""
        return RedirectResponse(request.url.path)

    def router(self) -> APIRouter:
        """Return no routes."""
        return APIRouter()


@contextmanager
def web_service(data: Path, role: str = "") -> Iterator[httpx.Client]:
    """Run a web service on the house in *data*; give a client that is signed in.

    The client is the house itself, or somebody with *role*.

    Raises
    ------
    BusyError
        If it does not start.
    """
    word = secrets.token_hex(16)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", __name__, str(data), str(port), role]
    process = subprocess.Popen(command, env=os.environ | {WORD: word})  # noqa: S603 (ours)
    headers = {"authorization": f"token {word}"}
    base = f"http://127.0.0.1:{port}/"
    try:
        with httpx.Client(base_url=base, headers=headers, timeout=SECONDS) as client:
            _wait(client, process)
            yield client
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _wait(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    """Wait until the service answers."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            client.get("api/health")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    msg = "The web service of the race does not start."
    raise BusyError(msg)


def main() -> None:
    """Serve until the process that started this is gone."""
    die_with_parent()
    house = House.open(load_settings(data_dir=sys.argv[1]))
    role = sys.argv[3]
    who = Principal("racer", frozenset({Role(role)})) if role else SYSTEM
    app = create_app(house, OneWord(os.environ.pop(WORD), who), "/")
    uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)


if __name__ == "__main__":
    main()
