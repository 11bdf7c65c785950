"""Who am I, is the service well, and the audit trail."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from rounds_hub import __version__
from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.access.service import audit_trail

__all__ = ["router"]

router = APIRouter(tags=["access"])


class Me(BaseModel):
    """The one who asks."""

    name: str
    roles: list[str]
    groups: list[str]


class Health(BaseModel):
    """Whether the service can do its work."""

    status: str
    version: str


class AuditLine(BaseModel):
    """One line of the audit trail."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    principal: str
    action: str
    kind: str
    key: str
    allowed: bool


@router.get("/api/me")
def me(principal: PrincipalDep) -> Me:
    """Return who asks, with their roles and groups."""
    roles = sorted(role.value for role in principal.roles)
    return Me(name=principal.name, roles=roles, groups=sorted(principal.groups))


@router.get("/api/health")
def health(house: HouseDep) -> Health:
    """Return whether the catalogue answers; open to anybody, it says nothing else."""
    with house.sessions.begin(write=False) as session:
        session.execute(text("SELECT 1"))
    return Health(status="well", version=__version__)


@router.get("/api/audit")
def audit(
    house: HouseDep,
    principal: PrincipalDep,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditLine]:
    """Return the newest lines of the audit trail (administrators)."""
    lines = audit_trail(house, principal, before=before, limit=limit)
    return [AuditLine.model_validate(line) for line in lines]
