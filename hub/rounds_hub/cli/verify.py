"""Compare what the catalogue knows with what the archive holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from rounds_hub.archive.models import Instance
from rounds_hub.house import House

if TYPE_CHECKING:
    from rounds_hub.settings import Rounds

__all__ = ["ArchiveReport", "verify_archive"]


@dataclass(frozen=True, slots=True)
class ArchiveReport:
    """How many instances the catalogue knows, and which of them are not whole."""

    known: int
    wrong: tuple[str, ...]


def verify_archive(settings: Rounds, *, deep: bool = False) -> ArchiveReport:
    """Look for the bytes of every instance; *deep* compares their hashes as well."""
    wanted = select(Instance.uid, Instance.sha256, Instance.size)
    house = House.open(settings)
    try:
        with house.sessions.begin(write=False) as session:
            rows = session.execute(wanted.order_by(Instance.uid)).all()
        wrong = tuple(
            uid
            for uid, sha256, size in rows
            if not (
                house.store.has(sha256, size)
                and (not deep or house.store.verify(sha256))
            )
        )
    finally:
        house.close()
    return ArchiveReport(len(rows), wrong)
