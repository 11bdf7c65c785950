"""A network of its own for programs that listen on every address.

DCMTK's ``storescp`` and ``dcmqrscp`` listen on all addresses of the machine. Inside a
:class:`Network` there is nothing but its own loopback, so nobody else reaches them;
what should pass goes through a door, from our loopback to that one or back. Nothing
here needs root: where namespaces are not permitted, :func:`network` skips by name::

    with network() as inside:
        inside.start("storescp", "11113")
        inside.way_in(11113)  # the port of our loopback that leads to that storescp
        inside.way_out(11112)  # the port in there that leads to our 11112

Tests get one from the fixture ``inside``.
"""

from __future__ import annotations

import array
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 20
PIECE = 2**18
# Runs inside: brings up the loopback, then makes sockets on demand and hands them out.
HOLDER = """
import array, ctypes, fcntl, signal, socket, struct, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(probe, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))
door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
door.listen()
print("up", flush=True)
while True:
    asker, _ = door.accept()
    with asker:
        what, port = asker.recv(64).decode().split()
        made = socket.socket()
        try:
            if what == "listen":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind(("127.0.0.1", int(port)))
                made.listen()
            else:
                made.connect(("127.0.0.1", int(port)))
            rights = array.array("i", [made.fileno()])
            asker.sendmsg([b"y"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError:
            asker.sendall(b"n")
        made.close()
"""


class Network:
    """A loopback of its own, and the doors between it and ours."""

    def __init__(self, folder: Path) -> None:
        self._door = str(folder / "door")
        unshare = ["unshare", "--user", "--map-root-user", "--net"]
        command = [*unshare, sys.executable, "-c", HOLDER, self._door]
        self._holder = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._programs: list[subprocess.Popen[bytes]] = []
        self._sockets: list[socket.socket] = []
        assert self._holder.stdout is not None
        self.up = self._holder.stdout.readline() == "up\n"

    def start(
        self, *command: str, cwd: Path | None = None, log: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program inside; it ends with the network."""
        enter = ["nsenter", "-t", str(self._holder.pid), "-U", "-n"]
        with (log or Path(os.devnull)).open("ab") as said:
            started = subprocess.Popen(
                [*enter, "--preserve-credentials", "--", *command],
                cwd=cwd,
                env={**os.environ, "TCP_NODELAY": "1"},
                stdout=said,
                stderr=said,
            )
        self._programs.append(started)
        return started

    def way_in(self, port: int) -> int:
        """Return a port of our loopback that leads to *port* in there.

        It waits until somebody listens there.
        """
        until = time.monotonic() + SECONDS
        while (first := self._ask("connect", port)) is None:
            if time.monotonic() > until:
                pytest.fail(f"nobody listens on port {port} in the network")
            time.sleep(0.02)
        first.close()
        listening = socket.create_server(("127.0.0.1", 0))
        self._serve(listening, lambda: self._ask("connect", port))
        return int(listening.getsockname()[1])

    def way_out(self, ours: int, port: int = 0) -> int:
        """Let *port* in there (any free one by default) lead to *ours* on loopback."""
        listening = self._ask("listen", port)
        assert listening is not None
        self._serve(listening, lambda: socket.create_connection(("127.0.0.1", ours)))
        return int(listening.getsockname()[1])

    def close(self) -> None:
        """End everything inside, and the doors."""
        for program in self._programs:
            program.send_signal(signal.SIGKILL)
            program.wait(SECONDS)
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._holder.kill()
        self._holder.wait(SECONDS)
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def _ask(self, what: str, port: int) -> socket.socket | None:
        """Return a socket made inside, None where it could not be."""
        with socket.socket(socket.AF_UNIX) as asker:
            asker.connect(self._door)
            asker.sendall(f"{what} {port}".encode())
            numbers = array.array("i")
            _, control, _, _ = asker.recvmsg(1, socket.CMSG_LEN(numbers.itemsize))
        if not control:
            return None
        numbers.frombytes(control[0][2])
        return socket.socket(fileno=numbers[0])

    def _serve(
        self, listening: socket.socket, reach: Callable[[], socket.socket | None]
    ) -> None:
        """Join each caller at *listening* with what *reach* returns."""
        self._sockets.append(listening)

        def accept() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                    other = reach()
                except OSError:
                    return
                if other is None:
                    caller.close()
                    continue
                self._sockets += [caller, other]
                for one, two in ((caller, other), (other, caller)):
                    threading.Thread(target=_pump, args=(one, two), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()


def _pump(one: socket.socket, two: socket.socket) -> None:
    """Pass on what *one* sends to *two*, and its end."""
    with suppress(OSError):
        two.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while piece := one.recv(PIECE):
            two.sendall(piece)
    with suppress(OSError):
        two.shutdown(socket.SHUT_WR)


@contextmanager
def network() -> Iterator[Network]:
    """Give a network of its own, or skip where the machine does not permit one."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("namespaces are not here: install the package util-linux")
    with tempfile.TemporaryDirectory(prefix="rounds-net-") as folder:
        made = Network(Path(folder))
        try:
            if not made.up:
                pytest.skip("this machine does not permit network namespaces")
            yield made
        finally:
            made.close()
