"""The page of other hubs, and what they find beside our own hits."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from rounds_hub.errors import ConflictError, InvalidError
from rounds_hub.federation import registry
from rounds_hub.federation.asking import ask_peers
from rounds_hub.portal.forms import FormDep, one
from rounds_hub.portal.looking import Looking
from rounds_hub.portal.visits import Visit, VisitDep

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

TEXTS = ("name", "title", "url", "public_key")
SWITCHES = ("is_asked", "may_ask")


@router.get("/cases/elsewhere")
def elsewhere(visit: VisitDep) -> HTMLResponse:
    """Show what other hubs find, with those by name that do not answer."""
    looking = Looking.of(visit.request.query_params)
    question = looking.pictureless.question(visit.language.tag, None)
    found = ask_peers(visit.house, visit.principal, question)
    template = "parts/elsewhere.html" if visit.partial else "elsewhere.html"
    return visit.page(template, active="cases", looking=looking, found=found)


@router.get("/peers")
def list_of_peers(visit: VisitDep) -> HTMLResponse:
    """Show the other hubs, and our key for them."""
    return _page(visit)


@router.post("/peers")
def add_peer(visit: VisitDep, sent: FormDep) -> Response:
    """Add a hub, or show the form again with what is wrong."""
    values: dict[str, Any] = {name: one(sent, name).strip() for name in TEXTS}
    values |= {name: one(sent, name) == "on" for name in SWITCHES}
    try:
        registry.add_peer(visit.house, visit.principal, values)
    except (InvalidError, ConflictError) as error:
        return _page(visit, values, error)
    return visit.go_to("peers")


@router.post("/peers/{name}/switch")
def switch_peer(visit: VisitDep, name: str) -> Response:
    """Switch a hub off, or on again."""
    known = registry.get_peer(visit.house, visit.principal, name)
    change = {"enabled": not known.enabled}
    registry.change_peer(visit.house, visit.principal, name, change)
    return visit.go_to("peers")


@router.post("/peers/{name}/delete")
def delete_peer(visit: VisitDep, name: str) -> Response:
    """Remove a hub."""
    registry.remove_peer(visit.house, visit.principal, name)
    return visit.go_to("peers")


def _page(
    visit: Visit,
    values: dict[str, Any] | None = None,
    error: InvalidError | ConflictError | None = None,
) -> HTMLResponse:
    """Return the page, with *values* in its form and what is wrong with them."""
    problems = error.problems if isinstance(error, InvalidError) else {}
    return visit.page(
        "peers.html",
        error.status if error else 200,
        active="nodes",
        peers=registry.list_peers(visit.house, visit.principal),
        key=registry.our_key(visit.house, visit.principal),
        values=values or {},
        problems=problems,
        message=str(error) if error else "",
    )
