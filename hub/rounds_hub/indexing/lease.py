"""One writer of the index at a time, whatever number of workers there is."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_hub.house import House

__all__ = ["sole_writer"]

ADVISORY_KEY: Final = 0x526F756E6473  # "Rounds"; any number that nobody else uses
PAUSE_SECONDS: Final = 0.05


@contextmanager
def sole_writer(house: House, *, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Give whether we are the only writer of the index until the block ends.

    On PostgreSQL it is an advisory lock of a connection, on SQLite a lock on a file in
    the data folder; both end with the process that holds them, also when it is killed.
    """
    on_server = house.sessions.engine.dialect.name == "postgresql"
    held = _on_server if on_server else _on_file
    with held(house, time.monotonic() + wait_seconds) as ours:
        yield ours


@contextmanager
def _on_server(house: House, until: float) -> Iterator[bool]:
    """Hold an advisory lock of the database server."""
    try_lock = text("SELECT pg_try_advisory_lock(:key)")
    unlock = text("SELECT pg_advisory_unlock(:key)")
    key = {"key": ADVISORY_KEY}
    engine = house.sessions.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        ours = bool(connection.scalar(try_lock, key))
        while not ours and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
            ours = bool(connection.scalar(try_lock, key))
        try:
            yield ours
        finally:
            if ours:
                connection.execute(unlock, key)


@contextmanager
def _on_file(house: House, until: float) -> Iterator[bool]:
    """Hold a lock on a file in the data folder."""
    path = house.settings.data / "indexing.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        ours = _locked(descriptor)
        while not ours and time.monotonic() < until:
            time.sleep(PAUSE_SECONDS)
            ours = _locked(descriptor)
        yield ours
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Return whether the lock is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
