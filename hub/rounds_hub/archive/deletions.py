"""The API of deletions: what was deleted, and undoing it."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.archive import deleting

__all__ = ["DeletionView", "router"]

router = APIRouter(prefix="/api/deletions", tags=["archive"])


class DeletionView(BaseModel):
    """Something that was deleted: by whom, why, and until when it can be undone."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    level: str
    uid: str
    study_uid: str
    modality: str
    owner: str
    instance_count: int
    size: int
    state: str
    by: str
    reason: str
    at: datetime
    until: datetime
    undoable: bool
    ended_at: datetime | None
    ended_by: str


@router.get("")
def list_deletions(
    house: HouseDep,
    principal: PrincipalDep,
    before: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[DeletionView]:
    """Return the newest deletions, for administrators."""
    found = deleting.list_removals(house, principal, before=before, limit=limit)
    return [DeletionView.model_validate(one) for one in found]


@router.get("/{removal_id}")
def get_deletion(
    house: HouseDep, principal: PrincipalDep, removal_id: str
) -> DeletionView:
    """Return a deletion, for who did it, whose it was, and administrators."""
    found = deleting.get_removal(house, principal, removal_id)
    return DeletionView.model_validate(found)


@router.post("/{removal_id}/undo")
def undo_deletion(
    house: HouseDep, principal: PrincipalDep, removal_id: str
) -> DeletionView:
    """Bring back what was deleted."""
    return DeletionView.model_validate(deleting.restore(house, principal, removal_id))
