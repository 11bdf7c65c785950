"""The form of a run, made from what the template declares."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData

from rounds_hub.archive import service as archive
from rounds_hub.cases import service as cases
from rounds_hub.cases.views import CaseView
from rounds_hub.errors import InvalidError, NotFoundError
from rounds_hub.portal.fitting import unfit
from rounds_hub.portal.forms import FormDep, one
from rounds_hub.portal.viewing import named
from rounds_hub.portal.visits import Visit, VisitDep
from rounds_hub.runs import service as runs
from rounds_hub.runs.templates import Template, parse_form

__all__ = ["RunForm", "SeriesOption", "router"]

router = APIRouter(include_in_schema=False)

PARAMETER = "p-"
INPUT = "i-"


@dataclass(frozen=True, slots=True)
class SeriesOption:
    """A series that could be an input, and why not where it cannot."""

    uid: str
    name: str
    frames: int
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class RunForm:
    """What stands in the form: texts of parameters, chosen series, what is wrong."""

    template: Template
    values: Mapping[str, Any]
    chosen: Mapping[str, str]
    options: Mapping[str, list[SeriesOption]]
    case: CaseView | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    message: str = ""


@router.get("/cases/{case_id}/run/{template}")
def on_case(visit: VisitDep, case_id: str, template: str) -> HTMLResponse:
    """Show the form of a template for the series of a case."""
    case = cases.get(visit.house, visit.principal, case_id)
    return _page(visit, _blank(visit, template, [one.uid for one in case.series], case))


@router.post("/cases/{case_id}/run/{template}")
def start_on_case(
    visit: VisitDep, case_id: str, template: str, sent: FormDep
) -> Response:
    """Check what was chosen for a case, and run it."""
    case = cases.get(visit.house, visit.principal, case_id)
    form = _blank(visit, template, [one.uid for one in case.series], case)
    return _start(visit, _filled(form, sent), sent)


@router.get("/run/{template}")
def on_series(visit: VisitDep, template: str) -> HTMLResponse:
    """Show the form of a template for the series that the address names."""
    return _page(visit, _blank(visit, template, _named_series(visit)))


@router.post("/run/{template}")
def start_on_series(visit: VisitDep, template: str, sent: FormDep) -> Response:
    """Check what was chosen for series without a case, and run it."""
    form = _blank(visit, template, _named_series(visit))
    return _start(visit, _filled(form, sent), sent)


def _named_series(visit: Visit) -> list[str]:
    """Return the series that the address names, and the others of their studies."""
    found: dict[str, None] = {}
    for uid in visit.request.query_params.getlist("series"):
        series = archive.get_series(visit.house, visit.principal, uid)
        study = archive.get_study(visit.house, visit.principal, series.study_uid)
        found |= dict.fromkeys([uid, *(one.uid for one in study.series)])
    return list(found)


def _blank(
    visit: Visit, name: str, series_uids: list[str], case: CaseView | None = None
) -> RunForm:
    """Return the form with defaults, or with the values of the run to change."""
    template = runs.template(visit.house, visit.principal, name)
    labels = {one.uid: one.name for one in case.series} if case else {}
    seen = [
        archive.get_series(visit.house, visit.principal, uid) for uid in series_uids
    ]
    options = {
        wanted.name: [
            SeriesOption(
                series.uid,
                labels.get(series.uid) or named(series),
                series.frame_count,
                unfit(wanted, series),
            )
            for series in seen
            if series.run_id is None
        ]
        for wanted in template.inputs
    }
    values, chosen = _before(visit, template)
    first = {
        name: next((one.uid for one in found if not one.why_not), "")
        for name, found in options.items()
    }
    return RunForm(template, values, first | chosen, options, case)


def _before(visit: Visit, template: Template) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values and series of the run to change, or the defaults."""
    defaults = {one.name: one.default for one in template.parameters}
    again = visit.request.query_params.get("again", "")
    if not again:
        return defaults, {}
    try:
        run = runs.get(visit.house, visit.principal, again)
    except NotFoundError:
        return defaults, {}
    known = {name: run.parameters[name] for name in defaults if name in run.parameters}
    return defaults | known, {one["name"]: one["series_uid"] for one in run.inputs}


def _filled(form: RunForm, sent: FormData) -> RunForm:
    """Return the form with what was sent, as it was written."""
    values = {
        parameter.name: one(sent, PARAMETER + parameter.name)
        for parameter in form.template.parameters
    }
    chosen = {name: one(sent, INPUT + name) for name in form.options}
    return replace(form, values=values, chosen=chosen)


def _start(visit: Visit, form: RunForm, sent: FormData) -> Response:
    """Ask for the run, or show the form again with what keeps it from running."""
    try:
        asked = runs.Asked(
            template=form.template.name,
            inputs={name: uid for name, uid in form.chosen.items() if uid},
            parameters=parse_form(form.template, sent, PARAMETER),
            case_id=form.case.id if form.case else None,
        )
        run = runs.ask(visit.house, visit.principal, asked)
    except InvalidError as error:
        wrong = replace(form, problems=error.problems, message=str(error))
        return _page(visit, wrong, error.status)
    return visit.go_to(f"runs/{run.id}")


def _page(visit: Visit, form: RunForm, status: int = 200) -> HTMLResponse:
    """Return the page with *form*."""
    return visit.page("run-form.html", status, active="runs", form=form)
