"""Studies, series and instances as the archive holds them, imports, and reports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from rounds_hub.catalogue.models import Base, utc_now

__all__ = [
    "Aside",
    "Conformance",
    "ConformanceFinding",
    "Import",
    "Instance",
    "ObjectPlace",
    "Removal",
    "RemovedObject",
    "Series",
    "Study",
]


class Study(Base):
    """A study, with the attributes by which people look for it."""

    __tablename__ = "study"
    __table_args__ = (
        Index("ix_study_moment", "moment", "uid"),
        Index("ix_study_created", "created_at", "uid"),
        *(
            # Without it PostgreSQL looks for the begin of a name in every row.
            Index(f"ix_study_{name}", name, postgresql_ops={name: "text_pattern_ops"})
            for name in ("name_alphabetic", "name_ideographic", "name_phonetic")
        ),
    )

    uid: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(default="", index=True)
    patient_name: Mapped[str] = mapped_column(default="")
    patient_sex: Mapped[str] = mapped_column(default="")
    patient_age: Mapped[str] = mapped_column(default="")
    date: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    accession: Mapped[str] = mapped_column(default="", index=True)
    time: Mapped[str] = mapped_column(default="")
    moment: Mapped[str] = mapped_column(default="")
    """Date and time in a form that sorts; see :mod:`rounds_hub.archive.moments`."""
    study_id: Mapped[str] = mapped_column(default="")
    birth_date: Mapped[str] = mapped_column(default="")
    issuer: Mapped[str] = mapped_column(default="")
    name_alphabetic: Mapped[str] = mapped_column(default="")
    """The name's component groups as they are compared; see ``archive.names``."""
    name_ideographic: Mapped[str] = mapped_column(default="")
    name_phonetic: Mapped[str] = mapped_column(default="")
    name_words: Mapped[str] = mapped_column(default="")
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """More to search by; see :mod:`rounds_hub.archive.attributes`."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    series: Mapped[list[Series]] = relationship(
        back_populates="study", order_by="Series.number"
    )


class Series(Base):
    """A series; *content_hash* is the SHA-256 over its instances' sorted hashes."""

    __tablename__ = "series"

    uid: Mapped[str] = mapped_column(primary_key=True)
    study_uid: Mapped[str] = mapped_column(ForeignKey("study.uid"), index=True)
    modality: Mapped[str] = mapped_column(default="")
    body_part: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    number: Mapped[int] = mapped_column(default=0)
    sop_class: Mapped[str] = mapped_column(default="")
    instance_count: Mapped[int] = mapped_column(default=0)
    frame_count: Mapped[int] = mapped_column(default=0)
    rows: Mapped[int] = mapped_column(default=0)
    columns: Mapped[int] = mapped_column(default=0)
    content_hash: Mapped[str] = mapped_column(default="")
    owner: Mapped[str] = mapped_column(default="")
    audience: Mapped[list[str]] = mapped_column(default=list)
    sight: Mapped[str] = mapped_column(default="", index=True)
    """Names the set of those who may see it; see :mod:`rounds_hub.access.sight`."""
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """More to search by; see :mod:`rounds_hub.archive.attributes`."""
    run_id: Mapped[str | None] = mapped_column(index=True)
    """The run whose result this series is."""
    held: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether only administrators may see it, until one of them releases it."""
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    study: Mapped[Study] = relationship(back_populates="series")
    instances: Mapped[list[Instance]] = relationship(back_populates="series")


class Instance(Base):
    """An instance, and under which hash its bytes are kept."""

    __tablename__ = "instance"
    __table_args__ = (
        Index(
            "ix_instance_unread",
            "keys_version",
            sqlite_where=text("keys_version = 0"),
            postgresql_where=text("keys_version = 0"),
        ),
    )

    uid: Mapped[str] = mapped_column(primary_key=True)
    series_uid: Mapped[str] = mapped_column(ForeignKey("series.uid"), index=True)
    sop_class: Mapped[str]
    transfer_syntax: Mapped[str]
    number: Mapped[int] = mapped_column(default=0)
    frames: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str] = mapped_column(index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """More to search by; see :mod:`rounds_hub.archive.attributes`."""
    keys_version: Mapped[int] = mapped_column(default=0)
    """With which version of the list they were read, 0 where they were not yet."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    series: Mapped[Series] = relationship(back_populates="instances")


class Aside(Base):
    """Bytes that came under a SOP Instance UID that already stands for other bytes."""

    __tablename__ = "aside"
    __table_args__ = (Index("uq_aside_bytes", "sop_uid", "sha256", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    sop_uid: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    owner: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Import(Base):
    """One upload or import: how far it is and what came of each file.

    *state* is ``waiting``, ``running``, ``done`` or ``failed``; *summary* has the
    counts ``taken``, ``same``, ``aside``, ``refused``, ``skipped`` and the list
    ``problems`` of ``{"file", "why", "status"}``.
    """

    __tablename__ = "import"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    modality: Mapped[str] = mapped_column(default="")
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str] = mapped_column(default="")
    study_uids: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]


class Removal(Base):
    """Something that was deleted: who did it, why, and all that brings it back.

    *level* is ``study``, ``series`` or ``instance``; *state* is ``open`` while it can
    be undone, then ``undone``, or ``leaving`` and ``purged``. *rows* has the rows that
    were taken out, by table; they are forgotten when the removal is purged.
    """

    __tablename__ = "removal"
    __table_args__ = (Index("ix_removal_state", "state", "until"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str]
    uid: Mapped[str]
    study_uid: Mapped[str]
    modality: Mapped[str] = mapped_column(default="")
    owner: Mapped[str]
    audience: Mapped[list[str]] = mapped_column(default=list)
    instance_count: Mapped[int] = mapped_column(default=0)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    rows: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(default="open")
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(default="")


class RemovedObject(Base):
    """Bytes that a removal may still bring back."""

    __tablename__ = "removed_object"

    removal_id: Mapped[str] = mapped_column(
        ForeignKey("removal.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(primary_key=True, index=True)


class ObjectPlace(Base):
    """That the bytes *sha256* were found whole in the store named *store*.

    *state* is ``kept``, or ``leaving`` where they wait to be taken away from there.
    Bytes without a row lie where new ones are written.
    """

    __tablename__ = "object_place"
    __table_args__ = (Index("ix_object_place_store", "store", "state"),)

    sha256: Mapped[str] = mapped_column(primary_key=True)
    store: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="kept")
    at: Mapped[datetime] = mapped_column(default=utc_now)


class Conformance(Base):
    """What was found wrong with the instance *instance_uid*; see ``conformance``.

    *findings* are keys of :class:`ConformanceFinding`; *problem* says why it could not
    be looked at. It goes with its instance.
    """

    __tablename__ = "conformance"

    instance_uid: Mapped[str] = mapped_column(
        ForeignKey("instance.uid"), primary_key=True
    )
    series_uid: Mapped[str] = mapped_column(index=True)
    tools: Mapped[list[str]] = mapped_column(default=list)
    findings: Mapped[list[str]] = mapped_column(default=list)
    problem: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(default=utc_now)


class ConformanceFinding(Base):
    """Something that is wrong in some instance; it has no value of it."""

    __tablename__ = "conformance_finding"

    id: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str]
    tool: Mapped[str]
    kind: Mapped[str]
    text: Mapped[str]
