"""Remote nodes: the application entities that may speak with the gateway."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from rounds_hub.catalogue.models import Base, utc_now

__all__ = ["Node", "Pull", "RemovedNode", "Sending", "SendingItem"]


class Node(Base):
    """A remote application entity (PS3.8, 7.1.1), and what it may do here.

    *roles* are the roles of the house with whose eyes it queries, by default none: it
    sees what it sent itself. *audience* are those who may see what it sends; empty
    means ``Rounds.import_audience``. *host* empty means that it may call from
    anywhere, and that nothing can be sent to it. *certificate* is the SHA-256 of its
    TLS client certificate in hexadecimal digits, empty where none is asked for.
    """

    __tablename__ = "node"

    name: Mapped[str] = mapped_column(primary_key=True)
    ae_title: Mapped[str] = mapped_column(unique=True)
    host: Mapped[str] = mapped_column(default="")
    port: Mapped[int] = mapped_column(default=104)
    may_store: Mapped[bool] = mapped_column(default=True)
    may_query: Mapped[bool] = mapped_column(default=False)
    may_move: Mapped[bool] = mapped_column(default=False)
    may_receive: Mapped[bool] = mapped_column(default=True)
    """Whether instances may be sent to it."""
    private_classes: Mapped[bool] = mapped_column(default=False)
    """Whether it may store private SOP classes."""
    tls: Mapped[bool] = mapped_column(default=False)
    """Whether it calls, and is called, over TLS alone."""
    certificate: Mapped[str] = mapped_column(default="")
    associations: Mapped[int] = mapped_column(default=8)
    """How many associations it may have at the same time."""
    roles: Mapped[list[str]] = mapped_column(default=list)
    audience: Mapped[list[str]] = mapped_column(default=list)
    note: Mapped[str] = mapped_column(default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    configured: Mapped[bool] = mapped_column(default=False)
    """Whether it comes from ``Rounds.nodes`` and is changed there alone."""
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class RemovedNode(Base):
    """A node that was deleted, kept whole so that it can be brought back."""

    __tablename__ = "removed_node"

    name: Mapped[str] = mapped_column(primary_key=True)
    record: Mapped[dict[str, Any]]
    removed_by: Mapped[str]
    removed_at: Mapped[datetime] = mapped_column(default=utc_now)


class Sending(Base):
    """Instances on their way to a node; one attempt after another until all are there.

    *state* is ``waiting`` (until *next_at*), ``running``, ``done``, ``failed`` or
    ``cancelled``. *request* is what the one who asked calls it: the same request is
    the same sending.
    """

    __tablename__ = "sending"
    __table_args__ = (Index("ix_sending_open", "state", "next_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    node: Mapped[str]
    request: Mapped[str | None] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="waiting")
    attempt: Mapped[int] = mapped_column(default=1)
    """Which workflow does it now: its key is ``<id>.<attempt>``."""
    tries: Mapped[int] = mapped_column(default=0)
    """How many attempts in a row brought nothing over."""
    total: Mapped[int] = mapped_column(default=0)
    sent: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    why: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    next_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class SendingItem(Base):
    """One instance of a sending: ``waiting``, ``sent`` or ``refused``, and why."""

    __tablename__ = "sending_item"

    sending_id: Mapped[str] = mapped_column(
        ForeignKey("sending.id", ondelete="CASCADE"), primary_key=True
    )
    sop_uid: Mapped[str] = mapped_column(primary_key=True)
    series_uid: Mapped[str]
    place: Mapped[int]
    state: Mapped[str] = mapped_column(default="waiting")
    why: Mapped[str] = mapped_column(default="")


class Pull(Base):
    """A study that is brought here from a node, by C-GET or by C-MOVE to ourselves.

    *state* is ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``.
    """

    __tablename__ = "pull"
    __table_args__ = (Index("ix_pull_open", "state"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    node: Mapped[str]
    study_uid: Mapped[str]
    patient_id: Mapped[str] = mapped_column(default="")
    """Needed where the node knows only the patient root (PS3.4, C.6.1)."""
    state: Mapped[str] = mapped_column(default="waiting")
    method: Mapped[str] = mapped_column(default="")
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    why: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    finished_at: Mapped[datetime | None]
