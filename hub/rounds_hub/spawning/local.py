"""User servers as processes of this machine, one home a user."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from jupyterhub.slugs import safe_slug
from jupyterhub.spawner import SimpleLocalProcessSpawner
from jupyterhub.utils import random_port
from traitlets import Bool, Int, Unicode, default

from rounds_hub.spawning.nursery import Seed
from rounds_hub.spawning.seedlings import NoNurseryError, Nursery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Turns = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]

__all__ = ["RoundsLocalSpawner", "runtime_folder"]

_LOOK_AGAIN = 0.05


class RoundsLocalSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc] # untyped there
    """Starts servers as processes, a few at the same time; the others queue.

    All run as the user who started the house: right for one person's machine and for
    a demo on loopback, not for people who must be kept from each other. Containers
    are for those.
    """

    if TYPE_CHECKING:  # traits of JupyterHub's, which has no types
        port: int

    homes = Unicode(
        "rounds-data/users", help="The folder in which every user has a home."
    ).tag(config=True)
    starts_at_once = Int(
        2, min=1, help="Servers that start at the same time; the others queue."
    ).tag(config=True)

    forks = Bool(
        default_value=True,
        help="Fork servers from a process that has imported what they need (Linux).",
    ).tag(config=True)

    interrupt_timeout = Int(5, help="Seconds after SIGINT.").tag(config=True)
    term_timeout = Int(5, help="Seconds after SIGTERM.").tag(config=True)

    _turns: ClassVar[Turns] = WeakKeyDictionary()
    _waiting: ClassVar[list[str]] = []
    nursery: ClassVar[Nursery] = Nursery()

    @default("home_dir")
    def _home_of_user(self) -> str:
        return str(Path(self.homes) / safe_slug(self.user.name))

    @default("args")
    def _root_says_so(self) -> list[str]:
        return ["--allow-root"] if os.geteuid() == 0 else []

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what the new process does first: stand in its own, private home."""
        del name  # JupyterHub's signature
        home = self.home_dir

        def enter_home() -> None:
            os.umask(0o077)
            os.makedirs(home, 0o700, exist_ok=True)  # noqa: PTH103 (after fork: as little Python as can be)
            os.chdir(home)

        return enter_home

    def get_env(self) -> dict[str, str]:
        """Return the server's environment: nothing of the services' own."""
        env: dict[str, str] = super().get_env()
        kept = {
            name: value
            for name, value in env.items()
            if not name.startswith(("ROUNDS_DATA", "ROUNDS_CONFIG", "CONFIGPROXY"))
        }
        runtime = runtime_folder(self.home_dir)
        return kept | ({"JUPYTER_RUNTIME_DIR": str(runtime)} if runtime else {})

    async def start(self) -> tuple[str, int]:
        """Start the server when it is its turn; return where it will answer."""
        async with self.turn():
            where = await self._start_process()
            await self._until_it_listens(*where)
        return where

    async def _start_process(self) -> tuple[str, int]:
        """Start the process: a fork of the nursery where one can be had."""
        if not self.forks:
            return await self._start_plainly()
        port: int = self.port or random_port()
        self.port = port
        seed = Seed(self.get_args(), self.get_env(), self.home_dir)
        try:
            self.pid = await self.nursery.grow(seed)
        except NoNurseryError as error:
            self.log.warning("%s Starting %s without it.", error, self._log_name)
            return await self._start_plainly()
        self.proc = None
        return (self.ip or "127.0.0.1", port)

    async def _start_plainly(self) -> tuple[str, int]:
        """Start the process as JupyterHub does."""
        where: tuple[str, int] = await super().start()
        return where

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Say how many servers start before this one, and that it starts."""
        said = ""
        while True:
            message = self._stage()
            if message != said:
                said = message
                yield {"progress": 20 if self._waits else 60, "message": message}
            await asyncio.sleep(0.5)

    @property
    def _waits(self) -> bool:
        return self._log_name in self._waiting

    def _stage(self) -> str:
        """Return what a person reads while the server is on its way."""
        if not self._waits:
            return "Your server is starting…"
        before = self._waiting.index(self._log_name) + self.starts_at_once
        return f"{before} servers start before yours…"

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one of the places of servers that start now."""
        turns = self._turns.setdefault(
            asyncio.get_running_loop(), asyncio.Semaphore(self.starts_at_once)
        )
        self._waiting.append(self._log_name)
        try:
            await turns.acquire()
        finally:
            self._waiting.remove(self._log_name)
        try:
            yield
        finally:
            turns.release()

    async def _until_it_listens(self, host: str, port: int) -> None:
        """Return when the server takes connections, or has ended.

        The place in the queue is held until then: what costs time is the start of a
        server, not the start of its process.
        """
        while await self.poll() is None:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(_LOOK_AGAIN)
            else:
                writer.close()
                return


def runtime_folder(home: str, below: Path | None = None) -> Path | None:
    """Return a private folder with a short path for the sockets of a home's kernels.

    The address of a socket holds 108 bytes (unix(7)), which a folder in the home would
    soon exceed. None where somebody else has the folder: kernels then speak TCP.
    """
    own = (below or Path(tempfile.gettempdir())) / f"rounds-{os.geteuid()}"
    folder = own / hashlib.sha256(home.encode()).hexdigest()[:12]
    try:
        for each in (own, folder):
            each.mkdir(mode=0o700, exist_ok=True)
            found = each.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                return None
            each.chmod(0o700)
    except OSError:
        return None
    return folder
