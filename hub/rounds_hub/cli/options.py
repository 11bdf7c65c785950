"""The options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Config", "Data", "Json"]

Config = Annotated[
    Path | None,
    typer.Option(help="The file with the settings; see docs/settings.md."),
]
Data = Annotated[
    Path | None, typer.Option(help="The folder that keeps everything.", metavar="DIR")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
