"""Sessions on the catalogue: SQLite on one machine, PostgreSQL on several."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from rounds_hub.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    Afterwards = Callable[[Session], None]

__all__ = ["MIGRATIONS", "HouseSession", "Sessions", "newest_revision"]

MIGRATIONS = Path(__file__).parent / "migrations"


class HouseSession(Session):
    """A session on the catalogue; rooms listen to what is written through it."""


class Sessions:
    """Open sessions on one database, each a transaction.

    Parameters
    ----------
    url
        A SQLAlchemy URL, ``sqlite:///…`` or ``postgresql://…``.
    """

    def __init__(self, url: str) -> None:
        """Prepare an engine for *url*; nothing is connected yet."""
        self.engine = _engine(url)

    @contextmanager
    def begin(self, *, write: bool = True) -> Iterator[Session]:
        """Give a session whose work is committed at the end, or undone by an error.

        On SQLite a *write* session takes the write lock at once, so that two writers
        wait for each other instead of failing half way. What was put into
        ``session.info["afterwards"]`` (functions that take a session) is done in a
        transaction of its own, whether the first one was committed or undone.
        """
        afterwards: list[Afterwards] = []
        try:
            with HouseSession(self.engine, expire_on_commit=False) as session:
                session.info.update(write=write, afterwards=afterwards)
                options = {"rounds_write": write}
                session.connection(execution_options=options)
                with _transaction(session):
                    yield session
        finally:
            if afterwards:
                self._do(afterwards)

    def _do(self, afterwards: list[Afterwards]) -> None:
        """Do what has to be kept whatever became of the first transaction."""
        with Session(self.engine) as session:
            session.connection(execution_options={"rounds_write": True})
            with _transaction(session):
                for work in afterwards:
                    work(session)

    def migrate(self) -> None:
        """Bring the tables to this version, one process at a time.

        Raises
        ------
        SettingsError
            If the database was written by a newer version of Rounds.
        """
        there = _revision(self.engine)
        if there == newest_revision():
            return
        # Alembic takes a while to load, and is needed once in the life of a version.
        from rounds_hub.catalogue.migrating import upgrade  # noqa: PLC0415

        upgrade(self.engine, there)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def newest_revision() -> str:
    """Return the revision of the tables of this version of Rounds."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    """Return the revision that a database has, None where it has no tables."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


@contextmanager
def _transaction(session: Session) -> Iterator[None]:
    """Commit the transaction that *session* is already in, or undo it."""
    try:
        yield
    except BaseException:
        session.rollback()
        raise
    else:
        session.commit()


def _engine(url: str) -> Engine:
    """Return an engine, with SQLite set to WAL, full sync and foreign keys."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        driven = parsed.set(drivername="postgresql+psycopg")
        return create_engine(driven, pool_pre_ping=True, pool_size=8, max_overflow=16)
    if parsed.get_backend_name() != "sqlite":
        msg = (
            f"The catalogue cannot be on {parsed.get_backend_name()!r}. "
            f"Known: postgresql, sqlite."
        )
        raise SettingsError(msg)
    if parsed.database:
        Path(parsed.database).touch(mode=0o600)
    engine = create_engine(parsed, connect_args={"timeout": 30})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 (DBAPI)
    """Set what SQLite must be told on every connection.

    Its Python driver would begin transactions by itself, too late and only for some
    statements: that is switched off, and ``_begin_sqlite`` begins them.
    """
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:  # noqa: ANN401 (a SQLAlchemy event)
    """Begin for writing where that was asked for: no upgrade of a lock half way."""
    wants = connection.get_execution_options().get("rounds_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if wants else "BEGIN")
