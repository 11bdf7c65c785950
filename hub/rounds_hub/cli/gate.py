"""``rounds test``: every check of this checkout, one after the other, with its time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

import rounds_hub
from rounds_hub.cli.options import Json  # noqa: TC001 (Typer reads it)
from rounds_hub.deployment.descendants import adopt_orphans, end_descendants
from rounds_hub.errors import NotFoundError, SettingsError

__all__ = ["STAGES", "Stage", "command", "run_stage"]

ROOT = Path(rounds_hub.__file__).parents[2]
BIN = Path(sys.executable).parent


WORKERS = min(os.cpu_count() or 1, 4)
"""How many processes share the tests."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One check: what it is called, and the command that makes it."""

    name: str
    arguments: tuple[str, ...]

    @property
    def line(self) -> list[str]:
        """The command with the programs of this environment."""
        program, *rest = self.arguments
        return [str(BIN / program), *rest]


STAGES = (
    Stage("lint", ("ruff", "check")),
    Stage("format", ("ruff", "format", "--check")),
    Stage("types", ("mypy",)),
    Stage("layers", ("lint-imports",)),
    Stage(
        "tests",
        (
            *("pytest", "-q", "-n", str(WORKERS), "--dist=loadgroup"),
            "--no-loadscope-reorder",
            *("--cov", "--cov-report=term:skip-covered"),
        ),
    ),
)

Only = Annotated[
    list[str] | None, typer.Option(help="Only this stage; can be said several times.")
]
More = Annotated[
    list[str] | None,
    typer.Argument(help="Handed on to pytest: paths, -k WORDS, -m MARK…"),
]


def command(more: More = None, *, only: Only = None, as_json: Json = False) -> None:
    """Run every check of this checkout, as CI does.

    All stages run, whatever came of the one before; leaves with 1 where one failed.
    """
    if not (ROOT / "pyproject.toml").exists():
        msg = (
            "«rounds test» checks the sources; run it in a checkout, as ./rounds test."
        )
        raise SettingsError(msg)
    adopt_orphans()
    took: dict[str, tuple[float, bool]] = {}
    for stage in _chosen(only or []):
        extra = tuple(more or ()) if stage.name == "tests" else ()
        started = time.monotonic()
        good = run_stage(stage, extra)
        took[stage.name] = (time.monotonic() - started, good)
        _say(stage.name, *took[stage.name])
    end_descendants()
    if as_json:
        said = {
            name: {"seconds": round(s, 1), "good": g} for name, (s, g) in took.items()
        }
        sys.stdout.write(json.dumps(said) + "\n")
    else:
        for name, (seconds, good) in took.items():
            _say(name, seconds, good)
    raise typer.Exit(0 if all(good for _, good in took.values()) else 1)


def _chosen(only: list[str]) -> list[Stage]:
    """Return the stages called *only*, or all."""
    known = {stage.name: stage for stage in STAGES}
    for name in only:
        if name not in known:
            kind = "stage"
            raise NotFoundError(kind, name, known=known)
    return [stage for stage in STAGES if not only or stage.name in only]


def run_stage(stage: Stage, extra: tuple[str, ...] = ()) -> bool:
    """Run *stage* and return whether it was good; what it prints is shown."""
    sys.stdout.flush()
    done = subprocess.run(  # noqa: S603 (our own commands)
        [*stage.line, *extra],
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PATH": f"{os.environ.get('PATH', '')}{os.pathsep}{BIN}"},
    )
    return done.returncode == 0


def _say(name: str, seconds: float, good: bool) -> None:  # noqa: FBT001 (a pair's half)
    """Print one line for a stage."""
    word = "good" if good else "FAILED"
    sys.stdout.write(f"== {name:8} {word:6} {seconds:7.1f} s\n")
    sys.stdout.flush()
