"""What an administrator sees of the archive: what is in it, whose, the room left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from rounds_hub.access.policy import Action, require
from rounds_hub.archive import placing
from rounds_hub.archive.models import Instance, Series, Study
from rounds_hub.archive.quotas import OTHERS
from rounds_hub.archive.rules import places_of, rules_of
from rounds_hub.archive.staging import free_space

if TYPE_CHECKING:
    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.rules import Place, Rule
    from rounds_hub.house import House

__all__ = ["Overview", "OwnerShare", "overview"]

MOST_OWNERS = 20


@dataclass(frozen=True, slots=True)
class OwnerShare:
    """How many bytes the series of one owner have; *quota* is 0 where there is none."""

    name: str
    size: int
    quota: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The archive as the catalogue knows it, and the disk of this machine.

    *waiting* are objects that a rule wants elsewhere; *low* says that the disk has less
    room than ``Rounds.low_space_bytes``.
    """

    studies: int
    series: int
    instances: int
    size: int
    quota: int
    free: int
    low: bool
    places: tuple[Place, ...]
    rules: tuple[Rule, ...]
    waiting: int
    owners: tuple[OwnerShare, ...]


def overview(house: House, principal: Principal) -> Overview:
    """Return what the archive holds.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    """
    settings = house.settings
    limits = settings.owner_bytes
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.HOUSE_ADMIN)
        studies = session.scalar(select(func.count()).select_from(Study)) or 0
        series = session.scalar(select(func.count()).select_from(Series)) or 0
        counted = select(func.count(), func.sum(Instance.size))
        instances, size = session.execute(counted).one()
    used = sorted(house.quotas.used().items(), key=lambda item: -item[1])
    free = free_space(settings.data)
    return Overview(
        studies=studies,
        series=series,
        instances=instances,
        size=int(size or 0),
        quota=settings.archive_bytes,
        free=free,
        low=free < settings.low_space_bytes,
        places=tuple(places_of(settings).values()),
        rules=rules_of(settings),
        waiting=placing.waiting(house),
        owners=tuple(
            OwnerShare(name, total, int(limits.get(name, limits.get(OTHERS, 0))))
            for name, total in used[:MOST_OWNERS]
        ),
    )
