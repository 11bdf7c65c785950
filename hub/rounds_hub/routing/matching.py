"""Try routes on a series: which are for it, clause by clause, and why not others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import select

from rounds_hub.archive.models import Series
from rounds_hub.errors import InvalidError
from rounds_hub.routing.models import Route
from rounds_hub.routing.parsing import parse
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from rounds_hub.routing.conditions import Explained
    from rounds_hub.routing.facts import Facts

__all__ = [
    "ROUTE",
    "Outcome",
    "RouteRecord",
    "Verdict",
    "judge",
    "living_routes",
    "record_of",
    "routes_behind",
]

ROUTE = "route:"
"""What the name of a route's principal begins with."""
DEEPEST_LINEAGE = 16

Outcome: TypeAlias = Literal["fires", "no", "unknown", "loop", "off", "unreadable"]


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """A route as the catalogue had it when it was read; see :class:`Route`."""

    id: str
    name: str
    note: str
    condition: str
    actions: tuple[dict[str, Any], ...]
    enabled: bool
    position: int
    version: int
    updated_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comes of one route on one series.

    *outcome* is ``fires``, ``no``, ``unknown`` (a tag is missing), ``loop`` (the route
    made the series itself), ``off`` (its condition is true, the route is switched
    off), or ``unreadable`` (see *why*).
    """

    route: RouteRecord
    outcome: Outcome
    explained: Explained | None = None
    why: str = ""


def record_of(route: Route) -> RouteRecord:
    """Return what the catalogue has on *route*."""
    return RouteRecord(
        id=route.id,
        name=route.name,
        note=route.note,
        condition=route.condition,
        actions=tuple(route.actions),
        enabled=route.enabled,
        position=route.position,
        version=route.version,
        updated_at=route.updated_at,
        deleted_at=route.deleted_at,
    )


def living_routes(session: Session) -> list[RouteRecord]:
    """Return the routes that are not deleted, in their order."""
    order = (Route.position, Route.name, Route.id)
    wanted = select(Route).where(Route.deleted_at.is_(None)).order_by(*order)
    return [record_of(one) for one in session.scalars(wanted)]


def judge(
    routes: Iterable[RouteRecord], facts: Facts, behind: frozenset[str]
) -> list[Verdict]:
    """Return what comes of each of *routes* on the series of *facts*.

    *behind* are the ids of routes that had a part in making the series.
    """
    return [_judge(one, facts, behind) for one in routes]


def routes_behind(session: Session, series: Series) -> frozenset[str]:
    """Return the ids of the routes that had a part in making *series*.

    These are the routes that asked for the run of which it is a result, for the runs
    behind that run's inputs, and so on.
    """
    found: set[str] = set()
    wanted = [series]
    seen: set[str] = set()
    for _ in range(DEEPEST_LINEAGE):
        ids = {one.run_id for one in wanted if one.run_id} - seen
        if not ids:
            break
        seen |= ids
        asked = select(RunRequest.principal).where(RunRequest.run_id.in_(ids))
        found |= {
            name.removeprefix(ROUTE)
            for name in session.scalars(asked)
            if name.startswith(ROUTE)
        }
        runs = session.scalars(select(Run).where(Run.id.in_(ids)))
        uids = {given["series_uid"] for run in runs for given in run.inputs}
        wanted = list(session.scalars(select(Series).where(Series.uid.in_(uids))))
    return frozenset(found)


def _judge(route: RouteRecord, facts: Facts, behind: frozenset[str]) -> Verdict:
    """Return what comes of one route."""
    try:
        explained = parse(route.condition).explain(facts)
    except InvalidError as error:
        return Verdict(route, "unreadable", why=str(error))
    if explained.answer is not True:
        missing = explained.answer is None
        return Verdict(route, "unknown" if missing else "no", explained)
    if route.id in behind:
        return Verdict(route, "loop", explained)
    return Verdict(route, "fires" if route.enabled else "off", explained)
