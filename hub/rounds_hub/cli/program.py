"""Find the verb, run it, and say what went wrong in one sentence.

Only the module of the verb that was asked for is imported: ``rounds --help`` and the
start of a house do not wait for the others.
"""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from rounds_hub import __version__
from rounds_hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["VERBS", "Verb", "main", "program"]

FAILED = 1


@dataclass(frozen=True, slots=True)
class Verb:
    """A word after ``rounds``: the module with its ``command``, and what it does."""

    module: str
    does: str


VERBS: dict[str, Verb] = {
    "demo": Verb("demo", "Start a house with sample cases and demo accounts."),
    "up": Verb("up", "Start a house from its configuration."),
    "import": Verb("bring_in", "Bring DICOM or NIfTI files, folders and zips in."),
    "search": Verb("search", "Find cases and results."),
    "run": Verb("run", "Run a template on a series and wait for its result."),
    "index": Verb("index", "Rebuild the index of cases from the catalogue."),
    "vocabulary": Verb("vocabulary", "Load a site's codes, check its words."),
    "peers": Verb("peers", "Keep the records of other hubs, and print our key."),
    "archive": Verb("archive", "Say what the stores hold, and move objects by rule."),
    "doctor": Verb("doctor", "Look at every part, and say how to get what is missing."),
    "eval": Verb("evaluate", "Measure how well cases are found, on labelled folders."),
    "bench": Verb("bench", "Measure, against the libraries that people know."),
    "test": Verb("gate", "Run every check of this checkout, as CI does."),
}


def program(arguments: Sequence[str]) -> typer.Typer:
    """Return the program, with the verb in *arguments* ready to run."""
    app = typer.Typer(
        name="rounds",
        help="Teach and research medical imaging together, in JupyterHub.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    asked = next((word for word in arguments if word in VERBS), None)
    for name, verb in VERBS.items():
        function = _command(verb) if name == asked else _only_named
        app.command(name, help=verb.does)(function)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``rounds`` with *arguments* and leave with its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        program(given)(given, prog_name="rounds")
    except HubError as error:
        _say(str(error))
    except OSError as error:
        words = _DISK.get(error.errno or 0)
        if words is None:
            raise
        _say(words)


_DISK = {
    errno.ENOSPC: "The disk is full; make room and try again.",
    errno.EDQUOT: "The disk quota is used up; make room and try again.",
    errno.EROFS: "The disk cannot be written; --data takes another folder.",
    errno.EACCES: "A file there may not be read or written by this user.",
}


def _say(sentence: str) -> None:
    """Say what went wrong, on standard error, and leave."""
    sys.stderr.write(f"rounds: {sentence}\n")
    raise SystemExit(FAILED)


def _command(verb: Verb) -> Callable[..., None]:
    """Import the module of *verb* and return its command."""
    command: Callable[..., None] = import_module(
        f"rounds_hub.cli.{verb.module}"
    ).command
    return command


def _only_named() -> None:
    """Stand for a verb in the list of verbs; never called."""


def _print_version(asked: bool) -> None:  # noqa: FBT001 (Typer calls it so)
    """Print the version and leave, where it was asked for."""
    if asked:
        typer.echo(__version__)
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="The version."
        ),
    ] = False,
) -> None:
    """Answer what is asked of the program itself."""
    del version  # answered by its callback
