"""A progress bar for people, and silence for programs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["progress_bar", "said_steps"]


@contextmanager
def progress_bar(
    title: str, *, quiet: bool = False
) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar named *title*; the value is called with done, total and the thing."""
    if quiet:
        yield lambda _done, _total, _what: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        Elapsed(),
        TextColumn("[dim]{task.fields[what]}"),
    )
    # On standard error: what is printed for programs stays clean.
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, what="")

        def report(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, what=what)

        yield report


@contextmanager
def said_steps(title: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show that *title* goes on, where no total is known; call with what happens."""
    if quiet:
        yield lambda _what: None
        return
    with Console(stderr=True).status(f"{title}…") as status:
        yield lambda what: status.update(f"{title}: {what}")
