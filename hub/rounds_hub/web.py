"""The one web service: every room's routes below one prefix, one way to sign in."""

from __future__ import annotations

import os
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, cast
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException

from rounds_hub import __version__
from rounds_hub.access.signin import HubSignIn
from rounds_hub.bounds import PLAIN_BODY, BodyLimit
from rounds_hub.cases.uploads import LARGEST_QUESTION
from rounds_hub.errors import HubError, InvalidError, NotSignedInError
from rounds_hub.house import House
from rounds_hub.logs import log_lines
from rounds_hub.processes import die_with_parent
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from rounds_hub.access.signin import SignIn

__all__ = ["create_app", "main"]

ROOMS = (
    "access",
    "archive",
    "dicomweb",
    "gateway",
    "cases",
    "federation",
    "indexing",
    "runs",
    "routing",
    "viewer",
    "portal",
)

log = structlog.get_logger()


def create_app(house: House, sign_in: SignIn, prefix: str = "/") -> FastAPI:
    """Return the service on *house*, answering below *prefix*.

    Parameters
    ----------
    house
        The opened house; whoever opened it closes it.
    sign_in
        How a request is turned into a principal.
    prefix
        The path at which the service is mounted, with slashes at both ends.
    """
    app = FastAPI(
        title="Rounds",
        version=__version__,
        description="Cases, series, templates and runs of one house.",
        openapi_url=f"{prefix}api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.house = house
    app.state.sign_in = sign_in
    app.state.prefix = prefix
    below = prefix.rstrip("/")
    app.include_router(sign_in.router(), prefix=below)
    for room in ROOMS:
        routes = import_module(f"rounds_hub.{room}.routes")
        app.include_router(routes.router, prefix=below)
    _answer_errors(app)
    stow = f"{prefix}dicomweb/studies"
    uploads = frozenset({f"{prefix}api/imports", f"{prefix}import", stow, f"{stow}/"})
    most = house.settings.max_upload_bytes
    asked_with = dict.fromkeys(
        (f"{prefix}api/search", f"{prefix}cases/picture"), LARGEST_QUESTION + PLAIN_BODY
    )
    app.add_middleware(
        BodyLimit, uploads=uploads, upload_bytes=most, questions=asked_with
    )
    app.add_middleware(_Hardened)
    return app


def _answer_errors(app: FastAPI) -> None:
    """Say every error in one form: problem+json (RFC 9457) or a page."""
    from rounds_hub.portal.errors import error_page  # noqa: PLC0415 (needs its assets)

    async def answer(request: Request, error: HubError) -> Response:
        if _wants_page(request):
            if isinstance(error, NotSignedInError) and request.method == "GET":
                return cast("SignIn", app.state.sign_in).start(request)
            return error_page(request, error)
        return _problem(error)

    async def hub_error(request: Request, error: Exception) -> Response:
        return await answer(request, cast("HubError", error))

    async def invalid(request: Request, error: Exception) -> Response:
        problems = {
            ".".join(str(part) for part in found["loc"][1:]): str(found["msg"])
            for found in cast("RequestValidationError", error).errors()
        }
        named = "; ".join(f"{name}: {why}" for name, why in sorted(problems.items()))
        return await answer(request, InvalidError(f"Not valid: {named}.", problems))

    async def plain(request: Request, error: Exception) -> Response:
        found = cast("HTTPException", error)
        return await answer(request, _as_hub_error(found.status_code))

    async def unexpected(request: Request, error: Exception) -> Response:
        # Whoever runs the house reads the traceback in the log of this process.
        log.error("unexpected", route=_route_of(request), exc_info=error)
        return await answer(request, _as_hub_error(HTTPStatus.INTERNAL_SERVER_ERROR))

    app.add_exception_handler(HubError, hub_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, unexpected)


def _route_of(request: Request) -> str:
    """Return the route's own words: the address may hold what was typed."""
    return str(getattr(request.scope.get("route"), "path", "unknown"))


def _as_hub_error(status: int) -> HubError:
    """Return an error of ours for a bare HTTP *status*."""
    phrases = {
        404: "There is no such page.",
        405: "This address does not take that method.",
        500: "Something went wrong here; the administrator's log has the details.",
    }
    error = HubError(phrases.get(status, HTTPStatus(status).phrase))
    error.status = status  # type: ignore[misc] # this one instance differs
    error.title = HTTPStatus(status).phrase  # type: ignore[misc] # likewise
    return error


def _problem(error: HubError) -> Response:
    """Return *error* as problem+json (RFC 9457)."""
    content: dict[str, object] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
    }
    if isinstance(error, InvalidError) and error.problems:
        content["problems"] = error.problems
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None  # noqa: PLR2004 (RFC 9110, 11.6.1)
    return JSONResponse(
        content, error.status, headers, media_type="application/problem+json"
    )


def _wants_page(request: Request) -> bool:
    """Return whether a person's browser asked for a page, not for the API."""
    prefix = cast("str", request.app.state.prefix)
    api = request.url.path.startswith((f"{prefix}api/", f"{prefix}dicomweb/"))
    return not api and "text/html" in request.headers.get("accept", "")


class _Hardened:
    """Set the headers that keep a browser from guessing and from embedding us."""

    headers: ClassVar[dict[str, str]] = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": (
            "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; "
            "script-src 'self'; object-src 'none'; base-uri 'none'; "
            "form-action 'self'; frame-ancestors 'self'"
        ),
        "Cache-Control": "no-store",
    }

    def __init__(self, app: ASGIApp) -> None:
        """Wrap *app*."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add what the answer does not say itself."""

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_hardened)


def main() -> None:
    """Serve at the address that the hub gave, until the hub is gone."""
    import uvicorn  # noqa: PLC0415 (only this process needs it)

    die_with_parent()
    log_lines()
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/services/rounds/")
    where = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:8100"))
    house = House.open(load_settings())
    app = create_app(house, HubSignIn(prefix), prefix)
    try:
        uvicorn.run(
            app,
            host=where.hostname or "127.0.0.1",
            port=where.port or 8100,
            log_level="warning",
            access_log=False,
            proxy_headers=True,
            timeout_graceful_shutdown=5,
            server_header=False,
        )
    finally:
        house.close()


if __name__ == "__main__":
    main()
