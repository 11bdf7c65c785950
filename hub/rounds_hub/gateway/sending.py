"""Send series and instances to a remote node: asked for here, done by a worker."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from rounds_hub.access.policy import Action, Resource, require, series_resource
from rounds_hub.archive.models import Instance, Series
from rounds_hub.archive.texts import clean
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import (
    BusyError,
    ConflictError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)
from rounds_hub.gateway.models import Sending, SendingItem
from rounds_hub.gateway.orders import Orders
from rounds_hub.gateway.registry import require_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.house import House

__all__ = [
    "Item",
    "cancel_sending",
    "get_sending",
    "items_of",
    "list_sendings",
    "retry_sending",
    "send",
    "workflow_key",
]

MOST_INSTANCES = 50_000
LONGEST_UID = 64
_UID = re.compile(r"[0-9.]{1,64}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Item:
    """One instance of a sending and what became of it."""

    sop_uid: str
    series_uid: str
    state: str
    why: str


def send(
    house: House,
    principal: Principal,
    node_name: str,
    uids: Sequence[str],
    *,
    request: str | None = None,
) -> str:
    """Ask for *uids* to be sent to the node *node_name*; return the sending's id.

    When this returns, it is on the disk: a worker sends it, again and again with
    growing pauses, until the node has everything or the pauses are used up.

    Parameters
    ----------
    house
        The opened house.
    principal
        Who asks; only what they may see is sent.
    node_name
        The node.
    uids
        UIDs of series and of instances.
    request
        What the one who asks calls this: asked for again under the same name, it is
        the same sending, and nothing is sent twice.

    Raises
    ------
    ForbiddenError
        If the principal may not send.
    NotFoundError
        If there is no such node, or an UID names nothing that the principal may see.
    ConflictError
        If nothing may be sent to the node.
    """
    try:
        found, key = _ask(house, principal, node_name, uids, request=request)
    except IntegrityError:
        # Another process asked for the same request at the same moment.
        found, key = _ask(house, principal, node_name, uids, request=request)
    if key:
        _hand_over(house, key)
    return found


def _ask(
    house: House,
    principal: Principal,
    node_name: str,
    uids: Sequence[str],
    *,
    request: str | None,
) -> tuple[str, str]:
    """Return the id of the sending, and the key of its workflow if it is new."""
    with house.sessions.begin() as session:
        where = Resource("node", node_name[:LONGEST_UID])
        require(session, principal, Action.NODE_SEND, where)
        known = select(Sending.id).where(Sending.request == request)
        if request is not None and (there := session.scalar(known)) is not None:
            return there, ""
        node = require_node(session, node_name)
        _refuse_closed(node)
        items = _items(session, principal, uids)
        begun = _begun(session, principal, node, items)
        begun.request = request
        return begun.id, workflow_key(begun)


def _begun(
    session: Session, principal: Principal, node: NodeRecord, items: dict[str, str]
) -> Sending:
    """Return a new sending of *items* (the series of each instance) to *node*."""
    begun = Sending(
        id=secrets.token_hex(8),
        owner=principal.name,
        node=node.name,
        total=len(items),
        next_at=utc_now(),
        attempt=1,
    )
    session.add(begun)
    session.flush()
    session.add_all(
        SendingItem(
            sending_id=begun.id, sop_uid=sop_uid, series_uid=series_uid, place=place
        )
        for place, (sop_uid, series_uid) in enumerate(items.items())
    )
    return begun


def workflow_key(sending: Sending) -> str:
    """Return the key of the workflow that does *sending* now."""
    return f"{sending.id}.{sending.attempt}"


_SENDINGS = Orders(Sending, "sending", Action.NODE_SEND, "send", workflow_key)


def get_sending(house: House, principal: Principal, sending_id: str) -> Sending:
    """Return how far a sending is.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    return _SENDINGS.get(house, principal, sending_id)


def items_of(
    house: House, principal: Principal, sending_id: str, *, limit: int = 500
) -> list[Item]:
    """Return the instances of a sending: those with a reason first, then by place.

    Raises
    ------
    NotFoundError
        If there is no such sending, or it is somebody else's.
    """
    with house.sessions.begin(write=False) as session:
        _SENDINGS.own(session, principal, sending_id)
        wanted = (
            select(SendingItem)
            .where(SendingItem.sending_id == sending_id)
            .order_by(SendingItem.why == "", SendingItem.place)
            .limit(max(1, min(limit, MOST_INSTANCES)))
        )
        return [
            Item(one.sop_uid, one.series_uid, one.state, one.why)
            for one in session.scalars(wanted)
        ]


def list_sendings(
    house: House, principal: Principal, *, limit: int = 50
) -> list[Sending]:
    """Return the newest sendings of *principal*; an administrator sees everybody's.

    Raises
    ------
    ForbiddenError
        If the principal may not send at all.
    """
    return _SENDINGS.newest(house, principal, limit)


def cancel_sending(house: House, principal: Principal, sending_id: str) -> Sending:
    """End a sending now; what the node has stays there. Twice changes nothing.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    return _SENDINGS.cancel(house, principal, sending_id)


def retry_sending(house: House, principal: Principal, sending_id: str) -> Sending:
    """Begin an ended sending again with what the node has not taken.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    ConflictError
        If everything was taken.
    """
    with house.sessions.begin() as session:
        sending = _SENDINGS.own(session, principal, sending_id)
        if sending.state == "done":
            msg = "The node has everything: there is nothing to send again."
            raise ConflictError(msg)
        session.execute(
            update(SendingItem)
            .where(SendingItem.sending_id == sending.id, SendingItem.state != "sent")
            .values(state="waiting", why="")
        )
        sending.state, sending.why = "waiting", ""
        sending.refused = sending.tries = 0
        sending.attempt += 1
        sending.next_at, sending.finished_at = utc_now(), None
        key = workflow_key(sending)
    _hand_over(house, key)
    return sending


def _hand_over(house: House, key: str) -> None:
    """Tell the queue; where it does not answer, the worker finds the row itself."""
    try:
        house.work.enqueue("send", key)
    except BusyError:
        log.warning("a sending waits for the queue", key=key)


def _refuse_closed(node: NodeRecord) -> None:
    """Refuse a node to which nothing goes."""
    why = ""
    if not node.enabled:
        why = "is switched off"
    elif not node.may_receive:
        why = "may not be sent anything"
    elif not node.host:
        why = "has no host in its record"
    if why:
        msg = f"The node {node.name!r} {why}."
        raise ConflictError(msg)


def _items(
    session: Session, principal: Principal, uids: Sequence[str]
) -> dict[str, str]:
    """Return the series of each instance that *uids* name, in the order of series."""
    found: dict[str, str] = {}
    for uid in dict.fromkeys(uids):
        found |= _named(session, principal, uid)
        if len(found) > MOST_INSTANCES:
            msg = f"More than {MOST_INSTANCES} instances: send them in parts."
            raise TooLargeError(msg)
    if not found:
        msg = "Nothing was chosen: name the series or instances to send."
        raise InvalidError(msg, {"uids": msg})
    return found


def _named(session: Session, principal: Principal, uid: str) -> dict[str, str]:
    """Return the instances of the series *uid*, or the instance *uid*."""
    plain = uid if _UID.fullmatch(uid) else ""
    series = session.get(Series, plain)
    instance = None if series else session.get(Instance, plain)
    if instance is not None:
        series = session.get_one(Series, instance.series_uid)
    if series is None:
        kind = "series or instance"
        raise NotFoundError(kind, clean(uid)[:LONGEST_UID])
    require(session, principal, Action.SERIES_READ, series_resource(session, series))
    if instance is not None:
        return {instance.uid: series.uid}
    wanted = (
        select(Instance.uid)
        .where(Instance.series_uid == series.uid)
        .order_by(Instance.number, Instance.uid)
    )
    return dict.fromkeys(session.scalars(wanted), series.uid)
