"""Show how far something is: widgets in a notebook, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rounds.html import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Bytes", "Steps", "bytes_progress", "in_notebook", "steps_progress"]

LARGE = 32 << 20
"""Bytes from which on a person is told how far the stream is."""

MARKS = {"waiting": "○", "running": "◐", "done": "●", "failed": "✕", "cancelled": "◌"}
"""A mark for each state, so that colour is never needed to tell them apart."""


class Bytes(Protocol):
    """Told how many bytes have arrived so far."""

    def __call__(self, arrived: int, /) -> None:
        """Show *arrived*."""


class Steps(Protocol):
    """Told the state of a run and of its named cells."""

    def show(self, state: str, cells: Sequence[dict[str, Any]], total: int) -> None:
        """Show where the run is."""

    def close(self) -> None:
        """End the display; what was last shown stays."""


def in_notebook() -> bool:
    """Return whether a person looks on through a notebook's front end.

    A run of a template has a kernel too, but nobody in front of it.
    """
    if "ROUNDS_JOB" in os.environ or "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None


@contextmanager
def bytes_progress(name: str, total: int | None) -> Iterator[Bytes]:
    """Give a callback that shows how much of *total* bytes has arrived.

    Small things show nothing: they are there before a display would be.
    """
    if total is None or total < LARGE:
        yield _nothing
    elif in_notebook():
        with _bar(name, total) as bar:
            yield bar
    else:
        yield _Lines(name, total)
        sys.stderr.write("\n")


def _nothing(arrived: int) -> None:
    """Show nothing."""


class _Lines:
    """One line on the error stream, written anew at most four times a second."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._last = 0.0

    def __call__(self, arrived: int) -> None:
        now = time.monotonic()
        if now - self._last > 1 / 4 or arrived == self._total:
            self._last = now
            sys.stderr.write(f"\r{self._name}: {_amount(arrived, self._total)}")
            sys.stderr.flush()


@contextmanager
def _bar(name: str, total: int) -> Iterator[Bytes]:
    """Show a bar in the notebook while the block runs, and take it away after."""
    import ipywidgets  # noqa: PLC0415 - outside a notebook nobody needs it
    from IPython.display import display  # noqa: PLC0415 - as above

    bar = ipywidgets.IntProgress(
        max=total,
        description=name,
        layout={"width": "24rem"},
        tooltip=f"{name} on its way",
    )
    said = ipywidgets.HTML()
    box = ipywidgets.HBox([bar, said])
    shown: Any = display(box, display_id=True)  # type: ignore[no-untyped-call] # IPython's
    try:
        yield _Throttled(lambda arrived: _move(bar, said, arrived))
    finally:
        # Else a saved notebook keeps a bar that is gone.
        shown.update({"text/plain": ""}, raw=True)
        box.close()
        bar.close()
        said.close()


class _Throttled:
    """Passes a number on, at most ten times a second."""

    def __init__(self, target: Callable[[int], None]) -> None:
        self._target = target
        self._last = 0.0

    def __call__(self, arrived: int) -> None:
        now = time.monotonic()
        if now - self._last > 1 / 10:
            self._last = now
            self._target(arrived)


def _move(bar: Any, said: Any, arrived: int) -> None:  # noqa: ANN401 - widgets have no types
    bar.value = arrived
    said.value = _amount(arrived, bar.max)


def _amount(arrived: int, total: int) -> str:
    """Return how much of how much.

    Examples
    --------
    >>> _amount(52428800, 157286400)
    '50 of 150 MiB'
    """
    return f"{arrived >> 20} of {total >> 20} MiB"


def steps_progress(title: str) -> Steps:
    """Return a display for a run called *title*, as fits where we are."""
    return _StepsWidget(title) if in_notebook() else _StepsLines(title)


class _StepsLines:
    """Writes a line for each cell when it begins to be something else."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._said: dict[object, str] = {}

    def show(self, state: str, cells: Sequence[dict[str, Any]], total: int) -> None:
        self._say("run", state, f"{self._title}: {state}")
        for cell in cells:
            index = cell.get("index", 0)
            self._say(
                index,
                str(cell.get("state", "")),
                f"  {_line(cell)} ({_place(cell, total)})",
            )

    def close(self) -> None:
        sys.stderr.flush()

    def _say(self, key: object, state: str, line: str) -> None:
        if state != "waiting" and self._said.get(key) != state:
            self._said[key] = state
            sys.stderr.write(f"{line}\n")


def _place(cell: dict[str, Any], total: int) -> str:
    return f"cell {int(cell.get('index', 0)) + 1} of {total}" if total else "cell"


def _line(cell: dict[str, Any]) -> str:
    """Return a cell's mark, name and time.

    Examples
    --------
    >>> _line({"name": "Find the lungs", "state": "done", "seconds": 1.24})
    '● Find the lungs  1.2 s'
    """
    state = str(cell.get("state", "waiting"))
    seconds = cell.get("seconds")
    took = f"  {float(seconds):.1f} s" if seconds else ""
    return f"{MARKS.get(state, '?')} {cell.get('name') or 'cell'}{took}"


class _StepsWidget:
    """A bar over the list of named cells with their times."""

    def __init__(self, title: str) -> None:
        import ipywidgets  # noqa: PLC0415 - outside a notebook nobody needs it
        from IPython.display import display  # noqa: PLC0415 - as above

        self._title = title
        self._bar = ipywidgets.IntProgress(
            layout={"width": "24rem"}, tooltip=f"Progress of {title}"
        )
        self._list = ipywidgets.HTML()
        box = ipywidgets.VBox([self._bar, self._list])
        display(box)  # type: ignore[no-untyped-call] # IPython's

    def show(self, state: str, cells: Sequence[dict[str, Any]], total: int) -> None:
        ended = sum(cell.get("state") == "done" for cell in cells)
        self._bar.max = max(total, len(cells), 1)
        self._bar.value = self._bar.max if state == "done" else ended
        self._bar.bar_style = {"done": "success", "failed": "danger"}.get(state, "")
        items = "".join(f"<li>{text(_line(cell))}</li>" for cell in cells)
        self._list.value = (
            f'<div role="status">{text(self._title)}: {text(state)}</div>'
            f'<ul style="list-style:none;padding:0;margin:0">{items}</ul>'
        )

    def close(self) -> None:
        """Leave the list as it is."""
