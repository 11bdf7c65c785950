"""A notebook in a user's own server, its cells run over the kernel's websocket."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from rounds_hub.errors import BusyError, InvalidError

if TYPE_CHECKING:
    from tornado.websocket import WebSocketClientConnection

    from rounds_hub.cli.visitor import Visitor

__all__ = ["Kernel", "code_cells"]

_CLOSE_SECONDS = 5.0


def code_cells(visitor: Visitor, path: str) -> list[str]:
    """Return the code cells of the notebook at *path* in the visitor's server."""
    answer = visitor.client.get(f"user/{visitor.name}/api/contents/{path}")
    answer.raise_for_status()
    cells = answer.json()["content"]["cells"]
    return [cell["source"] for cell in cells if cell["cell_type"] == "code"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel in the visitor's server."""

    visitor: Visitor
    id: str

    @classmethod
    def start(cls, visitor: Visitor) -> Kernel:
        """Start a Python kernel."""
        answer = visitor.client.post(
            f"user/{visitor.name}/api/kernels",
            json={"name": "python3"},
            headers=visitor.server_headers(),
        )
        answer.raise_for_status()
        return cls(visitor, answer.json()["id"])

    def stop(self) -> None:
        """End it."""
        address = f"user/{self.visitor.name}/api/kernels/{self.id}"
        self.visitor.client.delete(address, headers=self.visitor.server_headers())

    def run(self, cells: list[str], seconds: float = 120) -> list[str]:
        """Run *cells* one after the other; return the text that each printed.

        Raises
        ------
        InvalidError
            If a cell raises, with what it raised.
        BusyError
            If the kernel does not answer in time.
        """
        return asyncio.run(asyncio.wait_for(self._run(cells), seconds))

    async def _run(self, cells: list[str]) -> list[str]:
        path = f"/user/{self.visitor.name}/api/kernels/{self.id}/channels"
        request = HTTPRequest(
            f"{self.visitor.url.replace('http', 'ws', 1).rstrip('/')}{path}",
            headers={"Cookie": self.visitor.cookie_header(path)},
        )
        socket = await websocket_connect(request)
        try:
            return [await _execute(socket, source) for source in cells]
        finally:
            socket.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(_closed(socket), _CLOSE_SECONDS)


async def _closed(socket: WebSocketClientConnection) -> None:
    """Return when the other side has closed *socket* as well."""
    while await socket.read_message() is not None:
        pass


async def _execute(socket: WebSocketClientConnection, source: str) -> str:
    """Run one cell and return what it printed."""
    message = _execute_request(source)
    await socket.write_message(json.dumps(message))
    said: list[str] = []
    while True:
        text = await socket.read_message()
        if text is None:
            msg = "The kernel ended while a cell ran."
            raise BusyError(msg)
        if isinstance(text, bytes):
            continue  # a widget's pixels; a browser would draw them
        answer: dict[str, Any] = json.loads(text)
        if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        content = answer["content"]
        match answer["msg_type"]:
            case "stream":
                said.append(content["text"])
            case "error":
                msg = f"A cell raised {content['ename']}: {content['evalue']}"
                raise InvalidError(msg)
            case "status" if content["execution_state"] == "idle":
                return "".join(said)


def _execute_request(source: str) -> dict[str, Any]:
    """Return Jupyter's message that asks to run *source*."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": uuid.uuid4().hex,
        "username": "",
        "version": "5.3",
    }
    content = {
        "code": source,
        "silent": False,
        "store_history": True,
        "allow_stdin": False,
        "stop_on_error": True,
        "user_expressions": {},
    }
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
