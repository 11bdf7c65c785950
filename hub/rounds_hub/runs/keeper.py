"""Keep a notebook while it is executed, and tell of its cells."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import nbformat

from rounds_hub.runs.cells import cell_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbformat import NotebookNode

__all__ = ["CellEvent", "Keeper"]


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


def _is_step(cell: NotebookNode) -> bool:
    """Return whether a cell has code of the notebook's own."""
    tags = set(cell.metadata.get("tags", []))
    return cell.cell_type == "code" and not tags & {"parameters", "injected-parameters"}
