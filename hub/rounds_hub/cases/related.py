"""Which runs were made on which series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import selectinload

from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

__all__ = ["runs_on"]


def runs_on(
    session: Session, series_uids: Sequence[str], *, case_id: str = ""
) -> list[Run]:
    """Return the runs with an input among *series_uids*, or asked for on *case_id*.

    The newest come first.
    """
    asked = select(RunRequest.run_id).where(RunRequest.case_id == case_id)
    # The inputs are JSON; a UID in quotes stands nowhere else in that text.
    says = cast(Run.inputs, String)
    holds = [says.contains(f'"{uid}"', autoescape=True) for uid in series_uids]
    wanted = (
        select(Run)
        .where(or_(Run.id.in_(asked), *holds))
        .order_by(Run.created_at.desc(), Run.id)
        .options(selectinload(Run.requests))
    )
    return list(session.scalars(wanted))
