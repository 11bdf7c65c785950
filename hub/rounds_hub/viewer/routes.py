"""The viewer OHIF below ``ohif/``: its page, its settings and its files."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from rounds_hub.access.deps import PrincipalDep
from rounds_hub.access.policy import Action, decide
from rounds_hub.access.principal import Principal
from rounds_hub.errors import ForbiddenError
from rounds_hub.portal.rendering import language_for
from rounds_hub.viewer.configuring import PAGE_POLICY, page_of, start_script
from rounds_hub.viewer.files import installed, sent

__all__ = ["router"]

router = APIRouter(prefix="/ohif", include_in_schema=False)


@router.get("/static/{key}/{path:path}")
def static_file(request: Request, key: str, path: str) -> Response:
    """Return a file of OHIF, which has no secrets, for a browser to keep."""
    return sent(key, path, request.headers.get("accept-encoding", ""))


@router.get("/app-config.js")
def settings(request: Request, principal: PrincipalDep) -> Response:
    """Return the script that tells OHIF where our DICOMweb is."""
    _admit(principal)
    prefix = cast("str", request.app.state.prefix)
    files = f"{prefix}ohif/static/{installed().key}/"
    script = start_script(prefix, files, language_for(request).tag)
    return Response(script, media_type="text/javascript; charset=utf-8")


@router.get("/{path:path}")
def viewer(request: Request, principal: PrincipalDep, path: str) -> HTMLResponse:
    """Return the page of the viewer; its script reads the rest of the address.

    What it shows comes from DICOMweb, which asks the policy for every series.
    """
    del path
    _admit(principal)
    prefix, here = cast("str", request.app.state.prefix), installed()
    files = f"{prefix}ohif/static/{here.key}/"
    made = page_of(prefix, files, here.entry, language_for(request).html)
    return HTMLResponse(made, headers={"Content-Security-Policy": PAGE_POLICY})


def _admit(principal: Principal) -> None:
    """Refuse who may not look at cases at all."""
    if not decide(principal, Action.SEARCH):
        msg = f"{principal.name!r} may not look at cases here."
        raise ForbiddenError(msg)
