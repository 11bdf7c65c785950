"""Purge what was deleted when its time is over: the rows are forgotten, bytes go.

Bytes go in two steps, an hour apart. First they are set aside, where no store says any
more that it has them; whoever brings them after that writes them anew. An hour later
nobody is left who had been told before that they were there: if a row needs them then,
they come back, else they are removed.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import delete, exists, or_, select

from rounds_hub.archive.models import (
    Aside,
    Instance,
    ObjectPlace,
    Removal,
    RemovedObject,
    Series,
)
from rounds_hub.catalogue.models import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from rounds_hub.house import House

__all__ = ["once"]

GRACE = timedelta(hours=1)
AT_ONCE = 20

log = structlog.get_logger()


def once(house: House, now: datetime | None = None) -> int:
    """Purge what is due by *now*; return how many deletions moved on a step.

    Called again after a crash it goes on where it was.
    """
    at = now or utc_now()
    over = (Removal.state == "open") & (Removal.until <= at)
    begun = (Removal.state == "leaving") & Removal.ended_at.is_(None)
    waited = (Removal.state == "leaving") & (Removal.ended_at <= at - GRACE)
    with house.sessions.begin(write=False) as session:
        wanted = select(Removal.id, Removal.ended_at)
        wanted = wanted.where(or_(over, begun, waited)).order_by(Removal.until)
        due = session.execute(wanted.limit(AT_ONCE)).all()
    for removal_id, ended_at in due:
        if ended_at is None:
            _begin(house, removal_id, at)
        else:
            _finish(house, removal_id, at)
    return len(due)


def _begin(house: House, removal_id: str, at: datetime) -> None:
    """Forget the rows of a removal, and set aside the bytes that only it needs."""
    with house.sessions.begin() as session:
        removal = session.get_one(Removal, removal_id, with_for_update=True)
        if removal.state == "undone":
            return
        removal.state = "leaving"
        series = removal.rows.get(Series.__tablename__, ())
        hashes = {row["content_hash"] for row in series}
    for content_hash in hashes:
        _forget_volume(house, content_hash)
    for sha256 in _not_needed(house, removal_id):
        house.store.set_aside(sha256)
    with house.sessions.begin() as session:
        removal = session.get_one(Removal, removal_id)
        removal.rows, removal.ended_at, removal.ended_by = {}, at, "system"


def _finish(house: House, removal_id: str, at: datetime) -> None:
    """Remove the bytes that were set aside, or bring back those that are needed."""
    unneeded = _not_needed(house, removal_id)
    for sha256 in _objects(house, removal_id):
        if sha256 in unneeded:
            house.store.forget_aside(sha256)
        else:
            house.store.bring_back(sha256)
    with house.sessions.begin() as session:
        removal = session.get_one(Removal, removal_id)
        removal.state, removal.ended_at = "purged", at
        mine = RemovedObject.removal_id == removal_id
        session.execute(delete(RemovedObject).where(mine))
        for sha256 in sorted(unneeded):
            place = ObjectPlace.sha256 == sha256
            session.execute(delete(ObjectPlace).where(place))
    log.info("deletion purged", id=removal_id)


def _objects(house: House, removal_id: str) -> list[str]:
    """Return the hashes of the bytes that a removal took along."""
    with house.sessions.begin(write=False) as session:
        wanted = select(RemovedObject.sha256).where(
            RemovedObject.removal_id == removal_id
        )
        return list(session.scalars(wanted.order_by(RemovedObject.sha256)))


def _not_needed(house: House, removal_id: str) -> set[str]:
    """Return those of a removal's bytes that no row and no other removal needs."""
    mine = RemovedObject.sha256
    other = RemovedObject.__table__.alias("other")
    others = select(other.c.sha256).join(Removal, Removal.id == other.c.removal_id)
    others = others.where(Removal.state == "open", Removal.id != removal_id)
    wanted = select(mine).where(
        RemovedObject.removal_id == removal_id,
        ~exists().where(Instance.sha256 == mine),
        ~exists().where(Aside.sha256 == mine),
        mine.not_in(others),
    )
    with house.sessions.begin(write=False) as session:
        return set(session.scalars(wanted))


def _forget_volume(house: House, content_hash: str) -> None:
    """Remove what the cache of volumes has of a deleted series."""
    if content_hash:
        folder = house.settings.data / "cache" / "volumes" / content_hash
        shutil.rmtree(folder, ignore_errors=True)
