"""The catalogue on SQLite and on PostgreSQL."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from rounds_hub.catalogue.models import OutboxEvent, UtcDateTime, utc_now
from rounds_hub.catalogue.sessions import MIGRATIONS, Sessions, newest_revision
from rounds_hub.catalogue.tables import metadata
from rounds_hub.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def count(sessions: Sessions) -> int:
    with sessions.begin(write=False) as session:
        return session.scalar(select(func.count(OutboxEvent.id))) or 0


def test_what_was_written_is_there_afterwards(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.add(OutboxEvent(kind="case", key="one"))
    assert count(sessions) == 1


def test_an_error_undoes_everything(sessions: Sessions) -> None:
    def fail_half_way() -> None:
        with sessions.begin() as session:
            session.add(OutboxEvent(kind="case", key="one"))
            session.flush()
            msg = "half way"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert count(sessions) == 0


def test_what_is_for_afterwards_is_kept_although_the_rest_is_undone(
    sessions: Sessions,
) -> None:
    def fail_after_asking() -> None:
        with sessions.begin(write=False) as session:
            event = OutboxEvent(kind="case", key="kept")
            session.info["afterwards"].append(lambda later: later.add(event))
            msg = "refused"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError):
        fail_after_asking()
    assert count(sessions) == 1


def test_the_migrations_make_just_the_tables_that_the_models_declare(
    sessions: Sessions,
) -> None:
    with sessions.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.add(OutboxEvent(kind="case", key="one"))
    sessions.migrate()
    assert count(sessions) == 1


def test_a_newer_schema_is_refused(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match=r"'9999'.*newer"):
        sessions.migrate()


MIGRATE = (
    "import sys; from rounds_hub.catalogue.sessions import Sessions; "
    "Sessions(sys.argv[1]).migrate()"
)


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    command = [sys.executable, "-c", MIGRATE, database_url]
    started = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]


def test_two_writers_wait_for_each_other(sessions: Sessions) -> None:
    def write() -> None:
        for number in range(20):
            with sessions.begin() as session:
                before = session.scalar(select(func.count(OutboxEvent.id)))
                session.add(OutboxEvent(kind="case", key=f"{before}-{number}"))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert count(sessions) == 80


def test_a_moment_comes_back_in_utc(sessions: Sessions) -> None:
    now = utc_now()
    with sessions.begin() as session:
        session.add(OutboxEvent(kind="case", key="one", at=now))
    with sessions.begin(write=False) as session:
        assert session.scalars(select(OutboxEvent.at)).one() == now


def test_a_moment_without_its_zone_is_refused(sessions: Sessions) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 (the point of the test)
    with (
        pytest.raises(StatementError, match="time zone"),
        sessions.begin() as session,
    ):
        session.add(OutboxEvent(kind="case", key="one", at=naive))


def test_foreign_keys_are_held(sessions: Sessions) -> None:
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(
            text(
                "INSERT INTO case_series (case_id, series_uid, position, label) "
                "VALUES ('none', 'none', 0, '')"
            )
        )


def test_a_database_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="'mysql'"):
        Sessions("mysql://127.0.0.1/rounds")


def test_the_catalogue_is_for_its_owner_only(tmp_path: Path) -> None:
    opened = Sessions(f"sqlite:///{tmp_path / 'catalogue.sqlite'}")
    opened.migrate()
    opened.close()
    mode = stat.S_IMODE((tmp_path / "catalogue.sqlite").stat().st_mode)
    assert mode == 0o600


def test_the_type_of_moments_says_so() -> None:
    assert "DATETIME" in str(UtcDateTime().impl)


def test_the_newest_revision_is_read_from_the_names_of_the_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert newest_revision() == script.get_current_head()


def test_who_opens_a_catalogue_of_this_version_does_not_load_alembic(
    tmp_path: Path,
) -> None:
    Sessions(f"sqlite:///{tmp_path / 'c.sqlite'}").migrate()
    said = (
        "import sys; from rounds_hub.catalogue.sessions import Sessions; "
        "Sessions(sys.argv[1]).migrate(); sys.exit('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", said, f"sqlite:///{tmp_path / 'c.sqlite'}"]
    assert subprocess.run(command, check=False).returncode == 0
