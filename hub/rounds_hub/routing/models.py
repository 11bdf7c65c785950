"""When a series is whole, and what then happens to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from rounds_hub.catalogue.models import Base, utc_now

__all__ = [
    "Firing",
    "ProcedureStep",
    "Route",
    "RouteVersion",
    "SeriesLabel",
    "SeriesState",
]


class SeriesState(Base):
    """How far a series has come in, written in the transaction of its instances.

    *state* is ``open`` while instances may still come, then ``complete``;
    *content_hash* is that of the series when this row was last written, empty where
    only its number of instances is known yet. *expected* is how many instances there
    will be, by what *expected_by* said; *ended_at* when the association ended that
    brought the last ones. *why* says why it is complete.
    """

    __tablename__ = "series_state"
    __table_args__ = (Index("ix_series_state_open", "state", "changed_at"),)

    series_uid: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="open")
    content_hash: Mapped[str] = mapped_column(default="")
    instances: Mapped[int] = mapped_column(default=0)
    expected: Mapped[int | None]
    expected_by: Mapped[str] = mapped_column(default="")
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]
    complete_at: Mapped[datetime | None]
    why: Mapped[str] = mapped_column(default="")
    problem: Mapped[str] = mapped_column(default="")
    """What kept the routes from being tried, empty where they were."""


class ProcedureStep(Base):
    """What a modality says of an examination while it goes on (MPPS, PS3.4 annex F).

    *status* is ``IN PROGRESS``, ``COMPLETED`` or ``DISCONTINUED``; *counts* has the
    number of instances of each of its series, as far as they were named.
    """

    __tablename__ = "procedure_step"

    uid: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    status: Mapped[str]
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]


class SeriesLabel(Base):
    """A word that a route put on a series, by which it is found."""

    __tablename__ = "series_label"

    series_uid: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True, index=True)
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=utc_now)


class Route(Base):
    """A rule: which complete series it is for, and what is done with them.

    *actions* are the models of :mod:`rounds_hub.routing.actions` as JSON. *version*
    grows with every edit; *position* and *enabled* are switches, not edits.
    """

    __tablename__ = "route"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    condition: Mapped[str]
    actions: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    enabled: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)
    deleted_at: Mapped[datetime | None]


class RouteVersion(Base):
    """A route as it was in one of its versions, and who wrote it so."""

    __tablename__ = "route_version"

    route_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    condition: Mapped[str]
    actions: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=utc_now)
    restored_from: Mapped[int | None]


class Firing(Base):
    """One action of a route on one content of a series; it is done once.

    *key* is the hash of the route, its version, the action and the series' content;
    *state* is ``waiting``, ``running``, ``done`` or ``failed``; *result* names what
    came of it (``run_id``, ``case_id``, ``sending_id``, ``label``).
    """

    __tablename__ = "firing"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_firing_route", "route_id", "created_at"),
        Index("ix_firing_state", "state", "created_at"),
        Index("ix_firing_series", "series_uid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    key: Mapped[str]
    route_id: Mapped[str]
    version: Mapped[int]
    route_name: Mapped[str]
    number: Mapped[int]
    action: Mapped[dict[str, Any]]
    series_uid: Mapped[str]
    content_hash: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    attempt: Mapped[int] = mapped_column(default=1)
    error: Mapped[str] = mapped_column(default="")
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
