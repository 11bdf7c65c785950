"""Searches that are kept, and their alerts, over HTTP."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.cases import saved
from rounds_hub.cases.searchmodels import HitModel, SearchRequest

__all__ = ["router"]

router = APIRouter(prefix="/api/saved-searches", tags=["search"])

Name = Annotated[str, Field(min_length=1, max_length=saved.LONGEST_NAME)]


class NewSaved(BaseModel):
    """A search to keep."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["Ring enhancing lesions"])
    request: SearchRequest
    alert: bool = Field(default=True, description="Tell of what it finds from now on.")


class ChangedSaved(BaseModel):
    """What of a kept search is changed; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    request: SearchRequest | None = None
    alert: bool | None = None


class SavedModel(BaseModel):
    """A kept search."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    request: dict[str, Any] = Field(description="As POST api/search takes it.")
    alert: bool
    new: int = Field(description="Cases it found since it was last looked at.")
    created_at: datetime
    checked_at: datetime | None
    problem: str = Field(description="Why it cannot be asked any more, or nothing.")


class AlertModel(BaseModel):
    """A case that a kept search found since it was last looked at."""

    model_config = ConfigDict(from_attributes=True)

    search_id: str
    name: str
    found_at: datetime
    hit: HitModel


class AlertsModel(BaseModel):
    """What was found since one looked: the newest first."""

    model_config = ConfigDict(from_attributes=True)

    new: int
    alerts: list[AlertModel]


@router.get("")
def list_saved(house: HouseDep, principal: PrincipalDep) -> list[SavedModel]:
    """Return the searches that you keep, by name, with how much is new."""
    return [SavedModel.model_validate(one) for one in saved.every(house, principal)]


@router.post("", status_code=201)
def save(house: HouseDep, principal: PrincipalDep, new: NewSaved) -> SavedModel:
    """Keep a search; 409 if you keep one of that name, or too many."""
    made = saved.create(house, principal, new.name, new.request, alert=new.alert)
    return SavedModel.model_validate(made)


@router.get("/alerts")
def list_alerts(house: HouseDep, principal: PrincipalDep) -> AlertsModel:
    """Return what your searches found since you looked, at most 100 cases."""
    found = saved.alerts(house, principal)
    told = [AlertModel.model_validate(one) for one in found]
    return AlertsModel(new=len(told), alerts=told)


@router.get("/{search_id}")
def read_saved(house: HouseDep, principal: PrincipalDep, search_id: str) -> SavedModel:
    """Return one of your searches."""
    return SavedModel.model_validate(saved.get(house, principal, search_id))


@router.put("/{search_id}")
def change_saved(
    house: HouseDep, principal: PrincipalDep, search_id: str, changed: ChangedSaved
) -> SavedModel:
    """Change one of your searches; another question begins anew."""
    made = saved.change(
        house,
        principal,
        search_id,
        name=changed.name,
        request=changed.request,
        alert=changed.alert,
    )
    return SavedModel.model_validate(made)


@router.delete("/{search_id}", status_code=204)
def delete_saved(house: HouseDep, principal: PrincipalDep, search_id: str) -> Response:
    """Forget one of your searches."""
    saved.delete(house, principal, search_id)
    return Response(status_code=204)


@router.post("/{search_id}/seen", status_code=204)
def see_saved(house: HouseDep, principal: PrincipalDep, search_id: str) -> Response:
    """Count nothing that it found until now as new any more."""
    saved.mark_seen(house, principal, search_id)
    return Response(status_code=204)
