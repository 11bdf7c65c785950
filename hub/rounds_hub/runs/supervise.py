"""Watch over the process of a run: progress, deadline, memory, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psutil

from rounds_hub.runs.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Limits", "environment", "kill_all", "processes_of", "supervise"]

LOOK_SECONDS = 0.1
WEIGH_SECONDS = 0.5
KILL_SECONDS = 5.0

MARK = "ROUNDS_JOB"
"""Every process of a run has the run's folder in this variable."""

_PASSED = frozenset(
    {"PATH", "LANG", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV"}
    | {"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROUNDS_DEVICE"}
    | {"CUDA_HOME", "CUDA_PATH"}
)
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take."""

    seconds: float
    memory_bytes: int
    cpus: int = 1
    free_bytes: int = 0
    """What must stay free on the disk."""


def environment(folder: Path, cpus: int) -> dict[str, str]:
    """Return the environment of a run: nothing of ours that is secret gets there.

    Examples
    --------
    >>> from pathlib import Path
    >>> "JUPYTERHUB_API_TOKEN" in environment(Path("/runs/1"), cpus=2)
    False
    """
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith("LC_")
    }
    own = folder / "tmp"
    return (
        passed
        | dict.fromkeys(_THREADS, str(cpus))
        | {
            MARK: str(folder),
            "HOME": str(own),
            "TMPDIR": str(own),
            "IPYTHONDIR": str(own / "ipython"),
            "JUPYTER_CONFIG_DIR": str(own / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(own),
            "MPLCONFIGDIR": str(own / "matplotlib"),
            "MPLBACKEND": "agg",
            "SCIPY_ARRAY_API": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
        }
    )


def supervise(
    folder: Path,
    limits: Limits,
    on_lines: Callable[[list[dict[str, Any]]], None],
    wanted: Callable[[], bool],
) -> Fault | None:
    """Execute the run in *folder* to its end; return what went wrong, if anything.

    Whatever the end, no process of the run is left when this returns.

    Parameters
    ----------
    folder
        The prepared folder of the run.
    limits
        What it may take.
    on_lines
        Told the new lines of progress, a batch at a time.
    wanted
        Asked again and again whether the run is still wanted.
    """
    process = _start(folder, limits)
    lines = _Lines(folder / "progress.jsonl")

    def look() -> bool:
        on_lines(lines.new())
        return wanted()

    try:
        fault = _watch(process, folder, limits, look)
    finally:
        kill_all(folder)
        process.wait()
    on_lines(lines.new())
    if fault is not None:
        return replace(fault, cell=lines.running)
    return _outcome(folder, lines.running)


def _start(folder: Path, limits: Limits) -> subprocess.Popen[bytes]:
    """Start the process of the run in a session of its own."""
    with (folder / "engine.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 (our own module, no words of a user)
            [sys.executable, "-m", "rounds_hub.runs.execute", str(folder)],
            env=environment(folder, limits.cpus),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )


def _watch(
    process: subprocess.Popen[bytes],
    folder: Path,
    limits: Limits,
    look: Callable[[], bool],
) -> Fault | None:
    """Look on until *process* ends by itself, or has to be ended."""
    ends = time.monotonic() + limits.seconds
    weigh = time.monotonic() + WEIGH_SECONDS
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
        if not look():
            return Fault("cancelled", "It was cancelled.")
        if time.monotonic() > ends:
            return Fault("deadline", f"It took longer than {limits.seconds:g} s.")
        if time.monotonic() > weigh:
            weigh = time.monotonic() + WEIGH_SECONDS
            fault = _too_much(process.pid, folder, limits)
            if fault is not None:
                return fault
    return None


def _too_much(pid: int, folder: Path, limits: Limits) -> Fault | None:
    """Return the fault of a run that takes more memory or disk than there is for it."""
    if _memory(pid) > limits.memory_bytes:
        most = limits.memory_bytes / 2**30
        return Fault("memory", f"It took more than {most:.3g} GiB of memory.")
    if shutil.disk_usage(folder).free < limits.free_bytes:
        return Fault("disk", "The disk of the runs is full.")
    return None


class _Lines:
    """Reads what a file gained since it was last looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self.running = ""

    def new(self) -> list[dict[str, Any]]:
        """Return the whole lines that are new."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                said = file.read()
        except FileNotFoundError:
            return []
        whole = said[: said.rfind(b"\n") + 1]
        self._at += len(whole)
        found = [json.loads(line) for line in whole.splitlines()]
        for line in found:
            if line["state"] != "waiting":
                self.running = "" if line["state"] == "done" else line["name"]
        return found


def _outcome(folder: Path, running: str) -> Fault | None:
    """Return what the process said of its end; a dead one said nothing."""
    try:
        said = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return Fault("engine", "The process of the run died.", running)
    if said["state"] == "done":
        return None
    error = said["error"]
    return Fault(
        str(error["kind"]),
        str(error["message"]),
        str(error.get("cell", running)),
        str(error.get("traceback", "")),
    )


def _memory(pid: int) -> int:
    """Return the bytes that a process and its children hold alone."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                held = process.memory_info()
                total += held.rss - getattr(held, "shared", 0)
    return total


def processes_of(folder: Path) -> Iterator[psutil.Process]:
    """Find the living processes of the run in *folder*, or of any run below it.

    They are known by their environment, so one that was given to another parent, or
    has a session of its own, is found as well.
    """
    inside = str(folder)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK, "")
            if mark == inside or mark.startswith(f"{inside}{os.sep}"):
                yield process


def kill_all(folder: Path) -> None:
    """End every process of the run in *folder*, and return when they are gone."""
    until = time.monotonic() + KILL_SECONDS
    while time.monotonic() < until:
        found = [one for one in processes_of(folder) if one.pid != os.getpid()]
        living = [one for one in found if one.status() != psutil.STATUS_ZOMBIE]
        if not living:
            return
        for process in living:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(living, timeout=0.5)
