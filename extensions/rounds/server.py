"""Open a case in a notebook: what Rounds adds to a person's own Jupyter server.

``GET <base>/rounds/open?case=<id>`` asks the house whether this person may see the
case, makes a notebook for it in the person's folder unless there is one, and goes
there.
"""

from __future__ import annotations

import asyncio
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from rounds.cases import open_case
from rounds.errors import (
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    RefusedError,
    RoundsError,
)
from rounds.notebooks import keep_notebook

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

__all__ = ["OpenCaseHandler"]

STATUS: dict[type[RoundsError], HTTPStatus] = {
    RefusedError: HTTPStatus.BAD_REQUEST,
    NotSignedInError: HTTPStatus.FORBIDDEN,
    NotAllowedError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
}
"""What a browser is answered; anything else means that the house cannot help now."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Rounds: {title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif;
       max-width: 36rem; margin: 15vh auto 0; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; font-weight: 600; }}
a {{ color: light-dark(#0f766e, #5eead4); }}
</style></head>
<body><main><h1>{title}</h1><p>{why}</p><p>{way_out}</p></main></body></html>
"""


class OpenCaseHandler(JupyterHandler):
    """Answers ``rounds/open``."""

    @web.authenticated
    async def get(self) -> None:
        """Make the notebook of a case, and go there."""
        case_id = self.get_query_argument("case", "")
        try:
            path = await asyncio.to_thread(self._notebook_of, case_id)
        except RoundsError as refusal:
            status = STATUS.get(type(refusal), HTTPStatus.SERVICE_UNAVAILABLE)
            self._say(status, "The case cannot be opened", str(refusal))
        except OSError as trouble:
            self.log.warning("Rounds: no notebook for case %s: %s", case_id, trouble)
            self._say(
                HTTPStatus.INSUFFICIENT_STORAGE,
                "The notebook cannot be written",
                f"Your home folder does not take it: {trouble.strerror}. "
                "Free some space or tell the administrator, then open the case again.",
            )
        else:
            self.redirect(
                url_path_join(self.base_url, "lab/tree", quote(path.as_posix()))
            )

    def _notebook_of(self, case_id: str) -> Path:
        case = open_case(case_id)
        home = Path(self.settings["server_root_dir"]).expanduser()
        return keep_notebook(home, case.id, case.title)

    def _say(self, status: HTTPStatus, title: str, why: str) -> None:
        """Answer with a page that says what happened and where to go."""
        way_out = f'<a href="{escape(self.base_url)}lab">Go on to JupyterLab</a>'
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(PAGE.format(title=escape(title), why=escape(why), way_out=way_out))


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Say to Jupyter that this module is an extension."""
    return [{"module": "rounds.server"}]


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Put our address into the server."""
    address = url_path_join(server.web_app.settings["base_url"], r"/rounds/open")
    web_app: Any = server.web_app  # tornado's is only half typed
    web_app.add_handlers(".*$", [(address, OpenCaseHandler)])
    server.log.info("Rounds opens cases at %s", address)
