"""Ask for runs, look at them, cancel them, read what they left."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from rounds_hub.access.policy import (
    Action,
    case_resource,
    decide,
    require,
    run_resource,
)
from rounds_hub.access.principal import Role
from rounds_hub.cases.models import Case
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.errors import BusyError, ConflictError, NotFoundError
from rounds_hub.runs import templates
from rounds_hub.runs.environment import image_digest
from rounds_hub.runs.inputs import checked_inputs
from rounds_hub.runs.models import Run, RunRequest
from rounds_hub.runs.states import ENDED, attempt_of, move, run_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_hub.runs.templates import Template

__all__ = [
    "Asked",
    "ask",
    "cancel",
    "get",
    "list_runs",
    "list_templates",
    "notebook",
    "result_file",
    "run_id",
    "template",
]

MOST_LISTED = 200
_PAGE = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to have run; *inputs* are series UIDs by input name."""

    template: str
    inputs: dict[str, str]
    parameters: dict[str, Any] = field(default_factory=dict)
    case_id: str | None = None


def list_templates(house: House, principal: Principal) -> list[Template]:
    """Return the templates of the house by name."""
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.TEMPLATE_READ)
    known = templates.load_all(house.settings)
    return [known[name] for name in sorted(known)]


def template(house: House, principal: Principal, name: str) -> Template:
    """Return the template *name*.

    Raises
    ------
    NotFoundError
        If there is none, with those that there are.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.TEMPLATE_READ)
    return templates.find(house.settings, name)


def ask(house: House, principal: Principal, asked: Asked) -> Run:
    """Return the run that answers *asked*: the one that is there, or a new one.

    The same request has the same id. Where it was done before, the answer is the
    record; where it goes on, one more waits for it; where it failed or was cancelled,
    it is tried again.

    Raises
    ------
    NotFoundError
        If there is no such template, series or case, or none that may be seen.
    ForbiddenError
        If *principal* may not run anything.
    InvalidError
        If parameters or series do not fit; *problems* has each by its place.
    """
    found = template(house, principal, asked.template)
    values = templates.validate(found, asked.parameters)
    try:
        run = _record(house, principal, (found, values), asked)
    except IntegrityError:  # somebody asked for the same at the same moment
        run = _record(house, principal, (found, values), asked)
    if run.state == "waiting":
        _enqueue(house, run)
    return run


def get(house: House, principal: Principal, wanted: str) -> Run:
    """Return the run *wanted*, with its requests.

    Raises
    ------
    NotFoundError
        If there is none, or *principal* may not see it.
    """
    with house.sessions.begin(write=False) as session:
        return _visible(session, principal, wanted, Action.RUN_READ)


def list_runs(
    house: House,
    principal: Principal,
    *,
    case_id: str | None = None,
    mine: bool = False,
    limit: int = 50,
) -> list[Run]:
    """Return the newest runs that *principal* may see.

    Parameters
    ----------
    house, principal
        Where to look, and for whom.
    case_id
        Only those asked for on this case.
    mine
        Only those that *principal* asked for.
    limit
        How many at most.
    """
    wanted = select(Run).options(selectinload(Run.requests))
    if case_id is not None:
        wanted = wanted.where(Run.requests.any(RunRequest.case_id == case_id))
    if mine:
        wanted = wanted.where(Run.requests.any(RunRequest.principal == principal.name))
    most = max(1, min(limit, MOST_LISTED))
    shown: list[Run] = []
    with house.sessions.begin(write=False) as session:
        if case_id is not None:
            _case_readable(session, principal, case_id)
        for run in _newest_first(session, wanted):
            if decide(principal, Action.RUN_READ, run_resource(session, run)):
                shown.append(run)
            if len(shown) == most:
                break
    return shown


def cancel(house: House, principal: Principal, wanted: str) -> Run:
    """End the run *wanted*; one that has ended stays as it is.

    Raises
    ------
    ForbiddenError
        If *principal* did not ask for it.
    ConflictError
        If its results are being stored, or somebody else waits for it too.
    """
    with house.sessions.begin() as session:
        run = _visible(session, principal, wanted, Action.RUN_CANCEL)
        before = run.state
        if before not in ENDED:
            _refuse_cancel(principal, run)
            ended = {
                "finished_at": utc_now(),
                "error": {"kind": "cancelled", "message": "It was cancelled."},
            }
            if not move(session, attempt_of(run), "cancelled", **ended):
                msg = "The run has just ended or its results are being stored."
                raise ConflictError(msg)
            session.refresh(run, attribute_names=["state", "error", "finished_at"])
            session.refresh(run, attribute_names=["revision"])
    if before == "waiting":
        _dequeue(house, run)
    return run


def notebook(house: House, principal: Principal, wanted: str) -> Path:
    """Return the file of the notebook of a run, as far as it was executed.

    Raises
    ------
    NotFoundError
        If there is no such run or it has not begun.
    """
    return _kept(house, get(house, principal, wanted), "notebook.ipynb", "notebook")


def result_file(house: House, principal: Principal, wanted: str, name: str) -> Path:
    """Return the file *name* of a run; only what it declared as a result has one.

    Raises
    ------
    NotFoundError
        If there is no such run, or no such file among its results.
    """
    run = get(house, principal, wanted)
    files: dict[str, str] = run.results.get("files", {})
    if name not in files:
        kind = "file"
        raise NotFoundError(kind, name[:80], files)
    return _kept(house, run, files[name], "file")


def run_id(
    found: Template, values: dict[str, Any], inputs: list[dict[str, Any]]
) -> str:
    """Return the address of a run: the hash of all that decides its result."""
    said = {
        "template": found.hash,
        "image": image_digest(),
        "parameters": values,
        "inputs": sorted([one["name"], one["content_hash"]] for one in inputs),
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _record(
    house: House,
    principal: Principal,
    checked: tuple[Template, dict[str, Any]],
    asked: Asked,
) -> Run:
    """Write down who asks for what; return the run, its state true at this moment."""
    found, values = checked
    with house.sessions.begin() as session:
        require(session, principal, Action.RUN_CREATE)
        if asked.case_id is not None:
            _case_readable(session, principal, asked.case_id)
        inputs = checked_inputs(session, principal, found, asked.inputs)
        wanted = run_id(found, values, inputs)
        run = session.get(Run, wanted, options=[selectinload(Run.requests)])
        if run is None:
            run = _new(wanted, found, values, inputs)
            session.add(run)
        elif run.state in ENDED - {"done"}:
            _again(run)
        if _add_request(run, principal, asked.case_id) and run.state == "done":
            session.add(OutboxEvent(kind="run", key=run.id))  # one more may see it
        session.flush()
        return run


def _new(
    wanted: str, found: Template, values: dict[str, Any], inputs: list[dict[str, Any]]
) -> Run:
    """Return the row of a run that nobody asked for before."""
    return Run(
        id=wanted,
        template=found.name,
        template_hash=found.hash,
        image_digest=image_digest(),
        parameters=values,
        inputs=inputs,
        state="waiting",
        attempt=1,
        revision=1,
        progress={},
        results={},
        error={},
        requests=[],
        started_at=None,
        finished_at=None,
    )


def _again(run: Run) -> None:
    """Let a run that failed or was cancelled begin anew.

    When it was first asked for stays: the objects that it makes bear that moment, so
    that every attempt makes the same bytes.
    """
    run.attempt += 1
    run.revision += 1
    run.state = "waiting"
    run.progress, run.results, run.error = {}, {}, {}
    run.started_at, run.finished_at = None, None


def _add_request(run: Run, principal: Principal, case_id: str | None) -> bool:
    """Remember that *principal* asked, on which case; return whether that is news."""
    for request in run.requests:
        if request.principal == principal.name:
            news = case_id is not None and request.case_id != case_id
            request.case_id = case_id or request.case_id
            return news
    run.requests.append(RunRequest(principal=principal.name, case_id=case_id))
    return True


def _refuse_cancel(principal: Principal, run: Run) -> None:
    """Refuse to end what is being stored, or what others wait for."""
    if run.state == "storing":
        msg = "The results are being stored; that cannot be undone half way."
        raise ConflictError(msg)
    others = [one for one in run.requests if one.principal != principal.name]
    if others and not principal.has(Role.ADMIN, Role.SYSTEM):
        msg = f"{len(others)} more wait for this run, so it goes on."
        raise ConflictError(msg)


def _visible(
    session: Session, principal: Principal, wanted: str, action: Action
) -> Run:
    """Return the run *wanted* if *principal* may do *action* with it."""
    run = session.get(Run, wanted, options=[selectinload(Run.requests)])
    if run is None:
        kind = "run"
        raise NotFoundError(kind, wanted[:80])
    require(session, principal, action, run_resource(session, run))
    return run


def _case_readable(session: Session, principal: Principal, case_id: str) -> None:
    """Refuse a case that *principal* may not see."""
    case = session.get(Case, case_id)
    if case is None:
        kind = "case"
        raise NotFoundError(kind, case_id[:80])
    require(session, principal, Action.CASE_READ, case_resource(case))


def _newest_first(session: Session, wanted: Any) -> Iterator[Run]:  # noqa: ANN401 (a select)
    """Go through the runs of *wanted*, a page at a time."""
    ordered = wanted.order_by(Run.created_at.desc(), Run.id)
    start = 0
    while page := list(session.scalars(ordered.offset(start).limit(_PAGE))):
        yield from page
        start += _PAGE


def _enqueue(house: House, run: Run) -> None:
    """Hand *run* to the workers; they look for forgotten ones as well."""
    try:
        house.work.enqueue("run", str(attempt_of(run)))
    except BusyError as error:
        log.warning("queue does not answer", run=run.id, why=str(error))


def _dequeue(house: House, run: Run) -> None:
    """Take *run* off the queue; a worker that has it sees that it was cancelled."""
    try:
        house.work.cancel("run", str(attempt_of(run)))
    except BusyError as error:
        log.warning("queue does not answer", run=run.id, why=str(error))


def _kept(house: House, run: Run, name: str, kind: str) -> Path:
    """Return the file *name* in the folder of *run*."""
    path = run_folder(house.settings, attempt_of(run)) / name
    if not path.is_file():
        raise NotFoundError(kind, f"of run {run.id}")
    return path
