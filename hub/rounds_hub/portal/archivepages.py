"""The pages of the archive: its room, and what was deleted and can be undone."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response
from pydantic import AwareDatetime

from rounds_hub.archive import deleting
from rounds_hub.archive.overview import overview
from rounds_hub.portal.forms import FormDep, one
from rounds_hub.portal.visits import VisitDep

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

PAGE = 25


@router.get("/archive")
def show(
    visit: VisitDep, before: Annotated[AwareDatetime | None, Query()] = None
) -> HTMLResponse:
    """Show administrators what the archive holds, and what was deleted."""
    found = overview(visit.house, visit.principal)
    removals = deleting.list_removals(
        visit.house, visit.principal, before=before, limit=PAGE
    )
    return visit.page(
        "archive.html",
        active="archive",
        found=found,
        removals=removals,
        older=_older(removals),
    )


@router.post("/studies/{uid}/delete")
def delete(visit: VisitDep, uid: str, form: FormDep) -> Response:
    """Delete a study, or the one series that the form names, and offer to undo it."""
    series, reason = one(form, "series"), one(form, "reason")
    level: deleting.Level = "series" if series else "study"
    removal = deleting.delete(
        visit.house, visit.principal, level, series or uid, reason
    )
    return visit.go_to(f"deletions/{removal.id}")


@router.get("/deletions/{removal_id}")
def removed(visit: VisitDep, removal_id: str) -> HTMLResponse:
    """Show a deletion, with a button that undoes it."""
    removal = deleting.get_removal(visit.house, visit.principal, removal_id)
    return visit.page("deletion.html", active="studies", removal=removal)


@router.post("/deletions/{removal_id}/undo")
def undo(visit: VisitDep, removal_id: str) -> Response:
    """Bring back what was deleted, and show its study."""
    removal = deleting.restore(visit.house, visit.principal, removal_id)
    return visit.go_to(f"studies/{removal.study_uid}")


def _older(removals: list[deleting.RemovalRecord]) -> str:
    """Return the query of the next page, empty at the end."""
    if len(removals) < PAGE:
        return ""
    return urlencode({"before": removals[-1].at.isoformat()})
