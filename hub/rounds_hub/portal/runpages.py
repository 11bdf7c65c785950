"""The pages of runs: the list, one run as it goes on, and what came of it."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from rounds_hub.access.principal import Role
from rounds_hub.archive import service as archive
from rounds_hub.archive.service import SeriesRecord, StoredInstance
from rounds_hub.cases import service as cases
from rounds_hub.cases.views import CaseView
from rounds_hub.errors import NotFoundError
from rounds_hub.portal.labels import STATES
from rounds_hub.portal.visits import Visit, VisitDep
from rounds_hub.runs import service as runs
from rounds_hub.runs.models import Run
from rounds_hub.runs.states import ENDED
from rounds_hub.runs.templates import Template
from rounds_hub.viewer.links import made_by, viewer_path

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

MOST = 200


@router.get("/runs")
def list_of_runs(visit: VisitDep, state: str = "", mine: str = "") -> HTMLResponse:
    """Show the newest runs, all or those in one state."""
    found = runs.list_runs(visit.house, visit.principal, mine=bool(mine), limit=MOST)
    counts = {name: sum(run.state == name for run in found) for name in STATES}
    shown = [run for run in found if state in {"", run.state}]
    return visit.page(
        "runs.html",
        active="runs",
        runs=shown,
        counts={name: count for name, count in counts.items() if count},
        everything=len(found),
        me_admin=visit.principal.has(Role.ADMIN),
        state=state,
        mine=bool(mine),
        titles=visit.titles(),
    )


@router.get("/runs/{run_id}")
def show(visit: VisitDep, run_id: str) -> HTMLResponse:
    """Show a run: its progress while it goes on, then what came of it."""
    run = runs.get(visit.house, visit.principal, run_id)
    return visit.page("run.html", **_shown(visit, run))


@router.get("/runs/{run_id}/live")
def live(visit: VisitDep, run_id: str) -> HTMLResponse:
    """Return the part of a run's page that changes while it goes on."""
    run = runs.get(visit.house, visit.principal, run_id)
    return visit.page("parts/run-live.html", **_shown(visit, run))


@router.post("/runs/{run_id}/cancel")
def cancel(visit: VisitDep, run_id: str) -> Response:
    """End a run, and show it."""
    run = runs.cancel(visit.house, visit.principal, run_id)
    return visit.go_to(f"runs/{run.id}")


def _shown(visit: Visit, run: Run) -> dict[str, Any]:
    """Return what the page of *run* shows."""
    everybody = visit.principal.has(Role.ADMIN)
    own = visit.principal.name
    return {
        "active": "runs",
        "run": run,
        "template": _template(visit, run),
        "ended": run.state in ENDED,
        "asked_by": _shown_names(run, own, everybody=everybody),
        "may_cancel": any(one.principal == own for one in run.requests) or everybody,
        "case": _case(visit, run),
        "inputs": [
            (given["name"], _series(visit, given["series_uid"])) for given in run.inputs
        ],
        "objects": _objects(visit, run),
        "viewer_path": _viewer_path(visit, run),
        "has_notebook": _has_notebook(visit, run),
        "seconds_taken": _seconds(run),
    }


def _shown_names(run: Run, own: str, *, everybody: bool) -> list[str]:
    """Return who asked for *run*: oneself, and for an administrator everybody."""
    return [one.principal for one in run.requests if everybody or one.principal == own]


def _seconds(run: Run) -> float | None:
    """Return how long *run* took, None while it goes on."""
    if run.started_at is None or run.finished_at is None:
        return None
    return (run.finished_at - run.started_at).total_seconds()


def _has_notebook(visit: Visit, run: Run) -> bool:
    """Return whether *run* came far enough to leave a notebook."""
    try:
        runs.notebook(visit.house, visit.principal, run.id)
    except NotFoundError:
        return False
    return True


def _template(visit: Visit, run: Run) -> Template | None:
    """Return the template of *run* as it is now; None where it is gone."""
    try:
        return runs.template(visit.house, visit.principal, run.template)
    except NotFoundError:
        return None


def _series(visit: Visit, uid: str) -> SeriesRecord | None:
    """Return a series, or None where it may not be seen any more."""
    try:
        return archive.get_series(visit.house, visit.principal, uid)
    except NotFoundError:
        return None


def _case(visit: Visit, run: Run) -> CaseView | None:
    """Return the case on which *run* was asked for, one that may be seen."""
    for case_id in {one.case_id for one in run.requests if one.case_id}:
        try:
            return cases.get(visit.house, visit.principal, case_id)
        except NotFoundError:
            continue
    return None


def _objects(
    visit: Visit, run: Run
) -> list[tuple[SeriesRecord, tuple[StoredInstance, ...]]]:
    """Return the series that *run* put into the archive, with their instances."""
    return [
        (series, archive.instances_of(visit.house, visit.principal, series.uid))
        for series in made_by(visit.house, visit.principal, run)
    ]


def _viewer_path(visit: Visit, run: Run) -> str:
    """Return where the viewer shows what *run* made, over what it was made of."""
    given = [_series(visit, one["series_uid"]) for one in run.inputs]
    made = made_by(visit.house, visit.principal, run)
    first = next((one.uid for one in made if one.modality == "SEG"), "")
    return viewer_path([*(one for one in given if one), *made], first)
