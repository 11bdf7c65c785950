"""Speak with the house over HTTP, as the person whose server this is."""

from __future__ import annotations

import atexit
import json
import os
import ssl
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx

from rounds.errors import (
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    RefusedError,
    RoundsError,
    ServiceFailedError,
    ServiceUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Service", "default_service"]

TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""Seconds to wait for a connection, and for each next piece of an answer."""

LONGEST_DETAIL = 2000
"""Characters of a refusal that are shown; the rest would drown the cell."""


class Service:
    """The house at *url*, asked with *token*, which is never shown.

    Examples
    --------
    >>> Service("http://127.0.0.1:8000/services/rounds", "a secret")
    Service('http://127.0.0.1:8000/services/rounds/')
    """

    def __init__(self, url: str, token: str) -> None:
        """Prepare to speak with *url*; nothing is sent yet."""
        self.url = url.rstrip("/") + "/"
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"token {token}", "Accept": "application/json"},
            timeout=TIMEOUT,
            transport=httpx.HTTPTransport(verify=_trusted(self.url), retries=2),
            trust_env=False,  # a proxy or a netrc must not see or change the token
        )

    def __repr__(self) -> str:
        """Return the address alone."""
        return f"Service({self.url!r})"

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON that the house answers to GET *path*.

        Raises
        ------
        RoundsError
            One of its kinds, by what the house said.
        """
        return self._answer("GET", path, params=params).json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON that the house answers to POST *path* with *body*."""
        return self._answer("POST", path, json=dict(body)).json()

    def post_files(
        self, path: str, request: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON that the house answers to *request* with *files*."""
        parts = [("files", (name, content)) for name, content in files.items()]
        form = {"request": json.dumps(dict(request))}
        return self._answer("POST", path, data=form, files=parts).json()

    def content(self, path: str, params: Mapping[str, Any] | None = None) -> bytes:
        """Return the bytes that the house answers to GET *path*."""
        return self._answer(
            "GET", path, params=params, headers={"Accept": "*/*"}
        ).content

    @contextmanager
    def stream(self, path: str) -> Iterator[httpx.Response]:
        """Give the answer to GET *path* while its body still arrives."""
        plain = {"Accept": "*/*", "Accept-Encoding": "identity"}
        with (
            _in_our_words(self.url),
            self._http.stream("GET", path, headers=plain) as answer,
        ):
            if not answer.is_success:
                answer.read()
            _raise_for(answer)
            yield answer

    def close(self) -> None:
        """Let go of the connections; closing twice changes nothing."""
        self._http.close()

    def _answer(self, method: str, path: str, **how: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own options
        with _in_our_words(self.url):
            answer = self._http.request(method, path, **how)
            _raise_for(answer)
            return answer


def default_service() -> Service:
    """Return the house that the environment of this server names.

    Raises
    ------
    NotSignedInError
        If the environment lacks ``ROUNDS_URL`` or ``JUPYTERHUB_API_TOKEN``.
    """
    url, token = (
        os.environ.get("ROUNDS_URL", ""),
        os.environ.get("JUPYTERHUB_API_TOKEN", ""),
    )
    missing = [
        name
        for name, value in (("ROUNDS_URL", url), ("JUPYTERHUB_API_TOKEN", token))
        if not value
    ]
    if missing:
        msg = (
            f"This notebook is not inside the house: {' and '.join(missing)} "
            "is not set. Open the notebook from the house, or set both by hand."
        )
        raise NotSignedInError(msg)
    return _service_at(url, token)


@cache
def _service_at(url: str, token: str) -> Service:
    service = Service(url, token)
    atexit.register(service.close)
    return service


def _trusted(url: str) -> ssl.SSLContext:
    """Trust what the system trusts; a plain address needs no certificates read."""
    if url.startswith("https:"):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def _in_our_words(url: str) -> Iterator[None]:
    """Say connection trouble in a sentence; the cause may quote headers: it is cut."""
    try:
        yield
    except httpx.TimeoutException:
        msg = f"The house at {url} did not answer in time. Try again in a moment."
        raise ServiceUnreachableError(msg) from None
    except (httpx.TransportError, httpx.InvalidURL) as trouble:
        kind = type(trouble).__name__
        msg = f"The house at {url} cannot be reached ({kind}). Is it running?"
        raise ServiceUnreachableError(msg) from None


def _raise_for(answer: httpx.Response) -> None:
    """Raise the error that fits the status of *answer*, with the words of the house."""
    status = answer.status_code
    if answer.is_success:
        return
    problem = _problem(answer)
    detail = str(problem.get("detail") or problem.get("title") or "")[:LONGEST_DETAIL]
    if status == httpx.codes.UNAUTHORIZED or answer.is_redirect:
        msg = (
            "The house does not know this server's sign-in. "
            "Stop and start your server from the hub."
        )
        raise NotSignedInError(msg)
    if httpx.codes.is_client_error(status) and status not in _BY_STATUS:
        raise RefusedError(
            detail or f"The house refused this with status {status}.", _places(problem)
        )
    kind, otherwise = _BY_STATUS.get(
        status, (ServiceFailedError, "The house has a fault")
    )
    raise kind(detail or f"{otherwise} (status {status}).")


_BY_STATUS: dict[int, tuple[type[RoundsError], str]] = {
    403: (NotAllowedError, "You may not do this"),
    404: (NotFoundError, "There is no such thing, or none that you may see"),
}


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """Return the problem (RFC 9457) in *answer*, or nothing where it holds none."""
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _places(problem: dict[str, Any]) -> dict[str, str]:
    """Return what a problem says of single values, by their place."""
    places = problem.get("problems") or {}
    return (
        {str(k): str(v) for k, v in places.items()} if isinstance(places, dict) else {}
    )
