"""The states of a run, and the one way from one to the next.

::

    waiting ──> running ──> storing ──> done
       │           │           └──────> failed
       │           ├──────────────────> failed
       └───────────┴──────────────────> cancelled

A step is a conditional update of the row, so that of two who try only one succeeds,
and a run ends in exactly one state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from rounds_hub.runs.models import Run

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from rounds_hub.settings import Rounds

__all__ = ["ENDED", "Attempt", "attempt_of", "move", "run_folder"]

ENDED = frozenset({"done", "failed", "cancelled"})

_FROM: dict[str, tuple[str, ...]] = {
    "running": ("waiting", "running"),
    "storing": ("running", "storing"),
    "done": ("storing",),
    "failed": ("waiting", "running", "storing"),
    "cancelled": ("waiting", "running"),
}


class Attempt(tuple[str, int]):
    """A run's id and which attempt at it; as text the key of its workflow.

    Examples
    --------
    >>> str(Attempt(("c0ffee", 1))), str(Attempt(("c0ffee", 2)))
    ('c0ffee', 'c0ffee:2')
    >>> Attempt.parse("c0ffee:2").number
    2
    """

    __slots__ = ()

    @classmethod
    def parse(cls, key: str) -> Attempt:
        """Return the attempt whose workflow has *key*."""
        run_id, _, number = key.partition(":")
        return cls((run_id, int(number or 1)))

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self[0]

    @property
    def number(self) -> int:
        """Which attempt it is; the first is 1."""
        return self[1]

    def __str__(self) -> str:
        """Return the key of the workflow."""
        return self.run_id if self.number == 1 else f"{self.run_id}:{self.number}"


def attempt_of(run: Run) -> Attempt:
    """Return the newest attempt at *run*."""
    return Attempt((run.id, run.attempt))


def run_folder(settings: Rounds, attempt: Attempt) -> Path:
    """Return the folder in which *attempt* works and leaves its files."""
    top = settings.data / "runs" / attempt.run_id[:2] / attempt.run_id
    return top / str(attempt.number)


def move(session: Session, attempt: Attempt, state: str, **columns: Any) -> bool:  # noqa: ANN401 (columns of the row)
    """Bring the run to *state*, setting *columns*; return whether that was possible.

    It is not where the run is in a state that does not lead there, or where there is
    a newer attempt.
    """
    changed = session.execute(
        update(Run)
        .where(
            Run.id == attempt.run_id,
            Run.attempt == attempt.number,
            Run.state.in_(_FROM[state]),
        )
        .values(state=state, revision=Run.revision + 1, **columns)
        .execution_options(synchronize_session=False)
    )
    return bool(changed.rowcount)  # type: ignore[attr-defined] # an update's result has it
