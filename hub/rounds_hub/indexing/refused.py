"""What has not come into the index: how much waits, and what is refused and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from rounds_hub.access.policy import Action, require
from rounds_hub.catalogue.models import OutboxEvent
from rounds_search.errors import SearchError

if TYPE_CHECKING:
    from datetime import datetime

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_search.backends.base import Health

__all__ = ["IndexState", "Refused", "index_health", "index_state"]

SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """A change that could not be brought into the index, and is tried again.

    *kind* and *key* say of what (``case``, ``series``, ``run``), *error* why.
    """

    kind: str
    key: str
    since: datetime
    tries: int
    error: str


@dataclass(frozen=True, slots=True)
class IndexState:
    """How far the index is: *waiting* changes, of which *failing* were refused.

    *refused* are the oldest 200 of them.
    """

    waiting: int
    failing: int
    refused: tuple[Refused, ...]


def index_state(house: House, principal: Principal) -> IndexState:
    """Return what has not come into the index.

    It is tried again without end, each time after twice the time; a change of the
    thing itself is tried at once.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    """
    waits = OutboxEvent.done_at.is_(None)
    fails = waits & (OutboxEvent.tries > 0)
    counted = select(func.count()).select_from(OutboxEvent)
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.HOUSE_ADMIN)
        found = select(OutboxEvent).where(fails).order_by(OutboxEvent.id)
        return IndexState(
            session.scalar(counted.where(waits)) or 0,
            session.scalar(counted.where(fails)) or 0,
            tuple(
                Refused(one.kind, one.key, one.at, one.tries, one.error)
                for one in session.scalars(found.limit(SHOWN))
            ),
        )


def index_health(house: House) -> Health:
    """Return what the index says of itself, or why it cannot be reached."""
    try:
        return house.index.health()
    except SearchError as error:
        return {"ok": False, "problem": str(error)}
