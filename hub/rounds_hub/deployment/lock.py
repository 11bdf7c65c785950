"""One house a data folder: the lock that says so."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rounds_hub.errors import ConflictError, NoSpaceError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["data_folder", "plain_words", "private_files"]

_FILE = "house.lock"


@contextmanager
def data_folder(data: Path) -> Iterator[None]:
    """Make the folder *data* where it is missing, and hold it until the end.

    Raises
    ------
    ConflictError
        If a house already runs on it.
    SettingsError
        If it cannot be written.
    NoSpaceError
        If the disk is full.
    """
    with private_files(), _held(data):
        yield


@contextmanager
def private_files() -> Iterator[None]:
    """Make what is made meanwhile, by whatever part, for the owner alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _held(data: Path) -> Iterator[None]:
    """Hold the lock of the folder *data*, made where it is missing."""
    with plain_words(data):
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A small file tells now, in one sentence, what SQLite would tell later.
        probe = data / ".writable"
        probe.write_bytes(b"\0" * 65_536)
        probe.unlink()
        held = (data / _FILE).open("a")
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = (
                f"A house already runs on the data folder {data.name!r}; "
                "--data takes another one."
            )
            raise ConflictError(msg) from error
        yield


@contextmanager
def plain_words(data: Path) -> Iterator[None]:
    """Say in words what the disk refuses below the folder *data*."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            msg = f"The disk with the data folder {data.name!r} is full; make room."
            raise NoSpaceError(msg) from error
        if error.errno in {errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR}:
            msg = (
                f"The data folder {data.name!r} cannot be written; "
                "--data takes another one."
            )
            raise SettingsError(msg) from error
        raise
