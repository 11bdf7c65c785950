"""``rounds import``: bring files, folders and zips into the archive."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rounds_hub.access.principal import SYSTEM
from rounds_hub.archive.importing import import_paths
from rounds_hub.cli.opened import opened_house
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.cli.progress import progress_bar

if TYPE_CHECKING:
    from rounds_hub.archive.importing import Progress, Summary

__all__ = ["command"]

_MOST_SHOWN = 200

Paths = Annotated[list[Path], typer.Argument(help="Files, folders and zips.")]
Modality = Annotated[
    str, typer.Option(help="What NIfTI volumes are of: CT, MR, PT…", metavar="CT|MR|…")
]


def command(
    paths: Paths,
    *,
    modality: Modality = "",
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Bring DICOM or NIfTI files, folders and zips in.

    Leaves with 0 where everything is in the archive, 3 where a part is, 1 where
    nothing is.
    """
    with (
        opened_house(config, data) as house,
        progress_bar("Import", quiet=as_json) as report,
    ):

        def told(progress: Progress) -> None:
            report(progress.done, progress.total, f"{progress.summary.taken} taken")

        summary = import_paths(house, SYSTEM, paths, modality=modality, progress=told)
    _say(summary, as_json=as_json)
    raise typer.Exit(summary.exit_code)


def _say(summary: Summary, *, as_json: bool) -> None:
    """Print what was taken, what was not, and why."""
    if as_json:
        sys.stdout.write(json.dumps(asdict(summary), ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    counts = {
        "taken": summary.taken,
        "there already": summary.same,
        "kept aside": summary.aside,
        "refused": summary.refused,
        "passed over": summary.skipped,
    }
    said = [f"{count} {what}" for what, count in counts.items() if count]
    console.print(", ".join(said) or "Nothing was found there.")
    for problem in summary.problems[:_MOST_SHOWN]:
        console.print(f"  {problem.status:8} {problem.file}: {problem.why}")
    more = len(summary.problems) - _MOST_SHOWN
    if more > 0:
        console.print(f"  … and {more} more; --json names them all.")
