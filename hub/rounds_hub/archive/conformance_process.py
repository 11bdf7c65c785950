"""Look at one instance after the other in a process with limits.

``python -m rounds_hub.archive.conformance_process``: a line of JSON in, the path; a
line of JSON out, what was found. With ``--idle`` it works only while nobody else wants
the processor. Whatever an instance holds, it is this process that dies of it, never the
worker.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import warnings
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom import dcmread

from rounds_hub.archive.conformance_findings import Finding, bounded, of_dciodvfy
from rounds_hub.archive.conformance_rules import RULES, look
from rounds_hub.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["VERIFIER", "inspect", "main"]

VERIFIER = "dciodvfy"
SECONDS = 10
MEMORY = 2**30
SAID = 2**18
"""So much of what the verifier says is read."""


def main() -> None:
    """Answer until there are no more lines."""
    die_with_parent()
    if "--idle" in sys.argv:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    signal.signal(signal.SIGPROF, _late)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        answer = inspect(Path(json.loads(line)))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def inspect(path: Path) -> dict[str, Any]:
    """Return the tools that looked at the file at *path* and what they found."""
    tools = [RULES]
    program = shutil.which(VERIFIER)
    found = [_ours(path)]
    if program is not None:
        tools.append(VERIFIER)
        found.append(_verified(program, path))
    listed = bounded(chain.from_iterable(found))
    return {"tools": tools, "findings": [asdict(one) for one in listed]}


def _ours(path: Path) -> Iterator[Finding]:
    """Give what our own checks find."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield from look(dcmread(path, stop_before_pixels=True))
    except Exception as error:  # noqa: BLE001 - pydicom raises anything; it is a finding
        text = f"Value cannot be read, by {type(error).__name__}"
        yield Finding("error", "rounds", "value", text)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _late(*_: object) -> None:
    """End a look that takes too long."""
    raise TimeoutError


def _verified(program: str, path: Path) -> Iterator[Finding]:
    """Give what the verifier says; that it ends over a file is a finding too."""
    with subprocess.Popen(  # noqa: S603 (a program of the house, a path of its store)
        [program, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        preexec_fn=_limit,  # noqa: PLW1509 (this process has one thread)
    ) as process:
        said = process.stdout.read(SAID) if process.stdout else b""
        if len(said) == SAID:
            process.kill()
    yield from of_dciodvfy(said.decode("ascii", "replace"))
    if process.returncode < 0 and len(said) < SAID:
        yield Finding("warning", VERIFIER, "other", "The verifier gave up on it")


def _limit() -> None:
    """Give the verifier so much time and memory, and nothing to write to."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    main()
