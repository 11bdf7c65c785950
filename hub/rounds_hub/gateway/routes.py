"""Remote nodes over HTTP: their records, queries, sendings and pulls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.errors import BusyError, ConflictError
from rounds_hub.gateway import asking, pulling, registry, sending
from rounds_hub.gateway.views import (
    AnswersView,
    EchoView,
    ItemView,
    NewNode,
    NewPull,
    NewSending,
    NodeChanges,
    NodeName,
    NodeView,
    PullView,
    SendingDetails,
    SendingView,
)

__all__ = ["router"]

router = APIRouter(tags=["gateway"])


@router.get("/api/nodes")
def list_nodes(house: HouseDep, principal: PrincipalDep) -> list[NodeName]:
    """Return the names of the nodes, and what can be done with each."""
    return [NodeName.of(one) for one in registry.list_nodes(house, principal)]


@router.post("/api/nodes", status_code=201)
def create_node(house: HouseDep, principal: PrincipalDep, new: NewNode) -> NodeView:
    """Make a node (administrators)."""
    fields = new.model_dump(exclude_none=True)
    return NodeView.model_validate(registry.create_node(house, principal, fields))


@router.get("/api/nodes/{name}")
def get_node(house: HouseDep, principal: PrincipalDep, name: str) -> NodeView:
    """Return the whole record of a node (administrators)."""
    return NodeView.model_validate(registry.get_node(house, principal, name))


@router.put("/api/nodes/{name}")
def change_node(
    house: HouseDep, principal: PrincipalDep, name: str, changes: NodeChanges
) -> NodeView:
    """Change a node at the revision that was read (administrators)."""
    fields = changes.model_dump(exclude_none=True, exclude={"revision"})
    changed = registry.change_node(
        house, principal, name, fields, revision=changes.revision
    )
    return NodeView.model_validate(changed)


@router.delete("/api/nodes/{name}", status_code=204)
def delete_node(house: HouseDep, principal: PrincipalDep, name: str) -> None:
    """Delete a node; it can be brought back (administrators)."""
    registry.delete_node(house, principal, name)


@router.post("/api/nodes/{name}/restore")
def restore_node(house: HouseDep, principal: PrincipalDep, name: str) -> NodeView:
    """Bring a deleted node back (administrators)."""
    return NodeView.model_validate(registry.restore_node(house, principal, name))


@router.post("/api/nodes/{name}/echo")
def echo_node(house: HouseDep, principal: PrincipalDep, name: str) -> EchoView:
    """Ask a node whether it is there (C-ECHO), within fifteen seconds."""
    try:
        seconds = asking.try_node(house, principal, name)
    except (BusyError, ConflictError) as error:
        return EchoView(answered=False, why=str(error))
    return EchoView(answered=True, seconds=seconds)


class StudyQuery(BaseModel):
    """Which studies of a node are looked for; a name may have ``*`` and ``?``."""

    patient_name: str = Field("", max_length=64)
    patient_id: str = Field("", max_length=64)
    accession: str = Field("", max_length=64)
    modality: str = Field("", max_length=16)
    since: str = Field("", max_length=8, examples=["20260101"])
    until: str = Field("", max_length=8)


@router.get("/api/nodes/{name}/studies")
def ask_node(
    house: HouseDep,
    principal: PrincipalDep,
    name: str,
    asked: Annotated[StudyQuery, Query()],
) -> AnswersView:
    """Return the studies of a node that match (C-FIND), within a minute."""
    question = asking.Question(**asked.model_dump())
    answers = asking.ask_studies(house, principal, name, question)
    return AnswersView.model_validate(answers)


@router.post("/api/sendings", status_code=202)
def send(house: HouseDep, principal: PrincipalDep, new: NewSending) -> SendingView:
    """Ask for series or instances to be sent to a node."""
    begun = sending.send(house, principal, new.node, new.uids, request=new.request)
    return SendingView.model_validate(sending.get_sending(house, principal, begun))


Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/api/sendings")
def list_sendings(
    house: HouseDep, principal: PrincipalDep, limit: Limit = 50
) -> list[SendingView]:
    """Return the newest sendings that one asked for; administrators see all."""
    rows = sending.list_sendings(house, principal, limit=limit)
    return [SendingView.model_validate(one) for one in rows]


@router.get("/api/sendings/{sending_id}")
def get_sending(
    house: HouseDep,
    principal: PrincipalDep,
    sending_id: str,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 500,
) -> SendingDetails:
    """Return how far a sending is, with its instances: those with a reason first."""
    view = SendingView.model_validate(sending.get_sending(house, principal, sending_id))
    rows = sending.items_of(house, principal, sending_id, limit=limit)
    items = [ItemView.model_validate(one) for one in rows]
    return SendingDetails(**view.model_dump(), items=items)


@router.post("/api/sendings/{sending_id}/cancel")
def cancel_sending(
    house: HouseDep, principal: PrincipalDep, sending_id: str
) -> SendingView:
    """End a sending; what the node has stays there."""
    row = sending.cancel_sending(house, principal, sending_id)
    return SendingView.model_validate(row)


@router.post("/api/sendings/{sending_id}/retry", status_code=202)
def retry_sending(
    house: HouseDep, principal: PrincipalDep, sending_id: str
) -> SendingView:
    """Send again what the node has not taken."""
    row = sending.retry_sending(house, principal, sending_id)
    return SendingView.model_validate(row)


@router.post("/api/pulls", status_code=202)
def pull(house: HouseDep, principal: PrincipalDep, new: NewPull) -> PullView:
    """Ask for a study to be brought here from a node."""
    begun = pulling.begin_pull(
        house, principal, new.node, new.study_uid, patient_id=new.patient_id
    )
    return PullView.model_validate(begun)


@router.get("/api/pulls")
def list_pulls(
    house: HouseDep, principal: PrincipalDep, limit: Limit = 50
) -> list[PullView]:
    """Return the newest pulls that one asked for; administrators see all."""
    rows = pulling.list_pulls(house, principal, limit=limit)
    return [PullView.model_validate(one) for one in rows]


@router.get("/api/pulls/{pull_id}")
def get_pull(house: HouseDep, principal: PrincipalDep, pull_id: str) -> PullView:
    """Return how far a pull is."""
    return PullView.model_validate(pulling.get_pull(house, principal, pull_id))


@router.post("/api/pulls/{pull_id}/cancel")
def cancel_pull(house: HouseDep, principal: PrincipalDep, pull_id: str) -> PullView:
    """End a pull; what has come stays here."""
    return PullView.model_validate(pulling.cancel_pull(house, principal, pull_id))
