"""Cases over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.cases import savedroutes, searchroutes, service
from rounds_hub.cases.content import LONGEST_TEXT, LONGEST_TITLE

__all__ = ["router"]

router = APIRouter(tags=["cases"])
router.include_router(searchroutes.router)
router.include_router(savedroutes.router)

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Title = Annotated[str, Field(max_length=LONGEST_TITLE)]
Level = Literal["primary", "intermediate", "advanced"]


class CodeModel(BaseModel):
    """A code of a known scheme."""

    value: str = Field(examples=["C78.0"])
    scheme: str = Field(examples=["ICD10"], description="RADLEX, SCT, ICD10, …")
    meaning: str = Field(examples=["Secondary malignant neoplasm of lung"])


class SeriesChoiceModel(BaseModel):
    """A series that a case shows, and what the case calls it."""

    model_config = ConfigDict(extra="forbid")

    uid: str
    label: Title = ""


class CaseChanges(BaseModel):
    """What of a case is changed; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    history: Text | None = None
    findings: Text | None = None
    diagnosis: Text | None = None
    differential: Text | None = None
    discussion: Text | None = None
    level: Level | None = None
    language: str | None = Field(None, examples=["en"])
    body_part: str | None = Field(None, examples=["chest"])
    codes: list[CodeModel] | None = None
    translations: dict[str, dict[str, str]] | None = Field(
        None, description="The texts in other languages, by language tag."
    )
    source: str | None = Field(None, description="Origin and licence of the images.")
    audience: list[str] | None = Field(
        None, examples=[["role:student", "group:ward-3"]]
    )
    unknown: bool | None = Field(
        None, description="Learners are not told what it is, until it is false again."
    )
    unknown_until: str | None = Field(
        None,
        max_length=40,
        examples=["2027-01-31"],
        description="When it is told by itself; empty means never.",
    )
    series: list[SeriesChoiceModel] | None = Field(
        None, description="The series it shows, in their order."
    )

    def said(self) -> dict[str, Any]:
        """Return what was said, without what was left out."""
        return self.model_dump(exclude_none=True, exclude={"revision"})


class NewCase(CaseChanges):
    """A new case; it starts as a draft that only its author sees."""

    title: Title


class ChangedCase(CaseChanges):
    """Changes to a case at the revision that they were made on."""

    revision: int = Field(description="The revision that was read before the change.")


class SeriesModel(BaseModel):
    """A series as a case shows it."""

    model_config = ConfigDict(from_attributes=True)

    uid: str
    study_uid: str
    modality: str
    body_part: str
    description: str
    label: str
    instance_count: int
    frame_count: int
    rows: int
    columns: int


class CaseModel(BaseModel):
    """A case."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    history: str
    findings: str
    diagnosis: str
    differential: str
    discussion: str
    level: str
    language: str
    languages: list[str]
    body_part: str
    codes: list[CodeModel]
    translations: dict[str, dict[str, str]]
    source: str
    audience: list[str]
    unknown: bool
    unknown_until: datetime | None
    hidden: bool = Field(description="Whether what tells it was left out for you.")
    owner: str
    status: str
    revision: int
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    series: list[SeriesModel]
    may_write: bool


@router.post("/api/cases", status_code=201)
def create_case(house: HouseDep, principal: PrincipalDep, new: NewCase) -> CaseModel:
    """Make a draft."""
    return CaseModel.model_validate(service.create(house, principal, new.said()))


@router.get("/api/cases/{case_id}")
def read_case(house: HouseDep, principal: PrincipalDep, case_id: str) -> CaseModel:
    """Return a case."""
    return CaseModel.model_validate(service.get(house, principal, case_id))


@router.put("/api/cases/{case_id}")
def change_case(
    house: HouseDep, principal: PrincipalDep, case_id: str, changed: ChangedCase
) -> CaseModel:
    """Change a case; 409 if somebody else changed it meanwhile."""
    made = service.update(
        house, principal, case_id, changed.said(), revision=changed.revision
    )
    return CaseModel.model_validate(made)


@router.delete("/api/cases/{case_id}", status_code=204)
def delete_case(house: HouseDep, principal: PrincipalDep, case_id: str) -> Response:
    """Put a case away; it can be restored."""
    service.delete(house, principal, case_id)
    return Response(status_code=204)


@router.post("/api/cases/{case_id}/publish")
def publish_case(house: HouseDep, principal: PrincipalDep, case_id: str) -> CaseModel:
    """Show a case to its audience; 422 names what is missing."""
    return CaseModel.model_validate(service.publish(house, principal, case_id))


@router.post("/api/cases/{case_id}/withdraw")
def withdraw_case(house: HouseDep, principal: PrincipalDep, case_id: str) -> CaseModel:
    """Make a published case a draft again."""
    return CaseModel.model_validate(service.withdraw(house, principal, case_id))


@router.post("/api/cases/{case_id}/restore")
def restore_case(house: HouseDep, principal: PrincipalDep, case_id: str) -> CaseModel:
    """Bring a deleted case back."""
    return CaseModel.model_validate(service.restore(house, principal, case_id))


@router.post("/api/studies/{study_uid}/case", status_code=201)
def create_case_from_study(
    house: HouseDep, principal: PrincipalDep, study_uid: str
) -> CaseModel:
    """Make a draft that shows the pictures of a study."""
    made = service.create_from_study(house, principal, study_uid)
    return CaseModel.model_validate(made)
