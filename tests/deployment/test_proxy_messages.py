"""What passes through the proxy of the hub: a volume in one message."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tornado import httpserver, netutil, web, websocket

if TYPE_CHECKING:
    from collections.abc import Iterator

VOLUME = bytes(32 * 2**20)
SECONDS = 60


class Kernel(websocket.WebSocketHandler):
    """A kernel that answers any message with a volume, as it does to a viewer."""

    async def on_message(self, message: str | bytes) -> None:
        """Send the volume."""
        del message
        await self.write_message(VOLUME, binary=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def proxy() -> Iterator[tuple[int, int]]:
    """Return the proxy's port, and the port that it leads to."""
    port, target = free_port(), free_port()
    started = subprocess.Popen(
        [
            *(sys.executable, "-m", "rounds_hub.deployment.tied"),
            "rounds_hub.deployment.proxy:main",
            *("--ip", "127.0.0.1", "--port", str(port)),
            *("--api-ip", "127.0.0.1", "--api-port", str(free_port())),
            *("--default-target", f"http://127.0.0.1:{target}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield port, target
    started.terminate()
    started.wait(10)


async def asked(port: int, target: int) -> str | bytes | None:
    """Return what the kernel behind the proxy says."""
    server = httpserver.HTTPServer(web.Application([("/", Kernel)]))
    server.add_sockets(netutil.bind_sockets(target, "127.0.0.1"))
    for _ in range(SECONDS * 10):
        try:
            to_kernel = await websocket.websocket_connect(
                f"ws://127.0.0.1:{port}/", max_message_size=2 * len(VOLUME)
            )
            break
        except OSError:  # it is still starting
            await asyncio.sleep(0.1)
    await to_kernel.write_message("the volume, please")
    said = await to_kernel.read_message()
    to_kernel.close()
    server.stop()
    return said


def test_a_volume_passes_in_one_message(proxy: tuple[int, int]) -> None:
    said = asyncio.run(asyncio.wait_for(asked(*proxy), SECONDS))
    assert said == VOLUME
