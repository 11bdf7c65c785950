"""The hub's proxy in Python, which lets a whole volume through to a viewer.

Tornado's client closes a websocket at a message above 10 MiB; a kernel sends a viewer
its volume in one.
"""

from __future__ import annotations

from functools import partial

from configurable_http_proxy import cli, handlers

__all__ = ["MESSAGE_BYTES", "main"]

MESSAGE_BYTES = 2**30


def main() -> int | None:
    """Run the proxy with messages of up to `MESSAGE_BYTES` from a server."""
    handlers.websocket_connect = partial(
        handlers.websocket_connect, max_message_size=MESSAGE_BYTES
    )
    ended: int | None = cli.main()
    return ended
