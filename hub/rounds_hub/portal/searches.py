"""The pages of searches that somebody keeps: save, open, rename, remove, be told."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import QueryParams

from rounds_hub.cases import saved
from rounds_hub.cases.saved import Alert, SavedView
from rounds_hub.errors import BusyError
from rounds_hub.portal.forms import FormDep, one
from rounds_hub.portal.keeping import looking_of, request_of
from rounds_hub.portal.labels import FACETS, N_
from rounds_hub.portal.looking import Looking
from rounds_hub.portal.visits import Visit, VisitDep

__all__ = ["router"]

router = APIRouter(prefix="/searches", include_in_schema=False)

LONGEST_ADDRESS = 8_000
NOTICES = {
    "saved": N_("Saved. You are told of new hits here and by the bell."),
    "renamed": N_("Renamed."),
    "seen": N_("Nothing is counted as new any more."),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept search as the page shows it: what it looks for, and what is new."""

    search: SavedView
    looking: Looking
    new: tuple[Alert, ...] = ()


@router.get("")
def mine(visit: VisitDep, done: str = "") -> HTMLResponse:
    """Show the searches that the visitor keeps, and what they found since."""
    told = saved.alerts(visit.house, visit.principal)
    return visit.page(
        "searches.html",
        active="cases",
        searches=[
            Kept(
                search,
                looking_of(search.request),
                tuple(alert for alert in told if alert.search_id == search.id),
            )
            for search in saved.every(visit.house, visit.principal)
        ],
        facet_names=FACETS,
        notice=NOTICES.get(done, ""),
        gone=_gone(visit),
    )


@router.post("")
def keep(visit: VisitDep, form: FormDep) -> Response:
    """Keep the search that an address says, then show all that are kept."""
    looking = Looking.of(QueryParams(one(form, "asked")[:LONGEST_ADDRESS]))
    request = request_of(looking, visit.language.tag)
    name, alert = one(form, "name"), bool(one(form, "alert"))
    saved.create(visit.house, visit.principal, name, request, alert=alert)
    return visit.go_to("searches?done=saved")


@router.get("/bell")
def bell(visit: VisitDep) -> HTMLResponse:
    """Return the bell of the bar, with how many hits are new."""
    try:
        new = len(saved.alerts(visit.house, visit.principal))
    except BusyError:
        # The index is being rebuilt: the bell is silent until it answers.
        new = 0
    return visit.page("parts/bell.html", new=new, asked=True)


@router.get("/{search_id}")
def show(visit: VisitDep, search_id: str) -> Response:
    """Show what a kept search finds now; nothing of it is new any more."""
    kept = saved.get(visit.house, visit.principal, search_id)
    saved.mark_seen(visit.house, visit.principal, search_id)
    return visit.go_to(f"cases?{looking_of(kept.request).query}")


@router.post("/{search_id}/{deed}")
def act(
    visit: VisitDep,
    form: FormDep,
    search_id: str,
    deed: Literal["rename", "alert", "seen", "remove"],
) -> Response:
    """Change a kept search or remove it, then show all that are kept."""
    house, principal = visit.house, visit.principal
    if deed == "remove":
        return _remove(visit, search_id)
    if deed == "rename":
        saved.change(house, principal, search_id, name=one(form, "name"))
        return visit.go_to("searches?done=renamed")
    if deed == "seen":
        saved.mark_seen(house, principal, search_id)
        return visit.go_to("searches?done=seen")
    saved.change(house, principal, search_id, alert=bool(one(form, "alert")))
    return visit.go_to(f"searches#{quote(search_id, safe='')}")


def _remove(visit: Visit, search_id: str) -> Response:
    """Remove a search; the page that follows knows enough to bring it back."""
    kept = saved.get(visit.house, visit.principal, search_id)
    saved.delete(visit.house, visit.principal, search_id)
    was = {
        "name": kept.name,
        "asked": looking_of(kept.request).query,
        "alert": "on" if kept.alert else "",
    }
    return visit.go_to(f"searches?{urlencode({'gone': urlencode(was)})}")


def _gone(visit: Visit) -> dict[str, str]:
    """Return what was removed just now, to bring it back; nothing where nothing was."""
    said = QueryParams(visit.request.query_params.get("gone", "")[:LONGEST_ADDRESS])
    return (
        {name: said.get(name, "") for name in ("name", "asked", "alert")}
        if said
        else {}
    )
