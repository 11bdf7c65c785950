"""Bring a study here from a remote node: asked for here, done by a worker."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select

from rounds_hub.access.audience import ADMINS
from rounds_hub.access.policy import Action, Resource, require
from rounds_hub.access.principal import Role
from rounds_hub.archive.texts import clean
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import BusyError, ConflictError, InvalidError, NotFoundError
from rounds_hub.gateway.models import Pull
from rounds_hub.gateway.registry import require_node

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["OPEN", "begin_pull", "cancel_pull", "get_pull", "list_pulls"]

MOST_LISTED = 200
LONGEST_ID = 64
OPEN = ("waiting", "running")
_UID = re.compile(r"[0-9.]{1,64}")

log = structlog.get_logger()


def begin_pull(
    house: House,
    principal: Principal,
    node_name: str,
    study_uid: str,
    *,
    patient_id: str = "",
) -> Pull:
    """Ask for the study *study_uid* to be brought here from the node *node_name*.

    What comes belongs to the node, as if it had sent it by itself.

    Parameters
    ----------
    house
        The opened house.
    principal
        Who asks.
    node_name
        The node.
    study_uid
        The study's UID, as the node's answer had it.
    patient_id
        The patient's number, for nodes that know only the patient root.

    Raises
    ------
    ForbiddenError
        If the principal may not ask nodes.
    NotFoundError
        If there is no such node.
    InvalidError
        If *study_uid* is no UID.
    ConflictError
        If the node is switched off or has no host.
    """
    if not _UID.fullmatch(study_uid):
        msg = f"A study is named by its UID, got {clean(study_uid)[:LONGEST_ID]!r}."
        raise InvalidError(msg, {"study_uid": msg})
    with house.sessions.begin() as session:
        where = Resource("node", node_name[:LONGEST_ID])
        require(session, principal, Action.NODE_QUERY, where)
        node = require_node(session, node_name)
        if not node.enabled or not node.host:
            msg = f"The node {node.name!r} cannot be called: see its record."
            raise ConflictError(msg)
        begun = Pull(
            id=secrets.token_hex(8),
            owner=principal.name,
            node=node.name,
            study_uid=study_uid,
            patient_id=clean(patient_id)[:LONGEST_ID],
        )
        session.add(begun)
        session.flush()
    try:
        house.work.enqueue("pull", begun.id)
    except BusyError:
        log.warning("a pull waits for the queue", id=begun.id)
    return begun


def get_pull(house: House, principal: Principal, pull_id: str) -> Pull:
    """Return how far a pull is.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    with house.sessions.begin(write=False) as session:
        return _own(session, principal, pull_id)


def list_pulls(house: House, principal: Principal, *, limit: int = 20) -> list[Pull]:
    """Return the newest pulls of *principal*; an administrator sees everybody's.

    Raises
    ------
    ForbiddenError
        If the principal may not ask nodes.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.NODE_QUERY, Resource("pulls"))
        wanted = select(Pull).order_by(Pull.created_at.desc(), Pull.id)
        if not principal.has(Role.ADMIN):
            wanted = wanted.where(Pull.owner == principal.name)
        return list(session.scalars(wanted.limit(max(1, min(limit, MOST_LISTED)))))


def cancel_pull(house: House, principal: Principal, pull_id: str) -> Pull:
    """End a pull now; what has come stays here. Twice changes nothing.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    with house.sessions.begin() as session:
        pull = _own(session, principal, pull_id)
        if pull.state not in OPEN:
            return pull
        pull.state, pull.finished_at = "cancelled", utc_now()
    try:
        house.work.cancel("pull", pull.id)
    except BusyError:
        log.warning("the queue was not told of a cancelled pull", id=pull_id)
    return pull


def _own(session: Session, principal: Principal, pull_id: str) -> Pull:
    """Return a pull of *principal*'s own; an administrator's are all."""
    found = session.get(Pull, pull_id) if pull_id.isalnum() else None
    if found is None:
        kind = "pull"
        raise NotFoundError(kind, clean(pull_id)[:LONGEST_ID])
    may_see = frozenset({f"user:{found.owner}", ADMINS})
    resource = Resource("pull", found.id, may_see, frozenset({found.owner}))
    require(session, principal, Action.NODE_QUERY, resource)
    return found
