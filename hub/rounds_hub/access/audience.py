"""Who may see a thing: one set of audience strings, for the policy and the index.

An audience string is ``everyone``, ``role:<role>``, ``group:<group>``,
``user:<name>`` or ``peers``, which are other hubs. A principal may see a thing if they
belong to any string of its audience, so the same set serves the policy function and the
filter in a search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from rounds_hub.access.principal import PEERS
from rounds_hub.access.unknown import knowing, learning, shared
from rounds_hub.archive.models import Series
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.errors import InvalidError
from rounds_hub.runs.models import Run, RunRequest
from rounds_kernels.modalities import NO_PICTURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

__all__ = ["checked", "of_case", "of_case_parts", "of_run", "of_series", "tells"]

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
        whole = string in {"everyone", PEERS}
        if not whole and not (kind in _KINDS and name.strip()):
            msg = (
                f"{string!r} is no audience. An audience is 'everyone', 'peers', "
                "'role:student', 'group:ward-3' or 'user:ada'."
            )
            raise InvalidError(msg, {"audience": msg})
    return wanted


def of_case(case: Case) -> frozenset[str]:
    """Return who may see *case*: a draft its owner, a published one its audience."""
    own = frozenset({f"user:{case.owner}", ADMINS})
    return own | frozenset(case.audience) if case.status == "published" else own


def of_case_parts(case: Case) -> tuple[frozenset[str], frozenset[str]]:
    """Return who may see the whole of *case*, and who all but what it is.

    The two share nobody; of a case that is not unknown the second is empty.
    """
    everybody = of_case(case)
    if not case.unknown:
        return everybody, frozenset()
    return knowing(everybody), learning(everybody)


def tells(session: Session, series: Series) -> bool:
    """Return whether words about *series* would tell what an unknown case is."""
    return any(case.unknown for case in _cases_with(session, series))


def of_series(session: Session, series: Series) -> frozenset[str]:
    """Return who may see *series*: its own audience and that of each case with it.

    The series of a result may be seen by those who may see its run; one that is held
    back by administrators alone. Of an unknown case the reports, masks and the like
    are seen by those who may know what it is.
    """
    return _of_series(session, series, frozenset())


def of_run(session: Session, run: Run) -> frozenset[str]:
    """Return who may see *run*: who asked for it, and who may see all its inputs.

    While an input is held back, that is administrators alone; while one is shown in an
    unknown case, those alone who may know what it is, and who asked for it.
    """
    return _of_run(session, run, frozenset())


def _of_series(
    session: Session, series: Series, seen: frozenset[str]
) -> frozenset[str]:
    """Return who may see *series*; *seen* are the runs we came through."""
    if series.held:
        return frozenset({ADMINS})
    through = _by_what_it_is(series, _cases_with(session, series))
    audience = frozenset({ADMINS}).union(*through)
    if series.run_id is None:
        return audience | {f"user:{series.owner}"} | frozenset(series.audience)
    run = session.get(Run, series.run_id)
    if run is None or run.id in seen:
        return audience
    return audience | _of_run(session, run, seen)


def _by_what_it_is(series: Series, cases: list[Case]) -> list[frozenset[str]]:
    """Return who sees *series* through each case; a report tells, a picture asks."""
    if series.modality not in NO_PICTURES:
        return [of_case(case) for case in cases]
    return [of_case_parts(case)[0] for case in cases]


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
    everybody = shared(sets)
    if any(tells(session, series) for series in known):
        everybody = knowing(everybody)
    return own | everybody
