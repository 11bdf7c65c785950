"""Write what was kept into the catalogue: one transaction, whoever writes beside us."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
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
from rounds_hub.archive.models import Aside, Instance, Series, Study
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import BusyError, NotFoundError
from rounds_hub.routing.noting import series_changed
from rounds_hub.runs.models import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.checking import Examined
    from rounds_hub.archive.store import Staged
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
MOST_IN_ONE_QUERY = 5000


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
    for _ in range(TRIES):
        try:
            with house.sessions.begin() as session:
                return [
                    outcome
                    for attribution, batch in batches
                    for outcome in _record(session, attribution, batch)
                ]
        except _RacedError:
            continue
        except OperationalError as error:
            if not _may_pass(error):
                raise
    msg = "Others write to the same series all the time. Send it again later."
    raise BusyError(msg)


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


def known_hashes(session: Session, uids: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of those SOP Instance UIDs that the catalogue has."""
    wanted = sorted(set(uids))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), MOST_IN_ONE_QUERY):
        some = wanted[start : start + MOST_IN_ONE_QUERY]
        rows = select(Instance.uid, Instance.sha256).where(Instance.uid.in_(some))
        found.update((row.uid, row.sha256) for row in session.execute(rows))
    return found


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


def content_hash(hashes: Iterable[str]) -> str:
    """Return the SHA-256 over the hashes of a series' instances, sorted.

    Examples
    --------
    >>> content_hash(["b", "a"]) == content_hash(["a", "b"])
    True
    """
    return hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()


def _put_aside(session: Session, attribution: Attribution, ready: Ready) -> Outcome:
    """Keep other bytes under a UID that is taken where somebody can look at them."""
    row = {
        "sop_uid": ready.examined.sop_uid,
        "sha256": ready.staged.sha256,
        "size": ready.staged.size,
        "owner": attribution.principal.name,
    }
    _insert_new(session, Aside, [row])
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
    there = _locked(session, by_series)
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


def _locked(session: Session, uids: Iterable[str]) -> dict[str, Series]:
    """Return those series that are there, held until the transaction ends."""
    wanted = (
        select(Series)
        .where(Series.uid.in_(sorted(uids)))
        .order_by(Series.uid)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {series.uid: series for series in session.scalars(wanted)}


def _closed(session: Session, attribution: Attribution, series: Series) -> str:
    """Return why *series* takes nothing from this principal, empty if it does."""
    if series.run_id != attribution.run_id:
        return "Its series is not of this run: a result stays as it was made."
    resource = series_resource(session, series)
    # Whoever began a series may add to it, also while it is held back.
    own = series.owner == attribution.principal.name
    if series.run_id is None and not (own or visible(attribution.principal, resource)):
        return "Its series belongs to somebody else."
    return ""


def _refuse_strays(ready: dict[int, Ready], outcomes: dict[int, Outcome]) -> None:
    """Refuse what names another study than the first of its series in one batch."""
    studies = [one.examined.study_uid for one in ready.values()]
    for index, one in list(ready.items()):
        if one.examined.study_uid != studies[0]:
            why = "Its series already stands in another study."
            outcomes[index] = ready.pop(index).outcome(Status.REFUSED, why)


def _elsewhere(series: Series, found: Examined) -> str:
    """Return what is wrong if an instance names another study than its series."""
    if series.study_uid != found.study_uid:
        return "Its series already stands in another study."
    return ""


def _begin(
    session: Session,
    attribution: Attribution,
    wanted: dict[str, list[Ready]],
    there: dict[str, Series],
) -> dict[str, Series]:
    """Add the studies and series that are not there; return those series, held."""
    firsts = {uid: some[0].examined for uid, some in wanted.items() if uid not in there}
    if not firsts:
        return {}
    studies = {found.study_uid: _study_row(found) for found in firsts.values()}
    _insert_new(session, Study, [studies[uid] for uid in sorted(studies)])
    rows = [_series_row(attribution, firsts[uid]) for uid in sorted(firsts)]
    _insert_new(session, Series, rows)
    touched(session, firsts)
    begun = _locked(session, firsts)
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
    rows = [
        {
            "uid": ready.examined.sop_uid,
            "series_uid": ready.examined.series_uid,
            "sop_class": ready.examined.sop_class,
            "transfer_syntax": ready.examined.transfer_syntax,
            "number": ready.examined.instance_number,
            "frames": ready.examined.frames,
            "sha256": ready.staged.sha256,
            "size": ready.staged.size,
            **ready.examined.kept.instance,
        }
        for ready in sorted(batch, key=lambda ready: ready.examined.sop_uid)
    ]
    if _insert_new(session, Instance, rows) < len(rows):
        raise _RacedError


def _grow(
    session: Session, attribution: Attribution, series: Series, some: Sequence[Ready]
) -> None:
    """Bring the counts and the hash of *series* up to its instances, and say so."""
    wanted = select(Instance.sha256).where(Instance.series_uid == series.uid)
    hashes = session.scalars(wanted).all()
    frames = select(func.sum(Instance.frames)).where(Instance.series_uid == series.uid)
    series.instance_count = len(hashes)
    series.frame_count = session.scalar(frames) or 0
    series.content_hash = content_hash(hashes)
    series.revision += 1
    series.rows = max(series.rows, *(ready.examined.rows for ready in some))
    series.columns = max(series.columns, *(ready.examined.columns for ready in some))
    session.add(OutboxEvent(kind="series", key=series.uid))
    series_changed(session, series)
    allowed = Action.IMPORT_CREATE if series.run_id is None else Action.RUN_CREATE
    require(session, attribution.principal, allowed, Resource("series", series.uid))


def _insert_new(session: Session, table: type[Any], rows: list[dict[str, Any]]) -> int:
    """Insert those *rows* whose key is not there yet; return how many they were."""
    if not rows:
        return 0
    postgresql = session.get_bind().dialect.name == "postgresql"
    insert = postgresql_insert if postgresql else sqlite_insert
    key = next(iter(table.__table__.primary_key))
    statement = insert(table).on_conflict_do_nothing().returning(key)
    return len(session.execute(statement, rows).all())


def _may_pass(error: OperationalError) -> bool:
    """Return whether it is others who write: a deadlock, or SQLite's lock held long."""
    deadlock = getattr(error.orig, "sqlstate", None) in {"40P01", "40001"}
    return deadlock or "database is locked" in str(error.orig)
