"""A typical case and the series it shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rounds_hub.catalogue.models import Base, utc_now

__all__ = ["Case", "CaseSeries", "SavedHit", "SavedSearch"]


class Case(Base):
    """A teaching file.

    *status* is ``draft``, ``published`` or ``deleted`` (kept until undone or
    purged); *level* is ``primary``, ``intermediate`` or ``advanced``; *language* is
    a BCP 47 tag; *codes* are ``{"value", "scheme", "meaning"}``; *translations* maps
    a language to the text fields in it; *revision* grows with every change and
    guards against lost updates. While it is *unknown*, learners are not told what it
    is, until somebody says so or *unknown_until* has come.
    """

    __tablename__ = "case"

    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    history: Mapped[str] = mapped_column(default="")
    findings: Mapped[str] = mapped_column(default="")
    diagnosis: Mapped[str] = mapped_column(default="")
    differential: Mapped[str] = mapped_column(default="")
    discussion: Mapped[str] = mapped_column(default="")
    level: Mapped[str] = mapped_column(default="primary")
    language: Mapped[str] = mapped_column(default="en")
    body_part: Mapped[str] = mapped_column(default="")
    codes: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    translations: Mapped[dict[str, Any]] = mapped_column(default=dict)
    source: Mapped[str] = mapped_column(default="")
    """Where the images come from and under which licence."""
    audience: Mapped[list[str]] = mapped_column(default=list)
    unknown: Mapped[bool] = mapped_column(default=False, server_default=false())
    unknown_until: Mapped[datetime | None]
    owner: Mapped[str]
    status: Mapped[str] = mapped_column(default="draft", index=True)
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)
    published_at: Mapped[datetime | None]
    series: Mapped[list[CaseSeries]] = relationship(
        back_populates="case",
        order_by="CaseSeries.position",
        cascade="all, delete-orphan",
    )


class CaseSeries(Base):
    """A series of a case, in the order in which it is shown."""

    __tablename__ = "case_series"

    case_id: Mapped[str] = mapped_column(ForeignKey("case.id"), primary_key=True)
    series_uid: Mapped[str] = mapped_column(
        ForeignKey("series.uid"), primary_key=True, index=True
    )
    position: Mapped[int] = mapped_column(default=0)
    label: Mapped[str] = mapped_column(default="")
    case: Mapped[Case] = relationship(back_populates="series")


class SavedSearch(Base):
    """A search that somebody keeps; *request* is as ``POST api/search`` takes it.

    *roles* and *groups* are its owner's when they last looked: the worker asks as them.
    *checked_event* is the newest change of the index that it has seen.
    """

    __tablename__ = "saved_search"
    __table_args__ = (
        Index("uq_saved_search_owner", "owner", "name", unique=True),
        Index("ix_saved_search_due", "alert", "checked_event"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    request: Mapped[dict[str, Any]] = mapped_column(default=dict)
    alert: Mapped[bool] = mapped_column(default=True)
    roles: Mapped[list[str]] = mapped_column(default=list)
    groups: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    checked_at: Mapped[datetime | None]
    checked_event: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(default="")
    hits: Mapped[list[SavedHit]] = relationship(
        back_populates="search", cascade="all, delete-orphan"
    )


class SavedHit(Base):
    """A case that a kept search has found, and whether its owner has seen that."""

    __tablename__ = "saved_hit"

    search_id: Mapped[str] = mapped_column(
        ForeignKey("saved_search.id"), primary_key=True
    )
    case_id: Mapped[str] = mapped_column(primary_key=True)
    found_at: Mapped[datetime] = mapped_column(default=utc_now)
    seen: Mapped[bool] = mapped_column(default=False)
    search: Mapped[SavedSearch] = relationship(back_populates="hits")
