"""Errors as pages: what happened, to which thing, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse

from rounds_hub.errors import BusyError, HubError, InvalidError
from rounds_hub.portal.labels import N_, TITLES
from rounds_hub.portal.rendering import page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["error_page", "said_of"]

NEXT_STEPS = {
    401: N_("Sign in and try again."),
    403: N_("Ask the owner or an administrator if you need this."),
    404: N_("It may have been withdrawn, or it is not shared with you. Search for it."),
    405: N_("Go back and use the buttons of the page."),
    409: N_("Go back, load the page again, and look at what changed."),
    413: N_("Send less at once, or ask an administrator to raise the limit."),
    422: N_("Go back and correct what is named above."),
    500: N_("Try again; if it happens again, tell an administrator the time."),
    503: N_("Wait a moment and try again."),
    507: N_("Nothing half stored is left. An administrator has to make room."),
}


def said_of(error: HubError) -> dict[str, Any]:
    """Return what a page says of *error*: what it is, of what, and what to do next."""
    problems = error.problems if isinstance(error, InvalidError) else {}
    return {
        "title": TITLES.get(error.status, error.title),
        "code": error.status,
        "detail": str(error),
        "problems": problems,
        "next_step": NEXT_STEPS.get(error.status, NEXT_STEPS[500]),
    }


def error_page(request: Request, error: HubError) -> Response:
    """Return the page that tells a person of *error*; for htmx only its notice."""
    shown = said_of(error)
    partial = request.headers.get("hx-request") == "true"
    template = "parts/error.html" if partial else "error.html"
    try:
        return page(request, template, error.status, **shown)
    except BusyError as unbuilt:
        # Without the built front end no page can be drawn; words still can.
        return PlainTextResponse(f"{error}\n{unbuilt}\n", error.status)
