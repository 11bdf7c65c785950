"""The audit trail: who asked for what, and what the answer was."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from rounds_hub.catalogue.models import Base, utc_now

__all__ = ["AuditEntry", "Sight"]


class AuditEntry(Base):
    """One decision on one thing; rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_thing", "kind", "key"),
        Index("ix_audit_who", "principal", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    principal: Mapped[str]
    action: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str]
    allowed: Mapped[bool]
    why: Mapped[str] = mapped_column(default="")


class Sight(Base):
    """One audience string of a set of those who may see some series.

    *name* is the hash of the whole set; see :mod:`rounds_hub.access.sight`.
    """

    __tablename__ = "sight"
    __table_args__ = (Index("ix_sight_audience", "audience", "name"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    audience: Mapped[str] = mapped_column(primary_key=True)
