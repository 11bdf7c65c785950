"""A run, who asked for it, and which series it made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rounds_hub.catalogue.models import Base, utc_now

__all__ = ["Run", "RunRequest"]


class Run(Base):
    """One execution of a template; *id* is the address of its content.

    *inputs* are ``{"name", "series_uid", "content_hash"}``; *state* is ``waiting``,
    ``running``, ``storing``, ``done``, ``failed`` or ``cancelled``; *progress* has
    ``cells`` (``{"index", "name", "state", "seconds"}``) and ``total``; *results* has
    ``measurements`` (``{"name", "label", "value", "unit", "code"}``), ``figures``,
    ``segmentation_uid``, ``report_uid`` and ``notebook``; *error* has ``kind``,
    ``message``, ``cell`` and ``traceback`` of a failed run.
    """

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_state_created", "state", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    template: Mapped[str]
    template_hash: Mapped[str]
    image_digest: Mapped[str] = mapped_column(default="")
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    inputs: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    state: Mapped[str] = mapped_column(default="waiting")
    attempt: Mapped[int] = mapped_column(default=1)
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    results: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[dict[str, Any]] = mapped_column(default=dict)
    device: Mapped[str] = mapped_column(default="")
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    requests: Mapped[list[RunRequest]] = relationship(
        back_populates="run", order_by="RunRequest.at"
    )


class RunRequest(Base):
    """Somebody asked for a run, perhaps on a case."""

    __tablename__ = "run_request"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    principal: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str | None] = mapped_column(ForeignKey("case.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    run: Mapped[Run] = relationship(back_populates="requests")
