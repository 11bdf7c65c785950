"""Servers of the tests' own, on free ports of loopback."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Postgresql", "free_port"]


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgresql:
    """A PostgreSQL server of the tests' own, on a free port of loopback."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self.password = secrets.token_hex(8)
        self.port = free_port()

    @property
    def url(self) -> str:
        """Its URL without a database."""
        return f"postgresql://rounds:{self.password}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Make its folder and start it."""
        kept = self.folder / "password"
        kept.write_text(self.password)
        kept.chmod(0o644)
        self.folder.chmod(0o777)
        where = str(self.folder / "data")
        shared = ["-A", "scram-sha-256", "-U", "rounds", f"--pwfile={kept}"]
        self._do("initdb", "-D", where, *shared)
        said = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 "
            f"-c unix_socket_directories={self.folder} -c fsync=off"
        )
        log = str(self.folder / "log")
        self._do("pg_ctl", "-D", where, "-w", "-l", log, "-o", said, "start")

    def stop(self) -> None:
        """Stop it at once."""
        where = str(self.folder / "data")
        self._do("pg_ctl", "-D", where, "-m", "immediate", "stop")

    def _do(self, program: str, *arguments: str) -> None:
        as_user = []
        if os.geteuid() == 0:
            ids = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
            as_user = ["setpriv", *ids]
        command = [*as_user, str(self.programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
