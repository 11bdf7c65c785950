"""Sign people in through the hub, and programs by the hub's tokens.

A browser is sent to the hub (OAuth 2 with PKCE, RFC 7636) and comes back with a token
that is kept in a cookie of this service alone; a program sends a token of the hub in
``Authorization: token …`` (or ``Bearer …``).
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from jupyterhub.services.auth import HubOAuth
from tornado.web import HTTPError

from rounds_hub.access.principal import Principal, principal_of
from rounds_hub.errors import BusyError, CrossSiteError, NotSignedInError

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["HubSignIn", "SignIn", "refuse_cross_site", "safe_next"]

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_STATE_COOKIE = "rounds-sign-in"
_STATE_SECONDS = 600


class SignIn(Protocol):
    """How a request is turned into a principal."""

    async def identify(self, request: Request) -> Principal:
        """Return who asks, or raise NotSignedInError."""

    def start(self, request: Request) -> Response:
        """Return the answer that sends a browser to where it can sign in."""

    def router(self) -> APIRouter:
        """Return the routes that signing in needs."""


def refuse_cross_site(request: Request) -> None:
    """Refuse a change that a browser sends on behalf of another site.

    ``Sec-Fetch-Site`` decides where a browser sends it (Fetch Metadata), else
    ``Origin`` must be this host.

    Raises
    ------
    CrossSiteError
        If the request comes from elsewhere, or does not say where from.
    """
    if request.method in _SAFE_METHODS:
        return
    fetched_from = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetched_from is not None:
        same = fetched_from == "same-origin"
    else:
        host = request.headers.get("host", "")
        same = origin is not None and urlsplit(origin).netloc == host
    if not same:
        msg = "The form came from another site; open the page here and send it again."
        raise CrossSiteError(msg)


def safe_next(wanted: str, prefix: str) -> str:
    r"""Return *wanted* if it is a path below *prefix*, else *prefix* itself.

    Examples
    --------
    >>> safe_next("/services/rounds/cases", "/services/rounds/")
    '/services/rounds/cases'
    >>> safe_next("//elsewhere.example/", "/services/rounds/")
    '/services/rounds/'
    """
    parts = urlsplit(wanted)
    plain = not parts.scheme and not parts.netloc and "\\" not in wanted
    below = parts.path.startswith(prefix) and ".." not in parts.path
    return wanted if plain and below and wanted.isprintable() else prefix


class HubSignIn:
    """Sign-in through JupyterHub, as one of its services.

    Parameters
    ----------
    prefix
        The path below which the service answers, with slashes at both ends.
    """

    def __init__(self, prefix: str) -> None:
        """Take the service's identity from the environment that the hub gave it."""
        self.prefix = prefix
        # A short memory of answers: signing out at the hub ends the session here, too.
        self.hub = HubOAuth.instance(cache_max_age=5)
        self.cookie = self.hub.cookie_name

    async def identify(self, request: Request) -> Principal:
        """Return who asks, by header or by cookie.

        Raises
        ------
        NotSignedInError
            If there is no token, or the hub does not know it.
        BusyError
            If the hub does not answer.
        """
        token = _token_in_header(request)
        if not token:
            token = request.cookies.get(self.cookie, "")
            if not token:
                msg = "Sign in, or send a token of the hub in the header Authorization."
                raise NotSignedInError(msg)
            refuse_cross_site(request)
        model = await self._model(token, request.cookies.get("jupyterhub-session-id"))
        if model is None or not self.hub.check_scopes(self.hub.access_scopes, model):
            msg = "The hub does not know this sign-in (any more). Sign in again."
            raise NotSignedInError(msg)
        if model.get("kind") == "service":
            return Principal(f"service:{model['name']}")
        groups = model.get("groups") or []
        return principal_of(model["name"], groups, admin=bool(model.get("admin")))

    async def _model(self, token: str, session: str | None) -> dict[str, Any] | None:
        """Return what the hub says of *token*, or None."""
        try:
            found: dict[str, Any] | None = await self.hub.user_for_token(
                token, session_id=session or "", sync=False
            )
        except HTTPError as error:
            msg = "The hub does not answer; try again in a moment."
            raise BusyError(msg) from error
        return found

    def start(self, request: Request) -> Response:
        """Return the redirect to the hub, with the state kept in a cookie."""
        verifier, challenge, method = self.hub.generate_pkce_code_challenge()
        state = secrets.token_urlsafe(24)
        wanted = request.url.path
        if request.url.query:
            wanted = f"{wanted}?{request.url.query}"
        query = {
            "client_id": self.hub.oauth_client_id,
            "redirect_uri": self.hub.oauth_redirect_uri,
            "response_type": "code",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": method,
        }
        where = f"{self.hub.oauth_authorization_url}?{urlencode(query)}"
        answer = RedirectResponse(where, status_code=302)
        kept = {"state": state, "verifier": verifier, "next": wanted}
        self._set(answer, request, _STATE_COOKIE, json.dumps(kept), _STATE_SECONDS)
        return answer

    def router(self) -> APIRouter:
        """Return the route to which the hub sends a browser back."""
        router = APIRouter()

        @router.get("/oauth_callback", include_in_schema=False)
        async def come_back(
            request: Request, code: str = "", state: str = ""
        ) -> Response:
            return await self._finish(request, code, state)

        @router.get("/sign-out", include_in_schema=False)
        async def sign_out(request: Request) -> Response:
            del request
            answer = RedirectResponse(f"{self.hub.hub_prefix}logout", status_code=302)
            answer.delete_cookie(self.cookie, path=self.prefix)
            return answer

        return router

    async def _finish(self, request: Request, code: str, state: str) -> Response:
        """Exchange *code* for a token, if *state* is the one we gave out."""
        kept = _kept_state(request)
        if not code or not secrets.compare_digest(
            state.encode(), str(kept.get("state", "")).encode() or b"none was given"
        ):
            # Too late, or a second tab: begin again instead of explaining cookies.
            return RedirectResponse(self.prefix, status_code=302)
        token = await self.hub.token_for_code(
            code, code_verifier=kept.get("verifier"), sync=False
        )
        where = safe_next(str(kept.get("next", "")), self.prefix)
        answer = RedirectResponse(where, status_code=302)
        self._set(answer, request, self.cookie, token, None)
        answer.delete_cookie(_STATE_COOKIE, path=self.prefix)
        return answer

    def _set(
        self,
        answer: Response,
        request: Request,
        name: str,
        value: str,
        seconds: int | None,
    ) -> None:
        """Set a cookie that scripts cannot read and other sites cannot send."""
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        answer.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self.prefix,
            httponly=True,
            samesite="lax",
            secure=secure,
        )


def _token_in_header(request: Request) -> str:
    """Return the token in the header Authorization, or nothing."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() in {"token", "bearer"} else ""


def _kept_state(request: Request) -> dict[str, Any]:
    """Return what the state cookie holds, or nothing where it is garbled."""
    try:
        kept = json.loads(request.cookies.get(_STATE_COOKIE, "{}"))
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}
