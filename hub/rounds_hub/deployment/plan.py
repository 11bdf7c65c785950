"""Everything that is decided before JupyterHub is configured."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rounds_hub.deployment.ports import Ports, choose_ports, read_ports
from rounds_hub.deployment.traits import Deployment, load_deployment
from rounds_hub.spawning.choose import Choice, choose_spawner

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.settings import Rounds

__all__ = ["Plan", "make_plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the configuration functions need to know, and nothing that they change."""

    data: Path
    deployment: Deployment
    ports: Ports
    spawner: Choice
    config_file: str = ""
    python: str = field(default=sys.executable)

    @property
    def url(self) -> str:
        """The URL that people type, with a slash at its end."""
        if self.deployment.public_url:
            return self.deployment.public_url.rstrip("/") + "/"
        return f"http://{self.deployment.host}:{self.ports.public}/"

    @property
    def service_address(self) -> str:
        """The address at which the hub and the service listen for servers."""
        return self.spawner.hub_address

    @property
    def service_url(self) -> str:
        """The URL at which a user's server reaches the service."""
        return f"{self.origin_for_servers}/services/rounds/"

    @property
    def origin_for_servers(self) -> str:
        """The origin of the service as a user's server sees it."""
        if self.spawner.kind == "docker":
            return f"http://{self.service_address}:{self.ports.web}"
        return f"http://{self.deployment.host}:{self.ports.public}"


def make_plan(settings: Rounds) -> Plan:
    """Return the plan of the house at *settings*: ports, spawner, and why.

    ``rounds demo`` and ``rounds up`` choose the ports before they start the hub; a hub
    that is started without them chooses its own.
    """
    deployment = load_deployment(settings)
    data = settings.data
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    supervised = os.environ.get("ROUNDS_SUPERVISED") == "1"
    ports = read_ports(data) if supervised else None
    return Plan(
        data=data,
        deployment=deployment,
        ports=ports or choose_ports(data, deployment),
        spawner=choose_spawner(deployment.spawner, deployment.user_image),
        config_file=os.environ.get("ROUNDS_CONFIG", ""),
    )
