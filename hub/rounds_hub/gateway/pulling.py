"""Bring a study here from a remote node: asked for here, done by a worker."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import structlog

from rounds_hub.access.policy import Action, Resource, require
from rounds_hub.archive.texts import clean
from rounds_hub.errors import BusyError, ConflictError, InvalidError
from rounds_hub.gateway.models import Pull
from rounds_hub.gateway.orders import Orders
from rounds_hub.gateway.registry import require_node

if TYPE_CHECKING:
    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["begin_pull", "cancel_pull", "get_pull", "list_pulls"]

LONGEST_ID = 64
_UID = re.compile(r"[0-9.]{1,64}")
_PULLS = Orders(Pull, "pull", Action.NODE_QUERY, "pull", lambda one: one.id)

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
    return _PULLS.get(house, principal, pull_id)


def list_pulls(house: House, principal: Principal, *, limit: int = 20) -> list[Pull]:
    """Return the newest pulls of *principal*; an administrator sees everybody's.

    Raises
    ------
    ForbiddenError
        If the principal may not ask nodes.
    """
    return _PULLS.newest(house, principal, limit)


def cancel_pull(house: House, principal: Principal, pull_id: str) -> Pull:
    """End a pull now; what has come stays here. Twice changes nothing.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    return _PULLS.cancel(house, principal, pull_id)
