"""The papermill engine ``rounds``: kernels over IPC, capped outputs, whole notebooks.

It is registered by the entry point ``papermill.engine``, so that
``papermill.execute_notebook(..., engine_name="rounds")`` finds it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager

from rounds_hub.runs.cells import OutputBudget, bounded_error, cell_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbformat import NotebookNode

__all__ = ["CellEvent", "Keeper", "RoundsEngine"]

START_SECONDS = 120
IOPUB_SECONDS = 600
"""How long to wait for outputs after a cell has ended; a busy machine is slow."""


@dataclass(frozen=True, slots=True)
class CellEvent:
    """How far a cell is: ``waiting``, ``running``, ``done`` or ``failed``.

    *index* counts the cells with code; those with the parameters are not told of.
    """

    index: int
    name: str
    state: str
    seconds: float = 0.0


class Keeper:
    """Keeps a notebook on the disk, whole at every moment, and tells of its cells.

    Parameters
    ----------
    path
        Where the notebook is kept; ``None`` keeps it nowhere.
    on_cell
        Told when a cell begins and ends.
    """

    def __init__(
        self, path: Path | None, on_cell: Callable[[CellEvent], None] | None = None
    ) -> None:
        """Keep the notebook at *path*; nothing is written yet."""
        self.path = path
        self.notebook: NotebookNode | None = None
        self.running: CellEvent | None = None
        self._on_cell = on_cell
        self._began = 0.0
        self._plan: dict[int, CellEvent] = {}

    def save(self, notebook: NotebookNode | None = None) -> None:
        """Write the notebook under a temporary name, then give it its own."""
        self.notebook = notebook if notebook is not None else self.notebook
        if self.path is None or self.notebook is None:
            return
        partial = self.path.with_name(f".{self.path.name}.partial")
        text = nbformat.writes(self.notebook)  # type: ignore[no-untyped-call]
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.path)

    def plan(self, notebook: NotebookNode) -> None:
        """Tell of every cell that will be executed."""
        told = [at for at, cell in enumerate(notebook.cells) if _is_step(cell)]
        self._plan = {
            at: CellEvent(index, cell_name(notebook.cells[at], index), "waiting")
            for index, at in enumerate(told)
        }
        for event in self._plan.values():
            self._tell(event)

    def begin(self, at: int) -> None:
        """Tell that the cell at place *at* of the notebook begins."""
        self._began = time.monotonic()
        if at in self._plan:
            self.running = replace(self._plan[at], state="running")
            self._tell(self.running)

    def end(self, at: int, *, failed: bool) -> None:
        """Tell that the cell at place *at* of the notebook has ended."""
        if at not in self._plan:
            return
        took = round(time.monotonic() - self._began, 3)
        if not failed:
            self.running = None
        state = "failed" if failed else "done"
        self._tell(replace(self._plan[at], state=state, seconds=took))

    def _tell(self, event: CellEvent) -> None:
        if self._on_cell is not None:
            self._on_cell(event)


class _Execution(NotebookExecutionManager):  # type: ignore[misc] # papermill has no types
    """Papermill's record of an execution, saved whole."""

    def __init__(self, notebook: NotebookNode, keeper: Keeper) -> None:
        super().__init__(notebook, progress_bar=False)
        self.keeper = keeper

    def save(self, **_options: object) -> None:
        """Save the notebook by the keeper."""
        self.keeper.save(self.nb)
        self.last_save_time = self.now()

    def notebook_start(self, **options: object) -> None:
        """Record that the notebook begins, and tell of its cells."""
        super().notebook_start(**options)
        self.keeper.plan(self.nb)

    def cell_start(
        self, cell: NotebookNode, cell_index: int | None = None, **options: object
    ) -> None:
        """Record that *cell* begins, and tell."""
        super().cell_start(cell, cell_index, **options)
        self.keeper.begin(cell_index or 0)

    def cell_complete(
        self, cell: NotebookNode, cell_index: int | None = None, **options: object
    ) -> None:
        """Record that *cell* has ended, and tell."""
        super().cell_complete(cell, cell_index, **options)
        failed = cell.metadata.papermill["status"] == self.FAILED
        self.keeper.end(cell_index or 0, failed=failed)


class _Client(PapermillNotebookClient):  # type: ignore[misc] # papermill has no types
    """Papermill's client with a kernel on IPC sockets and a budget of output."""

    def __init__(self, execution: _Execution, sockets: Path, **options: object) -> None:
        super().__init__(execution, **options)
        self._sockets = sockets
        self._budget = OutputBudget()

    def create_kernel_manager(self) -> Any:  # noqa: ANN401 (jupyter_client has no types)
        """Return a manager whose kernel no other user of the machine can reach."""
        manager = super().create_kernel_manager()
        manager.transport = "ipc"
        manager.ip = str(self._sockets / "kernel")
        return manager

    def papermill_execute_cells(self) -> None:
        """Execute the cells; whatever ends one early, the notebook says failed."""
        for index, cell in enumerate(self.nb.cells):
            try:
                self.nb_man.cell_start(cell, index)
                self.execute_cell(cell, index)
            except CellExecutionError:
                self.nb_man.cell_exception(cell, cell_index=index)
                break
            except BaseException:
                self.nb_man.cell_exception(cell, cell_index=index)
                raise
            finally:
                self.nb_man.cell_complete(cell, cell_index=index)

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a message of the kernel where the budget has room for it."""
        if msg["msg_type"] == "clear_output":
            self._budget.clear(cell_index)
        fits = self._budget.takes(cell_index, msg)
        output: NotebookNode | None = None
        if fits or msg["msg_type"] == "stream":
            bounded_error(msg)
            output = super().process_message(msg, cell, cell_index)
        if not fits:
            cell.outputs.extend(self._budget.note(cell_index))
        return output


class RoundsEngine(Engine):  # type: ignore[misc] # papermill has no types
    """Executes notebooks for papermill as Rounds needs it.

    The keyword *keeper* (a `Keeper`) says where the notebook is kept and who is told
    of each cell; without it papermill's output path is used.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        **options: Any,  # noqa: ANN401 (papermill's own options)
    ) -> NotebookNode:
        """Execute *nb* and return it with its outputs."""
        keeper: Keeper | None = options.pop("keeper", None)
        if keeper is None:
            keeper = Keeper(Path(output_path) if output_path else None)
        execution = _Execution(nb, keeper)
        execution.notebook_start()
        try:
            cls.execute_managed_notebook(execution, kernel_name, **options)
        finally:
            execution.notebook_complete()
        done: NotebookNode = execution.nb
        return done

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        **options: Any,  # noqa: ANN401 (papermill's own options)
    ) -> None:
        """Execute the cells of the notebook in a kernel of its own."""
        sockets = Path(tempfile.mkdtemp(prefix="k-"))
        try:
            client = _Client(
                nb_man,
                _short(sockets),
                kernel_name=kernel_name,
                startup_timeout=options.get("start_timeout", START_SECONDS),
                timeout=options.get("execution_timeout"),
                iopub_timeout=IOPUB_SECONDS,
                coalesce_streams=True,
                raise_on_iopub_timeout=True,
                log_output=bool(options.get("log_output")),
                stdout_file=options.get("stdout_file"),
                stderr_file=options.get("stderr_file"),
            )
            client.execute()
        finally:
            shutil.rmtree(sockets, ignore_errors=True)


def _is_step(cell: NotebookNode) -> bool:
    """Return whether a cell has code of the notebook's own."""
    tags = set(cell.metadata.get("tags", []))
    return cell.cell_type == "code" and not tags & {"parameters", "injected-parameters"}


def _short(folder: Path) -> Path:
    """Return the shorter way to *folder*: a socket's path has 107 characters at most.

    The kernel starts in our working directory, so a relative path serves both.
    """
    return min(folder, Path(os.path.relpath(folder)), key=lambda path: len(str(path)))
