"""Procedure steps that modalities report, and what they say of series to come."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import ConflictError, InvalidError, NotFoundError
from rounds_hub.routing import arriving
from rounds_hub.routing.models import ProcedureStep
from rounds_hub.routing.noting import MOST_EXPECTED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom import Dataset

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["ENDED", "OPEN", "announced", "begin_step", "performed", "set_step"]

OPEN: Final = "IN PROGRESS"
ENDED: Final = frozenset({"COMPLETED", "DISCONTINUED"})
MOST_SERIES: Final = 1000
_UID = re.compile(r"[0-9.]{1,64}")


def begin_step(house: House, principal: Principal, uid: str, said: Dataset) -> None:
    """Write down a procedure step that has begun (N-CREATE, PS3.4 F.7.2.1).

    Raises
    ------
    InvalidError
        If its UID is none, or it does not begin as ``IN PROGRESS``.
    ConflictError
        If there is one with this UID.
    """
    status = _status(said)
    if not _UID.fullmatch(uid) or status != OPEN:
        msg = f"A procedure step begins with a UID and as {OPEN!r}, not {status!r}."
        raise InvalidError(msg)
    with house.sessions.begin() as session:
        if session.get(ProcedureStep, uid) is not None:
            msg = f"There is a procedure step {uid!r} already."
            raise ConflictError(msg)
        step = ProcedureStep(
            uid=uid,
            owner=principal.name,
            status=OPEN,
            counts=performed(said),
            ended_at=None,
        )
        session.add(step)


def set_step(house: House, principal: Principal, uid: str, said: Dataset) -> None:
    """Write down what changed of a step (N-SET); at its end series have a number.

    Raises
    ------
    NotFoundError
        If there is no such step of this principal.
    ConflictError
        If it has ended: then it may not be changed any more (PS3.4, F.7.2.2.2).
    InvalidError
        If its new status is none.
    """
    status = _status(said) or OPEN
    if status not in ENDED | {OPEN}:
        msg = (
            f"A procedure step cannot be {status!r}; {', '.join(sorted(ENDED))} end it."
        )
        raise InvalidError(msg)
    with house.sessions.begin() as session:
        step = session.get(ProcedureStep, uid[:64], with_for_update=True)
        if step is None or step.owner != principal.name:
            kind = "procedure step"
            raise NotFoundError(kind, uid[:64])
        if step.status != OPEN:
            msg = f"The procedure step is {step.status} and may not be changed."
            raise ConflictError(msg)
        counts = dict(step.counts) | performed(said)
        step.counts, step.status = counts, status
        if status in ENDED:
            step.ended_at = utc_now()
    if status in ENDED:
        arriving.expect_of(house, principal, counts, "the procedure step")


def performed(said: Dataset) -> dict[str, int]:
    """Return how many instances each series of a step has (PS3.3, C.4.15).

    Raises
    ------
    InvalidError
        If a UID is none, or there are more series than are looked at.
    """
    items = said.get("PerformedSeriesSequence") or []
    lists = (
        "ReferencedImageSequence",
        "ReferencedNonImageCompositeSOPInstanceSequence",
    )
    return _counts(items, lists)


def announced(said: Dataset) -> dict[str, int]:
    """Return how many instances each series of a notification has (PS3.3, C.4.23).

    Raises
    ------
    InvalidError
        If a UID is none, or there are more series than are looked at.
    """
    items = said.get("ReferencedSeriesSequence") or []
    return _counts(items, ("ReferencedSOPSequence",))


def _counts(items: Iterable[Dataset], lists: tuple[str, ...]) -> dict[str, int]:
    """Return the number of different instances that each item names in *lists*."""
    named: dict[str, set[str]] = {}
    for item in items:
        uid = str(item.get("SeriesInstanceUID", ""))
        if not _UID.fullmatch(uid) or len(named) >= MOST_SERIES:
            msg = f"A series of it has no UID, or it names more than {MOST_SERIES}."
            raise InvalidError(msg)
        named.setdefault(uid, set()).update(
            str(one.get("ReferencedSOPInstanceUID", ""))
            for name in lists
            for one in item.get(name) or []
        )
    return {
        uid: len(ids) for uid, ids in named.items() if 0 < len(ids) <= MOST_EXPECTED
    }


def _status(said: Dataset) -> str:
    """Return the status that a message says, empty where it says none."""
    return str(said.get("PerformedProcedureStepStatus", "") or "").strip()[:16]
