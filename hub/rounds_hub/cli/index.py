"""``rounds index rebuild``: make the index of cases anew from the catalogue."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from rounds_hub.cli.opened import opened_house
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.cli.progress import said_steps
from rounds_hub.errors import BusyError
from rounds_hub.indexing import consumer
from rounds_search.errors import IndexUnavailableError

__all__ = ["command"]


class What(StrEnum):
    """What can be done with the index."""

    REBUILD = "rebuild"
    STATE = "state"


Do = Annotated[What, typer.Argument(help="Make it anew, or say how far it is.")]


def command(
    what: Do, *, data: Data = None, config: Config = None, as_json: Json = False
) -> None:
    """Rebuild the index of cases from the catalogue, or say how far it is."""
    with opened_house(config, data) as house:
        if what is What.STATE:
            said: dict[str, float] = {"waiting": consumer.waiting(house)}
        else:
            started = time.monotonic()
            try:
                with said_steps("Rebuilding the index", quiet=as_json):
                    written = consumer.rebuild(house)
            except IndexUnavailableError as error:
                raise BusyError(str(error)) from error
            seconds = round(time.monotonic() - started, 2)
            said = {"entries": written, "seconds": seconds}
    if as_json:
        sys.stdout.write(json.dumps(said) + "\n")
        return
    words = ", ".join(f"{value} {name}" for name, value in said.items())
    Console(highlight=False).print(words)
