"""``rounds run``: run a template on a series, and wait for what comes of it."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from rounds_hub.access.principal import SYSTEM
from rounds_hub.cli.opened import opened_house
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.cli.progress import said_steps
from rounds_hub.errors import BusyError, InvalidError
from rounds_hub.runs import service
from rounds_hub.runs.states import ENDED

if TYPE_CHECKING:
    from rounds_hub.house import House
    from rounds_hub.runs.models import Run

__all__ = ["command"]

_LOOK_EVERY = 0.25

Template = Annotated[str, typer.Argument(help="The name of the template.")]
Inputs = Annotated[
    list[str],
    typer.Option("--input", "-i", help="NAME=SERIES-UID", metavar="NAME=UID"),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", help="NAME=VALUE", metavar="NAME=VALUE"),
]
Case = Annotated[str | None, typer.Option(help="The case that it belongs to.")]
Wait = Annotated[int, typer.Option(min=0, help="Seconds to wait; 0: do not wait.")]


def command(  # noqa: PLR0913 (an argument an option)
    template: Template,
    *,
    inputs: Inputs,
    parameters: Parameters = None,
    case: Case = None,
    wait: Wait = 1800,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run a template on a series and wait for its result.

    The work is done by the house that runs on the same data; leaves with 1 where the
    run fails.
    """
    asked = service.Asked(
        template,
        _named(inputs),
        {name: _value(text) for name, text in _named(parameters or []).items()},
        case,
    )
    with (
        opened_house(config, data) as house,
        said_steps(f"Run {template}", quiet=as_json) as tell,
    ):
        run = service.ask(house, SYSTEM, asked)
        until = time.monotonic() + wait
        while run.state not in ENDED and time.monotonic() < until:
            tell(run.state)
            time.sleep(_LOOK_EVERY)
            run = service.get(house, SYSTEM, run.id)
        if wait and run.state == "waiting":
            _refuse_without_worker(house)
        _say(run, as_json=as_json)
    raise typer.Exit(0 if run.state == "done" or run.state not in ENDED else 1)


def _refuse_without_worker(house: House) -> None:
    """Say that nobody took the run."""
    msg = (
        f"The run still waits; start the house on {house.settings.data.name!r} "
        "(«rounds demo» or «rounds up»), its worker takes it up."
    )
    raise BusyError(msg)


def _named(given: list[str]) -> dict[str, str]:
    """Return ``NAME=VALUE`` texts as a mapping."""
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not (name and equals):
            msg = f"{name!r} names no value; NAME=VALUE would work."
            raise InvalidError(msg)
    return {name: value for name, _, value in pairs}


def _value(text: str) -> Any:  # noqa: ANN401 (whatever JSON can be)
    """Return a parameter as JSON where it is some, else as the text it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _say(run: Run, *, as_json: bool) -> None:
    """Print the state of the run, its measurements and results."""
    said = {
        "id": run.id,
        "state": run.state,
        "template": run.template,
        "results": run.results,
        "error": run.error,
    }
    if as_json:
        sys.stdout.write(json.dumps(said, ensure_ascii=False, default=str) + "\n")
        return
    console = Console(highlight=False, markup=False)
    for name, value in said.items():
        if value:
            console.print(f"{name:13} {value}")
