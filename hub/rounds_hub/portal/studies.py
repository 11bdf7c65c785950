"""The pages of studies: what came in, and a case from it in one action."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from rounds_hub.archive import service as archive
from rounds_hub.archive.conformance import series_report
from rounds_hub.archive.deleting import deletable
from rounds_hub.archive.overlays import source_of
from rounds_hub.archive.volumes import open_stacks
from rounds_hub.cases import service as cases
from rounds_hub.portal.case import offered
from rounds_hub.portal.transfers import destinations
from rounds_hub.portal.viewing import geometry, viewable, viewed
from rounds_hub.portal.visits import VisitDep
from rounds_hub.routing.holding import labels_in
from rounds_hub.viewer.links import viewer_path

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

PAGE = 50


@router.get("/studies")
def list_of_studies(visit: VisitDep, words: str = "", after: str = "") -> HTMLResponse:
    """Show the studies that one may see, the newest first."""
    found = archive.list_studies(
        visit.house, visit.principal, words[:500], after=after, size=PAGE
    )
    return visit.page("studies.html", active="studies", found=found, words=words)


@router.get("/studies/{uid}")
def show(visit: VisitDep, uid: str) -> HTMLResponse:
    """Show a study: its series, and what can be done with them."""
    study = archive.get_study(visit.house, visit.principal, uid)
    pictures = [series for series in study.series if viewable(series)]
    return visit.page(
        "study.html",
        active="studies",
        study=study,
        reports={
            one.uid: series_report(visit.house, visit.principal, one.uid)
            for one in study.series
        },
        viewer_path=viewer_path([*pictures, *study.series]) if pictures else "",
        viewer_series=viewed(pictures, visit.language),
        offers=offered(visit, [series.uid for series in pictures]),
        labels=labels_in(
            visit.house, visit.principal, [series.uid for series in study.series]
        ),
        destinations=destinations(visit),
        deletable=deletable(
            visit.house, visit.principal, [one.uid for one in study.series]
        ),
        undo_days=visit.house.settings.deletion_undo_days,
    )


@router.get("/viewer/{uid}")
def planes(visit: VisitDep, uid: str) -> dict[str, Any]:
    """Return the planes and the window of a series, for the viewer.

    Those of a segmentation are those of the series that it is laid over.
    """
    series = archive.get_series(visit.house, visit.principal, uid)
    source = None
    if series.modality == "SEG":
        source = source_of(visit.house, visit.principal, series)
    stacks = open_stacks(visit.house, visit.principal, (source or series).uid)
    return geometry(stacks, visit.language)


@router.post("/studies/{uid}/case")
def make_case(visit: VisitDep, uid: str) -> Response:
    """Make a draft of a study's pictures, and open it for writing."""
    case = cases.create_from_study(visit.house, visit.principal, uid)
    return visit.go_to(f"cases/{quote(case.id, safe='')}/edit")
