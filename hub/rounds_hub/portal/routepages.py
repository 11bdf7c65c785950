"""The pages of routes: the list, the dry run, the history, and what they did."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from rounds_hub.errors import NotFoundError
from rounds_hub.portal.forms import FormDep, one
from rounds_hub.portal.labels import ACTIONS, OUTCOMES
from rounds_hub.portal.visits import Visit, VisitDep
from rounds_hub.routing import firings, holding, service, trying

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

SHOWN = 100


@router.get("/routes")
def list_of_routes(visit: VisitDep) -> HTMLResponse:
    """Show the routes in their order, what they did, and the deleted ones."""
    return visit.page(
        "routes.html",
        active="routes",
        routes=service.list_routes(visit.house, visit.principal),
        deleted=service.list_routes(visit.house, visit.principal, deleted=True),
        held=holding.list_held(visit.house, visit.principal),
        titles=visit.titles(),
        kinds=ACTIONS,
    )


@router.get("/routes/activity")
def activity(visit: VisitDep, route: str = "", state: str = "") -> HTMLResponse:
    """Show what routes did, the newest first."""
    return visit.page("route-activity.html", **_activity(visit, route, state))


@router.get("/routes/activity/live")
def activity_live(visit: VisitDep, route: str = "", state: str = "") -> HTMLResponse:
    """Return the part of the activity that changes while actions go on."""
    shown = _activity(visit, route, state)
    return visit.page("parts/route-activity-live.html", **shown)


@router.post("/routes/activity/{firing_id}/retry")
def retry(visit: VisitDep, firing_id: int) -> Response:
    """Do an action again that failed, and show the activity."""
    firings.retry(visit.house, visit.principal, firing_id)
    return visit.go_to("routes/activity")


@router.get("/routes/dry-run")
def dry_run(visit: VisitDep, series: str = "", route: str = "") -> HTMLResponse:
    """Show what would come of a series, clause by clause; nothing is done."""
    newest = trying.newest(visit.house, visit.principal)
    found, missing = None, ""
    draft = service.get(visit.house, visit.principal, route) if route else None
    uid = series.strip()
    if uid:
        try:
            found = trying.dry_run(visit.house, visit.principal, uid, draft=draft)
        except NotFoundError:
            missing = uid[:64]
    return visit.page(
        "route-dry-run.html",
        active="routes",
        newest=newest,
        found=found,
        missing=missing,
        route=draft,
        series=uid[:64],
        outcomes=OUTCOMES,
        kinds=ACTIONS,
        titles=visit.titles(),
    )


@router.get("/routes/{route_id}/history")
def history(visit: VisitDep, route_id: str) -> HTMLResponse:
    """Show the versions of a route, the newest first."""
    return visit.page(
        "route-history.html",
        active="routes",
        route=service.get(visit.house, visit.principal, route_id),
        versions=service.history(visit.house, visit.principal, route_id),
        titles=visit.titles(),
        kinds=ACTIONS,
    )


@router.post("/routes/{route_id}/restore/{version}")
def restore(visit: VisitDep, route_id: str, version: int) -> Response:
    """Make a route what it was in an older version, and show it."""
    service.restore_version(visit.house, visit.principal, route_id, version)
    return visit.go_to(f"routes/{route_id}/history")


@router.post("/routes/held/{uid}/release")
def release(visit: VisitDep, uid: str) -> Response:
    """Let a held series be seen again, and show the routes."""
    holding.release(visit.house, visit.principal, uid)
    return visit.go_to("routes")


@router.post("/routes/{route_id}/do")
def do(visit: VisitDep, route_id: str, sent: FormDep) -> Response:
    """Switch, move, delete or bring back a route, and show the list."""
    _DEEDS.get(one(sent, "do"), _nothing)(visit, route_id)
    return visit.go_to("routes")


def _activity(visit: Visit, route: str, state: str) -> dict[str, Any]:
    """Return what the page of the activity shows."""
    found = firings.list_firings(visit.house, visit.principal, route_id=route)
    counts = {name: sum(one.state == name for one in found) for name in firings.STATES}
    return {
        "active": "routes",
        "firings": [one for one in found if state in {"", one.state}][:SHOWN],
        "everything": len(found),
        "counts": {name: count for name, count in counts.items() if count},
        "state": state,
        "route": route,
        "going_on": any(one.state in {"waiting", "running"} for one in found),
        "titles": visit.titles(),
        "kinds": ACTIONS,
    }


def _switch_on(visit: Visit, route_id: str) -> None:
    service.switch(visit.house, visit.principal, route_id, enabled=True)


def _switch_off(visit: Visit, route_id: str) -> None:
    service.switch(visit.house, visit.principal, route_id, enabled=False)


def _delete(visit: Visit, route_id: str) -> None:
    service.delete(visit.house, visit.principal, route_id)


def _undelete(visit: Visit, route_id: str) -> None:
    service.undelete(visit.house, visit.principal, route_id)


def _up(visit: Visit, route_id: str) -> None:
    """Put a route before the one that stands before it."""
    order = _order(visit)
    place = order.index(route_id) if route_id in order else 0
    if place > 0:
        before = order[place - 1]
        service.move(visit.house, visit.principal, route_id, before=before)


def _down(visit: Visit, route_id: str) -> None:
    """Put a route after the one that stands after it."""
    order = _order(visit)
    place = order.index(route_id) if route_id in order else len(order)
    if place < len(order) - 1:
        before = order[place + 2] if place + 2 < len(order) else None
        service.move(visit.house, visit.principal, route_id, before=before)


def _nothing(visit: Visit, route_id: str) -> None:
    """Do nothing but look: a button that nobody made was pressed."""
    service.get(visit.house, visit.principal, route_id)


def _order(visit: Visit) -> list[str]:
    """Return the ids of the routes in their order."""
    found = service.list_routes(visit.house, visit.principal)
    return [one.route.id for one in found]


_DEEDS = {
    "on": _switch_on,
    "off": _switch_off,
    "delete": _delete,
    "undelete": _undelete,
    "up": _up,
    "down": _down,
}
