"""Note what becomes of a series while it comes in, beside the rows themselves."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import InvalidError
from rounds_hub.routing.models import SeriesState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Insert, Table
    from sqlalchemy.orm import Session


__all__ = [
    "CHANGED",
    "MOST_EXPECTED",
    "Changed",
    "association_ended",
    "changed_columns",
    "expect",
    "series_changed",
    "state_upsert",
]

MOST_EXPECTED = 1_000_000
SOME = 500
CHANGED = (
    "series_uid", "state", "content_hash", "instances", "changed_at", "ended_at",
)  # fmt: skip
"""The columns of :func:`changed_columns`, and the key before them."""


class Changed(Protocol):
    """A series whose content is another now."""

    @property
    def uid(self) -> str:
        """Its SeriesInstanceUID."""

    @property
    def content_hash(self) -> str:
        """The hash over the hashes of its instances."""

    @property
    def instance_count(self) -> int:
        """How many instances it has."""


def series_changed(session: Session, series: Changed) -> None:
    """Note, in the transaction of *session*, that *series* has other content now.

    It is open again, whatever it was before.
    """
    _put(session, series.uid, **changed_columns(series))


def changed_columns(series: Changed) -> dict[str, Any]:
    """Return what is noted of *series* when it has other content."""
    return {
        "state": "open",
        "content_hash": series.content_hash,
        "instances": series.instance_count,
        "changed_at": utc_now(),
        "ended_at": None,
    }


def expect(session: Session, series_uid: str, count: int, by: str) -> None:
    """Note that series *series_uid* will have *count* instances; *by* says who knows.

    It may be said before the first instance has come.

    Raises
    ------
    InvalidError
        If *count* is no number that a series can have.
    """
    if not 1 <= count <= MOST_EXPECTED:
        msg = (
            f"A series has 1 to {MOST_EXPECTED} instances, not {count}; "
            "say how many will come."
        )
        raise InvalidError(msg, {"instances": msg})
    _put(session, series_uid, expected=count, expected_by=by)


def association_ended(session: Session, series_uids: Iterable[str]) -> None:
    """Note that the association ended which brought instances of *series_uids*.

    Those series are waited for ``Rounds.series_ended_seconds`` longer.
    """
    uids = sorted(set(series_uids))
    for start in range(0, len(uids), SOME):
        session.execute(
            update(SeriesState)
            .where(
                SeriesState.series_uid.in_(uids[start : start + SOME]),
                SeriesState.state == "open",
            )
            .values(ended_at=utc_now())
            .execution_options(synchronize_session=False)
        )


def _put(session: Session, series_uid: str, **columns: Any) -> None:  # noqa: ANN401 (columns of the row)
    """Write *columns* of a series' row at once, whoever writes beside us."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    statement = state_upsert(tuple(columns), postgresql=postgresql)
    session.connection().execute(statement, columns | {"series_uid": series_uid})


@lru_cache(maxsize=16)
def state_upsert(names: tuple[str, ...], *, postgresql: bool) -> Insert:
    """Return the statement that writes the columns *names*; it is built once."""
    into = postgresql_insert if postgresql else sqlite_insert
    statement = into(cast("Table", SeriesState.__table__))
    written = {name: statement.excluded[name] for name in names if name != "series_uid"}
    return statement.on_conflict_do_update(index_elements=["series_uid"], set_=written)
