"""``rounds demo --check``: go the main way once, through the doors that people use.

Every step is what a person does: sign in by the form, upload, publish, search, open a
notebook in a server of one's own, run a template, look at its results. Nothing is
reached past the service.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from rounds_hub.cli.demo_process import demo_house
from rounds_hub.cli.main_way import MainWay
from rounds_hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Step", "run_check"]

_LOG_LINES = 40


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what was done, how long it took, and what went wrong if it did."""

    name: str
    seconds: float
    said: str = ""
    problem: str = ""


@dataclass
class _Report:
    """The steps so far, each printed as it ends."""

    as_json: bool
    steps: list[Step] = field(default_factory=list)

    def do(self, name: str, work: Callable[[], str]) -> None:
        """Do one step and keep what came of it; a failed one ends the check."""
        started = time.monotonic()
        said = problem = ""
        try:
            said = work()
        except (HubError, httpx.HTTPError, OSError, TimeoutError, KeyError) as error:
            problem = f"{type(error).__name__}: {error}"
        seconds = round(time.monotonic() - started, 2)
        self.steps.append(Step(name, seconds, said, problem))
        self._print(self.steps[-1])
        if problem:
            raise _FailedError

    def _print(self, step: Step) -> None:
        if self.as_json:
            return
        mark = "FAILED" if step.problem else "ok"
        said = step.problem or step.said
        sys.stdout.write(f"{mark:6} {step.seconds:6.2f} s  {step.name}: {said}\n")
        sys.stdout.flush()


class _FailedError(Exception):
    """A step failed; its report is printed already."""


def run_check(data: Path | None = None, *, as_json: bool = False) -> int:
    """Go the main way once and return the exit code: 0 if every step was good.

    Parameters
    ----------
    data
        The data folder to use; none: one of its own, removed afterwards.
    as_json
        Print one object with every step at the end instead of a line a step.
    """
    report = _Report(as_json)
    started = time.monotonic()
    with ExitStack() as opened:
        if data is None:
            made = tempfile.TemporaryDirectory(prefix="rounds-check-")
            data = Path(opened.enter_context(made)) / "house"
        with suppress(_FailedError):
            _go(report, data)
        failed = next((step for step in report.steps if step.problem), None)
        if failed is not None:
            sys.stderr.write(_end_of_log(data))
    seconds = round(time.monotonic() - started, 2)
    if as_json:
        sys.stdout.write(json.dumps(_as_dict(report, seconds)) + "\n")
    elif failed is None:
        sys.stdout.write(f"Every step is good, {seconds:.1f} s together.\n")
    if failed is not None:
        sys.stderr.write(f"rounds: the step «{failed.name}» failed.\n")
    return 0 if failed is None else 1


def _go(report: _Report, data: Path) -> None:
    """Start a house in *data*, go the way, and stop it."""
    with ExitStack() as opened:
        way = MainWay()

        def start() -> str:
            way.house = opened.enter_context(demo_house(data, "--no-samples"))
            return f"answers at {way.house.url}"

        report.do("start", start)
        for name, work in way.steps():
            report.do(name, work)
        way.leave()
        report.do("stop", lambda: f"exit code {way.house.stop()}")


def _end_of_log(data: Path) -> str:
    """Return the last lines that the parts of the house printed."""
    try:
        lines = (data / "log" / "hub.log").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(["The end of the log of the house:", *lines[-_LOG_LINES:], ""])


def _as_dict(report: _Report, seconds: float) -> dict[str, Any]:
    """Return the report for a program."""
    steps = [
        {
            "step": step.name,
            "seconds": step.seconds,
            "good": not step.problem,
            "said": step.problem or step.said,
        }
        for step in report.steps
    ]
    good = all(step["good"] for step in steps)
    return {"good": good, "seconds": seconds, "steps": steps}
