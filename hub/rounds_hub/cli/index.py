"""``rounds index``: make the index of cases anew, or say what it does not take."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rounds_hub.access.principal import SYSTEM
from rounds_hub.cli.opened import opened_house
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.cli.progress import said_steps
from rounds_hub.errors import BusyError
from rounds_hub.indexing import consumer
from rounds_hub.indexing.refused import index_health, index_state
from rounds_search.errors import IndexUnavailableError

if TYPE_CHECKING:
    from rounds_hub.house import House

__all__ = ["command"]


class What(StrEnum):
    """What can be done with the index."""

    REBUILD = "rebuild"
    STATE = "state"
    STATUS = "status"


Do = Annotated[
    What,
    typer.Argument(help="Make it anew, say how far it is, or what it refuses and why."),
]


def command(
    what: Do, *, data: Data = None, config: Config = None, as_json: Json = False
) -> None:
    """Rebuild the index of cases from the catalogue, or say how far it is."""
    with opened_house(config, data) as house:
        if what is What.STATUS:
            _show_status(house, as_json=as_json)
            return
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


def _show_status(house: House, *, as_json: bool) -> None:
    """Say whether the index answers, what waits, and what it refuses and why."""
    state, health = index_state(house, SYSTEM), index_health(house)
    if as_json:
        said = {**asdict(state), "health": health}
        sys.stdout.write(json.dumps(said, default=str, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    console.print(", ".join(f"{name}: {value}" for name, value in health.items()))
    console.print(f"{state.waiting} waiting, {state.failing} of them refused")
    for one in state.refused:
        told = f"{one.kind} {one.key}, {one.tries} tries since {one.since:%Y-%m-%d}"
        console.print(f"  {told}: {one.error}", markup=False)
