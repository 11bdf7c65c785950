"""The durable workflow ``run``: prepare, execute, store, and one end.

Each step may be repeated after its worker was killed: what a step did is done again
from a clean folder, or found done. The row of the run says its state; a step of a run
that was cancelled meanwhile does nothing.
"""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING, Any

import structlog

from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.errors import HubError, NoSpaceError
from rounds_hub.runs import folders, templates
from rounds_hub.runs.faults import Fault
from rounds_hub.runs.models import Run
from rounds_hub.runs.results import keep_results
from rounds_hub.runs.states import Attempt, move, run_folder
from rounds_hub.runs.supervise import kill_all, supervise
from rounds_kernels.device import gpu_available
from rounds_kernels.errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House

__all__ = ["RunWork"]

MOST_STARTS = 20
"""A run that ends its worker this often is given up."""

Said = dict[str, Any]

log = structlog.get_logger()


class RunWork:
    """Does the runs of one worker, step by step.

    Parameters
    ----------
    house
        The opened house.
    closing
        Set when the worker ends: what is under way is left for the next worker.
    """

    def __init__(self, house: House, closing: threading.Event) -> None:
        """Be ready; nothing is done yet."""
        self._house = house
        self._closing = closing

    def prepare(self, key: str) -> Said:
        """Make the folder of the run and say that it runs."""
        return self._guarded(key, self._prepare)

    def execute(self, key: str) -> Said:
        """Execute the notebook of the run."""
        return self._guarded(key, self._execute)

    def store(self, key: str) -> Said:
        """Bring the results into the archive."""
        return self._guarded(key, self._store)

    def end(self, key: str, said: Said) -> Said:
        """Bring the run to its one end, and keep its folder small.

        *said* has ``results``, or the ``fault`` that ended it.
        """
        attempt = Attempt.parse(key)
        kill_all(run_folder(self._house.settings, attempt))
        folders.tidy(run_folder(self._house.settings, attempt))
        fault = said.get("fault")
        with self._house.sessions.begin() as session:
            if fault is None:
                ended = {"results": said["results"], "finished_at": utc_now()}
                if move(session, attempt, "done", **ended):
                    session.add(OutboxEvent(kind="run", key=attempt.run_id))
            elif fault["kind"] != "cancelled":
                ended = {"error": fault, "finished_at": utc_now()}
                move(session, attempt, "failed", **ended)
            run = session.get(Run, attempt.run_id)
            if run is not None and run.attempt == attempt.number and fault is not None:
                run.progress = _stopped(run.progress, run.state)
            state = run.state if run is not None else "gone"
        log.info("run ended", run=attempt.run_id, state=state, kind=_kind(fault))
        return {"state": state}

    def _prepare(self, attempt: Attempt) -> Said:
        begun = {
            "started_at": utc_now(),
            "progress": {},
            "device": "gpu" if gpu_available() else "cpu",
        }
        with self._house.sessions.begin() as session:
            if not move(session, attempt, "running", **begun):
                return _gone()
            run = session.get(Run, attempt.run_id)
        if run is None:
            return _gone()
        return _said(folders.prepare(self._house, attempt, run))

    def _execute(self, attempt: Attempt) -> Said:
        folder = run_folder(self._house.settings, attempt)
        if not self._is_wanted(attempt):
            self._leave_if_closing(attempt)
            return _gone()
        template = templates.find(self._house.settings, self._template_of(attempt))
        starts = _count_start(folder)
        if starts > MOST_STARTS:
            return _said(Fault("worker", f"The worker ended {starts - 1} times in it."))
        folders.start_clean(self._house, folder)
        limits = folders.limits_of(self._house, template)
        progress = _Progress(self._house, attempt)
        fault = supervise(
            folder, limits, progress.add, lambda: self._is_wanted(attempt)
        )
        self._leave_if_closing(attempt)
        return _said(fault)

    def _store(self, attempt: Attempt) -> Said:
        with self._house.sessions.begin() as session:
            if not move(session, attempt, "storing"):
                return _gone()
            run = session.get(Run, attempt.run_id)
        if run is None:
            return _gone()
        template = templates.find(self._house.settings, run.template)
        return {"results": keep_results(self._house, attempt, run, template)}

    def _guarded(self, key: str, step: Callable[[Attempt], Said]) -> Said:
        """Do a step; whatever goes wrong is said, so that the run ends all the same."""
        attempt = Attempt.parse(key)
        try:
            return step(attempt)
        except NoSpaceError as error:
            return _said(Fault("disk", str(error)))
        except (HubError, KernelError) as error:
            return _said(Fault("result", str(error)))
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                return _said(Fault("disk", "The disk of the runs is full."))
            return self._unexpected(attempt, error)
        except Exception as error:  # noqa: BLE001 (the log and the run's row have it)
            return self._unexpected(attempt, error)

    def _unexpected(self, attempt: Attempt, error: Exception) -> Said:
        self._leave_if_closing(attempt)
        log.error("run step failed", run=attempt.run_id, exc_info=error)
        what = f"{type(error).__name__} in the worker; its log has the details."
        return _said(Fault("engine", what))

    def _is_wanted(self, attempt: Attempt) -> bool:
        """Return whether the run is to go on here."""
        if self._closing.is_set():
            return False
        with self._house.sessions.begin(write=False) as session:
            run = session.get(Run, attempt.run_id)
            return (
                run is not None
                and run.attempt == attempt.number
                and run.state == "running"
            )

    def _template_of(self, attempt: Attempt) -> str:
        with self._house.sessions.begin(write=False) as session:
            run = session.get(Run, attempt.run_id)
            return run.template if run is not None else ""

    def _leave_if_closing(self, attempt: Attempt) -> None:
        """Stay here for ever where the worker ends: the next one repeats the step."""
        if self._closing.is_set():
            log.info("run left for the next worker", run=attempt.run_id)
            threading.Event().wait()


class _Progress:
    """Writes the cells of a run into its row."""

    def __init__(self, house: House, attempt: Attempt) -> None:
        self._house = house
        self._attempt = attempt
        self._cells: dict[int, Said] = {}

    def add(self, lines: list[Said]) -> None:
        """Take new lines; the row is written once for all of them."""
        if not lines:
            return
        for line in lines:
            self._cells[line["index"]] = line
        cells = [self._cells[index] for index in sorted(self._cells)]
        said = {"total": len(cells), "cells": cells}
        with self._house.sessions.begin() as session:
            move(session, self._attempt, "running", progress=said)


def _stopped(progress: Said, state: str) -> Said:
    """Return *progress* of a run that ended early: no cell runs any more."""
    ended = "cancelled" if state == "cancelled" else "failed"
    cells = [
        {**cell, "state": ended} if cell["state"] == "running" else cell
        for cell in progress.get("cells", [])
    ]
    return {**progress, "cells": cells}


def _count_start(folder: Any) -> int:  # noqa: ANN401 (a path)
    """Return how often the execution in *folder* was started, this time included."""
    path = folder / "inputs" / ".starts"
    starts = (int(path.read_text()) if path.is_file() else 0) + 1
    path.write_text(str(starts))
    return starts


def _said(fault: Fault | None) -> Said:
    return {"fault": fault.as_dict()} if fault is not None else {}


def _gone() -> Said:
    """Return what a step says of a run that nobody wants any more."""
    return _said(Fault("cancelled", "It was cancelled."))


def _kind(fault: Said | None) -> str:
    return str(fault["kind"]) if fault else ""
