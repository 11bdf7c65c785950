"""``rounds peers``: our key for other hubs, and the records of those."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rounds_hub.access.principal import SYSTEM
from rounds_hub.cli.opened import opened_house
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.errors import InvalidError
from rounds_hub.federation import registry

if TYPE_CHECKING:
    from rounds_hub.federation.registry import PeerRecord

__all__ = ["command"]


class What(StrEnum):
    """What can be done with other hubs."""

    LIST = "list"
    KEY = "key"
    ADD = "add"
    REMOVE = "remove"


Do = Annotated[What, typer.Argument(help="List them, print our key, add or remove.")]
Name = Annotated[str, typer.Argument(help="What the other hub is called here.")]
Url = Annotated[str, typer.Option(help="The address of its service.")]
Key = Annotated[str, typer.Option(help="Its key, as it prints it.")]
Title = Annotated[str, typer.Option(help="What people read beside its hits.")]
Asks = Annotated[bool, typer.Option("--may-ask", help="It may search here.")]
Silent = Annotated[bool, typer.Option("--not-asked", help="We do not search there.")]


def command(  # noqa: PLR0913 (an argument an option)
    what: Do,
    name: Name = "",
    *,
    url: Url = "",
    key: Key = "",
    title: Title = "",
    may_ask: Asks = False,
    not_asked: Silent = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Keep the records of other hubs, and print our key for them."""
    values: dict[str, Any] = {"name": name, "url": url, "public_key": key}
    values |= {"title": title, "may_ask": may_ask, "is_asked": not not_asked}
    with opened_house(config, data) as house:
        if what is What.KEY:
            sys.stdout.write(registry.our_key(house, SYSTEM) + "\n")
            return
        if what is What.ADD:
            registry.add_peer(house, SYSTEM, values)
        if what is What.REMOVE:
            if not name:
                msg = "Which one? Its name stands behind 'remove'."
                raise InvalidError(msg)
            registry.remove_peer(house, SYSTEM, name)
        _show(registry.list_peers(house, SYSTEM), as_json=as_json)


def _show(peers: list[PeerRecord], *, as_json: bool) -> None:
    """Print the records."""
    if as_json:
        sys.stdout.write(json.dumps([asdict(one) for one in peers]) + "\n")
        return
    console = Console(highlight=False)
    if not peers:
        console.print("No other hub is known yet.")
        return
    table = Table("name", "address", "asked", "may ask", box=None, pad_edge=False)
    for one in peers:
        marks = ["yes" if on else "no" for on in (one.is_asked, one.may_ask)]
        table.add_row(one.name, one.url, *marks)
    console.print(table)
