"""Refuse a request body that is larger than any that the house takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rounds_hub.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BodyLimit"]

PLAIN_BODY = 32 * 2**20
"""The most bytes of a body that is no upload: a form, JSON, one picture."""


class BodyLimit:
    """Count the bytes of every body, and answer 413 when there are too many.

    Parameters
    ----------
    app
        The application to protect.
    uploads
        The addresses to which files of a study are sent; what ends in a slash stands
        for everything below it.
    upload_bytes
        The most bytes of a body sent there.
    questions
        The addresses to which pictures are sent to be asked with, with their limits.
    """

    def __init__(
        self,
        app: ASGIApp,
        uploads: frozenset[str],
        upload_bytes: int,
        questions: Mapping[str, int] | None = None,
    ) -> None:
        """Wrap *app*."""
        self.questions = questions or {}
        self.app = app
        self.uploads = uploads
        self.below = tuple(path for path in uploads if path.endswith("/"))
        self.upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; whatever it answers to too large a body, we say 413."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        upload = scope["path"] in self.uploads or scope["path"].startswith(self.below)
        limit = self.questions.get(scope["path"], PLAIN_BODY)
        limit = self.upload_bytes if upload else limit
        if _announced(scope) > limit:
            await _refuse(send, limit)
            return
        counted = _Counted(receive, send, limit)
        try:
            await self.app(scope, counted.receive, counted.send)
        except _TooMuchError:
            pass  # the answer below tells the sender
        finally:
            if counted.too_much and not counted.answered:
                await _refuse(send, limit)


class _Counted:
    """The two ends of a request, with the bytes of its body counted."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        """Count up to *limit* bytes."""
        self._receive, self._send, self._limit = receive, send, limit
        self._came = 0
        self.too_much = False
        self.answered = False

    async def receive(self) -> Message:
        """Return the next message, or raise when too much has come."""
        message = await self._receive()
        self._came += len(message.get("body", b""))
        self.too_much = self.too_much or self._came > self._limit
        if self.too_much:
            raise _TooMuchError
        return message

    async def send(self, message: Message) -> None:
        """Send *message*, unless the body was refused before an answer began."""
        if self.too_much and not self.answered:
            return
        self.answered = True
        await self._send(message)


class _TooMuchError(Exception):
    """More came than is taken; whoever reads the body must not swallow it."""


def _announced(scope: Scope) -> int:
    """Return how long the body says it is, 0 where it does not say."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _refuse(send: Send, limit: int) -> None:
    """Answer with problem+json (RFC 9457) that says what is taken."""
    what = f"More was sent than the {limit / 2**20:.0f} MiB that are taken here."
    content = {
        "type": "about:blank",
        "title": TooLargeError.title,
        "status": TooLargeError.status,
        "detail": what,
    }
    start: Message = {
        "type": "http.response.start",
        "status": TooLargeError.status,
        "headers": [
            (b"content-type", b"application/problem+json"),
            (b"connection", b"close"),
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})
