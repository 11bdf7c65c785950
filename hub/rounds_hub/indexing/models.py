"""Which encoders of pictures the house uses, and how well they found, by night."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from rounds_hub.catalogue.models import Base, utc_now

__all__ = ["PictureEncoder", "RetrievalNight"]


class PictureEncoder(Base):
    """An encoder beside the built-in one, and how far the house has come with it.

    *state* is ``embedding``, ``current`` (it answers), ``retired`` (a newer one does)
    or ``failed``; *attempt* counts how often it was asked for. *series* are how many
    there were, *done* of how many it has looked, *skipped* how many had no pictures;
    *last* is the series that it came to.
    """

    __tablename__ = "picture_encoder"

    name: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="embedding", index=True)
    attempt: Mapped[int] = mapped_column(default=1)
    series: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    last: Mapped[str] = mapped_column(default="")
    problem: Mapped[str] = mapped_column(default="")
    asked_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]


class RetrievalNight(Base):
    """How well series of like cases were found one night, for one label.

    Each series of a case with the label is a question to those of the other cases.
    """

    __tablename__ = "retrieval_night"

    night: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)
    encoder: Mapped[str]
    series: Mapped[int]
    precision_1: Mapped[float]
    precision_10: Mapped[float]
    mean_average_precision: Mapped[float]
    drift: Mapped[float]
    """By how much the mean of precision differs from that of the nights before."""
    at: Mapped[datetime] = mapped_column(default=utc_now)
