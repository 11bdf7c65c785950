"""What routes did and do: look at it, and try again what failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import func, select, update

from rounds_hub.access.policy import Action, Resource, require
from rounds_hub.archive.models import Series, Study
from rounds_hub.errors import BusyError, ConflictError, NotFoundError
from rounds_hub.gateway.models import Sending
from rounds_hub.routing.models import Firing
from rounds_hub.routing.service import may_look
from rounds_hub.runs.models import Run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["STATES", "FiringRecord", "enqueue", "list_firings", "retry", "state_counts"]

MOST_LISTED: Final = 200
STATES: Final = ("held", "waiting", "running", "done", "failed")
_OF_A_RUN: Final = {"storing": "running", "cancelled": "failed"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FiringRecord:
    """One action of a route on one content of a series, as a page shows it.

    *state* goes on with the run or the sending that the action began.
    """

    id: int
    route_id: str
    route_name: str
    version: int
    action: dict[str, Any]
    series_uid: str
    study_uid: str
    series: str
    state: str
    error: str
    result: dict[str, Any]
    attempt: int
    created_at: datetime
    finished_at: datetime | None


def list_firings(
    house: House,
    principal: Principal,
    *,
    route_id: str = "",
    series_uid: str = "",
    limit: int = MOST_LISTED,
) -> list[FiringRecord]:
    """Return what routes did, the newest first; of one route or one series only.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    """
    wanted = (
        select(Firing, Series, Study)
        .outerjoin(Series, Series.uid == Firing.series_uid)
        .outerjoin(Study, Study.uid == Series.study_uid)
        .order_by(Firing.created_at.desc(), Firing.id.desc())
        .limit(max(1, min(limit, MOST_LISTED)))
    )
    if route_id:
        wanted = wanted.where(Firing.route_id == route_id)
    if series_uid:
        wanted = wanted.where(Firing.series_uid == series_uid)
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        rows = [(row[0], row[1], row[2]) for row in session.execute(wanted)]
        begun = _begun(session, [firing for firing, _, _ in rows])
    return [_record(*row, begun) for row in rows]


def state_counts(house: House, principal: Principal) -> dict[str, int]:
    """Return how many actions are in each state, as their rows say."""
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        wanted = select(Firing.state, func.count()).group_by(Firing.state)
        return {row[0]: row[1] for row in session.execute(wanted)}


def retry(house: House, principal: Principal, firing_id: int) -> None:
    """Do an action again that failed, or whose run or sending did.

    Raises
    ------
    NotFoundError
        If there is no such action.
    ConflictError
        If it did not fail.
    """
    with house.sessions.begin() as session:
        may_look(session, principal)
        firing = session.get(Firing, firing_id, with_for_update=True)
        if firing is None:
            kind = "action"
            raise NotFoundError(kind, str(firing_id))
        resource = Resource("route", firing.route_id)
        require(session, principal, Action.HOUSE_ADMIN, resource)
        state, _ = _state(firing, _begun(session, [firing]))
        if state != "failed":
            msg = f"The action is {state}; only one that failed is done again."
            raise ConflictError(msg)
        firing.state, firing.error, firing.finished_at = "waiting", "", None
        firing.attempt += 1
        key = f"{firing.key}:{firing.attempt}"
    enqueue(house, [key])


def release(session: Session, series_uid: str) -> list[str]:
    """Let what waited for the release of a series go on; return the keys."""
    held = (Firing.series_uid == series_uid, Firing.state == "held")
    found = list(session.execute(select(Firing.key, Firing.attempt).where(*held)))
    session.execute(
        update(Firing)
        .where(*held)
        .values(state="waiting")
        .execution_options(synchronize_session=False)
    )
    return [f"{key}:{attempt}" for key, attempt in found]


def enqueue(house: House, keys: Iterable[str]) -> None:
    """Hand actions to the workers; what the queue does not take now is handed later."""
    for key in keys:
        try:
            house.work.enqueue("route", key)
        except BusyError as error:
            log.warning("queue does not answer", action=key, why=str(error))
            return


@dataclass(frozen=True, slots=True)
class _Begun:
    """How far the runs and sendings are that actions began, by their ids."""

    runs: dict[str, tuple[str, str]]
    sendings: dict[str, tuple[str, str]]


def _begun(session: Session, firings: list[Firing]) -> _Begun:
    """Return how far the runs and sendings of *firings* are, and why they failed."""
    results = [one.result for one in firings]
    runs = select(Run).where(Run.id.in_([one.get("run_id", "") for one in results]))
    ids = [one.get("sending_id", "") for one in results]
    sendings = select(Sending).where(Sending.id.in_(ids))
    return _Begun(
        {
            one.id: (one.state, str(one.error.get("message", "")))
            for one in session.scalars(runs)
        },
        {one.id: (one.state, one.why) for one in session.scalars(sendings)},
    )


def _state(firing: Firing, begun: _Begun) -> tuple[str, str]:
    """Return how far an action is with what it began, and why it failed."""
    if firing.state != "done":
        return firing.state, firing.error
    run = begun.runs.get(firing.result.get("run_id", ""))
    sending = begun.sendings.get(firing.result.get("sending_id", ""))
    state, why = run or sending or ("done", "")
    return _OF_A_RUN.get(state, state), why


def _record(
    firing: Firing, series: Series | None, study: Study | None, begun: _Begun
) -> FiringRecord:
    """Return *firing* as a page shows it."""
    state, error = _state(firing, begun)
    said = (series.description or series.modality) if series is not None else ""
    return FiringRecord(
        id=firing.id,
        route_id=firing.route_id,
        route_name=firing.route_name,
        version=firing.version,
        action=firing.action,
        series_uid=firing.series_uid,
        study_uid=study.uid if study is not None else "",
        series=said,
        state=state,
        error=error,
        result=firing.result,
        attempt=firing.attempt,
        created_at=firing.created_at,
        finished_at=firing.finished_at,
    )
