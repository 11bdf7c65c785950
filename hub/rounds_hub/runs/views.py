"""A run and a template as the API says them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from rounds_hub.access.principal import Principal, Role

if TYPE_CHECKING:
    from rounds_hub.runs.models import Run
    from rounds_hub.runs.templates import Template

__all__ = ["RunAsked", "RunView", "TemplateView", "run_view", "template_view"]


class RunAsked(BaseModel):
    """What somebody wants to have run."""

    template: str = Field(max_length=64)
    inputs: dict[str, str]
    """The series (its UID) for each input of the template."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """The values by name; those left out have their defaults."""
    case_id: str | None = None
    """The case on which the results are shown."""


class RunView(BaseModel):
    """A run: what went in, how far it is, what came out."""

    id: str
    template: str
    template_hash: str
    image_digest: str
    parameters: dict[str, Any]
    inputs: list[dict[str, Any]]
    state: str
    attempt: int
    progress: dict[str, Any]
    results: dict[str, Any]
    error: dict[str, Any]
    device: str
    """Where it was computed: ``cpu`` or ``gpu``."""
    revision: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    asked_by: list[str]
    """Who asked: oneself; for an administrator everybody."""
    case_id: str | None
    """The case on which one asked oneself."""


class TemplateView(BaseModel):
    """A template: its whole declaration, its README, and the hash over its folder."""

    name: str
    version: str
    hash: str
    organ: str
    title: dict[str, str]
    summary: dict[str, str]
    parameters: list[dict[str, Any]]
    inputs: list[dict[str, Any]]
    outputs: dict[str, Any]
    resources: dict[str, Any]
    readme: str


def run_view(run: Run, principal: Principal) -> RunView:
    """Return *run* as *principal* may see it; others' requests are left out."""
    every = principal.has(Role.ADMIN)
    requests = [one for one in run.requests if every or one.principal == principal.name]
    own = [one.case_id for one in requests if one.principal == principal.name]
    named = RunView.model_fields.keys() - {"asked_by", "case_id", "results"}
    results = {key: value for key, value in run.results.items() if key != "files"}
    return RunView(
        **{name: getattr(run, name) for name in named},
        results={**results, "files": sorted(run.results.get("files", {}))},
        asked_by=sorted(one.principal for one in requests),
        case_id=own[0] if own else None,
    )


def template_view(template: Template) -> TemplateView:
    """Return *template* as the API says it."""
    return TemplateView(**template.describe(), readme=template.readme)
