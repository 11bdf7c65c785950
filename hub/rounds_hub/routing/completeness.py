"""Find series that are complete, and write down once what the routes want of them.

That a series is complete and what follows is one transaction, held by the content that
was looked at: where other instances came meanwhile nothing is written, and of two
workers only one writes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rounds_hub.archive.models import Instance, Series
from rounds_hub.catalogue.models import utc_now
from rounds_hub.routing.facts import facts_of
from rounds_hub.routing.matching import judge, living_routes, routes_behind
from rounds_hub.routing.models import Firing, SeriesState
from rounds_hub.routing.noting import expect
from rounds_hub.runs.models import Run
from rounds_hub.runs.states import ENDED
from rounds_kernels.headers import index_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.orm import Session

    from rounds_hub.house import House
    from rounds_hub.routing.facts import Facts
    from rounds_hub.routing.matching import RouteRecord, Verdict

__all__ = ["Due", "complete", "firing_key", "look", "why_complete"]

MOST_AT_ONCE: Final = 500
MOST_REMEMBERED: Final = 100_000
EXPECTED_TAG: Final = "NumberOfSeriesRelatedInstances"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Due:
    """A series that is complete, with the content that it has, and why it is."""

    series_uid: str
    content_hash: str
    why: str


def look(house: House, asked: set[str]) -> list[str]:
    """Bring every series that is complete now to that state; return their actions.

    What is returned are the keys of the actions for the queue.

    Parameters
    ----------
    house
        The opened house.
    asked
        The contents whose tag with the expected number was looked for already; what
        is looked for now is added.
    """
    keys: list[str] = []
    with house.sessions.begin(write=False) as session:
        open_ones = list(_open(session))
    _learn(house, [state for state, _ in open_ones], asked)
    now = utc_now()
    for state, run in open_ones:
        why = why_complete(house, state, run, now)
        if why:
            keys += complete(house, Due(state.series_uid, state.content_hash, why))
    return keys


def why_complete(
    house: House, state: SeriesState, run: Run | None, now: datetime
) -> str:
    """Return why the series of *state* is complete at *now*; empty where it is not.

    *run* is the run of which it is a result.
    """
    if run is not None:
        return "Its run has ended." if run.state in ENDED else ""
    if state.expected is not None and state.instances >= state.expected:
        return f"All {state.expected} instances came, as {state.expected_by} said."
    count = f"{state.instances} instances"
    if state.expected is not None:
        count = f"{state.instances} of {state.expected} instances"
    settings = house.settings
    quiet = timedelta(seconds=settings.series_silence_seconds)
    if now - state.changed_at >= quiet:
        return f"Silence for {settings.series_silence_seconds} s after {count}."
    soon = timedelta(seconds=settings.series_ended_seconds)
    if state.ended_at is not None and now - state.ended_at >= soon:
        return f"The association ended after {count}."
    return ""


def complete(house: House, due: Due) -> list[str]:
    """Bring a series to *complete* and write what its routes want of it.

    The keys of the actions for the queue are returned. Nothing is written where its
    content is another one by now, or another worker was faster.
    """
    verdicts, problem = _verdicts(house, due.series_uid)
    with house.sessions.begin() as session:
        said = {"complete_at": utc_now(), "why": due.why, "problem": problem}
        changed = session.execute(
            update(SeriesState)
            .where(
                SeriesState.series_uid == due.series_uid,
                SeriesState.state == "open",
                SeriesState.content_hash == due.content_hash,
            )
            .values(state="complete", **said)
            .execution_options(synchronize_session=False)
        )
        if not changed.rowcount:  # type: ignore[attr-defined] # an update's result has it
            return []
        fired = [one.route for one in verdicts if one.outcome == "fires"]
        keys = _write(session, due, fired)
    log.info("series complete", series=due.series_uid, why=due.why, actions=len(keys))
    return keys


def firing_key(route: RouteRecord, number: int, due: Due) -> str:
    """Return the key of action *number* of *route* on a content: the same is done once.

    Examples
    --------
    >>> from rounds_hub.routing.matching import RouteRecord
    >>> route = RouteRecord("r", "Lungs", "", "IsVolume", ({"kind": "x"},), True, 1, 1)
    >>> len(firing_key(route, 0, Due("1.2", "c0ffee", "")))
    32
    """
    said = [
        route.id,
        route.version,
        number,
        route.actions[number],
        due.series_uid,
        due.content_hash,
    ]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _open(session: Session) -> Iterator[tuple[SeriesState, Run | None]]:
    """Give the open series that have instances, the longest unchanged first."""
    wanted = (
        select(SeriesState, Run)
        .join(Series, Series.uid == SeriesState.series_uid)
        .outerjoin(Run, Run.id == Series.run_id)
        .where(SeriesState.state == "open", SeriesState.content_hash != "")
        .order_by(SeriesState.changed_at)
        .limit(MOST_AT_ONCE)
    )
    for row in session.execute(wanted):
        yield row[0], row[1]


def _learn(house: House, states: Iterable[SeriesState], asked: set[str]) -> None:
    """Read from the instances of new series how many there will be, where they say."""
    if len(asked) > MOST_REMEMBERED:
        asked.clear()
    for state in states:
        if state.expected is not None or state.series_uid in asked:
            continue
        asked.add(state.series_uid)
        count = _said_count(house, state.series_uid)
        if count:
            with house.sessions.begin() as session:
                expect(session, state.series_uid, count, "its instances")
            state.expected, state.expected_by = count, "its instances"


def _said_count(house: House, series_uid: str) -> int:
    """Return the number of instances that one of them says, 0 where none does.

    (0020,1209) is an answer's attribute (PS3.4, C.6.2.1.4), which some senders also
    write into what they send.
    """
    with house.sessions.begin(write=False) as session:
        sha256 = session.scalar(
            select(Instance.sha256).where(Instance.series_uid == series_uid).limit(1)
        )
    if sha256 is None:
        return 0
    try:
        path = house.store.path(sha256)
        said = index_header(path).attributes.get(EXPECTED_TAG, (0,))
        return max(0, int(said[0]))
    except Exception:  # noqa: BLE001 (silence completes the series all the same)
        return 0


def _verdicts(house: House, series_uid: str) -> tuple[list[Verdict], str]:
    """Return what comes of each route, and what kept them from being tried."""
    try:
        with house.sessions.begin(write=False) as session:
            routes = [one for one in living_routes(session) if one.enabled]
            if not routes:
                return [], ""
            facts: Facts = facts_of(house, session, series_uid)
            behind = routes_behind(session, facts.series)
        return judge(routes, facts, behind), facts.problem
    except Exception:  # the log has it, and the row of the series says so
        log.exception("routes not tried", series=series_uid)
        return [], "Its instances could not be read, so no route was tried."


def _write(session: Session, due: Due, routes: Iterable[RouteRecord]) -> list[str]:
    """Write the actions of *routes*, those that are not there; return their keys.

    What stands after a «hold» waits for the release.
    """
    series = session.get(Series, due.series_uid)
    held = series is not None and series.held
    rows: list[dict[str, Any]] = []
    for route in routes:
        for number, action in enumerate(route.actions):
            holds = action["kind"] == "hold"
            rows.append(_row(route, number, due, held=held and not holds))
            held = held or holds
    if not rows:
        return []
    postgresql = session.get_bind().dialect.name == "postgresql"
    insert = postgresql_insert if postgresql else sqlite_insert
    statement = insert(Firing).on_conflict_do_nothing().returning(Firing.key)
    new = set(session.scalars(statement, rows))
    fresh = (one for one in rows if one["key"] in new and one["state"] != "held")
    return [f"{one['key']}:1" for one in fresh]


def _row(route: RouteRecord, number: int, due: Due, *, held: bool) -> dict[str, Any]:
    """Return the row of one action on one content of a series."""
    return {
        "key": firing_key(route, number, due),
        "route_id": route.id,
        "version": route.version,
        "route_name": route.name,
        "number": number,
        "action": route.actions[number],
        "series_uid": due.series_uid,
        "content_hash": due.content_hash,
        "state": "held" if held else "waiting",
    }
