"""Bring the tables of a database to this version; Alembic is loaded here alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from rounds_hub.catalogue.sessions import MIGRATIONS
from rounds_hub.errors import SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["upgrade"]

_LOCK = 7_461_001  # any number, the same in every process


def upgrade(engine: Engine, there: str | None) -> None:
    """Bring the tables from revision *there* to this version, one process at a time.

    Raises
    ------
    SettingsError
        If the database was written by a newer version of Rounds.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    _refuse_newer(ScriptDirectory.from_config(config), there)
    with engine.connect() as plain:
        connection = plain.execution_options(rounds_write=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _refuse_newer(script: ScriptDirectory, there: str | None) -> None:
    """Refuse a database whose revision this version does not know."""
    known = {found.revision for found in script.walk_revisions()}
    if there is not None and there not in known:
        msg = (
            f"The catalogue has schema {there!r}, which this version of Rounds "
            "does not know: it was written by a newer one. Start that version."
        )
        raise SettingsError(msg)
