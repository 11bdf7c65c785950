"""Start a whole house below this process, as ``rounds demo`` and ``rounds up`` do."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rounds_hub.deployment.ports import Ports, choose_ports
from rounds_hub.deployment.supervisor import Command

if TYPE_CHECKING:
    from rounds_hub.deployment.traits import Deployment
    from rounds_hub.settings import Rounds

__all__ = ["HouseProcess", "config_of_hub"]


@dataclass(frozen=True, slots=True)
class HouseProcess:
    """What it takes to start the hub of one house."""

    settings: Rounds
    deployment: Deployment
    ports: Ports
    config_file: str | None = None

    @classmethod
    def prepare(
        cls, settings: Rounds, deployment: Deployment, config_file: str | None = None
    ) -> HouseProcess:
        """Choose the ports of the house at *settings* and keep them in its data."""
        ports = choose_ports(settings.data, deployment)
        return cls(settings, deployment, ports, config_file)

    @property
    def url(self) -> str:
        """The URL that people type."""
        public = self.deployment.public_url.rstrip("/")
        return f"{public or f'http://{self.deployment.host}:{self.ports.public}'}/"

    def command(self) -> Command:
        """Return the hub's command, for the supervisor to keep running."""
        arguments = (
            sys.executable,
            "-m",
            "rounds_hub.deployment.hub",
            "-f",
            str(config_of_hub()),
        )
        return Command(
            arguments=arguments,
            environment=self._environment(),
            log_file=self.settings.data / "log" / "hub.log",
            ports=(self.ports.web, self.ports.public),
        )

    def _environment(self) -> dict[str, str]:
        """Return the environment of the hub: ours, and where the house is."""
        here = str(Path(sys.executable).parent)
        path = os.environ.get("PATH", os.defpath)
        named = {"ROUNDS_CONFIG": self.config_file} if self.config_file else {}
        return (
            os.environ
            | named
            | {
                "PATH": f"{here}{os.pathsep}{path}",
                "PYTHONUNBUFFERED": "1",
                "ROUNDS_DATA": str(self.settings.data),
                "ROUNDS_DEMO": "1" if self.deployment.demo else "0",
                "ROUNDS_SUPERVISED": "1",
            }
        )


def config_of_hub() -> Path:
    """Return the file that configures JupyterHub: the checkout's, or the installed."""
    checkout = Path(__file__).parents[2] / "jupyterhub_config.py"
    installed = Path(sys.prefix) / "share" / "jupyter" / "rounds" / checkout.name
    return checkout if checkout.exists() else installed
