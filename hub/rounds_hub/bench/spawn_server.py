"""``spawn``: the start of a user's server, ours against JupyterHub's simple spawner.

Both hubs run during the race, each with its own ports and folder; a turn is one start,
from the request to the hub until the server itself answers. JupyterHub's part is the
same on both sides; what differs is how the server comes up.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from rounds_hub import __version__
from rounds_hub.bench.base import Contestant, Race
from rounds_hub.deployment.descendants import adopt_orphans
from rounds_hub.deployment.ports import Ports, choose_ports
from rounds_hub.deployment.traits import Deployment
from rounds_hub.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["races"]

_USER = "ada"
_PATIENCE = 120.0
_LOOK_EVERY = 0.02

_COMMON = """
c.JupyterHub.bind_url = "http://127.0.0.1:{ports.public}/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{ports.hub}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports.proxy_api}"
c.ConfigurableHTTPProxy.pid_file = r"{folder}/proxy.pid"
c.ConfigurableHTTPProxy.command = [
    r"{python}", "-m", "rounds_hub.deployment.tied", "configurable_http_proxy.cli:main"
]
c.JupyterHub.db_url = r"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = r"{folder}/secret"
c.JupyterHub.authenticator_class = "null"
c.JupyterHub.services = [{{"name": "bench", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{
        "name": "bench",
        "services": ["bench"],
        "scopes": ["admin:users", "admin:servers"],
    }}
]
"""

_STOCK = """
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = r"{folder}/homes/{{username}}"
c.Spawner.cmd = [r"{python}", "-m", "jupyterhub.singleuser"]
c.Spawner.args = {arguments}
"""

_OURS = """
from rounds_hub.spawning.local import RoundsLocalSpawner
c.JupyterHub.spawner_class = RoundsLocalSpawner
c.RoundsLocalSpawner.homes = r"{folder}/homes"
c.RoundsLocalSpawner.cmd = [r"{python}", "-m", "rounds_hub.spawning.server"]
c.RoundsHub.warm_seconds = 0.0
"""


@dataclass(frozen=True, slots=True)
class _Hub:
    """A running hub that starts and stops one user's server."""

    url: str
    token: str

    def start(self) -> dict[str, Any]:
        """Start the server and return what it says of itself."""
        with self._client() as client:
            client.post(f"hub/api/users/{_USER}/server").raise_for_status()
            self._until(client, f"user/{_USER}/api")
            said: dict[str, Any] = client.get(f"user/{_USER}/api").json()
        return said

    def stop(self) -> None:
        """Have no server, and a user for whom one can be started."""
        with self._client() as client:
            client.post(f"hub/api/users/{_USER}")
            client.delete(f"hub/api/users/{_USER}/server")
            until = time.monotonic() + _PATIENCE
            while client.get(f"hub/api/users/{_USER}").json().get("servers"):
                if time.monotonic() > until:
                    msg = "The server of the benchmark does not stop."
                    raise BusyError(msg)
                time.sleep(_LOOK_EVERY)

    def wait(self) -> None:
        """Return when the hub answers."""
        with self._client() as client:
            self._until(client, "hub/api/")

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"token {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    @staticmethod
    def _until(client: httpx.Client, path: str) -> None:
        """Return when *path* is answered by who is meant to answer it."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            with suppress(httpx.TransportError):
                answer = client.get(path)
                if answer.status_code == 200 and "version" in answer.text:  # noqa: PLR2004 (RFC 9110)
                    return
            time.sleep(_LOOK_EVERY)
        msg = "A hub of the benchmark does not answer."
        raise BusyError(msg)


def races(*, quick: bool = False) -> Iterator[Race]:
    """Give the one race, while both hubs run."""
    adopt_orphans()
    peer = ("jupyterhub.app", _STOCK)
    with _hub("rounds_hub.deployment.hub", _OURS) as ours, _hub(*peer) as stock:
        yield Race(
            id="spawn",
            operation="start a user's JupyterLab server",
            work="1 server, from the request until it answers",
            ours=Contestant("Rounds", __version__, ours.start, ours.stop),
            peer=Contestant(
                "JupyterHub, simple spawner",
                version("jupyterhub"),
                stock.start,
                stock.stop,
            ),
            equal=lambda one, other: one == other and bool(one["version"]),
            waits=True,
            turns=1 if quick else 3,
        )


@contextmanager
def _hub(module: str, config: str) -> Iterator[_Hub]:
    """Run the hub of *module* with *config* in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="rounds-bench-") as made:
        folder = Path(made)
        ports = choose_ports(folder, Deployment(port=0))
        hub = _Hub(f"http://127.0.0.1:{ports.public}/", secrets.token_hex(16))
        file = folder / "config.py"
        file.write_text(_configured(config, folder, ports, hub.token))
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, "-m", module, "-f", str(file)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as process,
        ):
            try:
                hub.wait()
                yield hub
            finally:
                process.terminate()


def _configured(config: str, folder: Path, ports: Ports, token: str) -> str:
    """Return the text of the configuration file of a hub."""
    return (_COMMON + config).format(
        ports=ports,
        folder=folder,
        python=sys.executable,
        token=token,
        arguments=["--allow-root"] if os.geteuid() == 0 else [],
    )
