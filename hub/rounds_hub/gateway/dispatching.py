"""What a worker does for a sending: one attempt after another, each instance once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import structlog
from sqlalchemy import CursorResult, func, select, update

from rounds_hub.archive.models import Instance
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import HubError
from rounds_hub.gateway.delivering import Delivery, Parcel, deliver
from rounds_hub.gateway.models import Sending, SendingItem
from rounds_hub.gateway.registry import require_node
from rounds_hub.gateway.sending import workflow_key

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.house import House

__all__ = ["attempt", "hand_over_sendings"]

AT_ONCE = 2
"""How many sendings go to one node at the same time, so that a slow one blocks none."""
CROWDED_SECONDS = 3.0
PATIENCE = timedelta(seconds=10)
LONGEST_WHY = 500

log = structlog.get_logger()


def attempt(house: House, key: str) -> str:
    """Send what the sending of *key* still has to; return its state afterwards.

    Done again after a crash it goes on where it was: an instance whose acceptance was
    written is not sent again. What cannot go now is put off, with growing pauses
    (``Rounds.send_pauses``).
    """
    sending_id, _, number = key.partition(".")
    begun = _begin(house, sending_id, int(number))
    if begun != "running":
        return begun
    why = ""
    try:
        why = _send(house, sending_id, int(number))
    except HubError as error:
        why = str(error)
    except Exception:
        # Whoever runs the house reads the traceback in the worker's log.
        _end(house, sending_id, int(number), "Something went wrong here; try again.")
        raise
    return _end(house, sending_id, int(number), why)


def hand_over_sendings(house: House) -> None:
    """Give what is due and in no queue to the queue, once more."""
    since = utc_now() - PATIENCE
    due = select(Sending).where(
        ((Sending.state == "waiting") & (Sending.next_at < since))
        | ((Sending.state == "running") & (Sending.created_at < since))
    )
    with house.sessions.begin(write=False) as session:
        rows = list(session.scalars(due))
    for row in rows:
        state = house.work.state("send", workflow_key(row))
        if state is None:
            house.work.enqueue("send", workflow_key(row))
        elif state not in {"waiting", "running"}:
            _again(house, row.id, row.attempt)


def _begin(house: House, sending_id: str, number: int) -> str:
    """Take the sending on; return its state, ``running`` where it may begin."""
    with house.sessions.begin() as session:
        row = session.get(Sending, sending_id, with_for_update=True)
        if row is None:
            return "gone"
        if row.attempt != number or row.state not in {"waiting", "running"}:
            return row.state if row.attempt == number else "superseded"
        busy = select(func.count()).where(
            Sending.node == row.node, Sending.state == "running", Sending.id != row.id
        )
        crowded = (session.scalar(busy) or 0) >= AT_ONCE
        if not crowded:
            row.state, row.next_at = "running", None
            return "running"
    _again(house, sending_id, number, CROWDED_SECONDS)
    return "waiting"


def _send(house: House, sending_id: str, number: int) -> str:
    """Deliver what waits; return why not all of it went, empty if it did."""

    def stop() -> bool:
        with house.sessions.begin(write=False) as session:
            return not _is_current(session, sending_id, number)

    with house.sessions.begin(write=False) as session:
        node = _open_node(session, sending_id)
    lost = _missing(house, sending_id)
    for uid in lost:
        why = "It is not in the archive any more."
        _write(house, sending_id, Delivery(uid, "refused", why))
    instances = _waiting(house, sending_id)
    for delivery in deliver(house, node, instances, stop=stop):
        if delivery.verdict == "later":
            return delivery.why
        if not _write(house, sending_id, delivery):
            return ""
    return ""


def _open_node(session: Session, sending_id: str) -> NodeRecord:
    """Return the node of the sending, as it is now."""
    return require_node(session, session.get_one(Sending, sending_id).node)


def _is_current(session: Session, sending_id: str, number: int) -> bool:
    """Return whether this attempt is still wanted."""
    row = session.get(Sending, sending_id)
    return row is not None and row.state == "running" and row.attempt == number


def _missing(house: House, sending_id: str) -> list[str]:
    """Return those waiting instances that the archive does not have any more."""
    wanted = (
        select(SendingItem.sop_uid)
        .outerjoin(Instance, Instance.uid == SendingItem.sop_uid)
        .where(
            SendingItem.sending_id == sending_id,
            SendingItem.state == "waiting",
            Instance.uid.is_(None),
        )
    )
    with house.sessions.begin(write=False) as session:
        return list(session.scalars(wanted))


def _waiting(house: House, sending_id: str) -> list[Parcel]:
    """Return the instances that still have to go."""
    wanted = (
        select(Instance)
        .join(SendingItem, SendingItem.sop_uid == Instance.uid)
        .where(SendingItem.sending_id == sending_id, SendingItem.state == "waiting")
        .order_by(SendingItem.place)
    )
    with house.sessions.begin(write=False) as session:
        return [
            Parcel(one.uid, one.sop_class, one.transfer_syntax, one.sha256)
            for one in session.scalars(wanted)
        ]


def _write(house: House, sending_id: str, delivery: Delivery) -> bool:
    """Write what became of an instance; return whether the sending still goes on.

    What was accepted is written even where the sending was cancelled meanwhile.
    """
    with house.sessions.begin() as session:
        changed = cast(
            "CursorResult[Any]",
            session.execute(
                update(SendingItem)
                .where(
                    SendingItem.sending_id == sending_id,
                    SendingItem.sop_uid == delivery.uid,
                    SendingItem.state == "waiting",
                )
                .values(state=delivery.verdict, why=delivery.why[:LONGEST_WHY])
            ),
        )
        row = session.get_one(Sending, sending_id, with_for_update=True)
        if changed.rowcount:
            row.sent += delivery.verdict == "sent"
            row.refused += delivery.verdict == "refused"
            row.tries = 0
        return row.state == "running"


def _end(house: House, sending_id: str, number: int, why: str) -> str:
    """Write how the attempt ended, and put off what is left; return the state."""
    with house.sessions.begin() as session:
        row = session.get_one(Sending, sending_id, with_for_update=True)
        if row.attempt != number or row.state != "running":
            return row.state
        left = row.total - row.sent - row.refused
        pauses = house.settings.send_pauses
        row.why = why[:LONGEST_WHY]
        if left and row.tries < len(pauses):
            pause = pauses[row.tries]
            row.tries += 1
        else:
            row.state = "failed" if left or row.refused else "done"
            row.finished_at = utc_now()
            log.info("sending ended", id=row.id, node=row.node, state=row.state)
            return row.state
    _again(house, sending_id, number, pause)
    return "waiting"


def _again(house: House, sending_id: str, number: int, pause: float = 0.0) -> None:
    """Let the next attempt begin after *pause* seconds, unless it was cancelled."""
    with house.sessions.begin() as session:
        row = session.get_one(Sending, sending_id, with_for_update=True)
        if row.attempt != number or row.state not in {"waiting", "running"}:
            return
        row.state, row.attempt = "waiting", number + 1
        row.next_at = utc_now() + timedelta(seconds=pause)
        key = workflow_key(row)
    try:
        house.work.enqueue("send", key, delay=pause)
    except HubError:
        log.warning("a sending waits for the queue", key=key)
