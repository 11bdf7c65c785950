"""A run goes one way through its states; of two who move it only one succeeds."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import ConflictError, NotFoundError
from rounds_hub.runs import service
from rounds_hub.runs.models import Run
from rounds_hub.runs.service import Asked
from rounds_hub.runs.states import Attempt, attempt_of, move
from rounds_hub.runs.workflow import RunWork
from rounds_hub.work import reconcile

if TYPE_CHECKING:
    from tests.runs.conftest import Shelf

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

STATES = ("waiting", "running", "storing", "done", "failed", "cancelled")
ALLOWED = {
    ("waiting", "running"),
    ("running", "running"),
    ("running", "storing"),
    ("storing", "storing"),
    ("storing", "done"),
    ("waiting", "failed"),
    ("running", "failed"),
    ("storing", "failed"),
    ("waiting", "cancelled"),
    ("running", "cancelled"),
}


@pytest.fixture
def asked(shelf: Shelf, ball: str) -> Asked:
    shelf.add("trial", "1")
    return Asked("trial", {"ct": ball})


@pytest.fixture
def run(house: House, doctor: Principal, asked: Asked) -> Run:
    return service.ask(house, doctor, asked)


def set_row(house: House, run: Run, **columns: object) -> None:
    with house.sessions.begin() as session:
        row = session.get(Run, run.id)
        assert row is not None
        for name, value in columns.items():
            setattr(row, name, value)


@pytest.mark.parametrize("state", STATES)
def test_a_state_leads_only_where_it_may(house: House, run: Run, state: str) -> None:
    reached = set()
    for target in STATES[1:]:
        set_row(house, run, state=state)
        with house.sessions.begin() as session:
            if move(session, attempt_of(run), target):
                reached.add((state, target))
    assert reached == {pair for pair in ALLOWED if pair[0] == state}


def test_a_worker_that_ends_leaves_a_run_to_the_next(house: House, run: Run) -> None:
    closing = threading.Event()
    work = RunWork(house, closing)
    assert work.prepare(str(attempt_of(run))) == {}
    closing.set()
    step = threading.Thread(
        target=work.execute, args=(str(attempt_of(run)),), daemon=True
    )
    step.start()
    step.join(1.0)
    assert step.is_alive()  # what it would answer, its workflow would take for the end


def test_an_old_attempt_moves_nothing(house: House, run: Run) -> None:
    set_row(house, run, attempt=2)
    with house.sessions.begin() as session:
        assert not move(session, Attempt((run.id, 1)), "running")


def test_every_move_is_a_new_revision(
    house: House, doctor: Principal, run: Run
) -> None:
    for _ in range(3):
        with house.sessions.begin() as session:
            move(session, attempt_of(run), "running")
    assert service.get(house, doctor, run.id).revision == run.revision + 3


def test_a_run_whose_results_are_being_stored_is_not_cancelled(
    house: House, doctor: Principal, run: Run
) -> None:
    set_row(house, run, state="storing")
    with pytest.raises(ConflictError, match="are being stored"):
        service.cancel(house, doctor, run.id)


def test_a_cancelled_run_is_tried_again_as_a_new_attempt(
    house: House, doctor: Principal, asked: Asked, run: Run
) -> None:
    service.cancel(house, doctor, run.id)
    again = service.ask(house, doctor, asked)
    assert (again.id, again.state, again.attempt) == (run.id, "waiting", 2)
    assert house.work.state("run", f"{run.id}:2") == "waiting"


def test_asking_three_times_waits_once(
    house: House, doctor: Principal, asked: Asked, run: Run
) -> None:
    ids = {service.ask(house, doctor, asked).id for _ in range(3)}
    assert ids == {run.id}
    assert len(service.get(house, doctor, run.id).requests) == 1


def test_runs_are_listed_for_those_who_may_see_them(
    house: House, doctor: Principal, student: Principal, run: Run
) -> None:
    assert [one.id for one in service.list_runs(house, doctor)] == [run.id]
    assert [one.id for one in service.list_runs(house, doctor, mine=True)] == [run.id]
    assert service.list_runs(house, student) == []


def test_a_case_that_is_not_there_has_no_runs(house: House, doctor: Principal) -> None:
    with pytest.raises(NotFoundError):
        service.list_runs(house, doctor, case_id="nothing")


def test_a_run_has_no_notebook_before_it_has_begun(
    house: House, doctor: Principal, run: Run
) -> None:
    with pytest.raises(NotFoundError):
        service.notebook(house, doctor, run.id)


def long_ago(house: House, run: Run, **columns: object) -> None:
    """Make *run* one that was asked for a minute ago."""
    set_row(house, run, created_at=utc_now() - timedelta(minutes=1), **columns)


def test_a_run_that_was_never_handed_over_is_handed_over(
    house: House, run: Run
) -> None:
    long_ago(house, run, attempt=7)
    assert house.work.state("run", f"{run.id}:7") is None
    reconcile.once(house)
    assert house.work.state("run", f"{run.id}:7") == "waiting"


def test_a_run_whose_work_ended_without_it_is_ended(
    house: House, doctor: Principal, run: Run
) -> None:
    house.work.cancel("run", run.id)
    long_ago(house, run, state="running")
    reconcile.once(house)
    found = service.get(house, doctor, run.id)
    assert (found.state, found.error["kind"]) == ("failed", "worker")


def test_a_run_that_waits_in_the_queue_is_left_alone(
    house: House, doctor: Principal, run: Run
) -> None:
    long_ago(house, run)
    reconcile.once(house)
    assert service.get(house, doctor, run.id).state == "waiting"
