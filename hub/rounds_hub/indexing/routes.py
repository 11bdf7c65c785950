"""The API of the index: how far it is, and what it does not take."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.indexing import encoderroutes
from rounds_hub.indexing.refused import index_health, index_state

__all__ = ["router"]

router = APIRouter(tags=["index"])
router.include_router(encoderroutes.router)


class RefusedView(BaseModel):
    """A change that is not in the index, and why."""

    kind: str
    key: str
    since: datetime
    tries: int
    error: str


class IndexView(BaseModel):
    """How far the index is, and whether it answers."""

    waiting: int
    failing: int
    refused: list[RefusedView]
    health: dict[str, str | int | float | bool]


@router.get("/api/index")
def show_index(house: HouseDep, principal: PrincipalDep) -> IndexView:
    """Return what waits, what is refused, and whether the index answers."""
    state = index_state(house, principal)
    refused = [
        RefusedView(
            kind=one.kind,
            key=one.key,
            since=one.since,
            tries=one.tries,
            error=one.error,
        )
        for one in state.refused
    ]
    return IndexView(
        waiting=state.waiting,
        failing=state.failing,
        refused=refused,
        health=index_health(house),
    )
