"""Who may sign in: demo accounts on loopback, the machine's own users elsewhere."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from jupyterhub.auth import Authenticator, PAMAuthenticator
from jupyterhub.handlers.login import LoginHandler
from tornado.web import HTTPError
from traitlets import Dict, Float, Int, Unicode

from rounds_hub.deployment.guesses import GuessLimit
from rounds_hub.deployment.logout import EndEverySession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyterhub.handlers import BaseHandler

__all__ = ["DemoAuthenticator", "HouseAuthenticator", "LimitedGuesses"]


class LimitedGuesses(Authenticator):  # type: ignore[misc] # untyped there
    """Refuses to look at passwords for a while after too many wrong ones."""

    guesses = Int(10, help="Wrong passwords in a row before a pause.").tag(config=True)
    pause_seconds = Float(300, help="The length of that pause.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 (traitlets' own signature)
        """Start with no wrong password counted."""
        super().__init__(**kwargs)
        self._limit = GuessLimit(self.guesses, self.pause_seconds)

    async def get_authenticated_user(
        self, handler: BaseHandler, data: Mapping[str, str]
    ) -> Any:  # noqa: ANN401 (JupyterHub's model of a user)
        """Return who signs in with *data*, or None; 429 while there is a pause."""
        user = self.normalize_username(str(data.get("username", "")))
        address = str(handler.request.remote_ip)
        wait = self._limit.wait(user, address)
        if wait:
            raise HTTPError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"Too many wrong passwords. Try again in {wait / 60:.0f} minutes."
                if wait > 90  # noqa: PLR2004 (from here on minutes read better)
                else f"Too many wrong passwords. Try again in {wait:.0f} seconds.",
            )
        # Counted before the answer: guesses at the same moment do not slip through.
        self._limit.wrong(user, address)
        model = await super().get_authenticated_user(handler, data)
        if model:
            self._limit.right(user, address)
        return model

    def get_handlers(self, app: object) -> list[tuple[str, type[BaseHandler]]]:
        """Return the pages to sign in and to sign out."""
        del app  # JupyterHub's signature
        return [("/login", LoginHandler), ("/logout", EndEverySession)]


class DemoAuthenticator(LimitedGuesses):
    """Signs in the demo accounts, each with its own password."""

    passwords = Dict(Unicode(), Unicode(), help="The password of each account.").tag(
        config=True
    )

    async def authenticate(
        self, handler: BaseHandler, data: Mapping[str, str]
    ) -> str | None:
        """Return the name of the account whose password *data* holds, or None."""
        del handler  # JupyterHub's signature
        name = str(data.get("username", ""))
        given = str(data.get("password", ""))
        # An unknown name is compared as well, so that it takes the same time.
        expected = self.passwords.get(name) or secrets.token_urlsafe(9)
        return name if compare_digest(given.encode(), expected.encode()) else None


class HouseAuthenticator(LimitedGuesses, PAMAuthenticator):  # type: ignore[misc] # untyped there
    """Signs in the users of this machine, with the limit on wrong passwords."""
