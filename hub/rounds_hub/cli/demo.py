"""``rounds demo``: a house with sample cases and demo accounts on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rounds_hub import __version__
from rounds_hub.cli.options import Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.cli.start import Welcome, run_house
from rounds_hub.deployment.demo import DEMO_ACCOUNTS, demo_passwords
from rounds_hub.deployment.lock import data_folder, plain_words
from rounds_hub.deployment.traits import load_deployment
from rounds_hub.settings import Rounds, load_settings
from rounds_hub.spawning.choose import choose_spawner

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command", "demo_accounts", "install_samples"]

_INSTALLED = "samples.version"

Port = Annotated[int, typer.Option(help="The port to answer on; 0: any free one.")]
Check = Annotated[
    bool, typer.Option("--check", help="Go the main way once, then leave.")
]
Samples = Annotated[bool, typer.Option(help="Bring the sample cases in.")]


def command(
    *,
    data: Data = None,
    port: Port = 8000,
    check: Check = False,
    as_json: Json = False,
    samples: Samples = True,
) -> None:
    """Start a house with sample cases and demo accounts, on this machine alone."""
    if check:
        from rounds_hub.cli.check import run_check  # noqa: PLC0415 (only for --check)

        raise typer.Exit(run_check(data, as_json=as_json))
    overrides = {"data_dir": str(data)} if data else {}
    settings = load_settings(**overrides)
    deployment = load_deployment(settings, demo=True, port=port)
    servers = choose_spawner(deployment.spawner, deployment.user_image)
    with data_folder(settings.data):
        if samples:
            install_samples(settings, quiet=as_json)
        accounts = demo_accounts(settings.data)
        run_house(settings, deployment, Welcome(servers, accounts, as_json))


def demo_accounts(data: Path) -> tuple[tuple[str, str, str], ...]:
    """Return name, password and use of each demo account of the house in *data*."""
    passwords = demo_passwords(data)
    return tuple(
        (account.name, passwords[account.name], account.shows)
        for account in DEMO_ACCOUNTS
    )


def install_samples(settings: Rounds, *, quiet: bool = False) -> None:
    """Bring the sample cases into the house, once for a version of Rounds."""
    mark = settings.data / _INSTALLED
    if mark.exists() and mark.read_text() == __version__:
        return
    from rounds_hub.cli.progress import said_steps  # noqa: PLC0415 (first start only)
    from rounds_hub.house import House  # noqa: PLC0415 (as above)
    from rounds_hub.samples import install  # noqa: PLC0415 (as above)

    with plain_words(settings.data):
        house = House.open(settings)
        try:
            with said_steps("Sample cases", quiet=quiet) as progress:
                install(house, progress)
        finally:
            house.close()
        mark.write_text(__version__)
