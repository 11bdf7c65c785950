"""The hub's side of the nursery: start it, and have it fork servers."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.spawning import nursery
from rounds_hub.spawning.nursery import FORK, READY

if TYPE_CHECKING:
    from rounds_hub.spawning.nursery import Seed

__all__ = ["NoNurseryError", "Nursery"]

_START_SECONDS = 30.0
_FORK_SECONDS = 10.0
_KEPT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class NoNurseryError(Exception):
    """The nursery is not there; a server can be started without it."""


@dataclass
class Nursery:
    """One nursery; it starts when it is first needed, and again if it has ended."""

    _process: subprocess.Popen[bytes] | None = None
    _socket: socket.socket | None = None
    _ready: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The number of its process; 0 where there is none."""
        return self._process.pid if self._process is not None else 0

    async def warm(self) -> None:
        """Start the nursery if none is there, and return when it is ready.

        Raises
        ------
        NoNurseryError
            If there cannot be one on this system, or it does not come up.
        """
        if sys.platform != "linux":
            msg = "Only Linux forks a process with all its libraries safely."
            raise NoNurseryError(msg)
        if self._process is None or self._process.poll() is not None:
            self._start()
        if self._ready is not None:
            await asyncio.shield(self._ready)

    def _start(self) -> None:
        """Start the process; :attr:`_ready` is done when it has said so."""
        self.close()
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs:
            # The parent is watched by the socket: it ends when the hub's side does.
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [sys.executable, "-m", nursery.__name__, str(theirs.fileno())],
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._socket = ours
        self._ready = asyncio.ensure_future(self._until_ready(ours))

    @staticmethod
    async def _until_ready(ours: socket.socket) -> None:
        """Wait for the nursery's word."""
        loop = asyncio.get_running_loop()
        try:
            said = await asyncio.wait_for(loop.sock_recv(ours, 1), _START_SECONDS)
        except (TimeoutError, OSError) as error:
            msg = "The nursery did not come up in time."
            raise NoNurseryError(msg) from error
        if said != READY:
            msg = "The nursery ended before it was ready."
            raise NoNurseryError(msg)

    async def grow(self, seed: Seed) -> int:
        """Have a server forked from *seed* and return the number of its process.

        Raises
        ------
        NoNurseryError
            If there is no nursery, or a fresh one does not answer either.
        """
        await self.warm()
        try:
            return await self._grow(seed)
        except (TimeoutError, OSError, ValueError):
            self.close()  # it was killed, perhaps this moment: once more
        await self.warm()
        try:
            return await self._grow(seed)
        except (TimeoutError, OSError, ValueError) as error:
            self.close()
            msg = "The nursery did not fork."
            raise NoNurseryError(msg) from error

    async def _grow(self, seed: Seed) -> int:
        """Give the nursery one end of a pair, and *seed* to the child at that end."""
        ours, childs = socket.socketpair()
        with ours:
            ours.settimeout(0)
            with childs:
                if self._socket is not None:
                    socket.send_fds(self._socket, [FORK], [childs.fileno()])
            return await asyncio.wait_for(_plant(ours, seed), _FORK_SECONDS)

    def close(self) -> None:
        """End the nursery; the servers that it forked live on."""
        if self._ready is not None:
            self._ready.cancel()
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._process = self._socket = self._ready = None


async def _plant(ours: socket.socket, seed: Seed) -> int:
    """Read the child's number and send it what it is to become."""
    loop = asyncio.get_running_loop()
    said = b""
    while not said.endswith(b"\n"):
        piece = await loop.sock_recv(ours, 64)
        if not piece:
            msg = "The child ended at once."
            raise OSError(msg)
        said += piece
    await loop.sock_sendall(ours, seed.packed())
    ours.shutdown(socket.SHUT_WR)
    return int(said)
