"""Read the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from rounds_hub.access.models import AuditEntry
from rounds_hub.access.policy import Action, require

if TYPE_CHECKING:
    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["audit_trail"]

MOST_LINES = 1000


def audit_trail(
    house: House, principal: Principal, *, before: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Return the newest lines of the audit trail, those before line *before*.

    Raises
    ------
    ForbiddenError
        If the principal is no administrator.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.AUDIT_READ)
        wanted = select(AuditEntry).order_by(AuditEntry.id.desc())
        if before is not None:
            wanted = wanted.where(AuditEntry.id < before)
        return list(session.scalars(wanted.limit(max(1, min(limit, MOST_LINES)))))
