"""Find work that was recorded and that nobody does, and have it done or ended."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from rounds_hub.archive.models import Import
from rounds_hub.cases.unknown import reveal_due
from rounds_hub.catalogue.models import utc_now
from rounds_hub.gateway.working import hand_over
from rounds_hub.runs.faults import Fault
from rounds_hub.runs.models import Run
from rounds_hub.runs.states import ENDED, attempt_of, move

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.house import House

__all__ = ["EVERY_SECONDS", "make_font_cache", "once"]

EVERY_SECONDS = 15.0
PATIENCE = timedelta(seconds=5)
"""Younger work is on its way into the queue."""

log = structlog.get_logger()


def once(house: House) -> None:
    """Hand over what waits outside the queue; end runs that no workflow does any more.

    The row is written before the queue is told, so a crash between the two leaves a
    row that waits: it is handed over here. Unknown cases whose day has come are told.
    """
    hand_over(house)
    reveal_due(house)
    since = utc_now() - PATIENCE
    open_runs = select(Run).where(Run.state.not_in(ENDED), Run.created_at < since)
    waiting = select(Import.id).where(
        Import.state == "waiting", Import.created_at < since
    )
    with house.sessions.begin(write=False) as session:
        runs = list(session.scalars(open_runs))
        imports = list(session.scalars(waiting))
    for run in runs:
        _check_run(house, run)
    for key in imports:
        if house.work.state("import", key) is None:
            house.work.enqueue("import", key)


def _check_run(house: House, run: Run) -> None:
    """Hand *run* over if nobody has it; end it if its workflow has ended without it."""
    attempt = attempt_of(run)
    state = house.work.state("run", str(attempt))
    if state is None:
        log.info("run handed over again", run=run.id)
        house.work.enqueue("run", str(attempt))
    elif state in ENDED:
        fault = Fault("worker", "The work on it ended without a result. Ask again.")
        with house.sessions.begin() as session:
            ended = {"error": fault.as_dict(), "finished_at": utc_now()}
            if move(session, attempt, "failed", **ended):
                log.warning("run ended without its workflow", run=run.id)


def make_font_cache(folder: Path) -> None:
    """Have Matplotlib write its list of fonts to *folder*, where it has not yet."""
    if folder.is_dir() and any(folder.iterdir()):
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        env={**os.environ, "MPLCONFIGDIR": str(folder)},
        check=False,
        capture_output=True,
        timeout=120,
    )
