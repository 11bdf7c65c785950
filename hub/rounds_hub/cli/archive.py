"""``rounds archive``: what the stores hold, moving objects by rule, and purging."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rounds_hub.archive import placing, purging
from rounds_hub.cli.opened import opened_house
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.cli.progress import progress_bar

if TYPE_CHECKING:
    from rounds_hub.house import House

__all__ = ["command"]

_MIB = 2**20


class What(StrEnum):
    """What can be done with the archive."""

    STATUS = "status"
    MOVE = "move"
    PURGE = "purge"


Do = Annotated[
    What,
    typer.Argument(
        help="Say what each store holds; bring objects where the rules want them; "
        "or purge what was deleted and can no longer be undone."
    ),
]
Everything = Annotated[
    bool,
    typer.Option(
        "--everything", help="Look at every object: after the settings were changed."
    ),
]


def command(
    what: Do,
    *,
    everything: Everything = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Look after the stores of the archive.

    Leaves with 1 where a store does not answer or an object could not be moved.
    """
    with opened_house(config, data) as house:
        if what is What.STATUS:
            said, good = _status(house)
        elif what is What.MOVE:
            said, good = _move(house, everything=everything, quiet=as_json)
        else:
            said, good = {"purged": purging.once(house)}, True
    if as_json:
        sys.stdout.write(json.dumps(said) + "\n")
    else:
        _show(said)
    raise typer.Exit(0 if good else 1)


def _status(house: House) -> tuple[dict[str, Any], bool]:
    """Return what each store holds, and how many objects wait to be moved."""
    stores = placing.status(house)
    said = {
        "stores": [asdict(one) for one in stores],
        "waiting": placing.waiting(house),
    }
    return said, not any(one.trouble for one in stores)


def _move(
    house: House, *, everything: bool, quiet: bool
) -> tuple[dict[str, Any], bool]:
    """Move objects, and return how many were and which could not be."""
    with progress_bar("Moving objects", quiet=quiet) as progress:
        moved = placing.move(house, everything=everything, progress=progress)
    return {"moved": moved.moved, "failed": list(moved.failed)}, not moved.failed


def _show(said: dict[str, Any]) -> None:
    """Print what was found for people."""
    console = Console(highlight=False)
    if "stores" in said:
        table = Table("store", "objects", "MiB", "", box=None, pad_edge=False)
        for one in said["stores"]:
            size = f"{one['size'] / _MIB:.1f}"
            table.add_row(one["name"], str(one["objects"]), size, one["trouble"])
        console.print(table)
    rest = {name: value for name, value in said.items() if name != "stores"}
    for name, value in rest.items():
        shown = len(value) if isinstance(value, list) else value
        console.print(f"{shown} {name}")
