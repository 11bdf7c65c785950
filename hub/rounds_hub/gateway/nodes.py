"""Know who calls: the record of a remote node, and the principal it acts as."""

from __future__ import annotations

import socket
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sqlalchemy import select

from rounds_hub.access.principal import Principal, Role
from rounds_hub.gateway.models import Node

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["NodeRecord", "calling", "find_node", "list_all", "principal_of_node"]


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A remote node as the catalogue had it when it was read; see :class:`Node`."""

    name: str
    ae_title: str
    host: str = ""
    port: int = 104
    may_store: bool = True
    may_query: bool = False
    may_move: bool = False
    may_receive: bool = True
    private_classes: bool = False
    tls: bool = False
    certificate: str = ""
    associations: int = 8
    roles: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    note: str = ""
    enabled: bool = True
    configured: bool = False
    revision: int = 1


def principal_of_node(node: NodeRecord) -> Principal:
    """Return as whom *node* asks: itself, with the eyes of the roles it was given.

    Examples
    --------
    >>> ward = NodeRecord("ward", "WARD", roles=("doctor",))
    >>> eyes = principal_of_node(ward).audiences
    >>> sorted(one for one in eyes if not one.startswith("knows"))
    ['everyone', 'role:doctor', 'role:node', 'user:node:ward']
    """
    roles = {Role.NODE, *(Role(role) for role in node.roles)}
    return Principal(f"node:{node.name}", frozenset(roles))


def find_node(session: Session, name: str) -> NodeRecord | None:
    """Return the node called *name*, None where there is none."""
    found = session.get(Node, name)
    return None if found is None else _record(found)


def list_all(session: Session) -> list[NodeRecord]:
    """Return every node by its name."""
    return [_record(one) for one in session.scalars(select(Node).order_by(Node.name))]


def calling(session: Session, ae_title: str, address: str) -> NodeRecord | None:
    """Return the enabled node with *ae_title* that may call from *address*.

    A node whose record names no host may call from anywhere.
    """
    found = session.scalar(select(Node).where(Node.ae_title == ae_title.strip()))
    if found is None or not found.enabled:
        return None
    if found.host and address not in _addresses(found.host):
        return None
    return _record(found)


def _addresses(host: str) -> set[str]:
    """Return the addresses of *host*, none where its name is not known now."""
    try:
        every = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return set()
    return {str(one[4][0]) for one in every}


def _record(node: Node) -> NodeRecord:
    """Return what the catalogue has on *node*."""
    known = {one.name: getattr(node, one.name) for one in fields(NodeRecord)}
    known |= {"roles": tuple(node.roles), "audience": tuple(node.audience)}
    return NodeRecord(**known)
