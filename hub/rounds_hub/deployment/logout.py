"""Signing out, so that nothing that was open before opens again."""

from __future__ import annotations

from jupyterhub import orm
from jupyterhub.handlers.login import LogoutHandler
from jupyterhub.utils import new_token

__all__ = ["EndEverySession"]


class EndEverySession(LogoutHandler):  # type: ignore[misc] # untyped there
    """Ends every session of the user at once, in every browser.

    JupyterHub by itself clears cookies in this browser: a copy of the cookie would
    still be good. Here the value that the cookies hold is changed, and the tokens
    that sessions were given for services and servers are taken back.
    """

    async def default_handle_logout(self) -> None:
        """Change the user's cookie value and take back the sessions' tokens."""
        user = self.current_user
        await super().default_handle_logout()
        if user is None:
            return
        user.orm_user.cookie_id = new_token()
        sessions = self.db.query(orm.APIToken).filter(
            orm.APIToken.user_id == user.id, orm.APIToken.session_id.isnot(None)
        )
        for token in sessions:
            self.db.delete(token)
        self.db.commit()
