"""Hold a series back from all but administrators, release it, label it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rounds_hub.access.policy import Action, require, series_resource, visible
from rounds_hub.archive.models import Series
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import NotFoundError
from rounds_hub.routing import firings
from rounds_hub.routing.models import SeriesLabel
from rounds_hub.routing.service import may_look

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = [
    "HeldSeries",
    "hold",
    "label",
    "labels_in",
    "labels_of",
    "list_held",
    "release",
]

MOST_HELD = 200


@dataclass(frozen=True, slots=True)
class HeldSeries:
    """A series that only administrators see."""

    uid: str
    study_uid: str
    description: str
    modality: str
    instance_count: int


def list_held(house: House, principal: Principal) -> list[HeldSeries]:
    """Return the series that are held back, the newest first."""
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        wanted = select(Series).where(Series.held).order_by(Series.created_at.desc())
        return [
            HeldSeries(
                uid=one.uid,
                study_uid=one.study_uid,
                description=one.description,
                modality=one.modality,
                instance_count=one.instance_count,
            )
            for one in session.scalars(wanted.limit(MOST_HELD))
        ]


def hold(house: House, principal: Principal, series_uid: str) -> None:
    """Hide a series from all but administrators; twice changes nothing.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that *principal* may see.
    ForbiddenError
        If *principal* is no administrator.
    """
    with house.sessions.begin() as session:
        series = _to_change(session, principal, series_uid, Action.SERIES_HOLD)
        if not series.held:
            series.held = True
            _changed(session, series)


def release(house: House, principal: Principal, series_uid: str) -> None:
    """Let a held series be seen again, and let what waited for that go on.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that *principal* may see.
    ForbiddenError
        If *principal* is no administrator.
    """
    with house.sessions.begin() as session:
        series = _to_change(session, principal, series_uid, Action.SERIES_RELEASE)
        if series.held:
            series.held = False
            _changed(session, series)
        keys = firings.release(session, series_uid)
    firings.enqueue(house, keys)


def label(house: House, principal: Principal, series_uid: str, word: str) -> None:
    """Put the label *word* on a series; twice changes nothing."""
    with house.sessions.begin() as session:
        series = _to_change(session, principal, series_uid, Action.SERIES_LABEL)
        postgresql = session.get_bind().dialect.name == "postgresql"
        insert = postgresql_insert if postgresql else sqlite_insert
        row = {"series_uid": series.uid, "label": word, "by": principal.name}
        session.execute(insert(SeriesLabel).values(**row).on_conflict_do_nothing())
        session.add(OutboxEvent(kind="series", key=series.uid))


def labels_in(
    house: House, principal: Principal, series_uids: Iterable[str]
) -> dict[str, list[str]]:
    """Return the labels of those of *series_uids* that have any and may be seen."""
    with house.sessions.begin(write=False) as session:
        wanted = session.scalars(
            select(Series).where(Series.uid.in_(list(series_uids)))
        )
        seen = [
            one.uid
            for one in wanted
            if visible(principal, series_resource(session, one))
        ]
        return labels_of(session, seen)


def labels_of(session: Session, series_uids: Iterable[str]) -> dict[str, list[str]]:
    """Return the labels of those series that have any; the policy is asked before."""
    wanted = (
        select(SeriesLabel)
        .where(SeriesLabel.series_uid.in_(list(series_uids)))
        .order_by(SeriesLabel.label)
    )
    found: dict[str, list[str]] = {}
    for one in session.scalars(wanted):
        found.setdefault(one.series_uid, []).append(one.label)
    return found


def _to_change(
    session: Session, principal: Principal, series_uid: str, action: Action
) -> Series:
    """Return the locked row of a series, if *action* may be done on it."""
    series = session.get(Series, series_uid, with_for_update=True)
    if series is None:
        kind = "series"
        raise NotFoundError(kind, series_uid[:80])
    require(session, principal, action, series_resource(session, series))
    return series


def _changed(session: Session, series: Series) -> None:
    """Say that others see *series* now than before."""
    session.flush()
    session.add(OutboxEvent(kind="series", key=series.uid))
