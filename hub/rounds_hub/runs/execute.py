"""Execute the notebook of one run in a process of its own.

``python -m rounds_hub.runs.execute FOLDER``, started by a worker; *FOLDER* holds
``job.json`` and ``template.ipynb``, and gets ``progress.jsonl`` (a line when a cell
begins and when it ends), ``live.ipynb``, and at the end ``result.json``. What became of
the run stands in ``result.json`` alone; where it is missing, the process died.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rounds_hub.runs.faults import MESSAGE_LENGTH, Fault, cell_fault, scrubbed

if TYPE_CHECKING:
    from rounds_hub.runs.keeper import CellEvent, Keeper

__all__ = ["execute", "main"]

FILE_BYTES = 16 * 2**30
"""No file that a notebook writes may be larger."""

NICENESS = 5
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def execute(folder: Path) -> dict[str, Any]:
    """Execute the notebook in *folder*; return what is written to ``result.json``."""
    from rounds_hub.runs.keeper import Keeper  # noqa: PLC0415 (after the limits are set)

    with (folder / "progress.jsonl").open("a", encoding="utf-8") as lines:

        def tell(event: CellEvent) -> None:
            lines.write(json.dumps(asdict(event)) + "\n")
            lines.flush()

        keeper = Keeper(folder / "live.ipynb", tell)
        fault = _fault(folder, keeper)
    if fault is None:
        return {"state": "done"}
    plain = replace(
        fault,
        message=scrubbed(fault.message, folder),
        traceback=scrubbed(fault.traceback, folder),
    )
    return {"state": "failed", "error": plain.as_dict()}


def _fault(folder: Path, keeper: Keeper) -> Fault | None:
    """Run papermill on the notebook in *folder*; return what went wrong."""
    from nbclient.exceptions import DeadKernelError  # noqa: PLC0415 (as above)
    from papermill.exceptions import PapermillExecutionError  # noqa: PLC0415 (as above)

    try:
        _papermill(folder, keeper)
    except PapermillExecutionError as error:
        _keep(keeper)
        return cell_fault(error.ename, error.evalue, error.traceback, _cell(keeper))
    except DeadKernelError:
        return Fault("kernel", "The kernel died while this cell ran.", _cell(keeper))
    except Exception as error:  # noqa: BLE001 (the worker writes it to the run's row)
        return _engine_fault(error, _cell(keeper))
    return None


def _cell(keeper: Keeper) -> str:
    """Return the name of the cell that was running."""
    return keeper.running.name if keeper.running else ""


def _engine_fault(error: Exception, cell: str) -> Fault:
    """Return the fault behind an error of the engine itself."""
    if isinstance(error, MemoryError):
        return Fault("memory", "The run took all the memory it may have.", cell)
    if isinstance(error, OSError) and error.errno in _FULL:
        return Fault("disk", "The disk of the runs is full.", cell)
    return Fault("engine", f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH], cell)


def _papermill(folder: Path, keeper: Keeper) -> None:
    """Execute the notebook; the values go in as one JSON text, never as code.

    The name that papermill writes into the cell is ours alone, and the text becomes
    an escaped literal. No path is given to papermill: it would format it.
    """
    import nbformat  # noqa: PLC0415 (after the limits are set)
    import papermill  # noqa: PLC0415 (as above)

    notebook = nbformat.read(  # type: ignore[no-untyped-call]
        folder / "template.ipynb", as_version=4
    )
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    text = json.dumps(job["parameters"], ensure_ascii=True, allow_nan=False)
    papermill.execute_notebook(
        notebook,
        None,
        parameters={"parameters": text},
        engine_name="rounds",
        keeper=keeper,
        progress_bar=False,
    )


def _keep(keeper: Keeper) -> None:
    """Keep the notebook with papermill's marks on the failing cell."""
    try:
        keeper.save()
    except OSError:
        sys.stderr.write("the marked notebook could not be kept\n")


def _limit(limits: dict[str, int]) -> None:
    """Set what this process and the kernel that it starts may take.

    RLIMIT_DATA counts private memory that can be written to: a volume that is mapped
    from the disk does not count, nor does what CUDA merely reserves.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_FSIZE, FILE_BYTES)
    if limits.get("memory_bytes"):
        _lower(resource.RLIMIT_DATA, limits["memory_bytes"])
    os.nice(NICENESS)


def _lower(kind: int, value: int) -> None:
    """Set a limit to *value* where it is not lower already."""
    _, most = resource.getrlimit(kind)
    new = value if most == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(kind, (new, new))


def _die_with_worker() -> None:
    """Be killed when the thread of the worker that started us is gone."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Execute the notebook in the folder that *arguments* name; return 0 if it went."""
    folder = Path(arguments[0]).absolute()
    _die_with_worker()
    signal.signal(
        signal.SIGXFSZ, signal.SIG_IGN
    )  # a too large file is an error instead
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    _limit(job["limits"])
    os.chdir(folder / "work")
    result = execute(folder)
    partial = folder / ".result.partial"
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(folder / "result.json")
    return 0 if result["state"] == "done" else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
