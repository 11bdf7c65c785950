"""Routes, what they did and what they would do, as the API says them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from rounds_hub.routing.matching import Outcome
from rounds_hub.routing.parsing import LONGEST

if TYPE_CHECKING:
    from rounds_hub.routing.matching import RouteRecord
    from rounds_hub.routing.service import RouteOverview
    from rounds_hub.routing.trying import DryRun, Tried

__all__ = [
    "ChangedRoute",
    "ConditionModel",
    "DryRunView",
    "ExpectedModel",
    "FiringView",
    "HeldView",
    "MoveModel",
    "NameView",
    "NewRoute",
    "PreviewView",
    "RouteView",
    "SaidOfCondition",
    "SwitchModel",
    "TryModel",
    "VersionView",
    "dry_run_view",
    "route_view",
]


class ConditionModel(BaseModel):
    """A condition to check or to try."""

    condition: str = Field(max_length=4 * LONGEST, examples=['Modality == "CT"'])


class RouteModel(ConditionModel):
    """A route as somebody writes it; each action says its kind."""

    name: str = Field(max_length=200)
    note: str = Field("", max_length=4000)
    actions: list[dict[str, Any]] = Field(
        max_length=50, examples=[[{"kind": "label", "label": "thin"}]]
    )


class NewRoute(RouteModel):
    """A new route."""

    enabled: bool = True


class ChangedRoute(RouteModel):
    """A route to change, at the version that was read before the change."""

    version: int


class SwitchModel(BaseModel):
    """Whether a route is on."""

    enabled: bool


class MoveModel(BaseModel):
    """Before which route another one is put; null: at the end."""

    before: str | None = None


class TryModel(BaseModel):
    """A series to try the routes on, or a condition that is not saved yet."""

    series: str = Field(max_length=64)
    condition: str | None = Field(None, max_length=4 * LONGEST)


class ExpectedModel(BaseModel):
    """How many instances a series will have."""

    instances: int


class RouteView(BaseModel):
    """A route, and what it did."""

    id: str
    name: str
    note: str
    condition: str
    actions: list[dict[str, Any]]
    enabled: bool
    position: int
    version: int
    updated_at: datetime | None
    deleted_at: datetime | None
    fired: int = 0
    failed: int = 0
    last_fired: datetime | None = None


class VersionView(BaseModel):
    """A route as it was in one of its versions, and who wrote it so."""

    model_config = ConfigDict(from_attributes=True)

    version: int
    name: str
    note: str
    condition: str
    actions: list[dict[str, Any]]
    by: str
    at: datetime
    restored_from: int | None


class SaidOfCondition(BaseModel):
    """Whether a condition can be read; where not, why, and where it stops."""

    readable: bool
    why: str = ""
    place: int | None = None
    length: int | None = None


class NameView(BaseModel):
    """A name that a condition may use."""

    word: str
    kind: str
    meaning: str
    is_fact: bool


class SeriesView(BaseModel):
    """A series on which conditions are tried."""

    model_config = ConfigDict(from_attributes=True)

    uid: str
    study_uid: str
    modality: str
    description: str
    study: str
    instance_count: int
    created_at: datetime


class PreviewView(BaseModel):
    """For which of the newest series a condition is true, and for which not known."""

    model_config = ConfigDict(from_attributes=True)

    matches: list[SeriesView]
    unknown: list[SeriesView]
    tried: int


class ClauseView(BaseModel):
    """A clause, its answer (null: a tag is missing), and why."""

    text: str
    answer: bool | None
    kind: str
    values: list[str]
    parts: list[ClauseView]


class VerdictView(BaseModel):
    """What would come of one route."""

    route: str
    route_id: str
    version: int
    outcome: Outcome
    why: str
    clauses: ClauseView | None
    actions: list[dict[str, Any]]
    states: list[str]
    """For each action ``new``, or how far it is on this content already."""


class DryRunView(BaseModel):
    """What would come of a series, route by route; nothing was done."""

    series: SeriesView
    state: str
    why: str
    problem: str
    held: bool
    verdicts: list[VerdictView]


class FiringView(BaseModel):
    """One action of a route on one content of a series, and how far it is."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    route_id: str
    route_name: str
    version: int
    action: dict[str, Any]
    series_uid: str
    state: str
    error: str
    result: dict[str, Any]
    attempt: int
    created_at: datetime
    finished_at: datetime | None


class HeldView(BaseModel):
    """A series that only administrators see."""

    model_config = ConfigDict(from_attributes=True)

    uid: str
    study_uid: str
    description: str
    modality: str
    instance_count: int


def route_view(route: RouteRecord, overview: RouteOverview | None = None) -> RouteView:
    """Return *route* as the API says it, with what it did where that is known."""
    said = {name: getattr(route, name) for name in _OF_ROUTE}
    did = {name: getattr(overview, name) for name in _DID} if overview else {}
    return RouteView(**{**said, "actions": list(route.actions)}, **did)


def dry_run_view(found: DryRun) -> DryRunView:
    """Return a dry run as the API says it."""
    return DryRunView(
        series=SeriesView.model_validate(found.series),
        state=found.state,
        why=found.why,
        problem=found.problem,
        held=found.held,
        verdicts=[_verdict(one) for one in found.tried],
    )


def _verdict(tried: Tried) -> VerdictView:
    """Return what would come of one route as the API says it."""
    verdict = tried.verdict
    explained = verdict.explained
    clauses = None if explained is None else ClauseView(**asdict(explained))
    return VerdictView(
        route=verdict.route.name,
        route_id=verdict.route.id,
        version=verdict.route.version,
        outcome=verdict.outcome,
        why=verdict.why,
        clauses=clauses,
        actions=list(verdict.route.actions),
        states=list(tried.states),
    )


_DID = ("fired", "failed", "last_fired")
_OF_ROUTE = tuple(name for name in RouteView.model_fields if name not in _DID)
