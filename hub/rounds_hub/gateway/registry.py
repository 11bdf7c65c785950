"""Manage remote nodes: list, make, change, delete and bring back their records."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from rounds_hub.access.policy import Action, Resource, require
from rounds_hub.errors import ConflictError, InvalidError, NotFoundError, SettingsError
from rounds_hub.gateway.models import Node, RemovedNode
from rounds_hub.gateway.nodeform import FIELDS, checked_fields
from rounds_hub.gateway.nodes import NodeRecord, find_node, list_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.catalogue.sessions import Sessions
    from rounds_hub.house import House

__all__ = [
    "apply_configured",
    "change_node",
    "create_node",
    "delete_node",
    "get_node",
    "list_nodes",
    "may_change",
    "require_node",
    "restore_node",
]

NEEDED = ("name", "ae_title")
LONGEST_ASKED = 40

log = structlog.get_logger()


def list_nodes(house: House, principal: Principal) -> list[NodeRecord]:
    """Return every node by its name, for those who may ask nodes.

    Raises
    ------
    ForbiddenError
        If the principal is no staff.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.NODE_QUERY, Resource("nodes"))
        return list_all(session)


def get_node(house: House, principal: Principal, name: str) -> NodeRecord:
    """Return the whole record of a node, for administrators.

    Raises
    ------
    ForbiddenError
        If the principal is no administrator.
    NotFoundError
        If there is none called *name*.
    """
    with house.sessions.begin(write=False) as session:
        _may_change(session, principal, name)
        return require_node(session, name)


def may_change(house: House, principal: Principal) -> None:
    """Refuse somebody who may not change nodes, before a form is shown.

    Raises
    ------
    ForbiddenError
        If the principal is no administrator.
    """
    with house.sessions.begin(write=False) as session:
        _may_change(session, principal, "")


def require_node(session: Session, name: str) -> NodeRecord:
    """Return the node called *name*.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    found = find_node(session, name)
    if found is None:
        kind = "node"
        raise NotFoundError(kind, name[:LONGEST_ASKED])
    return found


def create_node(
    house: House, principal: Principal, values: Mapping[str, Any]
) -> NodeRecord:
    """Make a node of *values*; what is not said has its default.

    Raises
    ------
    ForbiddenError
        If the principal is no administrator.
    InvalidError
        If a field cannot be so, or another node has the name or the title.
    """
    with house.sessions.begin() as session:
        _may_change(session, principal, str(values.get("name", "")))
        lacking = [name for name in NEEDED if not str(values.get(name, "")).strip()]
        if lacking:
            problems = dict.fromkeys(lacking, "Every node has one.")
            msg = f"A node needs {' and '.join(lacking)}."
            raise InvalidError(msg, problems)
        fields = checked_fields(values)
        _refuse_taken(session, fields)
        session.add(Node(**fields))
        session.flush()
        return require_node(session, fields["name"])


def change_node(
    house: House,
    principal: Principal,
    name: str,
    values: Mapping[str, Any],
    *,
    revision: int,
) -> NodeRecord:
    """Change *values* of the node *name*, as it was at *revision*.

    Raises
    ------
    ForbiddenError
        If the principal is no administrator.
    NotFoundError
        If there is no such node.
    ConflictError
        If it changed meanwhile, or belongs to the configuration.
    InvalidError
        If a field cannot be so.
    """
    with house.sessions.begin() as session:
        _may_change(session, principal, name)
        node = _own(session, name)
        if node.revision != revision:
            msg = (
                f"The node {name!r} changed meanwhile: you read revision {revision}, "
                f"it has {node.revision}. Look at it again."
            )
            raise ConflictError(msg)
        fields = checked_fields({key: values[key] for key in values if key != "name"})
        _refuse_taken(session, fields, besides=name)
        for field, value in fields.items():
            setattr(node, field, value)
        node.revision += 1
        session.flush()
        return require_node(session, name)


def delete_node(house: House, principal: Principal, name: str) -> None:
    """Delete the node *name*; :func:`restore_node` brings it back.

    Raises
    ------
    ForbiddenError
        If the principal is no administrator.
    NotFoundError
        If there is no such node.
    ConflictError
        If it belongs to the configuration.
    """
    with house.sessions.begin() as session:
        _may_change(session, principal, name)
        node = _own(session, name)
        kept = {field: getattr(node, field) for field in FIELDS}
        session.execute(delete(RemovedNode).where(RemovedNode.name == name))
        session.add(RemovedNode(name=name, record=kept, removed_by=principal.name))
        session.delete(node)


def restore_node(house: House, principal: Principal, name: str) -> NodeRecord:
    """Bring back the deleted node *name* as it was.

    Raises
    ------
    ForbiddenError
        If the principal is no administrator.
    NotFoundError
        If none of that name was deleted.
    InvalidError
        If another node has its name or its title now.
    """
    with house.sessions.begin() as session:
        _may_change(session, principal, name)
        removed = session.get(RemovedNode, name)
        if removed is None:
            kind = "deleted node"
            raise NotFoundError(kind, name[:LONGEST_ASKED])
        _refuse_taken(session, removed.record)
        session.add(Node(**removed.record))
        session.delete(removed)
        session.flush()
        return require_node(session, name)


def apply_configured(
    sessions: Sessions, configured: Iterable[Mapping[str, Any]]
) -> None:
    """Bring the nodes of the configuration into the catalogue, once at a start.

    One that the configuration named before and does not any more is taken out.

    Raises
    ------
    SettingsError
        If an entry of ``Rounds.nodes`` cannot be a node.
    """
    wanted = _checked_settings(list(configured))
    with sessions.begin(write=False) as session:
        there = {one.name: one for one in list_all(session) if one.configured}
    if {name: _fields_of(one) for name, one in there.items()} == {
        name: _fields_of(NodeRecord(**_tuples(fields)))
        for name, fields in wanted.items()
    }:
        return
    try:
        with sessions.begin() as session:
            _replace(session, wanted)
    except IntegrityError:
        log.info("another process brought the nodes of the configuration in")
        return
    log.info("nodes of the configuration", count=len(wanted))


def _replace(session: Session, wanted: Mapping[str, dict[str, Any]]) -> None:
    """Let the configured nodes be *wanted*, and no others of them."""
    for old in session.scalars(select(Node).where(Node.configured)):
        session.delete(old)
    session.flush()
    titles = [fields["ae_title"] for fields in wanted.values()]
    taken = Node.name.in_(wanted) | Node.ae_title.in_(titles)
    for old in session.scalars(select(Node).where(taken)):
        log.warning("the configuration takes over a node", node=old.name)
        session.delete(old)
    session.flush()
    session.add_all(Node(**fields, configured=True) for fields in wanted.values())


def _checked_settings(
    configured: list[Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return the fields of each configured node by its name."""
    wanted: dict[str, dict[str, Any]] = {}
    for entry in configured:
        try:
            fields = checked_fields(entry)
        except InvalidError as error:
            msg = f"Rounds.nodes: {error}"
            raise SettingsError(msg) from error
        if not all(fields.get(name) for name in NEEDED):
            msg = "Rounds.nodes: each node needs a 'name' and an 'ae_title'."
            raise SettingsError(msg)
        wanted[fields["name"]] = fields
    titles = {fields["ae_title"] for fields in wanted.values()}
    if len(titles) < len(wanted) or len(wanted) < len(configured):
        msg = "Rounds.nodes: two nodes have the same name or the same AE title."
        raise SettingsError(msg)
    return wanted


def _fields_of(record: NodeRecord) -> dict[str, Any]:
    """Return what was set of *record*."""
    return {name: value for name, value in asdict(record).items() if name in FIELDS}


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return *fields* as a record has them."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields.items()
    }


def _may_change(session: Session, principal: Principal, name: str) -> None:
    """Let administrators go on."""
    what = Resource("node", name[:LONGEST_ASKED])
    require(session, principal, Action.HOUSE_ADMIN, what)


def _own(session: Session, name: str) -> Node:
    """Return the row of a node that is not the configuration's."""
    node = session.get(Node, name, with_for_update=True)
    if node is None:
        kind = "node"
        raise NotFoundError(kind, name[:LONGEST_ASKED])
    if node.configured:
        msg = f"The node {name!r} belongs to the configuration: change Rounds.nodes."
        raise ConflictError(msg)
    return node


def _refuse_taken(
    session: Session, fields: Mapping[str, Any], besides: str = ""
) -> None:
    """Refuse a name or a title that another node has."""
    problems: dict[str, str] = {}
    if "name" in fields and find_node(session, fields["name"]) is not None:
        problems["name"] = f"There is a node {fields['name']!r} already."
    if "ae_title" in fields:
        same = select(Node.name).where(
            Node.ae_title == fields["ae_title"], Node.name != besides
        )
        if (other := session.scalar(same)) is not None:
            problems["ae_title"] = f"The node {other!r} has this AE title."
    if problems:
        raise InvalidError(" ".join(problems.values()), problems)
