"""Find the instances that a retrieve names, and that whoever asks may see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from rounds_hub.access import sight
from rounds_hub.access.policy import Action, require, series_resource
from rounds_hub.archive.models import Instance, Series, Study
from rounds_hub.errors import InvalidError, TooLargeError
from rounds_hub.gateway.converting import Parcel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom import Dataset
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["selected"]

MOST_INSTANCES = 100_000
MOST_NAMED = 1_000
LONGEST = 64
UNIQUE: dict[str, tuple[str, Any]] = {
    "PATIENT": ("PatientID", Study.patient_id),
    "STUDY": ("StudyInstanceUID", Study.uid),
    "SERIES": ("SeriesInstanceUID", Series.uid),
    "IMAGE": ("SOPInstanceUID", Instance.uid),
}
"""The unique key of each level and its column, from the top (PS3.4, C.6.1.1)."""

_UID = re.compile(r"[0-9.]{1,64}")


def selected(
    house: House, principal: Principal, identifier: Dataset, *, patients: bool
) -> list[Parcel]:
    r"""Return the instances that *identifier* names, in the order of their series.

    The unique key of its level has to be there and may be a list; those of higher
    levels narrow it (PS3.4, C.4.2.1.4). Each series that is given away is in the audit
    trail.

    Parameters
    ----------
    house
        The opened house.
    principal
        Who asks; what they may not see is not there.
    identifier
        The data set of a C-MOVE or C-GET request.
    patients
        Whether the model is the patient root, which has a level of patients.

    Raises
    ------
    InvalidError
        If the level or a key cannot be.
    TooLargeError
        If more is named than is given away in one request.
    """
    conditions = _conditions(identifier, patients=patients)
    wanted = (
        select(Instance)
        .join(Series, Series.uid == Instance.series_uid)
        .join(Study, Study.uid == Series.study_uid)
        .where(*conditions, sight.may_see(principal))
        .order_by(Study.uid, Series.number, Series.uid, Instance.number, Instance.uid)
        .limit(MOST_INSTANCES + 1)
    )
    with house.sessions.begin(write=False) as session:
        rows = list(session.scalars(wanted))
        if len(rows) > MOST_INSTANCES:
            msg = f"More than {MOST_INSTANCES} instances are named: ask for parts."
            raise TooLargeError(msg)
        _note(session, principal, {one.series_uid for one in rows})
    return [
        Parcel(one.uid, one.sop_class, one.transfer_syntax, one.sha256) for one in rows
    ]


def _note(session: Session, principal: Principal, uids: set[str]) -> None:
    """Let the policy decide on each series, and the audit trail have it."""
    for uid in sorted(uids):
        resource = series_resource(session, session.get_one(Series, uid))
        require(session, principal, Action.SERIES_READ, resource)


def _conditions(identifier: Dataset, *, patients: bool) -> list[ColumnElement[bool]]:
    """Return what the keys of *identifier* ask for."""
    levels = list(UNIQUE) if patients else list(UNIQUE)[1:]
    level = str(identifier.get("QueryRetrieveLevel", "")).strip()
    if level not in levels:
        msg = f"QueryRetrieveLevel is one of {', '.join(levels)}."
        raise InvalidError(msg)
    conditions = []
    for name in list(UNIQUE)[: list(UNIQUE).index(level) + 1]:
        keyword, column = UNIQUE[name]
        values = _values(identifier, keyword)
        if values:
            conditions.append(column.in_(values))
        elif name == level:
            msg = f"{keyword} is missing: it names what is asked for."
            raise InvalidError(msg)
    return conditions


def _values(identifier: Dataset, keyword: str) -> Sequence[str]:
    """Return the values of a unique key; none of them is a pattern."""
    said = identifier.get(keyword, "")
    several = [said] if isinstance(said, str) else list(said or ())
    values = [str(one).strip() for one in several]
    values = [one for one in values if one]
    if len(values) > MOST_NAMED:
        msg = f"{keyword} has {len(values)} values, more than {MOST_NAMED}."
        raise InvalidError(msg)
    for one in values:
        plain = len(one) <= LONGEST and not set(one) & set("*?")
        if not (plain if keyword == "PatientID" else _UID.fullmatch(one)):
            msg = f"{keyword} has a value that names nothing: no pattern is allowed."
            raise InvalidError(msg)
    return values
