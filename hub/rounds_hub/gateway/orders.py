"""What somebody has ordered of a worker: a sending, or a pull. Whose it is, its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import structlog
from sqlalchemy import select

from rounds_hub.access.audience import ADMINS
from rounds_hub.access.policy import Action, Resource, require
from rounds_hub.access.principal import Role
from rounds_hub.archive.texts import clean
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import BusyError, NotFoundError
from rounds_hub.gateway.models import Pull, Sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_hub.work.client import Kind

__all__ = ["OPEN", "Orders"]

OPEN: Final = ("waiting", "running")
"""The states of what may still be ended."""
MOST_LISTED: Final = 200
LONGEST_ID: Final = 64

Order = TypeVar("Order", Sending, Pull)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Orders(Generic[Order]):
    """All orders of one kind.

    *name* is what people call one, *action* what they must be allowed to, *queue* the
    queue that the worker empties, *key* names the work of an order there.
    """

    table: type[Order]
    name: str
    action: Action
    queue: Kind
    key: Callable[[Order], str]

    def own(self, session: Session, principal: Principal, order_id: str) -> Order:
        """Return an order of *principal*'s own; an administrator's are all.

        Raises
        ------
        NotFoundError
            If there is none, or it is somebody else's.
        """
        found = session.get(self.table, order_id) if order_id.isalnum() else None
        if found is None:
            raise NotFoundError(self.name, clean(order_id)[:LONGEST_ID])
        may_see = frozenset({f"user:{found.owner}", ADMINS})
        resource = Resource(self.name, found.id, may_see, frozenset({found.owner}))
        require(session, principal, self.action, resource)
        return found

    def get(self, house: House, principal: Principal, order_id: str) -> Order:
        """Return how far an order is; errors are those of :meth:`own`."""
        with house.sessions.begin(write=False) as session:
            return self.own(session, principal, order_id)

    def newest(self, house: House, principal: Principal, limit: int) -> list[Order]:
        """Return the newest of *principal*; an administrator sees everybody's.

        Raises
        ------
        ForbiddenError
            If the principal may not order any.
        """
        table = self.table
        with house.sessions.begin(write=False) as session:
            require(session, principal, self.action, Resource(f"{self.name}s"))
            wanted = select(table).order_by(table.created_at.desc(), table.id)
            if not principal.has(Role.ADMIN):
                wanted = wanted.where(table.owner == principal.name)
            return list(session.scalars(wanted.limit(max(1, min(limit, MOST_LISTED)))))

    def cancel(self, house: House, principal: Principal, order_id: str) -> Order:
        """End an order now; twice changes nothing. Errors are those of :meth:`own`."""
        with house.sessions.begin() as session:
            order = self.own(session, principal, order_id)
            if order.state not in OPEN:
                return order
            order.state, order.finished_at = "cancelled", utc_now()
            if isinstance(order, Sending):
                order.next_at = None
            key = self.key(order)
        try:
            house.work.cancel(self.queue, key)
        except BusyError:
            log.warning("the queue was not told of an end", of=self.name, id=order_id)
        return order
