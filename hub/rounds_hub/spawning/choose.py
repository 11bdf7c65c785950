"""Decide where user servers run, and say why."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rounds_hub.errors import SettingsError

__all__ = ["Choice", "Engine", "choose_spawner", "decide", "probe_engine"]

Kind = Literal["local", "docker"]

_SOCKET = Path("/var/run/docker.sock")
_PROBE_SECONDS = 3
_INTERFACE = "1.40"  # Docker Engine 19.03 and newer


@dataclass(frozen=True, slots=True)
class Engine:
    """What a look at the Docker engine of this machine found."""

    problem: str = ""
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Choice:
    """Where user servers run, why, and where the hub listens for them."""

    kind: Kind
    reason: str
    hub_address: str = "127.0.0.1"

    def __str__(self) -> str:
        """Say it as one line at the start."""
        what = {"local": "local processes", "docker": "containers"}[self.kind]
        return f"User servers are {what}: {self.reason}."


def decide(wish: str, engine: Engine) -> Choice:
    """Return the choice for *wish* and what was found of the *engine*.

    Raises
    ------
    SettingsError
        If containers are asked for and cannot be had.

    Examples
    --------
    >>> print(decide("auto", Engine("no Docker engine answers")))
    User servers are local processes: no Docker engine answers.
    """
    if wish == "local":
        return Choice("local", "Deployment.spawner says so")
    if not engine.problem:
        reason = "a Docker engine answers and has the user image"
        return Choice("docker", reason, engine.address)
    if wish == "docker":
        msg = (
            f"Deployment.spawner is 'docker', but {engine.problem}; "
            "'auto' or 'local' would start servers as processes."
        )
        raise SettingsError(msg)
    return Choice("local", engine.problem)


def choose_spawner(wish: str, image: str) -> Choice:
    """Return the choice for *wish*, after a look at this machine's engine."""
    return decide(wish, Engine() if wish == "local" else probe_engine(image))


def probe_engine(image: str, path: Path = _SOCKET) -> Engine:
    """Look whether a Docker engine answers and has *image*, within seconds.

    The engine is the one that ``DOCKER_HOST`` names, else the one at *path*.
    """
    named = os.environ.get("DOCKER_HOST", f"unix://{path}")
    if named.startswith("unix://") and not _listens(named.removeprefix("unix://")):
        return Engine("no Docker engine is here")
    from docker import DockerClient  # noqa: PLC0415 (slow; only where one may be)
    from docker.errors import DockerException, ImageNotFound  # noqa: PLC0415 (as above)

    # A fixed version of its interface: nothing is asked before there is a client.
    client = DockerClient.from_env(version=_INTERFACE, timeout=_PROBE_SECONDS)
    try:
        client.ping()
        client.images.get(image)
        bridge = client.api.inspect_network("bridge")
    except ImageNotFound:
        return Engine(f"the Docker engine has no image {image!r}")
    except (DockerException, OSError):
        return Engine("no Docker engine answers")
    finally:
        client.close()
    found = bridge.get("IPAM", {}).get("Config") or [{}]
    return Engine(address=found[0].get("Gateway", "172.17.0.1"))


def _listens(path: str) -> bool:
    """Return whether a program takes connections on the socket at *path*."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
