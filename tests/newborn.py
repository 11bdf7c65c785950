"""Databases as they are when a house is first opened: made once, then copied.

To make the tables of a house and of its queue costs more than most tests do. A house of
a test begins with a copy of them; what tests of the making itself need is an empty one.
"""

from __future__ import annotations

import atexit
import functools
import secrets
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg

from rounds_hub.house import House
from rounds_hub.settings import load_settings

__all__ = ["fresh_database", "put_newborn"]

NAMES = ("catalogue.sqlite", "work.sqlite")


def put_newborn(data: Path) -> None:
    """Put the databases of a new house into the folder *data*, unless it has some."""
    if (data / NAMES[0]).exists():
        return
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in NAMES:
        shutil.copyfile(_newborn() / name, data / name)


def fresh_database(server: str, *, empty: bool = False) -> str:
    """Return the URL of a new database on a PostgreSQL *server*."""
    name = f"rounds_{secrets.token_hex(6)}"
    template = "template0" if empty else _template(server)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        said = f'CREATE DATABASE "{name}" TEMPLATE {template} STRATEGY file_copy'
        connection.execute(said.encode())
    return f"{server}/{name}"


@functools.cache
def _newborn() -> Path:
    """Return a folder with the databases of a house that was opened once."""
    folder = Path(tempfile.mkdtemp(prefix="rounds-newborn-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _open_once(folder)
    for name in NAMES:  # one file each, nothing beside it
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@functools.cache
def _template(server: str) -> str:
    """Return the name of a database on *server* that a house was opened on once."""
    url = fresh_database(server, empty=True)
    with tempfile.TemporaryDirectory() as folder:
        _open_once(Path(folder), url)
    return url.rpartition("/")[2]


def _open_once(folder: Path, database_url: str = "") -> None:
    """Open a house and its queue, and close both."""
    named = {"database_url": database_url} if database_url else {}
    house = House.open(load_settings(data_dir=str(folder), **named))
    house.work.state("run", "none")
    house.work.close()
    house.close()
