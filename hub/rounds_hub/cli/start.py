"""What ``demo`` and ``up`` share: start the house, and say where it is."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.deployment.house_process import HouseProcess
from rounds_hub.deployment.supervisor import Supervisor

if TYPE_CHECKING:
    from rounds_hub.deployment.traits import Deployment
    from rounds_hub.settings import Rounds
    from rounds_hub.spawning.choose import Choice

__all__ = ["Welcome", "run_house"]


@dataclass(frozen=True, slots=True)
class Welcome:
    """What is printed when the house answers."""

    servers: Choice
    accounts: tuple[tuple[str, str, str], ...] = ()
    as_json: bool = False

    def say(self, url: str, seconds: float) -> None:
        """Print where the house is, for a program or for a person."""
        if self.as_json:
            sys.stdout.write(self._line(url, seconds) + "\n")
        else:
            self._show(url, seconds)
        sys.stdout.flush()

    def _line(self, url: str, seconds: float) -> str:
        """Return one line of JSON."""
        accounts = {name: password for name, password, _ in self.accounts}
        return json.dumps(
            {
                "url": url,
                "servers": self.servers.kind,
                "why": self.servers.reason,
                "accounts": accounts,
                "seconds": round(seconds, 2),
            }
        )

    def _show(self, url: str, seconds: float) -> None:
        """Print it with the accounts as a table."""
        from rich.console import Console  # noqa: PLC0415 (not where nobody looks)
        from rich.table import Table  # noqa: PLC0415 (as above)

        console = Console(highlight=False, soft_wrap=True)
        console.print(f"\n[bold]Rounds is at {url}[/bold]")
        console.print(f"[dim]{self.servers} Ready after {seconds:.1f} s.[/dim]\n")
        if self.accounts:
            table = Table("sign in as", "password", "to", box=None, pad_edge=False)
            for account in self.accounts:
                table.add_row(*account)
            console.print(table)
        console.print("\n[dim]Ctrl-C stops everything; nothing is lost.[/dim]")


def run_house(
    settings: Rounds,
    deployment: Deployment,
    welcome: Welcome,
    config_file: str | None = None,
) -> None:
    """Start the house and keep it running until it is told to stop."""
    started = time.monotonic()
    process = HouseProcess.prepare(settings, deployment, config_file)
    supervisor = Supervisor(process.command())
    supervisor.run(lambda: welcome.say(process.url, time.monotonic() - started))
