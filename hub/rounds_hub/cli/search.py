"""``rounds search``: find cases and results from the shell."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rounds_hub.access.principal import SYSTEM
from rounds_hub.cases import searching
from rounds_hub.cli import pictures
from rounds_hub.cli.opened import opened_house
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)

if TYPE_CHECKING:
    from rounds_hub.cases.searching import Found, FoundHit

__all__ = ["command"]

Words = Annotated[list[str] | None, typer.Argument(help="The words to look for.")]
Modality = Annotated[list[str] | None, typer.Option(help="Only these modalities.")]
Kind = Annotated[str, typer.Option(help="Only «case» or «result».")]
Size = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]


def command(  # noqa: PLR0913 (an argument an option)
    words: Words = None,
    *,
    modality: Modality = None,
    kind: Kind = "",
    size: Size = 20,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Find cases and results; or show, embed with and train encoders of pictures."""
    where = {"modality": tuple(modality or ()), "kind": (kind,) if kind else ()}
    text = " ".join(words or ())
    question = searching.Question(text=text, where=where, size=size)
    with opened_house(config, data) as house:
        if words and words[0] in pictures.DEEDS:
            pictures.do(house, words, as_json=as_json)
            return
        found = searching.search(house, SYSTEM, question)
    if as_json:
        hits = [_as_dict(hit) for hit in found.hits]
        said = {"total": found.total, "hits": hits, "facets": dict(found.facets)}
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        _show(found)


def _as_dict(hit: FoundHit) -> dict[str, Any]:
    """Return what a program is told of *hit*."""
    return {
        "id": hit.id,
        "kind": hit.kind,
        "title": hit.title,
        "case_id": hit.case_id,
        "run_id": hit.run_id,
        "modality": list(hit.modality),
        "ranks": dict(hit.ranks),
    }


def _show(found: Found) -> None:
    """Print the hits as a table, the best first."""
    console = Console(highlight=False)
    if not found.hits:
        hint = f" Did you mean {', '.join(found.suggestions)}?"
        console.print(f"Nothing was found.{hint if found.suggestions else ''}")
        return
    table = Table("", "title", "modality", "why", "id", box=None, pad_edge=False)
    for place, hit in enumerate(found.hits, start=1):
        why = " · ".join(hit.why)
        table.add_row(str(place), hit.title, " ".join(hit.modality), why, hit.id)
    console.print(table)
    console.print(f"{len(found.hits)} of {found.total}", style="dim")
