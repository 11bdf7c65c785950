"""What the API says of nodes, of what goes to them and of what comes from them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rounds_hub.gateway.nodes import NodeRecord  # noqa: TC001 (pydantic reads it)

__all__ = [
    "AnswersView",
    "EchoView",
    "ItemView",
    "NewNode",
    "NewPull",
    "NewSending",
    "NodeChanges",
    "NodeName",
    "NodeView",
    "PullView",
    "SendingDetails",
    "SendingView",
]

State = Literal["waiting", "running", "done", "failed", "cancelled"]


class NodeName(BaseModel):
    """A node as everybody on the staff sees it."""

    name: str
    sendable: bool = Field(description="Whether instances may be sent to it.")
    askable: bool = Field(description="Whether it can be asked and pulled from.")

    @classmethod
    def of(cls, node: NodeRecord) -> NodeName:
        """Return *node* without what only administrators see."""
        reachable = node.enabled and bool(node.host)
        sendable = reachable and node.may_receive
        return cls(name=node.name, sendable=sendable, askable=reachable)


class NodeFields(BaseModel):
    """What can be set of a node; what is left out stays as it is, or has its default.

    The types are checked by the room, which names each field that cannot be.
    """

    model_config = ConfigDict(extra="forbid")

    ae_title: str | None = Field(None, examples=["CT1"], max_length=64)
    host: str | None = Field(None, examples=["ct1.example"], max_length=300)
    port: int | None = Field(None, examples=[104])
    may_store: bool | None = Field(None, description="It may send to us (C-STORE).")
    may_query: bool | None = Field(None, description="It may query us (C-FIND).")
    may_move: bool | None = Field(None, description="It may retrieve (C-GET, C-MOVE).")
    may_receive: bool | None = Field(None, description="It may be sent to.")
    private_classes: bool | None = Field(
        None, description="It may store private SOP classes."
    )
    tls: bool | None = None
    certificate: str | None = Field(
        None, description="SHA-256 of its certificate.", max_length=200
    )
    associations: int | None = Field(None, description="At the same time.")
    roles: list[str] | None = Field(
        None, examples=[["doctor"]], description="With whose eyes it looks."
    )
    audience: list[str] | None = Field(
        None, examples=[["group:ward-3"]], description="Who sees what it sends."
    )
    note: str | None = Field(None, max_length=2000)
    enabled: bool | None = None


class NewNode(NodeFields):
    """A node that is made."""

    name: str = Field(examples=["ct-1"], max_length=64)
    ae_title: str = Field(examples=["CT1"], max_length=64)


class NodeChanges(NodeFields):
    """Changes to a node at the revision that they were made on."""

    revision: int


class NodeView(BaseModel):
    """The whole record of a node."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    ae_title: str
    host: str
    port: int
    may_store: bool
    may_query: bool
    may_move: bool
    may_receive: bool
    private_classes: bool
    tls: bool
    certificate: str
    associations: int
    roles: list[str]
    audience: list[str]
    note: str
    enabled: bool
    configured: bool = Field(description="It is changed in Rounds.nodes alone.")
    revision: int


class EchoView(BaseModel):
    """Whether a node answered a C-ECHO, in how many seconds, or why not."""

    answered: bool
    seconds: float = 0.0
    why: str = ""


class AnswersView(BaseModel):
    """What a node has, by keyword of DICOM; *more* where it has more than that."""

    model_config = ConfigDict(from_attributes=True)

    found: list[dict[str, str]]
    more: bool
    unusable: int


class NewSending(BaseModel):
    """Series and instances that are to be sent to a node."""

    model_config = ConfigDict(extra="forbid")

    node: str = Field(max_length=64)
    uids: list[str] = Field(max_length=10_000, description="Of series or instances.")
    request: str | None = Field(
        None,
        max_length=128,
        min_length=1,
        description="Your name for it: asked for again, it is the same sending.",
    )


class SendingView(BaseModel):
    """How far a sending is."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    node: str
    state: State
    total: int
    sent: int
    refused: int
    why: str
    created_at: datetime
    next_at: datetime | None
    finished_at: datetime | None


class ItemView(BaseModel):
    """What became of one instance."""

    model_config = ConfigDict(from_attributes=True)

    sop_uid: str
    series_uid: str
    state: Literal["waiting", "sent", "refused"]
    why: str


class SendingDetails(SendingView):
    """How far a sending is, with its first instances."""

    items: list[ItemView]


class NewPull(BaseModel):
    """A study that is to be brought here from a node."""

    model_config = ConfigDict(extra="forbid")

    node: str = Field(max_length=64)
    study_uid: str = Field(max_length=64)
    patient_id: str = Field("", max_length=64)


class PullView(BaseModel):
    """How far a pull is."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    node: str
    study_uid: str
    state: State
    method: str
    total: int
    done: int
    failed: int
    why: str
    created_at: datetime
    finished_at: datetime | None
