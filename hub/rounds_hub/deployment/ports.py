"""Which ports of this machine the house uses; kept, so that a restart finds its own."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rounds_hub.errors import ConflictError

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.deployment.traits import Deployment

__all__ = ["Ports", "choose_ports", "is_free", "read_ports"]

_FILE = "ports.json"


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one house.

    Servers of users that outlive a restart of the hub call it at the port they were
    given, so these stay the same as long as they are free.
    """

    public: int
    hub: int
    proxy_api: int
    web: int


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a program may listen on *port* of *host* now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def read_ports(data: Path) -> Ports | None:
    """Return the ports that the house in *data* had last, or None."""
    try:
        return Ports(**json.loads((data / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def choose_ports(data: Path, deployment: Deployment) -> Ports:
    """Return ports that are free now, the former ones where possible, and keep them.

    Raises
    ------
    ConflictError
        If another program has the public port.
    """
    if deployment.port and not is_free(deployment.port, deployment.host):
        msg = (
            f"Port {deployment.port} is taken by another program; "
            "--port takes another one, 0 any free one."
        )
        raise ConflictError(msg)
    last = read_ports(data)
    wanted = [last.hub, last.proxy_api, last.web] if last else [0, 0, 0]
    public = deployment.port or (last.public if last else 0)
    ports = Ports(*_free([public, *wanted]))
    _keep(data, ports)
    return ports


def _free(wanted: list[int]) -> list[int]:
    """Return each of *wanted* where it is free, and some free port where not."""
    with ExitStack() as held:
        sockets = [held.enter_context(_hold(port)) for port in wanted]
        return [int(each.getsockname()[1]) for each in sockets]


def _hold(port: int) -> socket.socket:
    """Return a socket bound to *port*, or to any free one where it is taken."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.bind(("127.0.0.1", 0))
    return held


def _keep(data: Path, ports: Ports) -> None:
    """Write *ports* down beside the data, whole or not at all."""
    fresh = data / f"{_FILE}.new"
    fresh.write_text(json.dumps(asdict(ports)))
    fresh.replace(data / _FILE)
