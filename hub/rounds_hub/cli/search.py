"""``rounds search``: find cases and results from the shell, by words and pictures."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from rounds_hub.access.principal import SYSTEM
from rounds_hub.cases import searching
from rounds_hub.cases.asking import Example, Region
from rounds_hub.cli import pictures
from rounds_hub.cli.opened import opened_house
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rounds_hub.cases.searching import Found, FoundHit, Question
    from rounds_hub.federation.asking import Elsewhere
    from rounds_hub.house import House

__all__ = ["command"]

Words = Annotated[list[str] | None, typer.Argument(help="The words to look for.")]
Modality = Annotated[list[str] | None, typer.Option(help="Only these modalities.")]
BodyPart = Annotated[list[str] | None, typer.Option(help="Only these body parts.")]
Level = Annotated[list[str] | None, typer.Option(help="Only these levels.")]
Code = Annotated[
    list[str] | None, typer.Option(help="Only these codes, as in ICD10:C71.9.")
]
Kind = Annotated[str, typer.Option(help="Only «case» or «result».")]
Picture = Annotated[
    list[Path] | None,
    typer.Option(
        help="A PNG or JPEG, a DICOM file, several of one series, or a zip of them.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]
Like = Annotated[
    str, typer.Option(help="The id of a case, or the UID of a series, to be like.")
]
Slice = Annotated[
    int | None,
    typer.Option("--slice", min=0, help="Which slice of it, counted from 0."),
]
Drawn = Annotated[
    str, typer.Option(help="Where on the slice: LEFT,TOP,RIGHT,BOTTOM in pixels.")
]
LeaveOut = Annotated[
    list[str] | None, typer.Option(help="«patient» or «copies» of what is asked with.")
]
Peers = Annotated[bool, typer.Option("--peers", help="Ask other hubs, too.")]
Size = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]

_EDGES: Final = 4


def command(  # noqa: PLR0913 (an argument an option)
    words: Words = None,
    *,
    modality: Modality = None,
    body_part: BodyPart = None,
    level: Level = None,
    code: Code = None,
    kind: Kind = "",
    picture: Picture = None,
    like: Like = "",
    slice_: Slice = None,
    region: Drawn = "",
    leave_out: LeaveOut = None,
    peers: Peers = False,
    size: Size = 20,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Find cases and results."""
    said = {"modality": modality, "body_part": body_part, "level": level, "code": code}
    where = {name: tuple(values) for name, values in said.items() if values}
    question = searching.Question(
        text=" ".join(words or ()),
        where=where | ({"kind": (kind,)} if kind else {}),
        like=_examples(like, slice_, region, sent=bool(picture)),
        leave_out=frozenset(leave_out or ()),
        size=size,
    )
    with opened_house(config, data) as house:
        if words and words[0] in pictures.DEEDS:
            pictures.do(house, words, as_json=as_json)
            return
        found = _found(house, question, picture or [])
        elsewhere = _elsewhere(house, question) if peers else None
    if as_json:
        told = _as_json(found) | ({"peers": asdict(elsewhere)} if elsewhere else {})
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    _show(found)
    if elsewhere is not None:
        _show_elsewhere(elsewhere)


def _examples(
    like: str, number: int | None, region: str, *, sent: bool
) -> tuple[Example, ...]:
    """Return the pictures that are asked with; a region is of what was named first."""
    drawn = _region(region)
    examples: list[Example] = []
    if like and like.replace(".", "").isdigit() and "." in like:
        examples.append(Example(series_uid=like, slice=number, region=drawn))
    elif like:
        examples.append(Example(case_id=like, slice=number, region=drawn))
    if sent:
        own = None if like else drawn
        examples.append(Example(slice=None if like else number, region=own))
    if not examples and (drawn or number is not None):
        msg = "A slice or a region is of something: give --like or --picture, too."
        raise InvalidError(msg)
    return tuple(examples)


def _region(said: str) -> Region | None:
    """Return the rectangle that *said* names."""
    if not said:
        return None
    try:
        edges = [float(part) for part in said.split(",")]
    except ValueError:
        edges = []
    if len(edges) != _EDGES:
        msg = f"{said[:80]!r} is no region: LEFT,TOP,RIGHT,BOTTOM in pixels is one."
        raise InvalidError(msg)
    return Region.rectangle(*edges)


def _found(house: House, question: Question, pictures: Sequence[Path]) -> Found:
    """Ask the house with the files of *pictures*."""
    with ExitStack() as opened:
        files = [opened.enter_context(path.open("rb")) for path in pictures]
        return searching.search(house, SYSTEM, question, files)


def _elsewhere(house: House, question: Question) -> Elsewhere:
    """Ask other hubs."""
    # What signs is loaded by those alone who ask other hubs.
    from rounds_hub.federation.asking import ask_peers  # noqa: PLC0415

    return ask_peers(house, SYSTEM, question)


def _as_json(found: Found) -> dict[str, Any]:
    """Return what a program is told."""
    return {
        "total": found.total,
        "hits": [_as_dict(hit) for hit in found.hits],
        "facets": dict(found.facets),
        "relaxed": found.relaxed,
        "corrections": list(found.corrections),
        "expansions": dict(found.expansions),
    }


def _as_dict(hit: FoundHit) -> dict[str, Any]:
    """Return what a program is told of *hit*."""
    return {
        "id": hit.id,
        "kind": hit.kind,
        "title": hit.title,
        "case_id": hit.case_id,
        "run_id": hit.run_id,
        "modality": list(hit.modality),
        "body_part": list(hit.body_part),
        "why": list(hit.why),
        "ranks": dict(hit.ranks),
        "score": hit.score,
        "pairs": [
            {
                "leg": pair.leg,
                "score": pair.score,
                "asked": pair.asked.slice,
                "series_uid": pair.found.series_uid,
                "slice": pair.found.slice,
            }
            for pair in hit.pairs
        ],
    }


def _show(found: Found) -> None:
    """Print the hits as a table, the best first."""
    console = Console(highlight=False)
    if not found.hits:
        meant = found.corrections or found.suggestions
        hint = f" Did you mean {', '.join(meant)}?"
        console.print(f"Nothing was found.{hint if meant else ''}")
        return
    table = Table("", "title", "modality", "why", "id", box=None, pad_edge=False)
    for place, hit in enumerate(found.hits, start=1):
        why = " · ".join(hit.why)
        table.add_row(str(place), hit.title, " ".join(hit.modality), why, hit.id)
    console.print(table)
    console.print(f"{len(found.hits)} of {found.total}", style="dim")


def _show_elsewhere(found: Elsewhere) -> None:
    """Print what other hubs found, and which did not answer."""
    console = Console(highlight=False)
    table = Table("", "title", "modality", "hub", box=None, pad_edge=False)
    for place, hit in enumerate(found.hits, start=1):
        table.add_row(str(place), hit.title, " ".join(hit.modality), hit.whence)
    console.print(table if found.hits else "Other hubs found nothing.")
    for one in found.told:
        if one.state != "answered":
            console.print(f"{one.title}: {one.state}", style="yellow")
