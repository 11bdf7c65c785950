"""Execute the cells of a notebook for papermill: kernels over IPC, capped outputs."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager

from rounds_hub.runs.cells import OutputBudget, bounded_error, merge_streams

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from rounds_hub.runs.keeper import Keeper

__all__ = ["execute_cells"]

START_SECONDS = 120
IOPUB_SECONDS = 120
"""How long to wait for outputs after a cell has ended; a busy machine is slow."""


def execute_cells(
    notebook: NotebookNode,
    kernel_name: str,
    keeper: Keeper,
    options: dict[str, Any],
) -> NotebookNode:
    """Execute *notebook* in a kernel of its own and return it with its outputs.

    Parameters
    ----------
    notebook
        What to execute; it is changed in place.
    kernel_name
        The kernel's specification.
    keeper
        Keeps the notebook, and tells of its cells.
    options
        Papermill's own options for an engine.
    """
    execution = _Execution(notebook, keeper)
    execution.notebook_start()
    sockets = Path(tempfile.mkdtemp(prefix="k-"))
    try:
        client = _Client(
            execution,
            _short(sockets),
            kernel_name=kernel_name,
            startup_timeout=options.get("start_timeout", START_SECONDS),
            timeout=options.get("execution_timeout"),
            iopub_timeout=IOPUB_SECONDS,
            raise_on_iopub_timeout=False,
            log_output=bool(options.get("log_output")),
            stdout_file=options.get("stdout_file"),
            stderr_file=options.get("stderr_file"),
        )
        client.execute()
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
        execution.notebook_complete()
    done: NotebookNode = execution.nb
    return done


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


class _KernelClient(AsyncKernelClient):
    """Takes what a kernel says without a limit on what waits.

    With ZeroMQ's own limit a flood of output makes the kernel drop messages, among
    them the one that says that a cell has ended.
    """

    def _context_default(self) -> zmq.asyncio.Context:
        context: zmq.asyncio.Context = super()._context_default()
        context.setsockopt(zmq.RCVHWM, 0)
        return context


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
        manager.client_factory = _KernelClient
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
                merge_streams(cell)
                self.nb_man.cell_complete(cell, cell_index=index)

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take a message of the kernel where the budget has room for it."""
        if msg["msg_type"] == "clear_output":
            self._budget.clear(cell_index)
        fits = self._budget.takes(cell_index, msg)
        output: NotebookNode | None = None
        if fits or (msg["msg_type"] == "stream" and not self._budget.spent(cell_index)):
            bounded_error(msg)
            output = super().process_message(msg, cell, cell_index)
        if not fits:
            cell.outputs.extend(self._budget.note(cell_index))
        return output


def _short(folder: Path) -> Path:
    """Return the shorter way to *folder*: a socket's path has 107 characters at most.

    The kernel starts in our working directory, so a relative path serves both.
    """
    return min(folder, Path(os.path.relpath(folder)), key=lambda path: len(str(path)))
