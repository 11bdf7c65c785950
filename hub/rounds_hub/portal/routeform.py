"""The form of a route: its condition, read as it is written, and its actions."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData

from rounds_hub.errors import HubError, InvalidError
from rounds_hub.gateway.nodes import list_all
from rounds_hub.portal.forms import FormDep, many, one
from rounds_hub.portal.labels import ACTIONS, N_
from rounds_hub.portal.visits import Visit, VisitDep
from rounds_hub.routing import service, trying
from rounds_hub.routing.names import FACTS
from rounds_hub.routing.parsing import ConditionError, parse
from rounds_hub.runs import templates
from rounds_hub.runs.templates import Template

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

TOKEN = re.compile(r"[a-z0-9]{4,16}")
KIND = "kind"


@dataclass(frozen=True, slots=True)
class ActionRow:
    """An action in the form: the prefix of its fields, its kind and their texts."""

    token: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RouteForm:
    """The form as it is shown; *version* is 0 for a new route."""

    name: str = ""
    note: str = ""
    condition: str = ""
    actions: Sequence[ActionRow] = ()
    version: int = 0
    route_id: str = ""
    message: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


@router.get("/routes/new")
def new(visit: VisitDep) -> HTMLResponse:
    """Show the form of a new route."""
    _look(visit)
    return _page(visit, RouteForm())


@router.post("/routes/new")
def create(visit: VisitDep, sent: FormDep) -> Response:
    """Make the route that the form says, or show what is wrong with it."""
    _look(visit)
    return _saved(visit, RouteForm(), sent)


@router.get("/routes/action")
def add_action(visit: VisitDep, kind: str = "label") -> HTMLResponse:
    """Return the fields of one more action."""
    _look(visit)
    row = ActionRow(_token(), kind if kind in ACTIONS else "label")
    return visit.page("parts/route-action.html", **_shown(visit, row, {}))


@router.get("/routes/parameters")
def parameters(visit: VisitDep, row: str = "") -> HTMLResponse:
    """Return the fields of the parameters of the template that an action names."""
    _look(visit)
    token = row if TOKEN.fullmatch(row) else _token()
    template = visit.request.query_params.get(f"{token}-template", "")
    chosen = ActionRow(token, "run", {"template": template})
    return visit.page("parts/route-parameters.html", **_shown(visit, chosen, {}))


@router.post("/routes/said")
def said(visit: VisitDep, sent: FormDep) -> HTMLResponse:
    """Say of a condition that is being written whether it can be read."""
    _look(visit)
    condition = one(sent, "condition")
    problem = None
    try:
        parse(condition)
    except ConditionError as error:
        problem = error
    return visit.page(
        "parts/route-said.html",
        condition=condition,
        problem=problem,
        around=_around(condition, problem),
    )


@router.post("/routes/matches")
def matches(visit: VisitDep, sent: FormDep) -> HTMLResponse:
    """Show for which of the newest series a condition is true."""
    found = trying.preview(visit.house, visit.principal, one(sent, "condition"))
    return visit.page("parts/route-matches.html", found=found)


@router.get("/routes/{route_id}")
def edit(visit: VisitDep, route_id: str) -> HTMLResponse:
    """Show the form of a route."""
    return _page(visit, _form_of(visit, route_id))


@router.post("/routes/{route_id}")
def change(visit: VisitDep, route_id: str, sent: FormDep) -> Response:
    """Change a route, or show what keeps it from being saved."""
    return _saved(visit, _form_of(visit, route_id), sent)


def _look(visit: Visit) -> None:
    """Refuse whoever may not see routes."""
    with visit.house.sessions.begin(write=False) as session:
        service.may_look(session, visit.principal)


def _form_of(visit: Visit, route_id: str) -> RouteForm:
    """Return the form with a route as it stands."""
    route = service.get(visit.house, visit.principal, route_id)
    rows = [ActionRow(_token(), kept["kind"], kept) for kept in route.actions]
    return RouteForm(
        name=route.name,
        note=route.note,
        condition=route.condition,
        actions=rows,
        version=route.version,
        route_id=route.id,
    )


def _saved(visit: Visit, form: RouteForm, sent: FormData) -> Response:
    """Save what was sent, or show the form again with what is wrong."""
    rows, actions, problems = _read(visit, sent)
    draft = service.Draft(
        name=one(sent, "name"),
        note=one(sent, "note"),
        condition=one(sent, "condition"),
        actions=actions,
    )
    version = one(sent, "version", "0")
    try:
        if problems:
            msg = "Look at the places marked below."
            raise InvalidError(msg, problems)
        if form.route_id:
            number = int(version) if version.isdecimal() else 0
            ours = {"version": number}
            service.change(visit.house, visit.principal, form.route_id, draft, **ours)
        else:
            service.create(visit.house, visit.principal, draft)
    except HubError as error:
        found = error.problems if isinstance(error, InvalidError) else {}
        again = RouteForm(
            name=draft.name,
            note=draft.note,
            condition=draft.condition,
            actions=rows,
            version=form.version,
            route_id=form.route_id,
            message=str(error),
            problems=found,
        )
        return _page(visit, again, error.status)
    return visit.go_to("routes")


def _read(
    visit: Visit, sent: FormData
) -> tuple[list[ActionRow], list[dict[str, Any]], dict[str, str]]:
    """Return the actions of the form as rows and as JSON, and what is wrong in them."""
    rows: list[ActionRow] = []
    actions: list[dict[str, Any]] = []
    problems: dict[str, str] = {}
    tokens = [token for token in many(sent, "action") if TOKEN.fullmatch(token)]
    for number, token in enumerate(tokens[:50]):
        kind = one(sent, f"{token}-{KIND}")
        texts = {name: one(sent, f"{token}-{name}") for name in FIELDS.get(kind, ())}
        action: dict[str, Any] = {"kind": kind, **texts}
        if kind == "case":
            words = texts["audience"].replace(",", " ").split()
            action["audience"] = words
        if kind == "run":
            given, wrong = _parameters(visit, texts["template"], sent, f"{token}-p-")
            action["parameters"] = given
            problems |= {
                f"actions.{number}.parameters.{name}": why
                for name, why in wrong.items()
            }
        rows.append(ActionRow(token, kind, action))
        actions.append(action)
    return rows, actions, problems


def _parameters(
    visit: Visit, name: str, sent: FormData, prefix: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parameters that the form gives to a template, and what is none."""
    template = templates.load_all(visit.house.settings).get(name)
    if template is None:
        return {}, {}
    try:
        return templates.parse_form(template, sent, prefix), {}
    except InvalidError as error:
        named = {
            key.removeprefix("parameters."): why for key, why in error.problems.items()
        }
        return {}, named


def _shown(visit: Visit, row: ActionRow, problems: Mapping[str, str]) -> dict[str, Any]:
    """Return what the fields of one action show."""
    known = templates.load_all(visit.house.settings)
    with visit.house.sessions.begin(write=False) as session:
        nodes = [node.name for node in list_all(session) if node.host]
    return {
        "row": row,
        "template": known.get(str(row.values.get("template", ""))),
        "templates": _with_one_input(known),
        "nodes": nodes,
        "problems": problems,
        "tag": visit.language.tag,
    }


def _with_one_input(known: Mapping[str, Template]) -> list[Template]:
    """Return the templates that a route can run."""
    return [
        known[name]
        for name in sorted(known)
        if sum(not one.optional for one in known[name].inputs) <= 1
    ]


def _page(visit: Visit, form: RouteForm, status: int = 200) -> HTMLResponse:
    """Return the page with *form*."""
    shown = [
        _shown(visit, row, _problems_of(form, number))
        for number, row in enumerate(form.actions)
    ]
    return visit.page(
        "route-form.html",
        status,
        active="routes",
        form=form,
        shown=shown,
        kinds=ACTIONS,
        facts=FACTS.values(),
        examples=EXAMPLES,
    )


def _problems_of(form: RouteForm, number: int) -> dict[str, str]:
    """Return what is wrong with the action *number*, by its fields."""
    start = f"actions.{number}."
    return {
        name.removeprefix(start): why
        for name, why in form.problems.items()
        if name.startswith(start)
    }


def _around(condition: str, problem: ConditionError | None) -> tuple[str, str, str]:
    """Return the text before, at and after the place that cannot be read."""
    if problem is None:
        return condition, "", ""
    end = problem.place + problem.length
    return (
        condition[: problem.place],
        condition[problem.place : end],
        condition[end:],
    )


def _token() -> str:
    """Return a prefix for the fields of an action that no other has."""
    return f"a{secrets.token_hex(4)}"


EXAMPLES = (
    ('Modality == "CT"', N_("Names are DICOM keywords; texts stand in quotes.")),
    (
        "SliceThickness <= 1.25",
        N_("Numbers stand without quotes: ==, !=, <, <=, >, >=."),
    ),
    (
        'ConvolutionKernel in ["B60f", "LUNG"]',
        N_("One of several; of several values one is enough."),
    ),
    (
        'SeriesDescription like "*lung*"',
        N_("* stands for any signs, ? for one; large and small letters are alike."),
    ),
    ('StudyDate >= "2026-03-01"', N_("Dates, times, and ages such as 18Y.")),
    (
        "exists(PatientAge)",
        N_(
            "Whether the series has a value for it. A clause on a value that is not "
            "there is not known, and the route does not apply."
        ),
    ),
    ("not (… or …) and …", N_("Joined by and, or, not, and parentheses.")),
)
"""Conditions and what they show, beside the form."""

FIELDS: dict[str, tuple[str, ...]] = {
    "run": ("template",),
    "send": ("node",),
    "label": ("label",),
    "hold": ("reason",),
    "case": ("owner", "audience", "title", "history", "level", "language"),
}
