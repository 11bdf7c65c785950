"""Delete with a reason, undo it for a set time; what is over is purged by the worker.

What is deleted leaves the tables of the archive for the table of removals, as JSON, so
that nobody who reads has to know of deleting. The bytes stay until the time is over.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from sqlalchemy import func, select

from rounds_hub.access.audience import ADMINS
from rounds_hub.access.policy import (
    Action,
    Resource,
    case_resource,
    decide,
    require,
    series_resource,
    visible,
)
from rounds_hub.archive.intake import content_hash
from rounds_hub.archive.models import (
    Aside,
    Instance,
    Removal,
    RemovedObject,
    Series,
    Study,
)
from rounds_hub.archive.removing import Rows, copy_rows, put_back, take_out
from rounds_hub.archive.texts import clean
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.errors import ConflictError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = [
    "Level",
    "RemovalRecord",
    "deletable",
    "delete",
    "get_removal",
    "list_removals",
    "restore",
]

Level: TypeAlias = Literal["study", "series", "instance"]

LONGEST_REASON = 500
LONGEST_UID = 64
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class RemovalRecord:
    """Something that was deleted, without the rows that bring it back.

    *state* is ``open`` while it can be undone, then ``undone``, ``leaving`` or
    ``purged``.
    """

    id: str
    level: str
    uid: str
    study_uid: str
    modality: str
    owner: str
    instance_count: int
    size: int
    state: str
    by: str
    reason: str
    at: datetime
    until: datetime
    ended_at: datetime | None
    ended_by: str

    @property
    def undoable(self) -> bool:
        """Whether it can still be undone."""
        return self.state == "open" and utc_now() < self.until


def delete(
    house: House, principal: Principal, level: Level, uid: str, reason: str
) -> RemovalRecord:
    """Delete a study, series or instance because of *reason*; it can be undone.

    Of a study it deletes the series that *principal* may see. A series without
    instances, and a study without series, goes with its last one.

    Raises
    ------
    NotFoundError
        If there is no such thing, or none that *principal* may see.
    ForbiddenError
        If it is somebody else's, and *principal* is no administrator.
    ConflictError
        If a case shows it; the sentence names the case.
    InvalidError
        If there is no reason, or it is longer than 500 letters.
    """
    why = _checked_reason(reason)
    with house.sessions.begin() as session:
        every, only = _named(session, principal, level, uid)
        for series in every:
            resource = series_resource(session, series)
            require(session, principal, Action.SERIES_DELETE, resource, why=why)
        _refuse_shown(session, principal, every)
        removal = _begun(house, every, (level, uid))
        removal.by, removal.reason = principal.name, why
        session.add(removal)
        session.flush()
        _take(session, removal, every, only)
        return _as_record(removal)


def deletable(
    house: House, principal: Principal, series_uids: Sequence[str]
) -> frozenset[str]:
    """Return those of these series that *principal* may delete, by the policy."""
    with house.sessions.begin(write=False) as session:
        wanted = select(Series).where(Series.uid.in_(series_uids))
        return frozenset(
            series.uid
            for series in session.scalars(wanted)
            if decide(principal, Action.SERIES_DELETE, series_resource(session, series))
        )


def restore(house: House, principal: Principal, removal_id: str) -> RemovalRecord:
    """Undo a deletion: everything is again where it was.

    Where other bytes came under the same SOP Instance UID meanwhile, those stay and
    the deleted ones are kept aside.

    Raises
    ------
    NotFoundError
        If there is no such deletion, or none that *principal* may see.
    ConflictError
        If it was undone already, or its time is over.
    """
    with house.sessions.begin() as session:
        removal = _removal(session, principal, removal_id, lock=True)
        resource = _resource(removal)
        require(session, principal, Action.SERIES_DELETE, resource, why="undone")
        if not _as_record(removal).undoable:
            msg = f"Deletion {removal.id!r} can no longer be undone."
            raise ConflictError(msg)
        _bring_back(session, removal)
        removal.state, removal.rows = "undone", {}
        removal.ended_at, removal.ended_by = utc_now(), principal.name
        _forget_objects(session, removal.id)
        return _as_record(removal)


def get_removal(house: House, principal: Principal, removal_id: str) -> RemovalRecord:
    """Return a deletion, for who did it, whose series it was, and administrators.

    Raises
    ------
    NotFoundError
        If there is none, or none that *principal* may see.
    """
    with house.sessions.begin(write=False) as session:
        return _as_record(_removal(session, principal, removal_id))


def list_removals(
    house: House,
    principal: Principal,
    *,
    before: datetime | None = None,
    limit: int = 50,
) -> list[RemovalRecord]:
    """Return the newest deletions, those older than *before*.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.HOUSE_ADMIN)
        wanted = select(Removal).order_by(Removal.at.desc(), Removal.id)
        if before is not None:
            wanted = wanted.where(Removal.at < before)
        some = wanted.limit(max(1, min(limit, MOST_LISTED)))
        return [_as_record(one) for one in session.scalars(some)]


def _checked_reason(reason: str) -> str:
    """Return *reason* as one line, or refuse it."""
    why = clean(reason)
    if not why or len(why) > LONGEST_REASON:
        msg = f"Say why it is deleted, in 1 to {LONGEST_REASON} letters."
        raise InvalidError(msg, {"reason": msg})
    return why


def _named(
    session: Session, principal: Principal, level: Level, uid: str
) -> tuple[list[Series], Instance | None]:
    """Return the series that are meant, held, and the one instance where one is."""
    only = session.get(Instance, uid) if level == "instance" else None
    wanted = select(Series).order_by(Series.uid).with_for_update()
    if level == "study":
        wanted = wanted.where(Series.study_uid == uid)
    else:
        wanted = wanted.where(Series.uid == (only.series_uid if only else uid))
    every = [
        series
        for series in session.scalars(wanted)
        if visible(principal, series_resource(session, series))
    ]
    if not every or (level == "instance" and only is None):
        raise NotFoundError(level, clean(uid)[:LONGEST_UID])
    return every, only


def _refuse_shown(
    session: Session, principal: Principal, every: Sequence[Series]
) -> None:
    """Refuse to delete what a case shows, draft or published."""
    uids = [series.uid for series in every]
    holds = select(CaseSeries.case_id).where(CaseSeries.series_uid.in_(uids))
    wanted = select(Case).where(Case.id.in_(holds), Case.status != "deleted")
    for case in session.scalars(wanted.order_by(Case.status.desc(), Case.id)):
        named = f"Case {case.id!r}"
        if not decide(principal, Action.CASE_READ, case_resource(case)):
            named = "A case of somebody else"
        msg = f"{named} shows it. Take it out of the case first, or delete the case."
        raise ConflictError(msg)


def _begun(house: House, every: Sequence[Series], what: tuple[Level, str]) -> Removal:
    """Return the row of a new removal of *every* series, or of a part of it."""
    owners = sorted({series.owner for series in every})
    now = utc_now()
    return Removal(
        id=uuid.uuid4().hex,
        level=what[0],
        uid=what[1],
        study_uid=every[0].study_uid,
        modality="/".join(sorted({series.modality for series in every} - {""})),
        owner=owners[0] if len(owners) == 1 else "",
        audience=[ADMINS, *(f"user:{name}" for name in owners)],
        state="open",
        at=now,
        until=now + timedelta(days=house.settings.deletion_undo_days),
    )


def _take(
    session: Session, removal: Removal, every: Sequence[Series], only: Instance | None
) -> None:
    """Move the rows of what is deleted into *removal*, and say that series changed."""
    uids = [series.uid for series in every]
    wanted = select(Instance.uid, Instance.sha256, Instance.size)
    wanted = wanted.where(Instance.series_uid.in_(uids))
    if only is not None:
        wanted = wanted.where(Instance.uid == only.uid)
    instances = session.execute(wanted).all()
    removal.instance_count = len(instances)
    removal.size = sum(one.size for one in instances)
    # The rows above are kept too: another removal may take the last of them.
    rows = copy_rows(session, Study, [removal.study_uid])
    rows |= copy_rows(session, Series, uids)
    _merge(rows, take_out(session, Instance, [one.uid for one in instances]))
    for sha256 in sorted({one.sha256 for one in instances}):
        session.add(RemovedObject(removal_id=removal.id, sha256=sha256))
    session.expire_all()
    for uid in uids:
        _merge(rows, _shrink(session, uid))
    removal.rows = rows


def _shrink(session: Session, uid: str) -> Rows:
    """Count a series anew; where it is empty it goes, its study with the last."""
    series = session.get_one(Series, uid)
    session.add(OutboxEvent(kind="series", key=uid))
    if _recount(session, series):
        return {}
    study_uid = series.study_uid
    session.flush()
    session.expunge(series)
    rows = take_out(session, Series, [uid])
    left = select(func.count()).where(Series.study_uid == study_uid)
    if not session.scalar(left):
        _merge(rows, take_out(session, Study, [study_uid]))
    return rows


def _recount(session: Session, series: Series) -> int:
    """Bring counts and hash of *series* up to its instances; return how many."""
    wanted = select(Instance.sha256, Instance.frames)
    found = session.execute(wanted.where(Instance.series_uid == series.uid)).all()
    series.instance_count = len(found)
    series.frame_count = sum(one.frames for one in found)
    series.content_hash = content_hash(one.sha256 for one in found)
    series.revision += 1
    return len(found)


def _merge(rows: Rows, more: Rows) -> None:
    """Add *more* rows to *rows*."""
    for name, some in more.items():
        rows.setdefault(name, []).extend(some)


def _bring_back(session: Session, removal: Removal) -> None:
    """Put the rows of *removal* back, and count their series anew."""
    rows = dict(removal.rows)
    name = Instance.__tablename__
    known: dict[str, str] = {}
    uids = [row["uid"] for row in rows.get(name, ())]
    for row in copy_rows(session, Instance, uids)[name]:
        known[row["uid"]] = row["sha256"]
    for row in rows.get(name, ()):
        if known.get(row["uid"], row["sha256"]) != row["sha256"]:
            _keep_aside(session, row, removal.owner or removal.by)
    put_back(session, rows)
    session.expire_all()
    for uid in sorted({row["uid"] for row in rows.get(Series.__tablename__, ())}):
        _shrink(session, uid)


def _keep_aside(session: Session, row: dict[str, object], owner: str) -> None:
    """Keep deleted bytes aside whose SOP Instance UID stands for others now."""
    there = select(Aside.id).where(
        Aside.sop_uid == row["uid"], Aside.sha256 == row["sha256"]
    )
    if session.scalar(there) is None:
        session.add(
            Aside(
                sop_uid=row["uid"],
                sha256=row["sha256"],
                size=row["size"],
                owner=owner,
            )
        )


def _forget_objects(session: Session, removal_id: str) -> None:
    """Forget which bytes a removal still needed."""
    wanted = select(RemovedObject).where(RemovedObject.removal_id == removal_id)
    for one in session.scalars(wanted):
        session.delete(one)


def _removal(
    session: Session, principal: Principal, removal_id: str, *, lock: bool = False
) -> Removal:
    """Return the row of a removal that *principal* may see."""
    wanted = select(Removal).where(Removal.id == removal_id)
    removal = session.scalar(wanted.with_for_update() if lock else wanted)
    if removal is None or not visible(principal, _resource(removal)):
        kind = "deletion"
        raise NotFoundError(kind, clean(removal_id)[:LONGEST_UID])
    return removal


def _resource(removal: Removal) -> Resource:
    """Return *removal* as the policy sees it: who did it and whose it was."""
    owners = {removal.by, *(one.removeprefix("user:") for one in removal.audience)}
    may_see = frozenset({*removal.audience, f"user:{removal.by}"})
    return Resource("deletion", removal.id, may_see, frozenset(owners - {ADMINS}))


def _as_record(removal: Removal) -> RemovalRecord:
    """Return *removal* without its rows."""
    names = (one.name for one in fields(RemovalRecord))
    return RemovalRecord(**{name: getattr(removal, name) for name in names})
