"""``rounds bench``: measure against the libraries that people know."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from rounds_hub.bench.table import ROWS, run_rows
from rounds_hub.cli.options import Json  # noqa: TC001 (Typer reads it)

if TYPE_CHECKING:
    from rounds_hub.bench.base import Row

__all__ = ["command"]

Ids = Annotated[list[str] | None, typer.Argument(help="The rows to run; none: all.")]
Listed = Annotated[bool, typer.Option("--list", help="Only name the rows.")]
Quick = Annotated[bool, typer.Option("--quick", help="A small piece of the work.")]


def command(
    ids: Ids = None,
    *,
    listed: Listed = False,
    quick: Quick = False,
    as_json: Json = False,
) -> None:
    """Measure, against the libraries that people know.

    Leaves with 1 where a result differs from the peer's.
    """
    if listed:
        sys.stdout.write("\n".join(ROWS) + "\n")
        return
    rows = []
    for row in run_rows(ids or (), quick=quick):
        rows.append(row)
        if as_json:
            sys.stdout.write(json.dumps(row.as_dict()) + "\n")
            sys.stdout.flush()
    if not as_json:
        _show(rows)
    raise typer.Exit(0 if all(row.equal for row in rows) else 1)


def _show(rows: list[Row]) -> None:
    """Print the rows as a table."""
    names = (
        "id",
        "operation",
        "work",
        "peer",
        "CPU s",
        "its",
        "wall s",
        "its",
        "times",
        "=",
    )
    table = Table(*names, box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            row.id,
            row.operation,
            row.work,
            f"{row.peer} {row.peer_version}",
            *(f"{value:.3g}" for value in (row.ours_cpu_s, row.peer_cpu_s)),
            *(f"{value:.3g}" for value in (row.ours_wall_s, row.peer_wall_s)),
            f"{row.ratio:.2f}",
            "yes" if row.equal else "NO",
        )
    console = Console(highlight=False)
    console.print(table)
    if rows:
        console.print(rows[0].machine, style="dim")
