"""Keep with each series the name of the set of those who may see it, for queries.

:mod:`rounds_hub.access.audience` says who may see a series. That takes several
statements for each, too many where a hundred thousand are asked for. So the set is
written down beside the series, in the transaction of whatever changes it: its strings
in the table ``sight`` under the hash of the whole set, that hash in ``Series.sight``.
There are few sets, so a query asks for those that hold one of the principal's strings,
and compares the hash.

What is written through the ORM is seen here by itself. Whoever writes rows of these
tables in another way says so with :func:`touched`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, cast, event, inspect, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from rounds_hub.access import audience
from rounds_hub.access.models import Sight
from rounds_hub.archive.models import Series
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.catalogue.sessions import HouseSession
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import ORMExecuteState, UOWTransaction

    from rounds_hub.access.principal import Principal
    from rounds_hub.catalogue.sessions import Sessions

__all__ = ["fill", "may_see", "touched"]

AT_ONCE: Final = 200
MOST_WORDS: Final = 8
_SERIES: Final = Series.__table__
_SETS: Final = Sight.__table__
_LOCK: Final = 7_461_002  # any number, the same in every process
_KEY: Final = "sight"
_DECIDES: Final[dict[type[Any], tuple[str, ...]]] = {
    Series: ("audience", "owner", "run_id", "held"),
    Case: ("audience", "owner", "status", "unknown"),
    Run: ("inputs",),
}
_TABLES: Final = {"series", "case", "case_series", "run_request"}


def may_see(
    principal: Principal, sight: ColumnElement[str] | None = None
) -> ColumnElement[bool]:
    """Return the condition that *principal* may see the series of a row.

    *sight* is that column of its table, where it is not the table itself. It is
    :func:`rounds_hub.access.audience.of_series` as SQL: administrators see every
    series, others those whose set has one of their audience strings.
    """
    if audience.ADMINS in principal.audiences:
        return true()
    theirs = sorted(principal.audiences)
    sets = select(_SETS.c.name).where(_SETS.c.audience.in_(theirs))
    return (_SERIES.c.sight if sight is None else sight).in_(sets)


def touched(session: Session, series_uids: Iterable[str]) -> None:
    """Say that rows of these series, or of what decides on them, were written."""
    if _KEY in session.info:
        session.info[_KEY].series.update(series_uids)
        session.info[_KEY].told = True


def fill(sessions: Sessions) -> int:
    """Write down the sets of series that have none; return how many had none.

    An older version of Rounds did not write them.
    """
    filled = 0
    while True:
        with sessions.begin(write=False) as session:
            lacking = select(Series.uid).where(Series.sight == "").limit(AT_ONCE)
            uids = session.scalars(lacking).all()
        if not uids:
            return filled
        with sessions.begin() as session:
            touched(session, uids)
        filled += len(uids)


class _Touched:
    """What was written in one transaction that decides who may see a series."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.series: set[str] = set()
        self.cases: set[str] = set()
        self.runs: set[str] = set()
        self.unseen: set[str] = set()
        """Tables that were written in bulk."""
        self.told = False

    def add(self, row: object) -> None:
        """Note what a changed *row* decides on."""
        match row:
            case Series():
                self.series.add(row.uid)
            case CaseSeries():
                self.series.add(row.series_uid)
            case Case():
                self.cases.add(row.id)
            case Run():
                self.runs.add(row.id)
            case RunRequest():
                self.runs.add(row.run_id)


@event.listens_for(HouseSession, "after_begin")
def _begin(session: Session, *_: object) -> None:
    """Begin to note what a transaction writes."""
    session.info.setdefault(_KEY, _Touched())


@event.listens_for(HouseSession, "after_flush")
def _note(session: Session, _: UOWTransaction) -> None:
    """Note what was written through the ORM."""
    noted: _Touched = session.info[_KEY]
    for row in (*session.new, *session.deleted):
        noted.add(row)
    for row in session.dirty:
        names = _DECIDES.get(type(row), ())
        states = inspect(row).attrs
        # A row that loses its case is deleted in the flush, and called dirty here.
        if not names or any(states[name].history.has_changes() for name in names):
            noted.add(row)


@event.listens_for(HouseSession, "do_orm_execute")
def _watch(state: ORMExecuteState) -> None:
    """Note that a statement writes rows past the ORM."""
    if state.is_insert or state.is_update or state.is_delete:
        table = getattr(state.statement, "table", None)
        name = getattr(table, "name", "")
        if name in _TABLES:
            state.session.info[_KEY].unseen.add(name)


@event.listens_for(HouseSession, "before_commit")
def _write(session: Session) -> None:
    """Write the sets down again that may have changed."""
    noted = session.info.get(_KEY)
    if not isinstance(noted, _Touched) or not session.info.get("write"):
        return
    session.flush()
    if noted.unseen and not noted.told:
        # A mistake in our own code: whoever wrote it meets it in the first test.
        msg = f"Rows of {sorted(noted.unseen)} were written without touched()."
        raise RuntimeError(msg)
    session.info[_KEY] = _Touched()
    if noted.series or noted.cases or noted.runs:
        # Of this transaction's rows as they are now, not as this session read them.
        with Session(session.connection()) as fresh:
            _follow(fresh, noted)


def _follow(session: Session, noted: _Touched) -> None:
    """Write down who may see what was *noted*, and what was made of it."""
    if session.get_bind().dialect.name == "postgresql":
        # Two that change one set at once would each miss what the other does.
        session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    done: set[str] = set()
    waiting = noted.series | _shown_in(session, noted.cases)
    waiting |= _results_of(session, noted.runs)
    while waiting:
        for series in _some(session, waiting):
            _name(session, series)
        done |= waiting
        waiting = _made_of(session, waiting) - done


def _some(session: Session, uids: Iterable[str]) -> Iterable[Series]:
    """Yield the series with *uids* that are there."""
    wanted = sorted(uids)
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        yield from session.scalars(select(Series).where(Series.uid.in_(some))).all()


def _name(session: Session, series: Series) -> None:
    """Write down who may see *series*, where that is not what stands there."""
    strings = sorted(audience.of_series(session, series))
    name = hashlib.sha256("\n".join(strings).encode()).hexdigest()[:32]
    if series.sight == name:
        return
    postgresql = session.get_bind().dialect.name == "postgresql"
    insert = postgresql_insert if postgresql else sqlite_insert
    rows = [{"name": name, "audience": string} for string in strings]
    session.execute(insert(Sight).on_conflict_do_nothing(), rows)
    one = Series.__table__.c.uid == series.uid
    session.execute(update(Series.__table__).where(one).values(sight=name))  # type: ignore[arg-type] # a Table


def _shown_in(session: Session, cases: set[str]) -> set[str]:
    """Return the series that *cases* show."""
    if not cases:
        return set()
    wanted = select(CaseSeries.series_uid).where(CaseSeries.case_id.in_(sorted(cases)))
    return set(session.scalars(wanted))


def _results_of(session: Session, runs: set[str]) -> set[str]:
    """Return the series that *runs* made."""
    if not runs:
        return set()
    wanted = select(Series.uid).where(Series.run_id.in_(sorted(runs)))
    return set(session.scalars(wanted))


def _made_of(session: Session, uids: set[str]) -> set[str]:
    """Return the series that runs made of those with *uids*."""
    wanted = select(Run.id, Run.inputs).where(Run.id.in_(select(Series.run_id)))
    if len(uids) <= MOST_WORDS:
        said = cast(Run.inputs, String)
        wanted = wanted.where(or_(*(said.contains(uid) for uid in sorted(uids))))
    runs = {
        row.id
        for row in session.execute(wanted)
        if any(given.get("series_uid") in uids for given in row.inputs)
    }
    return _results_of(session, runs)
