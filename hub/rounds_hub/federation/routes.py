"""Other hubs over HTTP: their records, what they ask, and what they are asked."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.cases.asking import Question
from rounds_hub.errors import TooLargeError
from rounds_hub.federation import registry
from rounds_hub.federation.answering import answer
from rounds_hub.federation.asking import SIGNATURE, ask_peers
from rounds_hub.federation.words import LONGEST_BODY, PeerQuestion

__all__ = ["router"]

router = APIRouter(tags=["federation"])


class PeerChanges(BaseModel):
    """What of the record of another hub is changed."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(None, description="What people read beside its hits.")
    url: str | None = Field(None, examples=["https://north.example/services/rounds/"])
    public_key: str | None = Field(None, description="What 'rounds peers key' prints.")
    is_asked: bool | None = Field(None, description="Whether our searches go there.")
    may_ask: bool | None = Field(None, description="Whether it may search here.")
    per_minute: int | None = None
    most_hits: int | None = None
    seconds: float | None = Field(None, description="How long it is waited for.")
    enabled: bool | None = None
    note: str | None = None


class NewPeer(PeerChanges):
    """Another hub."""

    name: str
    url: str
    public_key: str


class PeerModel(BaseModel):
    """The record of another hub."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    url: str
    public_key: str
    is_asked: bool
    may_ask: bool
    per_minute: int
    most_hits: int
    seconds: float
    enabled: bool
    note: str


class RemoteHitModel(BaseModel):
    """A case of another hub."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    peer: str
    whence: str
    rank: int
    url: str
    modality: list[str]
    body_part: list[str]
    level: str
    language: str


class ToldModel(BaseModel):
    """What became of the question to one hub."""

    model_config = ConfigDict(from_attributes=True)

    peer: str
    title: str
    state: str = Field(description="answered, slow, down or refused")
    total: int
    seconds: float


class ElsewhereModel(BaseModel):
    """What other hubs found; *complete* is false where one did not answer."""

    model_config = ConfigDict(from_attributes=True)

    hits: list[RemoteHitModel]
    told: list[ToldModel]
    total: int
    complete: bool


@router.get("/api/peers")
def list_peers(house: HouseDep, principal: PrincipalDep) -> list[PeerModel]:
    """Return the records of other hubs."""
    found = registry.list_peers(house, principal)
    return [PeerModel.model_validate(one) for one in found]


@router.post("/api/peers", status_code=201)
def add_peer(house: HouseDep, principal: PrincipalDep, new: NewPeer) -> PeerModel:
    """Add another hub."""
    said = new.model_dump(exclude_none=True)
    return PeerModel.model_validate(registry.add_peer(house, principal, said))


@router.get("/api/peers/{name}")
def read_peer(house: HouseDep, principal: PrincipalDep, name: str) -> PeerModel:
    """Return the record of another hub."""
    return PeerModel.model_validate(registry.get_peer(house, principal, name))


@router.put("/api/peers/{name}")
def change_peer(
    house: HouseDep, principal: PrincipalDep, name: str, changed: PeerChanges
) -> PeerModel:
    """Change what is said of the record of another hub."""
    said = changed.model_dump(exclude_none=True)
    return PeerModel.model_validate(registry.change_peer(house, principal, name, said))


@router.delete("/api/peers/{name}", status_code=204)
def remove_peer(house: HouseDep, principal: PrincipalDep, name: str) -> Response:
    """Remove another hub."""
    registry.remove_peer(house, principal, name)
    return Response(status_code=204)


@router.get("/api/federation/key")
def read_key(house: HouseDep, principal: PrincipalDep) -> dict[str, str]:
    """Return our public key, which other hubs enter for us."""
    return {"public_key": registry.our_key(house, principal)}


@router.post("/api/federation/ask")
def ask(
    house: HouseDep, principal: PrincipalDep, asked: PeerQuestion
) -> ElsewhereModel:
    """Ask the other hubs, and return what they find in time."""
    question = Question(
        text=asked.text,
        where={name: tuple(values) for name, values in asked.where.items()},
        language=asked.language,
        size=asked.size,
    )
    found = ask_peers(house, principal, question)
    return ElsewhereModel.model_validate(asdict(found))


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": PeerQuestion.model_json_schema()}},
    }
}


@router.post("/api/federation/search", openapi_extra=_BODY)
async def search_for_peer(
    house: HouseDep,
    request: Request,
    rounds_signature: Annotated[str, Header(max_length=2_000)] = "",
) -> Response:
    """Answer another hub that signed its question; nobody else gets an answer."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            msg = f"A question has at most {LONGEST_BODY} bytes."
            raise TooLargeError(msg)
    said, signature = await run_in_threadpool(
        answer, house, rounds_signature, bytes(body)
    )
    headers = {SIGNATURE: signature}
    return Response(said, media_type="application/json", headers=headers)
