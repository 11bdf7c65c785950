"""What the engine needs to know of a cell: its name, and how much it may say."""

from __future__ import annotations

import json
import re
from typing import Any

from nbformat import NotebookNode

__all__ = ["OutputBudget", "bounded_error", "cell_name", "merge_streams"]

CELL_BYTES = 2**20
NOTEBOOK_BYTES = 10 * 2**20
MESSAGE_BYTES = 64
"""What one output costs at least: a million empty ones are not free."""

NAME_LENGTH = 80
TRACEBACK_LENGTH = 50_000

_COUNTED = frozenset(
    {"stream", "display_data", "execute_result", "update_display_data", "comm_open"}
    | {"comm_msg"}
)
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*#\s*(?!%|!)(\S.*)$", re.MULTILINE)
_DOCUMENTED = re.compile(r"[*_`$]")


def cell_name(cell: NotebookNode, index: int) -> str:
    r"""Return what to call a cell: its step, its first heading, its first comment.

    Examples
    --------
    >>> import nbformat
    >>> cell_name(nbformat.v4.new_markdown_cell("text\n## Find the **lungs**"), 0)
    'Find the lungs'
    >>> cell_name(nbformat.v4.new_code_cell("x = 1"), 3)
    'Cell 4'
    """
    step = cell.metadata.get("rounds", {}).get("step")
    if isinstance(step, str) and step.strip():
        return step.strip()[:NAME_LENGTH]
    pattern = _HEADING if cell.cell_type == "markdown" else _COMMENT
    found = pattern.search(cell.source)
    if found is None:
        return f"Cell {index + 1}"
    return _DOCUMENTED.sub("", found.group(1)).strip()[:NAME_LENGTH]


class OutputBudget:
    """Counts what the cells of a notebook say, and when it is too much.

    Examples
    --------
    >>> budget = OutputBudget(cell_bytes=100)
    >>> said = {"msg_type": "stream", "content": {"name": "stdout", "text": "x" * 80}}
    >>> budget.takes(0, said), budget.takes(0, said)
    (True, False)
    """

    def __init__(
        self, cell_bytes: int = CELL_BYTES, notebook_bytes: int = NOTEBOOK_BYTES
    ) -> None:
        """Give each cell *cell_bytes* and all of them *notebook_bytes*."""
        self.cell_bytes = cell_bytes
        self.notebook_bytes = notebook_bytes
        self._used: dict[int, int] = {}
        self._noted: set[int] = set()

    def takes(self, index: int, msg: dict[str, Any]) -> bool:
        """Return whether there is room for *msg* of the cell at *index*; count it.

        Text that does not fit is cut in *msg*, so that its beginning can be kept.
        """
        if msg["msg_type"] not in _COUNTED:
            return True
        size = max(_size(msg), MESSAGE_BYTES)
        used = self._used.get(index, 0)
        room = min(self.cell_bytes - used, self.notebook_bytes - self._total())
        self._used[index] = used + min(size, room)
        if size > room and msg["msg_type"] == "stream":
            msg["content"]["text"] = msg["content"]["text"][:room]
        return size <= room

    def spent(self, index: int) -> bool:
        """Return whether the cell at *index* has said that its output was cut."""
        return index in self._noted

    def clear(self, index: int) -> None:
        """Forget what the cell at *index* said: it was cleared away."""
        self._used[index] = 0

    def note(self, index: int) -> list[NotebookNode]:
        """Return a note for the cell that its output was cut; once for each cell."""
        if index in self._noted:
            return []
        self._noted.add(index)
        text = (
            f"\n[Output cut: a cell may say {self.cell_bytes >> 20} MB, "
            f"a notebook {self.notebook_bytes >> 20} MB.]\n"
        )
        return [NotebookNode(output_type="stream", name="stderr", text=text)]  # type: ignore[no-untyped-call]

    def _total(self) -> int:
        return sum(self._used.values())


def _size(msg: dict[str, Any]) -> int:
    """Return how many characters and bytes a message brings into the notebook."""
    content = msg["content"]
    buffers = sum(len(one) for one in msg.get("buffers") or ())
    if msg["msg_type"] == "stream":
        return len(content["text"])
    data = content.get("data") or {}
    return buffers + sum(
        len(value) if isinstance(value, str) else len(json.dumps(value, default=str))
        for value in data.values()
    )


def bounded_error(msg: dict[str, Any]) -> None:
    """Shorten the traceback in an error *msg*, keeping its end."""
    if msg["msg_type"] != "error":
        return
    content = msg["content"]
    content["evalue"] = str(content.get("evalue", ""))[:TRACEBACK_LENGTH]
    lines: list[str] = []
    room = TRACEBACK_LENGTH
    for line in reversed(content.get("traceback") or []):
        lines.append(line[-room:])
        room -= len(lines[-1])
        if room <= 0:
            lines.append("[traceback cut]")
            break
    content["traceback"] = lines[::-1]


def merge_streams(cell: NotebookNode) -> None:
    """Make one output of texts that follow each other on the same stream.

    nbclient can do so as well (``coalesce_streams``), with a regular expression that
    takes a minute for a line of half a megabyte.
    """
    merged: list[NotebookNode] = []
    for output in cell.get("outputs", []):
        last = merged[-1] if merged else None
        if last is not None and _same_stream(last, output):
            last["parts"].append(output["text"])
            continue
        merged.append(output)
        if output["output_type"] == "stream":
            output["parts"] = [output["text"]]
    for output in merged:
        if "parts" in output:
            output["text"] = "".join(output.pop("parts"))
    if merged:
        cell["outputs"] = merged


def _same_stream(one: NotebookNode, other: NotebookNode) -> bool:
    both = one["output_type"] == other["output_type"] == "stream"
    return both and bool(one["name"] == other["name"])
