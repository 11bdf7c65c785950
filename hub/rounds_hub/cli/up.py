"""``rounds up``: a house as its configuration describes it."""

from __future__ import annotations

from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.cli.start import Welcome, run_house
from rounds_hub.deployment.lock import data_folder
from rounds_hub.deployment.traits import load_deployment
from rounds_hub.settings import load_settings
from rounds_hub.spawning.choose import choose_spawner

__all__ = ["command"]


def command(*, config: Config = None, data: Data = None, as_json: Json = False) -> None:
    """Start a house from its configuration and keep it running."""
    overrides = {"data_dir": str(data)} if data else {}
    named = str(config.absolute()) if config else None
    settings = load_settings(named, **overrides)
    deployment = load_deployment(settings)
    servers = choose_spawner(deployment.spawner, deployment.user_image)
    with data_folder(settings.data):
        run_house(settings, deployment, Welcome(servers, as_json=as_json), named)
