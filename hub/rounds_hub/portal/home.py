"""The first page: what one can do now, and where one left off."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from typing import TYPE_CHECKING, cast

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from rounds_hub.access.deps import HouseDep
from rounds_hub.access.policy import Action, decide
from rounds_hub.archive import imports
from rounds_hub.cases import service as cases
from rounds_hub.cases.searching import Found, Question, search
from rounds_hub.errors import BusyError
from rounds_hub.portal.rendering import page
from rounds_hub.portal.visits import Visit, VisitDep, recognised
from rounds_hub.runs import service as runs

if TYPE_CHECKING:
    from rounds_hub.access.signin import SignIn

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

NEWEST = 6
RUNS = 5
DRAFTS = 6
IMPORTS = 4
HUB_COOKIE = "jupyterhub-session-id"


@router.get("/")
async def home(request: Request, house: HouseDep) -> Response:
    """Show what is new and one's own, or to a stranger what this is."""
    principal = await recognised(request)
    if principal is None and HUB_COOKIE in request.cookies:
        # The hub knows this browser: it comes back signed in without a question.
        return cast("SignIn", request.app.state.sign_in).start(request)
    if principal is None:
        return page(request, "landing.html", stranger=True)
    return await run_in_threadpool(_home, Visit(request, house, principal))


@router.get("/sign-in")
def signed_in(visit: VisitDep) -> Response:
    """Go home; whoever is not signed in is asked to on the way."""
    return visit.go_to("")


def _home(visit: Visit) -> Response:
    """Return the first page of somebody who is signed in."""
    house, principal = visit.house, visit.principal
    imports_too = decide(principal, Action.IMPORT_CREATE)
    drafts = cases.drafts(house, principal) if imports_too else ()
    return visit.page(
        "home.html",
        newest=_newest(visit),
        my_runs=runs.list_runs(house, principal, mine=True, limit=RUNS),
        titles=visit.titles(),
        drafts=drafts[:DRAFTS],
        imports=imports.list_imports(house, principal, limit=IMPORTS)
        if imports_too
        else [],
        gone=visit.request.query_params.get("gone", ""),
    )


def _newest(visit: Visit) -> Found | None:
    """Return the newest cases; None where the index does not answer."""
    question = Question(
        where={"kind": ("case",)},
        sort="newest",
        size=NEWEST,
        language=visit.language.tag,
        counted=False,
    )
    try:
        return search(visit.house, visit.principal, question)
    except BusyError:
        # The page has more to show than this list, and says that it is missing.
        return None
