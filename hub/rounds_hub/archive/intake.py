"""Write what was kept into the catalogue: one transaction, whoever writes beside us."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy.exc import OperationalError

from rounds_hub.access.policy import (
    Action,
    Resource,
    decide,
    require,
    run_resource,
    series_resource,
    visible,
)
from rounds_hub.access.sight import touched
from rounds_hub.archive.appending import append, instance_row
from rounds_hub.archive.growing import (
    Growing,
    content_hash,
    grow,
    insert_new,
    known_hashes,
    locked,
)
from rounds_hub.archive.models import Aside, Instance, Series, Study
from rounds_hub.errors import BusyError, NotFoundError
from rounds_hub.runs.models import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.checking import Examined
    from rounds_hub.archive.incoming import Staged
    from rounds_hub.house import House

__all__ = [
    "Attribution",
    "Outcome",
    "Ready",
    "Status",
    "content_hash",
    "known_hashes",
    "may_store",
    "record",
    "record_all",
]

TRIES = 8
MOST_NOTED = 10_000
NOTED_SECONDS = 60.0
_NOTED: WeakKeyDictionary[object, dict[tuple[str, str], float]] = WeakKeyDictionary()
"""When somebody's bringing to a series was last written into a database's audit trail.

As for reads, once a minute is enough: a scanner brings a series instance by instance.
"""


class Status(StrEnum):
    """What became of one file."""

    TAKEN = "taken"
    SAME = "same"
    ASIDE = "aside"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file, and why where it was not simply taken.

    *name* is the name under which it was offered.
    """

    name: str
    status: Status
    why: str = ""
    sop_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that was checked and whose bytes are staged or kept."""

    name: str
    staged: Staged
    examined: Examined

    def outcome(self, status: Status, why: str = "") -> Outcome:
        """Return what became of it."""
        found = self.examined
        uids = (found.sop_uid, found.series_uid, found.study_uid)
        return Outcome(self.name, status, why, *uids)


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whose new series are, who may see them, and which run made them."""

    principal: Principal
    audience: list[str] = field(default_factory=list)
    run_id: str | None = None


class _RacedError(Exception):
    """Another process wrote the same rows in between; look again."""


def record(
    house: House, attribution: Attribution, batch: Sequence[Ready]
) -> list[Outcome]:
    """Write the rows of *batch*, whose bytes are on the disk, in one transaction.

    Raises
    ------
    BusyError
        If other processes wrote the same rows again and again in between.
    """
    return record_all(house, [(attribution, batch)])


def record_all(
    house: House, batches: Sequence[tuple[Attribution, Sequence[Ready]]]
) -> list[Outcome]:
    """Do as :func:`record` for batches of several principals, in one transaction.

    Raises
    ------
    BusyError
        If other processes wrote the same rows again and again in between.
    """
    if _appended(house, batches):
        return [one.outcome(Status.TAKEN) for _, batch in batches for one in batch]
    for _ in range(TRIES):
        try:
            with house.sessions.begin() as session:
                outcomes = [
                    outcome
                    for attribution, batch in batches
                    for outcome in _record(session, attribution, batch)
                ]
        except _RacedError:
            continue
        except OperationalError as error:
            if not _may_pass(error):
                raise
        else:
            _noted(session)
            return outcomes
    msg = "Others write to the same series all the time. Send it again later."
    raise BusyError(msg)


def _appended(
    house: House, batches: Sequence[tuple[Attribution, Sequence[Ready]]]
) -> bool:
    """Write *batches* the short way, if they go on with what was decided lately."""
    brought: dict[str, list[Ready]] = {}
    for attribution, batch in batches:
        name = attribution.principal.name
        if attribution.run_id is not None:
            return False
        for uid in {one.examined.series_uid for one in batch}:
            if not _was_noted(house.sessions.engine, attribution, uid):
                return False
        brought.setdefault(name, []).extend(batch)
    return append(house.sessions, brought)


def may_store(session: Session, attribution: Attribution) -> None:
    """Refuse a principal who may not bring anything into the archive."""
    if attribution.run_id is None:
        # What is allowed gets its line in the audit trail with each series.
        if not decide(attribution.principal, Action.IMPORT_CREATE):
            require(session, attribution.principal, Action.IMPORT_CREATE)
        return
    run = session.get(Run, attribution.run_id)
    if run is None:
        kind = "run"
        raise NotFoundError(kind, attribution.run_id)
    require(session, attribution.principal, Action.RUN_READ, run_resource(session, run))


def _record(
    session: Session, attribution: Attribution, batch: Sequence[Ready]
) -> list[Outcome]:
    """Do the work of :func:`record` in the transaction of *session*."""
    known = known_hashes(session, (ready.examined.sop_uid for ready in batch))
    outcomes: dict[int, Outcome] = {}
    new: dict[int, Ready] = {}
    for index, ready in enumerate(batch):
        uid, sha256 = ready.examined.sop_uid, ready.staged.sha256
        if uid not in known:
            known[uid] = sha256
            new[index] = ready
        elif known[uid] == sha256:
            outcomes[index] = ready.outcome(Status.SAME)
        else:
            outcomes[index] = _put_aside(session, attribution, ready)
    outcomes |= _add(session, attribution, new)
    return [outcomes[index] for index in range(len(batch))]


def _put_aside(session: Session, attribution: Attribution, ready: Ready) -> Outcome:
    """Keep other bytes under a UID that is taken where somebody can look at them."""
    row = {
        "sop_uid": ready.examined.sop_uid,
        "sha256": ready.staged.sha256,
        "size": ready.staged.size,
        "owner": attribution.principal.name,
    }
    insert_new(session, Aside, [row])
    why = "Its SOPInstanceUID already stands for other bytes; these were kept aside."
    return ready.outcome(Status.ASIDE, why)


def _add(
    session: Session, attribution: Attribution, new: dict[int, Ready]
) -> dict[int, Outcome]:
    """Add rows for what is *new*; return what became of each by its index."""
    by_series = {
        uid: dict(items)
        for uid, items in groupby(
            sorted(
                new.items(), key=lambda item: (item[1].examined.series_uid, item[0])
            ),
            key=lambda item: item[1].examined.series_uid,
        )
    }
    outcomes: dict[int, Outcome] = {}
    there = locked(session, by_series)
    for uid, series in there.items():
        closed = _closed(session, attribution, series)
        for index, ready in list(by_series[uid].items()):
            why = closed or _elsewhere(series, ready.examined)
            if why:
                outcomes[index] = ready.outcome(Status.REFUSED, why)
                del by_series[uid][index]
    for ready_by_index in by_series.values():
        _refuse_strays(ready_by_index, outcomes)
    wanted = {uid: list(ready.values()) for uid, ready in by_series.items() if ready}
    there |= _begin(session, attribution, wanted, there)
    _add_instances(session, [ready for some in wanted.values() for ready in some])
    for uid, some in wanted.items():
        _grow(session, attribution, there[uid], some)
    for ready_by_index in by_series.values():
        for index, ready in ready_by_index.items():
            outcomes[index] = ready.outcome(Status.TAKEN)
    return outcomes


def _closed(session: Session, attribution: Attribution, series: Growing) -> str:
    """Return why *series* takes nothing from this principal, empty if it does."""
    if series.run_id != attribution.run_id:
        return "Its series is not of this run: a result stays as it was made."
    # Whoever began a series may add to it, also while it is held back.
    if series.run_id is not None or series.owner == attribution.principal.name:
        return ""
    found = session.get(Series, series.uid, populate_existing=True)
    if found is None or not visible(
        attribution.principal, series_resource(session, found)
    ):
        return "Its series belongs to somebody else."
    return ""


def _refuse_strays(ready: dict[int, Ready], outcomes: dict[int, Outcome]) -> None:
    """Refuse what names another study than the first of its series in one batch."""
    studies = [one.examined.study_uid for one in ready.values()]
    for index, one in list(ready.items()):
        if one.examined.study_uid != studies[0]:
            why = "Its series already stands in another study."
            outcomes[index] = ready.pop(index).outcome(Status.REFUSED, why)


def _elsewhere(series: Growing, found: Examined) -> str:
    """Return what is wrong if an instance names another study than its series."""
    if series.study_uid != found.study_uid:
        return "Its series already stands in another study."
    return ""


def _begin(
    session: Session,
    attribution: Attribution,
    wanted: dict[str, list[Ready]],
    there: dict[str, Growing],
) -> dict[str, Growing]:
    """Add the studies and series that are not there; return those series, held."""
    firsts = {uid: some[0].examined for uid, some in wanted.items() if uid not in there}
    if not firsts:
        return {}
    studies = {found.study_uid: _study_row(found) for found in firsts.values()}
    insert_new(session, Study, [studies[uid] for uid in sorted(studies)])
    rows = [_series_row(attribution, firsts[uid]) for uid in sorted(firsts)]
    insert_new(session, Series, rows)
    touched(session, firsts)
    begun = locked(session, firsts)
    for uid, found in firsts.items():
        series = begun[uid]
        if _closed(session, attribution, series) or _elsewhere(series, found):
            raise _RacedError
    return begun


def _study_row(found: Examined) -> dict[str, Any]:
    """Return the row of a new study."""
    return {
        "uid": found.study_uid,
        "patient_id": found.patient_id,
        "patient_name": found.patient_name,
        "patient_sex": found.patient_sex,
        "patient_age": found.patient_age,
        "date": found.study_date,
        "description": found.study_description,
        "accession": found.accession,
        **found.kept.study,
    }


def _series_row(attribution: Attribution, found: Examined) -> dict[str, Any]:
    """Return the row of a new series, still without instances."""
    return {
        "uid": found.series_uid,
        "study_uid": found.study_uid,
        "modality": found.modality,
        "body_part": found.body_part,
        "description": found.series_description,
        "number": found.series_number,
        "sop_class": found.sop_class,
        "rows": found.rows,
        "columns": found.columns,
        "owner": attribution.principal.name,
        "audience": attribution.audience,
        "run_id": attribution.run_id,
        "revision": 0,
        **found.kept.series,
    }


def _add_instances(session: Session, batch: Sequence[Ready]) -> None:
    """Add a row for each instance; if another process was faster, look again."""
    ordered = sorted(batch, key=lambda ready: ready.examined.sop_uid)
    rows = [instance_row(ready) for ready in ordered]
    if insert_new(session, Instance, rows) < len(rows):
        raise _RacedError


def _grow(
    session: Session, attribution: Attribution, series: Growing, some: Sequence[Ready]
) -> None:
    """Bring *series* up to *some*, and let the policy have its word."""
    grow(session, series, [(one.staged.sha256, one.examined) for one in some])
    if not _was_noted(session.get_bind(), attribution, series.uid):
        allowed = _action(attribution)
        require(session, attribution.principal, allowed, Resource("series", series.uid))
        who = (attribution.principal.name, series.uid)
        session.info.setdefault("noted", []).append(who)


def _action(attribution: Attribution) -> Action:
    """Return what is done with a series."""
    return Action.IMPORT_CREATE if attribution.run_id is None else Action.RUN_CREATE


def _was_noted(database: object, attribution: Attribution, series_uid: str) -> bool:
    """Return whether they may bring to a series, and that was written down lately."""
    who = (attribution.principal.name, series_uid)
    noted = _NOTED.get(database, {}).get(who, -NOTED_SECONDS)
    return time.monotonic() - noted < NOTED_SECONDS and decide(
        attribution.principal, _action(attribution), Resource("series", series_uid)
    )


def _noted(session: Session) -> None:
    """Remember what is in the audit trail now that the transaction is committed."""
    noted = _NOTED.setdefault(session.get_bind(), {})
    if len(noted) > MOST_NOTED:
        noted.clear()
    noted.update(dict.fromkeys(session.info.get("noted", ()), time.monotonic()))


def _may_pass(error: OperationalError) -> bool:
    """Return whether it is others who write: a deadlock, or SQLite's lock held long."""
    deadlock = getattr(error.orig, "sqlstate", None) in {"40P01", "40001"}
    return deadlock or "database is locked" in str(error.orig)
