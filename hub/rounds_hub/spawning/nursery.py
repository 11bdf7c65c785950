"""A process that has everything a user's server imports, and forks one when asked.

Half of a server's start is imports. The nursery does them once; each server is a fork
of it, so it starts in a fraction of the time and shares the memory of what it imported.

What belongs to one user never passes through the nursery: it is handed one end of a
pair of sockets, forks, and the *child* reads its arguments and environment from it.
The nursery ends when the hub does; servers live on and are adopted by the next hub.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module

from rounds_hub.spawning import server

__all__ = ["Seed", "main", "preload", "read_all"]

FORK = b"f"
READY = b"r"
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Seed:
    """What makes a fork the server of one user."""

    arguments: list[str]
    environment: dict[str, str]
    home: str

    def packed(self) -> bytes:
        """Return it as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def unpacked(cls, sent: bytes) -> Seed:
        """Return the seed that *sent* holds."""
        return cls(**json.loads(sent))


def main() -> None:
    """Serve the hub at the other end of the socket whose number is the argument."""
    hub = socket.socket(fileno=int(sys.argv[1]))
    preload()
    # Children are nobody's concern here: the hub looks after them by their number.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    hub.sendall(READY)
    while True:
        asked, handles, _, _ = socket.recv_fds(hub, 1, 1)
        if not asked:
            return
        for handle in handles:
            _fork(hub, socket.socket(fileno=handle))


def preload() -> None:
    """Import what a server needs; nothing of it starts a thread or reads a home."""
    server.prepare()
    import_module("jupyterhub.singleuser.extension")
    import_module("jupyterlab.labapp")
    import_module("notebook.app")
    import_module("rounds.server")


def _fork(hub: socket.socket, pipe: socket.socket) -> None:
    """Fork once; the child never returns."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        pipe.close()
        return
    status = 1
    try:
        hub.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        with pipe:
            pipe.sendall(f"{os.getpid()}\n".encode())
            seed = Seed.unpacked(read_all(pipe))
        _become(seed)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        with suppress(Exception):  # nobody hears of output that cannot be written
            sys.stdout.flush()
            sys.stderr.flush()
        # Not sys.exit: what the nursery would do at its own end is not the child's.
        os._exit(status)


def _become(seed: Seed) -> None:
    """Be the server of one user from here on."""
    os.umask(0o077)
    os.makedirs(seed.home, 0o700, exist_ok=True)  # noqa: PTH103 (as the spawner does)
    os.chdir(seed.home)
    os.environ.clear()
    os.environ.update(seed.environment)
    sys.argv = [sys.argv[0], *seed.arguments]
    server.main(seed.arguments)


def read_all(pipe: socket.socket) -> bytes:
    """Return everything that comes until the other side has said all."""
    pieces = []
    while piece := pipe.recv(_CHUNK):
        pieces.append(piece)
    return b"".join(pieces)


if __name__ == "__main__":
    main()
