"""Who may see a thing: one set of audience strings, for the policy and the index.

An audience string is ``everyone``, ``role:<role>``, ``group:<group>`` or
``user:<name>``. A principal may see a thing if they belong to any string of its
audience, so the same set serves the policy function and the filter in a search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from rounds_hub.archive.models import Series
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.errors import InvalidError
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

__all__ = ["checked", "of_case", "of_run", "of_series"]

ADMINS = "role:admin"
_KINDS = ("role", "group", "user")


def checked(strings: Iterable[str]) -> list[str]:
    """Return *strings* sorted and once each.

    Raises
    ------
    InvalidError
        If one is no audience string.

    Examples
    --------
    >>> checked(["role:student", "everyone", "everyone"])
    ['everyone', 'role:student']
    """
    wanted = sorted(set(strings))
    for string in wanted:
        kind, _, name = string.partition(":")
        if string != "everyone" and not (kind in _KINDS and name.strip()):
            msg = (
                f"{string!r} is no audience. An audience is 'everyone', "
                "'role:student', 'group:ward-3' or 'user:ada'."
            )
            raise InvalidError(msg, {"audience": msg})
    return wanted


def of_case(case: Case) -> frozenset[str]:
    """Return who may see *case*: a draft its owner, a published one its audience."""
    own = frozenset({f"user:{case.owner}", ADMINS})
    return own | frozenset(case.audience) if case.status == "published" else own


def of_series(session: Session, series: Series) -> frozenset[str]:
    """Return who may see *series*: its own audience and that of each case with it.

    The series of a result may be seen by those who may see its run; one that is held
    back by administrators alone.
    """
    return _of_series(session, series, frozenset())


def of_run(session: Session, run: Run) -> frozenset[str]:
    """Return who may see *run*: who asked for it, and who may see all its inputs.

    While an input is held back, that is administrators alone.
    """
    return _of_run(session, run, frozenset())


def _of_series(
    session: Session, series: Series, seen: frozenset[str]
) -> frozenset[str]:
    """Return who may see *series*; *seen* are the runs we came through."""
    if series.held:
        return frozenset({ADMINS})
    audience = frozenset({ADMINS}).union(*map(of_case, _cases_with(session, series)))
    if series.run_id is None:
        return audience | {f"user:{series.owner}"} | frozenset(series.audience)
    run = session.get(Run, series.run_id)
    if run is None or run.id in seen:
        return audience
    return audience | _of_run(session, run, seen)


def _cases_with(session: Session, series: Series) -> list[Case]:
    """Return the published cases that show *series*, and drafts too."""
    holds = select(CaseSeries.case_id).where(CaseSeries.series_uid == series.uid)
    wanted = select(Case).where(Case.id.in_(holds), Case.status != "deleted")
    return list(session.scalars(wanted))


def _of_run(session: Session, run: Run, seen: frozenset[str]) -> frozenset[str]:
    """Return who may see *run*, guarding against a run that feeds itself."""
    asked = select(RunRequest.principal).where(RunRequest.run_id == run.id)
    own = frozenset(f"user:{name}" for name in session.scalars(asked)) | {ADMINS}
    inputs = [session.get(Series, given["series_uid"]) for given in run.inputs]
    known = [series for series in inputs if series is not None]
    if any(series.held for series in known):
        return frozenset({ADMINS})
    if not known or len(known) < len(inputs):
        return own
    sets = [_of_series(session, series, seen | {run.id}) for series in known]
    return own | frozenset.intersection(*sets)
