"""``rounds vocabulary``: load a site's tables of codes, check its words, show both."""

from __future__ import annotations

import json
import os
import sys
import uuid
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from rounds_hub.cases.codes import SCHEMES
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.deployment.lock import private_files
from rounds_hub.errors import InvalidError, SettingsError
from rounds_hub.settings import load_settings
from rounds_search.code_files import read_table, write_table
from rounds_search.errors import TableError
from rounds_search.thesaurus import Thesaurus, medical
from rounds_search.vocabulary import CODES, Shelf

if TYPE_CHECKING:
    from rounds_search.codes import CodeTable

__all__ = ["command"]

MOST_SHOWN = 20


class What(StrEnum):
    """What can be done with the vocabulary."""

    LOAD = "load"
    CHECK = "check"
    SHOW = "show"


Do = Annotated[
    What,
    typer.Argument(
        help="Load a table of codes, check a table or a file of synonyms without "
        "keeping it, or show what is known."
    ),
]
File = Annotated[
    Path | None, typer.Argument(help="The table, or the file of synonyms (.txt).")
]
Scheme = Annotated[str, typer.Option(help="The table's scheme, as in RADLEX or ICD10.")]


def command(  # noqa: PLR0913 (an argument an option)
    what: Do,
    file: File = None,
    *,
    scheme: Scheme = "",
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Load a site's codes, check its words, or show both.

    Leaves with 1 where a table cannot be read.
    """
    overrides = {"data_dir": str(data)} if data else {}
    settings = load_settings(str(config.absolute()) if config else None, **overrides)
    if not settings.data.is_dir():
        msg = f"There is no house in {settings.data.name!r}; name another with --data."
        raise SettingsError(msg)
    folder = settings.vocabulary_folder
    if what is What.SHOW:
        said = _known(folder)
    elif file is None or not file.is_file():
        msg = "Name the file with the table, or with the synonyms."
        raise InvalidError(msg)
    elif file.suffix == ".txt" and not scheme:
        said = _checked_words(file)
    else:
        said = _table(file, scheme.upper(), folder if what is What.LOAD else None)
    if as_json:
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    for name, value in said.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        console.print(f"{name.replace('_', ' ')}: {shown}")


def _known(folder: Path) -> dict[str, Any]:
    """Return how much is known."""
    known = Shelf(folder).vocabulary()
    codes = {name: len(table.codes) for name, table in known.codes.tables.items()}
    return {
        "terms": len(known.thesaurus.terms),
        "of_the_site": len(known.thesaurus.terms) - len(medical().terms),
        **{f"codes_of_{name}": count for name, count in sorted(codes.items())},
    }


def _checked_words(file: Path) -> dict[str, Any]:
    """Return what a file of synonyms says, and what of it is already ours."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        msg = "A file of synonyms is plain text in UTF-8."
        raise InvalidError(msg) from error
    told = [line.partition("#")[0] for line in lines]
    lonely = [
        str(at) for at, line in enumerate(told, 1) if line.strip() and "|" not in line
    ]
    own, ours = Thesaurus.of(lines), medical()
    both = [" ".join(key) for key in own.terms if key in ours.terms]
    return {
        "sets": sum("|" in line for line in told),
        "terms": len(own.terms),
        "lines_with_one_term": lonely[:MOST_SHOWN],
        "also_in_our_sets": both[:MOST_SHOWN],
    }


def _table(file: Path, scheme: str, folder: Path | None) -> dict[str, Any]:
    """Read a table, keep it where *folder* is given, and say what it has."""
    if scheme not in SCHEMES:
        msg = f"Say with --scheme whose codes these are: {', '.join(SCHEMES)}."
        raise InvalidError(msg)
    try:
        table = read_table(file, scheme)
    except TableError as error:
        raise InvalidError(str(error)) from error
    form = SCHEMES[scheme][1]
    odd = [value for value in table.codes if not form.fullmatch(value)]
    if folder is not None:
        _keep(table, folder / CODES)
    below = sum(bool(code.parents) for code in table.codes.values())
    missing = {
        parent
        for code in table.codes.values()
        for parent in code.parents
        if parent not in table.codes
    }
    return {
        "scheme": scheme,
        "codes": len(table.codes),
        "below_another": below,
        "parents_that_are_missing": len(missing),
        "with_other_names": sum(bool(one.synonyms) for one in table.codes.values()),
        "not_of_the_form_of_the_scheme": odd[:MOST_SHOWN],
        "kept": folder is not None,
    }


def _keep(table: CodeTable, folder: Path) -> None:
    """Write the table under another name first; what has the name is whole."""
    with private_files():
        _write(table, folder)


def _write(table: CodeTable, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = folder / f".{uuid.uuid4().hex}"
    with temporary.open("w", encoding="utf-8", newline="") as file:
        write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / f"{table.scheme}.tsv")
