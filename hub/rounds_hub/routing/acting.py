"""Do an action of a route; every one can be repeated and is then found done.

An action is done as ``route:<id>``: its line in the audit trail, the run that it asks
for and the sending that it begins bear that name.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Instance
from rounds_hub.cases import service as cases
from rounds_hub.cases.models import Case
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import NotFoundError
from rounds_hub.gateway import sending
from rounds_hub.routing import holding
from rounds_hub.routing.actions import filled, input_of, read_action
from rounds_hub.routing.facts import facts_of
from rounds_hub.routing.matching import ROUTE
from rounds_hub.runs import service as runs
from rounds_hub.runs import templates

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House
    from rounds_hub.routing.actions import (
        CaseAction,
        HoldAction,
        LabelAction,
        RunAction,
        SendAction,
    )
    from rounds_hub.routing.models import Firing

__all__ = ["act", "principal_of_route"]


def principal_of_route(route_id: str) -> Principal:
    """Return as whom a route acts: itself, with the rights of who wrote it.

    Examples
    --------
    >>> principal_of_route("c0ffee").name
    'route:c0ffee'
    """
    return Principal(f"{ROUTE}{route_id}", frozenset({Role.SYSTEM, Role.ADMIN}))


def act(house: House, firing: Firing) -> dict[str, Any]:
    """Do the action of *firing* and return what came of it.

    Raises
    ------
    HubError
        If it cannot be done; the sentence is for the page.
    """
    action = read_action(firing.action)
    return _DEEDS[action.kind](house, firing, action)


def _run(house: House, firing: Firing, action: RunAction) -> dict[str, Any]:
    """Ask for the run; the same request is the same run."""
    template = templates.find(house.settings, action.template)
    asked = runs.Asked(
        template=action.template,
        inputs={input_of(template).name: firing.series_uid},
        parameters=dict(action.parameters),
    )
    run = runs.ask(house, principal_of_route(firing.route_id), asked)
    return {"run_id": run.id}


def _send(house: House, firing: Firing, action: SendAction) -> dict[str, Any]:
    """Hand the series to the queue of the node, unless it came from there."""
    with house.sessions.begin(write=False) as session:
        facts = facts_of(house, session, firing.series_uid)
        if facts.series.owner == f"node:{action.node}":
            return {"note": "It came from there, so it was not sent back."}
        wanted = select(Instance.uid).where(Instance.series_uid == firing.series_uid)
        uids = sorted(session.scalars(wanted))
    sent = sending.send(
        house,
        principal_of_route(firing.route_id),
        action.node,
        uids,
        request=f"{ROUTE}{firing.key}:{firing.attempt}",
    )
    return {"sending_id": sent}


def _label(house: House, firing: Firing, action: LabelAction) -> dict[str, Any]:
    """Put the label on the series."""
    principal = principal_of_route(firing.route_id)
    holding.label(house, principal, firing.series_uid, action.label)
    return {"label": action.label}


def _hold(house: House, firing: Firing, action: HoldAction) -> dict[str, Any]:
    """Hide the series from all but administrators."""
    holding.hold(house, principal_of_route(firing.route_id), firing.series_uid)
    return {"note": action.reason} if action.reason else {}


def _case(house: House, firing: Firing, action: CaseAction) -> dict[str, Any]:
    """Put the series into the draft of its study; a published case stays as it is."""
    principal = principal_of_route(firing.route_id)
    with house.sessions.begin(write=False) as session:
        facts = facts_of(house, session, firing.series_uid)
    case_id = _case_id(firing, facts.series.study_uid)
    try:
        case = cases.get(house, principal, case_id)
    except NotFoundError:
        title = filled(action.title, facts) or facts.series.modality or "Case"
        fields = {
            "title": title[:_LONGEST_TITLE],
            "history": filled(action.history, facts),
            "level": action.level,
            "language": action.language,
            "audience": list(action.audience),
            "body_part": facts.series.body_part.lower()[:64],
        }
        case = cases.create(house, principal, fields, case_id=case_id)
    if case.status != "draft":
        return {"case_id": case_id, "note": "The case is no draft any more."}
    if firing.series_uid not in {one.uid for one in case.series}:
        cases.add_series(house, principal, case_id, firing.series_uid)
    _give(house, case_id, principal.name, action.owner)
    return {"case_id": case_id}


def _case_id(firing: Firing, study_uid: str) -> str:
    """Return the id of the draft that a route makes of a study."""
    said = f"{firing.route_id} {study_uid}".encode()
    return hashlib.sha256(said).hexdigest()[:16]


def _give(house: House, case_id: str, before: str, owner: str) -> None:
    """Make the draft *owner*'s, where it is the route's own yet."""
    with house.sessions.begin() as session:
        case = session.get(Case, case_id, with_for_update=True)
        if case is not None and case.owner == before:
            case.owner = owner
            case.revision += 1
            session.add(OutboxEvent(kind="case", key=case_id))


_LONGEST_TITLE: Final = 200
_DEEDS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "case": _case,
    "run": _run,
    "send": _send,
    "label": _label,
    "hold": _hold,
}
