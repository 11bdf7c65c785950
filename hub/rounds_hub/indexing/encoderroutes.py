"""The API of encoders: which there are, embed with another, how well they find."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from rounds_hub.access.deps import (  # noqa: TC001 (FastAPI reads them)
    HouseDep,
    PrincipalDep,
)
from rounds_hub.indexing import encoding, nightly

__all__ = ["router"]

router = APIRouter(tags=["index"])


class EncoderView(BaseModel):
    """An encoder of pictures, and how far the house has come with it."""

    name: str
    state: str
    answers: bool
    series: int
    done: int
    skipped: int
    problem: str
    finished_at: datetime | None


class NightView(BaseModel):
    """How well one label was found one night; *drift* is against the week before."""

    night: str
    label: str
    encoder: str
    series: int
    precision_1: float
    precision_10: float
    mean_average_precision: float
    drift: float


@router.get("/api/encoders")
def list_encoders(house: HouseDep, principal: PrincipalDep) -> list[EncoderView]:
    """Return the encoders that are there, the built-in one first."""
    return [
        EncoderView.model_validate(one, from_attributes=True)
        for one in encoding.encoders(house, principal)
    ]


@router.post("/api/encoders/{name}/embedding", status_code=202)
def embed(name: str, house: HouseDep, principal: PrincipalDep) -> dict[str, str]:
    """Ask for all pictures to be embedded with an encoder, which then answers."""
    return {"work": encoding.embed(house, principal, name)}


@router.get("/api/retrieval-nights")
def list_nights(house: HouseDep, principal: PrincipalDep) -> list[NightView]:
    """Return how well like cases were found in the last nights, the newest first."""
    return [
        NightView.model_validate(one, from_attributes=True)
        for one in nightly.nights(house, principal)
    ]
