"""Remote nodes: the application entities that may speak with the gateway."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from rounds_hub.catalogue.models import Base, utc_now

__all__ = ["Node"]


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
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
