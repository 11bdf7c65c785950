"""``rounds eval``: measure how well cases are found, on labelled folders."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from rounds_hub.cli.evaluate_text import text_figures
from rounds_hub.cli.options import Json  # noqa: TC001 (Typer reads it)
from rounds_hub.errors import InvalidError, SettingsError
from rounds_search.case_texts import ASKED
from rounds_search.encoders import ENCODER
from rounds_search.encoders.lite0 import LITE0, make_lite0
from rounds_search.encoders.shelf import Shelf
from rounds_search.errors import RequestError, SearchError, UnsupportedError
from rounds_search.labelled import read_labelled, vectors_of
from rounds_search.retrieval import qualities, rankings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from rounds_search.encoders import Encoder
    from rounds_search.labelled import Labelled
    from rounds_search.retrieval import Quality, Ranking

__all__ = ["command"]


ALL_ASKED = ",".join(ASKED)


class What(StrEnum):
    """What can be measured."""

    RETRIEVAL = "retrieval"
    TEXT = "text"


Measured = Annotated[What, typer.Argument(help="What to measure.")]
Folder = typer.Option(exists=True, file_okay=False, metavar="DIR")
Gallery = Annotated[Path, Folder]
Queries = Annotated[Path, Folder]
Name = Annotated[
    str, typer.Option(help="The encoder; empty: the best that is installed.")
]
Texts = Annotated[
    str, typer.Option(help="For «text»: the texts of a query that are asked with.")
]
Kept = Annotated[
    Path | None,
    typer.Option(help="Where vectors are kept for the next time.", metavar="DIR"),
]


def command(  # noqa: PLR0913 (an argument an option)
    what: Measured,
    *,
    gallery: Gallery,
    queries: Queries,
    encoder: Name = "",
    kept: Kept = None,
    asked: Texts = ALL_ASKED,
    as_json: Json = False,
) -> None:
    """Measure how well pictures are found by pictures, or cases by texts.

    A folder has manifest.csv and images/, and for texts medpix_cases.jsonl. Each
    query's ranking of the whole gallery is a line of JSON, the best first; then come
    the figures. On a terminal without --json only the figures are shown.
    """
    try:
        if what is What.TEXT:
            parts = [part.strip() for part in asked.split(",")]
            told = partial(_told, as_json=as_json)
            name, count, figures = text_figures(gallery, queries, parts, told)
            refused = 0
        else:
            name, found, figures = _pictures(gallery, queries, encoder, kept, as_json)
            count, refused = len(found), sum(one.refused for one in found)
    except RequestError as error:
        raise InvalidError(str(error)) from error
    except SearchError as error:
        raise SettingsError(str(error)) from error
    if as_json:
        said = {"encoder": name, "queries": count, "refused": refused}
        said |= {"figures": [asdict(one) for one in figures]}
        sys.stdout.write(f"{json.dumps(said)}\n")
        return
    _show(figures)
    words = f"{count} queries, {refused} unlike all that is known; {name}"
    Console(stderr=True, highlight=False).print(words, style="dim")


def _pictures(
    gallery: Path,
    queries: Path,
    encoder: str,
    kept: Path | None,
    as_json: bool,  # noqa: FBT001 - passed on
) -> tuple[str, list[Ranking], list[Quality]]:
    """Return the encoder's name, the rankings and their figures."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = _encoder(Path(folder), encoder)
        pictures, asked = read_labelled(gallery), read_labelled(queries)
        rows = _vectors(pictures, chosen, kept, "gallery")
        vectors = _vectors(asked, chosen, kept, "queries")
    found = list(_told(rankings(pictures, rows, asked, vectors), as_json=as_json))
    return chosen.name, found, qualities(found, pictures)


def _encoder(folder: Path, name: str) -> Encoder:
    """Return the encoder called *name*, or the best that is installed."""
    shelf = Shelf()
    try:
        make_lite0(folder)
    except UnsupportedError:
        return shelf.named(name or ENCODER)
    shelf.open_folder(folder)
    found = shelf.named(name or LITE0)
    _opened(found)
    return found


def _opened(encoder: Encoder) -> None:
    """Let *encoder* read its file before its folder is gone."""
    import numpy as np  # noqa: PLC0415 - as late as the first picture

    encoder.encode(np.eye(16))


def _vectors(
    rows: Sequence[Labelled], encoder: Encoder, kept: Path | None, what: str
) -> npt.NDArray[np.float32]:
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"Reading the {what}", total=len(rows))
        return vectors_of(
            rows, encoder, kept, lambda count: progress.update(task, completed=count)
        )


def _told(found: Iterator[Ranking], *, as_json: bool) -> Iterator[Ranking]:
    """Write a line a query, where somebody reads it, and pass it on."""
    silent = sys.stdout.isatty() and not as_json
    for one in found:
        line: dict[str, object] = {"query": one.query.id, "ranked": list(one.ranked)}
        if one.refused:
            line |= {"refused": True, "distance": round(one.distance, 4)}
        if not silent:
            sys.stdout.write(f"{json.dumps(line)}\n")
        yield one


def _show(figures: Sequence[Quality]) -> None:
    """Print the figures as a table, on standard error: the lines have the output."""
    table = Table(box=None, pad_edge=False)
    for name in ("dataset", "label"):
        table.add_column(name)
    for name in ("queries", "P@1 (95 %)", "P@5", "P@10", "mAP", "nDCG@10", "largest"):
        table.add_column(name, justify="right")
    for one in figures:
        table.add_row(
            one.dataset,
            one.label,
            str(one.queries),
            f"{one.precision_1:.3f} {_between(one)}",
            f"{one.precision_5:.3f}",
            f"{one.precision_10:.3f}",
            f"{one.mean_average_precision:.3f}",
            f"{one.ndcg_10:.3f}",
            f"{one.largest:.3f}",
        )
    Console(stderr=True, highlight=False, width=120).print(table)


def _between(one: Quality) -> str:
    return f"({one.precision_1_low:.3f}-{one.precision_1_high:.3f})"
