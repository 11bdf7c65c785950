"""Write routes, look at them, go back to how they were; administrators alone do."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, func, select

from rounds_hub.access.policy import Action, Resource, decide, require
from rounds_hub.archive.texts import clean
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import ConflictError, InvalidError, NotFoundError
from rounds_hub.routing.actions import checked_actions
from rounds_hub.routing.matching import RouteRecord, living_routes, record_of
from rounds_hub.routing.models import Firing, Route, RouteVersion
from rounds_hub.routing.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = [
    "Draft",
    "RouteOverview",
    "VersionRecord",
    "change",
    "checked",
    "create",
    "delete",
    "get",
    "history",
    "list_routes",
    "may_look",
    "move",
    "restore_version",
    "switch",
    "undelete",
]

MOST_ROUTES = 200
LONGEST_NAME = 100
LONGEST_NOTE = 2000
SHOWN_VERSIONS = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants a route to be."""

    name: str
    condition: str
    actions: Sequence[object]
    note: str = ""


@dataclass(frozen=True, slots=True)
class RouteOverview:
    """A route with what it did: how many actions, how many failed, when it last did."""

    route: RouteRecord
    fired: int
    failed: int
    last_fired: datetime | None


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A route as it was in one of its versions, and who wrote it so."""

    version: int
    name: str
    note: str
    condition: str
    actions: tuple[dict[str, Any], ...]
    by: str
    at: datetime
    restored_from: int | None


def may_look(session: Session, principal: Principal) -> None:
    """Refuse whoever may not see routes; a look is no line in the audit trail.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    """
    if not decide(principal, Action.HOUSE_ADMIN):
        require(session, principal, Action.HOUSE_ADMIN)


def list_routes(
    house: House, principal: Principal, *, deleted: bool = False
) -> list[RouteOverview]:
    """Return the routes in their order, or the *deleted* ones, the latest first."""
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        if deleted:
            gone = select(Route).where(Route.deleted_at.is_not(None))
            newest = gone.order_by(Route.deleted_at.desc()).limit(MOST_ROUTES)
            found = [record_of(one) for one in session.scalars(newest)]
        else:
            found = living_routes(session)
        counts = _counts(session)
    nothing = (0, 0, None)
    return [RouteOverview(one, *counts.get(one.id, nothing)) for one in found]


def get(house: House, principal: Principal, route_id: str) -> RouteRecord:
    """Return the route *route_id*, also a deleted one.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        return record_of(_known(session, route_id))


def history(house: House, principal: Principal, route_id: str) -> list[VersionRecord]:
    """Return the versions of a route, the newest first."""
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        _known(session, route_id)
        wanted = (
            select(RouteVersion)
            .where(RouteVersion.route_id == route_id)
            .order_by(RouteVersion.version.desc())
            .limit(SHOWN_VERSIONS)
        )
        return [_version_record(one) for one in session.scalars(wanted)]


def checked(house: House, draft: Draft) -> Draft:
    """Return *draft* trimmed and checked, its actions as a route keeps them.

    Raises
    ------
    InvalidError
        If anything cannot be kept; *problems* has each by its place.
    """
    problems: dict[str, str] = {}
    kept: list[dict[str, Any]] = []
    name, note = clean(draft.name).strip(), draft.note.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        problems["name"] = f"A route needs a name of up to {LONGEST_NAME} signs."
    if len(note) > LONGEST_NOTE:
        problems["note"] = f"A note has at most {LONGEST_NOTE} signs."
    try:
        parse(draft.condition)
    except InvalidError as error:
        problems |= error.problems
    try:
        kept = checked_actions(house, draft.actions)
    except InvalidError as error:
        problems |= error.problems
    if problems:
        msg = f"The route cannot be saved. {' '.join(problems.values())}"
        raise InvalidError(msg, problems)
    return Draft(name, draft.condition.strip(), kept, note)


def create(
    house: House, principal: Principal, draft: Draft, *, enabled: bool = True
) -> RouteRecord:
    """Make a route of *draft*, after all others, and return it.

    Raises
    ------
    InvalidError
        If anything of it cannot be kept.
    ConflictError
        If there are as many routes as there may be.
    """
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
    kept = checked(house, draft)
    with house.sessions.begin() as session:
        there = living_routes(session)
        if len(there) >= MOST_ROUTES:
            msg = f"There are {MOST_ROUTES} routes, which is the most. Delete one."
            raise ConflictError(msg)
        last = max((one.position for one in there), default=0)
        route = Route(
            id=secrets.token_hex(6),
            enabled=enabled,
            position=last + 1,
            version=0,
            deleted_at=None,
        )
        _require(session, principal, route.id)
        session.add(route)
        return _written(session, principal, route, kept)


def change(
    house: House, principal: Principal, route_id: str, draft: Draft, *, version: int
) -> RouteRecord:
    """Make the route what *draft* says, if it still stands at *version*.

    Where nothing differs nothing is written.

    Raises
    ------
    ConflictError
        If somebody changed it meanwhile, or it is deleted.
    """
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
    kept = checked(house, draft)
    with house.sessions.begin() as session:
        route = _to_change(session, principal, route_id)
        if route.version != version:
            msg = (
                f"Somebody changed this route meanwhile (it is at version "
                f"{route.version}, yours was {version}). Nothing was saved; look at "
                "its history and save again."
            )
            raise ConflictError(msg)
        if _same(route, kept):
            return record_of(route)
        return _written(session, principal, route, kept)


def restore_version(
    house: House, principal: Principal, route_id: str, version: int
) -> RouteRecord:
    """Make the route what it was in *version*, as a new version.

    Raises
    ------
    NotFoundError
        If it had no such version.
    InvalidError
        If that one cannot work any more, because a template or a node is gone.
    """
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        _known(session, route_id)
        old = session.get(RouteVersion, (route_id, version))
        if old is None:
            kind = "version"
            raise NotFoundError(kind, str(version))
    kept = checked(house, Draft(old.name, old.condition, old.actions, old.note))
    with house.sessions.begin() as session:
        route = _to_change(session, principal, route_id)
        return _written(session, principal, route, kept, restored_from=version)


def switch(
    house: House, principal: Principal, route_id: str, *, enabled: bool
) -> RouteRecord:
    """Switch a route on or off; what it began goes on."""
    with house.sessions.begin() as session:
        route = _to_change(session, principal, route_id)
        route.enabled = enabled
        return record_of(route)


def move(
    house: House, principal: Principal, route_id: str, *, before: str | None
) -> list[RouteRecord]:
    """Put a route *before* another one, or at the end; return them in their order."""
    with house.sessions.begin() as session:
        moved = _to_change(session, principal, route_id)
        order = [one.id for one in living_routes(session) if one.id != moved.id]
        place = len(order) if before is None else _place(order, before)
        order.insert(place, moved.id)
        for position, one in enumerate(order, start=1):
            session.get_one(Route, one).position = position
        session.flush()
        return living_routes(session)


def delete(house: House, principal: Principal, route_id: str) -> RouteRecord:
    """Put a route away; :func:`undelete` brings it back, and twice changes nothing."""
    with house.sessions.begin() as session:
        route = _known(session, route_id, lock=True)
        _require(session, principal, route_id)
        route.deleted_at = route.deleted_at or utc_now()
        return record_of(route)


def undelete(house: House, principal: Principal, route_id: str) -> RouteRecord:
    """Bring a deleted route back, switched off, so that nothing starts by surprise."""
    with house.sessions.begin() as session:
        route = _known(session, route_id, lock=True)
        _require(session, principal, route_id)
        if route.deleted_at is not None:
            route.deleted_at, route.enabled = None, False
        return record_of(route)


def _require(session: Session, principal: Principal, route_id: str) -> None:
    """Ask the policy for a change to a route; the answer is in the audit trail."""
    require(session, principal, Action.HOUSE_ADMIN, Resource("route", route_id))


def _known(session: Session, route_id: str, *, lock: bool = False) -> Route:
    """Return the row of a route, held against other writers where *lock* is set."""
    wanted = select(Route).where(Route.id == route_id[:64])
    route = session.scalars(wanted.with_for_update() if lock else wanted).one_or_none()
    if route is None:
        kind = "route"
        raise NotFoundError(kind, clean(route_id)[:64])
    return route


def _to_change(session: Session, principal: Principal, route_id: str) -> Route:
    """Return the row of a route that *principal* may change and that is not deleted."""
    may_look(session, principal)
    route = _known(session, route_id, lock=True)
    _require(session, principal, route_id)
    if route.deleted_at is not None:
        msg = f"Route {route.name!r} is deleted; bring it back first."
        raise ConflictError(msg)
    return route


def _same(route: Route, kept: Draft) -> bool:
    """Return whether *route* says already what *kept* says."""
    there = (route.name, route.note, route.condition, list(route.actions))
    return there == (kept.name, kept.note, kept.condition, list(kept.actions))


def _written(
    session: Session,
    principal: Principal,
    route: Route,
    kept: Draft,
    *,
    restored_from: int | None = None,
) -> RouteRecord:
    """Write *kept* as the next version of *route*."""
    said = {
        "name": kept.name,
        "note": kept.note,
        "condition": kept.condition,
        "actions": list(kept.actions),
    }
    for column, value in said.items():
        setattr(route, column, value)
    route.version += 1
    route.updated_at = utc_now()
    session.add(
        RouteVersion(
            route_id=route.id,
            version=route.version,
            by=principal.name,
            restored_from=restored_from,
            **said,
        )
    )
    session.flush()
    return record_of(route)


def _place(order: list[str], before: str) -> int:
    """Return where *before* stands in *order*."""
    if before not in order:
        kind = "route"
        raise NotFoundError(kind, clean(before)[:64])
    return order.index(before)


def _counts(session: Session) -> dict[str, tuple[int, int, datetime | None]]:
    """Return for each route its actions, those that failed, and when the last was."""
    failed = func.sum((Firing.state == "failed").cast(Integer))
    wanted = select(
        Firing.route_id, func.count(), failed, func.max(Firing.created_at)
    ).group_by(Firing.route_id)
    return {
        route_id: (count, int(bad or 0), last)
        for route_id, count, bad, last in session.execute(wanted)
    }


def _version_record(row: RouteVersion) -> VersionRecord:
    """Return what the catalogue has on a version."""
    return VersionRecord(
        version=row.version,
        name=row.name,
        note=row.note,
        condition=row.condition,
        actions=tuple(row.actions),
        by=row.by,
        at=row.at,
        restored_from=row.restored_from,
    )
