"""Try routes without doing anything: what would come of a series or a condition."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from rounds_hub.access.policy import Action, require, series_resource
from rounds_hub.archive.models import Series, Study
from rounds_hub.archive.texts import clean
from rounds_hub.errors import NotFoundError
from rounds_hub.routing.completeness import Due, firing_key
from rounds_hub.routing.facts import facts_of
from rounds_hub.routing.matching import judge, living_routes, routes_behind
from rounds_hub.routing.models import Firing, SeriesState
from rounds_hub.routing.parsing import parse
from rounds_hub.routing.service import may_look

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_hub.routing.matching import RouteRecord, Verdict

__all__ = ["DryRun", "Preview", "Tried", "TriedSeries", "dry_run", "newest", "preview"]

MOST_TRIED: Final = 50
SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class TriedSeries:
    """A series on which conditions are tried."""

    uid: str
    study_uid: str
    modality: str
    description: str
    study: str
    instance_count: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Tried:
    """What would come of one route: its verdict, and the state of each action.

    *states* has for each action ``new``, or how far it is on this content already.
    """

    verdict: Verdict
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would come of a series if it were complete now; nothing was done.

    *state* is ``open``, ``complete``, or ``unknown`` where it came before there were
    routes; *why* says why it is complete.
    """

    series: TriedSeries
    state: str
    why: str
    problem: str
    held: bool
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """For which of the newest series a condition is true, not known, and false.

    *tried* is how many there was time for.
    """

    matches: tuple[TriedSeries, ...]
    unknown: tuple[TriedSeries, ...]
    tried: int


def dry_run(
    house: House,
    principal: Principal,
    series_uid: str,
    *,
    draft: RouteRecord | None = None,
) -> DryRun:
    """Return what would come of a series, route by route; nothing is done.

    Parameters
    ----------
    house
        The opened house.
    principal
        Who asks.
    series_uid
        The series.
    draft
        A route that is not saved yet, tried alone.

    Raises
    ------
    NotFoundError
        If there is no such series.
    ForbiddenError
        If *principal* is no administrator.
    """
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        series = session.get(Series, series_uid[:64])
        if series is None:
            kind = "series"
            raise NotFoundError(kind, clean(series_uid)[:64])
        resource = series_resource(session, series)
        require(session, principal, Action.SERIES_READ, resource)
        facts = facts_of(house, session, series.uid)
        routes = [draft] if draft is not None else living_routes(session)
        behind = routes_behind(session, series)
        state = session.get(SeriesState, series.uid)
        study = session.get(Study, series.study_uid)
        begun = _begun(session, series.uid)
    due = Due(series.uid, series.content_hash, "")
    tried = tuple(
        Tried(one, _states(one, due, begun)) for one in judge(routes, facts, behind)
    )
    return DryRun(
        series=_tried_series(series, study),
        state=state.state if state is not None else "unknown",
        why=state.why if state is not None else "",
        problem=facts.problem,
        held=series.held,
        tried=tried,
    )


def newest(
    house: House, principal: Principal, most: int = MOST_TRIED
) -> list[TriedSeries]:
    """Return the newest series, to choose from."""
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        return [_tried_series(*row) for row in _newest(session, most)]


def preview(house: House, principal: Principal, condition: str) -> Preview:
    """Return for which of the newest series *condition* is true, within some seconds.

    Raises
    ------
    ConditionError
        If the condition cannot be read.
    """
    until = time.monotonic() + SECONDS
    answers: dict[bool | None, list[TriedSeries]] = {True: [], None: [], False: []}
    with house.sessions.begin(write=False) as session:
        may_look(session, principal)
        parsed = parse(condition)
        for series, study in _newest(session, MOST_TRIED):
            if time.monotonic() > until:
                break
            facts = facts_of(house, session, series.uid)
            answers[parsed.explain(facts).answer].append(_tried_series(series, study))
    tried = sum(map(len, answers.values()))
    return Preview(tuple(answers[True]), tuple(answers[None]), tried)


def _newest(session: Session, most: int) -> list[tuple[Series, Study]]:
    """Return the newest series with their studies."""
    wanted = (
        select(Series, Study)
        .join(Study, Study.uid == Series.study_uid)
        .order_by(Series.created_at.desc(), Series.uid)
        .limit(max(1, min(most, MOST_TRIED)))
    )
    return [(row[0], row[1]) for row in session.execute(wanted)]


def _tried_series(series: Series, study: Study | None) -> TriedSeries:
    """Return *series* as it is shown to choose from."""
    return TriedSeries(
        uid=series.uid,
        study_uid=series.study_uid,
        modality=series.modality,
        description=series.description,
        study=study.description if study is not None else "",
        instance_count=series.instance_count,
        created_at=series.created_at,
    )


def _begun(session: Session, series_uid: str) -> dict[str, str]:
    """Return how far the actions on a series are, by their keys."""
    wanted = select(Firing.key, Firing.state).where(Firing.series_uid == series_uid)
    return {row[0]: row[1] for row in session.execute(wanted)}


def _states(verdict: Verdict, due: Due, begun: dict[str, Any]) -> tuple[str, ...]:
    """Return how far each action of a route is on the content of *due*."""
    keys = (
        firing_key(verdict.route, number, due)
        for number in range(len(verdict.route.actions))
    )
    return tuple(begun.get(key, "new") for key in keys)
