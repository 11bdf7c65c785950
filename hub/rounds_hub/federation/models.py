"""Other hubs with which this one speaks, and what they have said lately."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from rounds_hub.catalogue.models import Base, utc_now

__all__ = ["Peer", "PeerMessage"]


class Peer(Base):
    """Another hub, and what it may do here.

    *url* is the address of its service, the only one that is ever called;
    *public_key* is the ``x`` of its Ed25519 key (RFC 8037), by which its messages are
    known. *is_asked* says whether a search of this hub goes there, *may_ask* whether
    it may search here.
    """

    __tablename__ = "peer"

    name: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(default="")
    """What people read beside its hits."""
    url: Mapped[str]
    public_key: Mapped[str] = mapped_column(unique=True)
    is_asked: Mapped[bool] = mapped_column(default=True)
    may_ask: Mapped[bool] = mapped_column(default=False)
    per_minute: Mapped[int] = mapped_column(default=60)
    """How many searches a minute it may send."""
    most_hits: Mapped[int] = mapped_column(default=24)
    """How many hits it is given at most."""
    seconds: Mapped[float] = mapped_column(default=3.0)
    """How long its answer is waited for."""
    enabled: Mapped[bool] = mapped_column(default=True)
    note: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class PeerMessage(Base):
    """A message of a peer, kept while it could be sent again, and to count them."""

    __tablename__ = "peer_message"
    __table_args__ = (Index("ix_peer_message_peer", "peer", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    peer: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=utc_now)
