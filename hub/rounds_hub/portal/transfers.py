"""The pages of what goes to nodes and comes from them, and of asking a node."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from rounds_hub.access.policy import Action, decide
from rounds_hub.archive import service as archive
from rounds_hub.archive.service import StudyRecord
from rounds_hub.errors import HubError, InvalidError, NotFoundError
from rounds_hub.gateway import asking, pulling, registry, sending
from rounds_hub.gateway.asking import Answers, Question
from rounds_hub.gateway.nodes import NodeRecord
from rounds_hub.gateway.orders import OPEN
from rounds_hub.portal.forms import FormDep, many, one
from rounds_hub.portal.labels import MODALITIES
from rounds_hub.portal.visits import Visit, VisitDep

__all__ = ["destinations", "router"]

router = APIRouter(include_in_schema=False)

MOST_ITEMS = 200
ASKED = tuple(asdict(Question()))


def destinations(visit: Visit) -> list[str]:
    """Return the names of the nodes to which the visitor may send."""
    if not decide(visit.principal, Action.NODE_SEND):
        return []
    nodes = registry.list_nodes(visit.house, visit.principal)
    return [one.name for one in nodes if one.enabled and one.host and one.may_receive]


@router.get("/transfers")
def overview(visit: VisitDep) -> HTMLResponse:
    """Show what was sent and what was pulled, the newest first."""
    return visit.page("transfers.html", **_overview(visit))


@router.get("/transfers/live")
def overview_live(visit: VisitDep) -> HTMLResponse:
    """Return the part of the overview that changes."""
    return visit.page("parts/transfers-live.html", **_overview(visit))


def _overview(visit: Visit) -> dict[str, Any]:
    """Return what the overview shows."""
    sendings = sending.list_sendings(visit.house, visit.principal)
    pulls = pulling.list_pulls(visit.house, visit.principal)
    states = [row.state for row in sendings] + [row.state for row in pulls]
    going = any(state in OPEN for state in states)
    shown = {"sendings": sendings, "pulls": pulls, "going": going}
    return shown | {"active": "nodes"}


@router.post("/studies/{uid}/send")
def send(visit: VisitDep, uid: str, sent: FormDep) -> Response:
    """Send the chosen series of a study to a node."""
    study = archive.get_study(visit.house, visit.principal, uid)
    own = {series.uid for series in study.series}
    chosen = [one for one in many(sent, "series") if one in own]
    begun = sending.send(visit.house, visit.principal, one(sent, "node"), chosen)
    return visit.go_to(f"sendings/{begun}")


@router.get("/sendings/{sending_id}")
def show_sending(visit: VisitDep, sending_id: str) -> HTMLResponse:
    """Show how far a sending is."""
    return visit.page("sending.html", **_sending(visit, sending_id))


@router.get("/sendings/{sending_id}/live")
def sending_live(visit: VisitDep, sending_id: str) -> HTMLResponse:
    """Return the part of a sending's page that changes."""
    return visit.page("parts/sending-live.html", **_sending(visit, sending_id))


@router.post("/sendings/{sending_id}/cancel")
def cancel_sending(visit: VisitDep, sending_id: str) -> Response:
    """End a sending."""
    sending.cancel_sending(visit.house, visit.principal, sending_id)
    return visit.go_to(f"sendings/{sending_id}")


@router.post("/sendings/{sending_id}/retry")
def retry_sending(visit: VisitDep, sending_id: str) -> Response:
    """Send again what is not there."""
    sending.retry_sending(visit.house, visit.principal, sending_id)
    return visit.go_to(f"sendings/{sending_id}")


def _sending(visit: Visit, sending_id: str) -> dict[str, Any]:
    """Return what the page of a sending shows."""
    row = sending.get_sending(visit.house, visit.principal, sending_id)
    items = sending.items_of(visit.house, visit.principal, sending_id, limit=MOST_ITEMS)
    series = {item.series_uid for item in items}
    return {
        "active": "nodes",
        "sending": row,
        "going": row.state in OPEN,
        "told": [item for item in items if item.why],
        "study": _study_of_series(visit, next(iter(series), "")),
        "series_count": len(series),
    }


@router.get("/remote")
def ask_form(visit: VisitDep, node: str = "") -> HTMLResponse:
    """Show what can be asked of a node."""
    return _ask_page(visit, {"node": node[:64]})


@router.post("/remote")
def ask(visit: VisitDep, sent: FormDep) -> HTMLResponse:
    """Ask a node, and show what it answered.

    The question is sent as a form: a patient's name belongs in no address.
    """
    said = {name: one(sent, name) for name in ("node", *ASKED)}
    try:
        question = _question(said)
        answers = asking.ask_studies(
            visit.house, visit.principal, said["node"], question
        )
    except InvalidError as error:
        return _ask_page(visit, said, error=error)
    except NotFoundError:
        raise
    except HubError as error:
        if error.status < 500:  # noqa: PLR2004 (not allowed: not said on the page)
            raise
        return _ask_page(visit, said, error=error)
    return _ask_page(visit, said, answers=answers)


@router.post("/remote/pull")
def pull(visit: VisitDep, sent: FormDep) -> Response:
    """Bring a study here."""
    begun = pulling.begin_pull(
        visit.house,
        visit.principal,
        one(sent, "node"),
        one(sent, "study_uid"),
        patient_id=one(sent, "patient_id"),
    )
    return visit.go_to(f"pulls/{begun.id}")


@router.get("/pulls/{pull_id}")
def show_pull(visit: VisitDep, pull_id: str) -> HTMLResponse:
    """Show how far a pull is, and the study when it is here."""
    return visit.page("pull.html", **_pull(visit, pull_id))


@router.get("/pulls/{pull_id}/live")
def pull_live(visit: VisitDep, pull_id: str) -> HTMLResponse:
    """Return the part of a pull's page that changes."""
    return visit.page("parts/pull-live.html", **_pull(visit, pull_id))


@router.post("/pulls/{pull_id}/cancel")
def cancel_pull(visit: VisitDep, pull_id: str) -> Response:
    """End a pull."""
    pulling.cancel_pull(visit.house, visit.principal, pull_id)
    return visit.go_to(f"pulls/{pull_id}")


def _pull(visit: Visit, pull_id: str) -> dict[str, Any]:
    """Return what the page of a pull shows."""
    row = pulling.get_pull(visit.house, visit.principal, pull_id)
    return {
        "active": "nodes",
        "pull": row,
        "going": row.state in OPEN,
        "study": _study(visit, row.study_uid),
    }


def _question(said: dict[str, str]) -> Question:
    """Return the question of a form, whose days have hyphens."""
    values = {name: said[name] for name in ASKED}
    values |= {name: values[name].replace("-", "") for name in ("since", "until")}
    return Question(**values)


def _ask_page(
    visit: Visit,
    said: dict[str, str],
    *,
    answers: Answers | None = None,
    error: HubError | None = None,
) -> HTMLResponse:
    """Return the page with the form, and with what was answered."""
    nodes = registry.list_nodes(visit.house, visit.principal)
    found = answers.found if answers else ()
    here = {row["StudyInstanceUID"] for row in found if _is_here(visit, row)}
    return visit.page(
        "remote.html",
        error.status if error else 200,
        active="nodes",
        nodes=[node.name for node in nodes if _askable(node)],
        said=said,
        answers=answers,
        here=here,
        modalities=sorted(MODALITIES),
        message=str(error) if error else "",
        problems=error.problems if isinstance(error, InvalidError) else {},
    )


def _askable(node: NodeRecord) -> bool:
    """Return whether *node* can be called."""
    return node.enabled and bool(node.host)


def _is_here(visit: Visit, row: Any) -> bool:  # noqa: ANN401 (an answer of a node)
    """Return whether the visitor sees the study of *row* in the house."""
    return _study(visit, row["StudyInstanceUID"]) is not None


def _study(visit: Visit, uid: str) -> StudyRecord | None:
    """Return a study, None where it is not here or may not be seen."""
    try:
        return archive.get_study(visit.house, visit.principal, uid)
    except NotFoundError:
        return None


def _study_of_series(visit: Visit, uid: str) -> StudyRecord | None:
    """Return the study of a series, None where it may not be seen any more."""
    try:
        series = archive.get_series(visit.house, visit.principal, uid)
    except NotFoundError:
        return None
    return _study(visit, series.study_uid)
