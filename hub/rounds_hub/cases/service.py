"""Write typical cases, from a draft to what a class reads, and read them.

Every change asks the policy, raises the revision and leaves an event for the index,
all in one transaction. Of a case that somebody may not see they hear the same as of one
that does not exist.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from rounds_hub.access.policy import (
    Action,
    case_resource,
    require,
    run_resource,
    series_resource,
    visible,
)
from rounds_hub.access.principal import Role
from rounds_hub.archive.models import Series, Study
from rounds_hub.cases.content import SeriesChoice, checked
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.cases.related import runs_on
from rounds_hub.cases.rules import check_revision, guessed, refuse_incomplete, shown
from rounds_hub.cases.views import CaseView, has_pictures, view_of
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.errors import ConflictError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_hub.runs.models import Run

__all__ = [
    "add_series",
    "create",
    "create_from_study",
    "delete",
    "drafts",
    "get",
    "order_series",
    "publish",
    "remove_series",
    "restore",
    "results_of",
    "update",
    "withdraw",
]

MOST_DRAFTS: Final = 500


def create(
    house: House,
    principal: Principal,
    fields: Mapping[str, Any],
    *,
    case_id: str | None = None,
) -> CaseView:
    """Make a draft of *fields* (see ``content.FIELDS``) and return it.

    Parameters
    ----------
    case_id
        An id to use; by default one is drawn.

    Raises
    ------
    InvalidError
        If a field cannot be kept, or the title is missing.
    ForbiddenError
        If the principal may not write cases.
    NotFoundError
        If a series does not exist, or the principal may not see it.
    """
    kept = checked({"title": "", **fields})
    if not kept["title"]:
        msg = "A case needs a title."
        raise InvalidError(msg, {"title": msg})
    with house.sessions.begin() as session:
        require(session, principal, Action.CASE_CREATE)
        return _new(session, principal, kept, case_id or secrets.token_hex(8))


def create_from_study(house: House, principal: Principal, study_uid: str) -> CaseView:
    """Make a draft that shows the pictures of a study, and return it.

    The title is the study's description, the body part what its series say; results
    (segmentations, reports) are no pictures and stay out.

    Raises
    ------
    NotFoundError
        If there is no such study, or nothing in it that the principal may see.
    InvalidError
        If nothing in it is a picture.
    """
    with house.sessions.begin() as session:
        require(session, principal, Action.CASE_CREATE)
        study = session.get(Study, study_uid)
        seen = [] if study is None else _visible(session, principal, study.series)
        if study is None or not seen:
            kind = "study"
            raise NotFoundError(kind, study_uid)
        pictures = [series for series in seen if has_pictures(series)]
        if not pictures:
            msg = f"Study {study_uid!r} has no series with pictures to make a case of."
            raise InvalidError(msg)
        kept = checked(guessed(study, pictures))
        return _new(session, principal, kept, secrets.token_hex(8))


def get(house: House, principal: Principal, case_id: str) -> CaseView:
    """Return the case *case_id*.

    Raises
    ------
    NotFoundError
        If there is no such case, or none that the principal may see.
    """
    with house.sessions.begin(write=False) as session:
        case = _known(session, case_id)
        require(session, principal, Action.CASE_READ, case_resource(case))
        return view_of(session, case, principal)


def drafts(house: House, principal: Principal) -> tuple[CaseView, ...]:
    """Return the drafts of *principal*, the newest first."""
    with house.sessions.begin(write=False) as session:
        own = (
            select(Case)
            .where(Case.owner == principal.name, Case.status == "draft")
            .order_by(Case.updated_at.desc())
            .limit(MOST_DRAFTS)
            .options(selectinload(Case.series))
        )
        return tuple(view_of(session, case, principal) for case in session.scalars(own))


def update(
    house: House,
    principal: Principal,
    case_id: str,
    changes: Mapping[str, Any],
    *,
    revision: int,
) -> CaseView:
    """Change the fields in *changes*, if the case still stands at *revision*.

    Raises
    ------
    ConflictError
        If somebody changed it meanwhile; says which fields differ. Nothing is saved.
    InvalidError
        If a field cannot be kept, or a published case would lack something.
    """
    kept = checked(changes)
    with house.sessions.begin() as session:
        case = _to_change(session, principal, case_id, Action.CASE_WRITE)
        check_revision(case, kept, revision)
        if "audience" in kept and kept["audience"] != case.audience:
            require(session, principal, Action.CASE_PUBLISH, case_resource(case))
        _apply(session, principal, case, kept)
        if case.status == "published":
            refuse_incomplete(session, case)
        return _changed(session, principal, case)


def publish(house: House, principal: Principal, case_id: str) -> CaseView:
    """Show the case to its audience; once published, again changes nothing.

    Raises
    ------
    InvalidError
        If something is missing; its ``problems`` names each by its field.
    """
    with house.sessions.begin() as session:
        case = _to_change(session, principal, case_id, Action.CASE_PUBLISH)
        if case.status == "published":
            return view_of(session, case, principal)
        refuse_incomplete(session, case)
        case.status, case.published_at = "published", utc_now()
        return _changed(session, principal, case)


def withdraw(house: House, principal: Principal, case_id: str) -> CaseView:
    """Make a published case a draft again, which only its owner sees."""
    with house.sessions.begin() as session:
        case = _to_change(session, principal, case_id, Action.CASE_PUBLISH)
        if case.status == "draft":
            return view_of(session, case, principal)
        case.status, case.published_at = "draft", None
        return _changed(session, principal, case)


def delete(house: House, principal: Principal, case_id: str) -> CaseView:
    """Put the case away; :func:`restore` brings it back, and twice changes nothing."""
    with house.sessions.begin() as session:
        case = _owned(session, principal, case_id, Action.CASE_DELETE)
        if case.status == "deleted":
            return view_of(session, case, principal)
        case.status = "deleted"
        return _changed(session, principal, case)


def restore(house: House, principal: Principal, case_id: str) -> CaseView:
    """Bring a deleted case back as what it was, published or draft."""
    with house.sessions.begin() as session:
        case = _owned(session, principal, case_id, Action.CASE_DELETE)
        if case.status != "deleted":
            return view_of(session, case, principal)
        case.status = "draft" if case.published_at is None else "published"
        return _changed(session, principal, case)


def add_series(
    house: House,
    principal: Principal,
    case_id: str,
    series_uid: str,
    *,
    label: str = "",
) -> CaseView:
    """Show a series in the case, at the end; one that is there gets the label."""
    given = checked({"series": [{"uid": series_uid, "label": label}]})["series"][0]
    with house.sessions.begin() as session:
        case = _to_change(session, principal, case_id, Action.CASE_WRITE)
        chosen = {uid: SeriesChoice(uid, said) for uid, said in shown(case)}
        chosen[given.uid] = given
        _apply(session, principal, case, {"series": list(chosen.values())})
        return _changed(session, principal, case)


def remove_series(
    house: House, principal: Principal, case_id: str, series_uid: str
) -> CaseView:
    """Show a series in the case no longer; its images stay in the archive.

    Raises
    ------
    InvalidError
        If a published case would be left without pictures.
    """
    with house.sessions.begin() as session:
        case = _to_change(session, principal, case_id, Action.CASE_WRITE)
        left = [
            SeriesChoice(uid, said) for uid, said in shown(case) if uid != series_uid
        ]
        _apply(session, principal, case, {"series": left})
        if case.status == "published":
            refuse_incomplete(session, case)
        return _changed(session, principal, case)


def order_series(
    house: House, principal: Principal, case_id: str, uids: Sequence[str]
) -> CaseView:
    """Show the series of the case in the order of *uids*, the others after them."""
    with house.sessions.begin() as session:
        case = _to_change(session, principal, case_id, Action.CASE_WRITE)
        labels = dict(shown(case))
        order = [uid for uid in dict.fromkeys([*uids, *labels]) if uid in labels]
        chosen = [SeriesChoice(uid, labels[uid]) for uid in order]
        _apply(session, principal, case, {"series": chosen})
        return _changed(session, principal, case)


def results_of(house: House, principal: Principal, case_id: str) -> tuple[Run, ...]:
    """Return the runs on the case that *principal* may see, the newest first."""
    with house.sessions.begin(write=False) as session:
        case = _known(session, case_id)
        require(session, principal, Action.CASE_READ, case_resource(case))
        found = runs_on(session, [uid for uid, _ in shown(case)], case_id=case.id)
        return tuple(
            run for run in found if visible(principal, run_resource(session, run))
        )


def _known(session: Session, case_id: str, *, lock: bool = False) -> Case:
    """Return the case, held against other writers where *lock* is set."""
    wanted = select(Case).where(Case.id == case_id)
    case = session.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
    if case is None:
        kind = "case"
        raise NotFoundError(kind, case_id)
    return case


def _owned(
    session: Session, principal: Principal, case_id: str, action: Action
) -> Case:
    """Return the case, deleted or not, if *principal* may do *action* on it."""
    case = _known(session, case_id, lock=True)
    require(session, principal, action, case_resource(case))
    return case


def _to_change(
    session: Session, principal: Principal, case_id: str, action: Action
) -> Case:
    """Return the case if *principal* may do *action* on it and it is not deleted."""
    case = _owned(session, principal, case_id, action)
    if case.status == "deleted":
        msg = f"Case {case_id!r} is deleted; restore it first."
        raise ConflictError(msg)
    return case


def _visible(
    session: Session, principal: Principal, series: Iterable[Series]
) -> list[Series]:
    """Return those of *series* that *principal* may see."""
    return [one for one in series if visible(principal, series_resource(session, one))]


def _new(
    session: Session, principal: Principal, kept: Mapping[str, Any], case_id: str
) -> CaseView:
    """Put a new draft into the catalogue."""
    case = Case(id=case_id, title=kept["title"], owner=principal.name, revision=0)
    session.add(case)
    session.flush()
    _apply(session, principal, case, kept)
    return _changed(session, principal, case)


def _apply(
    session: Session, principal: Principal, case: Case, kept: Mapping[str, Any]
) -> None:
    """Set the checked fields on *case*; series only those *principal* may see."""
    for name, value in kept.items():
        if name != "series":
            setattr(case, name, value)
    if "series" in kept:
        _show(session, principal, case, kept["series"])


def _show(
    session: Session, principal: Principal, case: Case, chosen: Sequence[SeriesChoice]
) -> None:
    """Make *case* show the *chosen* series; those that go are indexed anew."""
    before = {one.series_uid: one for one in case.series}
    chosen = [*chosen, *_unseen(session, principal, case, chosen)]
    for choice in chosen:
        if choice.uid not in before:
            _require_series(session, principal, choice.uid)
    case.series = [
        before.get(choice.uid) or CaseSeries(series_uid=choice.uid) for choice in chosen
    ]
    for place, (one, choice) in enumerate(zip(case.series, chosen, strict=True)):
        one.position, one.label = place, choice.label
    gone = before.keys() - {choice.uid for choice in chosen}
    session.add_all(OutboxEvent(kind="series", key=uid) for uid in sorted(gone))


def _unseen(
    session: Session, principal: Principal, case: Case, chosen: Sequence[SeriesChoice]
) -> list[SeriesChoice]:
    """Return the held series of *case* that whoever chose could not see: they stay."""
    left = dict(shown(case))
    for choice in chosen:
        left.pop(choice.uid, None)
    if not left or principal.has(Role.ADMIN):
        return []
    held = select(Series.uid).where(Series.uid.in_(list(left)), Series.held)
    return [SeriesChoice(uid, left[uid]) for uid in session.scalars(held)]


def _require_series(session: Session, principal: Principal, uid: str) -> None:
    """Refuse a series that does not exist or that *principal* may not see."""
    series = session.get(Series, uid)
    if series is None:
        kind = "series"
        raise NotFoundError(kind, uid)
    require(session, principal, Action.SERIES_READ, series_resource(session, series))


def _changed(session: Session, principal: Principal, case: Case) -> CaseView:
    """Raise the revision, leave an event, and return the case as it is now."""
    case.revision += 1
    case.updated_at = utc_now()
    session.add(OutboxEvent(kind="case", key=case.id))
    session.flush()
    return view_of(session, case, principal)
