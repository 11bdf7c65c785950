"""A person with a browser, as far as HTTP goes: sign-in form, cookies, redirects."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx

from rounds_hub.errors import BusyError, ForbiddenError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["Visitor"]

_XSRF_FIELD = re.compile(r'name="_xsrf" value="([^"]*)"')
_SERVICE = "services/rounds/"


class Visitor:
    """Somebody at the address of a house.

    Everything goes through the same doors as a browser's requests: the form of the
    hub, its OAuth redirects, the cookies that they set, and nothing else.
    """

    def __init__(self, url: str, name: str) -> None:
        """Stand before the house at *url* as *name*, not signed in."""
        self.url = url if url.endswith("/") else f"{url}/"
        self.name = name
        parts = urlsplit(self.url)
        self.client = httpx.Client(
            base_url=self.url,
            follow_redirects=True,
            timeout=60,
            headers={"Origin": f"{parts.scheme}://{parts.netloc}"},
        )

    def __enter__(self) -> Self:
        """Return the visitor."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave."""
        self.client.close()

    def sign_in(self, password: str) -> None:
        """Fill in the hub's form, then come to the service.

        Raises
        ------
        ForbiddenError
            If the hub does not take the password.
        """
        page = self.client.get("hub/login")
        field = _XSRF_FIELD.search(page.text)
        form = {
            "_xsrf": unescape(field.group(1)) if field else "",
            "username": self.name,
            "password": password,
        }
        answer = self.client.post("hub/login", data=form, follow_redirects=False)
        if not answer.is_redirect:
            msg = f"The hub does not sign {self.name!r} in ({answer.status_code})."
            raise ForbiddenError(msg)
        self.page("sign-in").raise_for_status()

    def sign_out(self) -> None:
        """Leave by the hub's page."""
        self.client.get("hub/logout")

    def api(self, path: str, method: str = "GET", **sent: Any) -> Any:  # noqa: ANN401 (JSON)
        """Return the JSON that the service answers at ``api/`` *path*.

        Raises
        ------
        InvalidError
            If it answers anything but success, in its own words.
        """
        answer = self.ask(path, method, **sent)
        if answer.is_error:
            msg = f"{method} api/{path}: {answer.status_code} {_detail(answer)}"
            raise InvalidError(msg)
        return answer.json()

    def ask(self, path: str, method: str = "GET", **sent: Any) -> httpx.Response:  # noqa: ANN401 (httpx's own)
        """Return the answer of the service at ``api/`` *path*, whatever it is."""
        return self.client.request(method, f"{_SERVICE}api/{path}", **sent)

    def page(self, path: str) -> httpx.Response:
        """Return a page of the service."""
        return self.client.get(f"{_SERVICE}{path}", headers={"Accept": "text/html"})

    def open_in_server(
        self, path: str, query: Mapping[str, str], seconds: float = 120
    ) -> str:
        """Follow «Open in notebook» until the user's own server answers.

        Returns the path at which it ended, below the server's own prefix.

        Raises
        ------
        BusyError
            If the server does not answer in time.
        """
        until = time.monotonic() + seconds
        own = f"/user/{self.name}/"
        answer = self.client.get(f"hub/user-redirect/{path}", params=dict(query))
        while not answer.url.path.startswith(own):
            if time.monotonic() > until:
                msg = (
                    f"The server of {self.name!r} does not answer ({answer.url.path})."
                )
                raise BusyError(msg)
            time.sleep(0.2)
            # The page of a start under way leads on when it is asked again.
            answer = self.client.get(answer.url)
        answer.raise_for_status()
        return answer.url.path.removeprefix(own)

    def server_headers(self) -> dict[str, str]:
        """Return the headers that the user's own server wants of a page's script."""
        own = f"/user/{self.name}/"
        cookies = [
            cookie
            for cookie in self.client.cookies.jar
            if cookie.name == "_xsrf" and cookie.path == own
        ]
        return {"X-XSRFToken": cookies[0].value or ""} if cookies else {}

    def cookie_header(self, path: str) -> str:
        """Return the cookies that a browser would send to *path*."""
        return "; ".join(
            f"{cookie.name}={cookie.value}"
            for cookie in self.client.cookies.jar
            if path.startswith(cookie.path)
        )


def _detail(answer: httpx.Response) -> str:
    """Return what an error says of itself."""
    try:
        return str(answer.json().get("detail", ""))
    except ValueError:
        return answer.reason_phrase
