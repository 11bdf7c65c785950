"""Results of runs, on the page of a case and in search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_hub.cases import searching, service
from rounds_hub.cases.searching import Question
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import NotFoundError
from rounds_hub.indexing.consumer import run_once
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddSeries = Callable[..., str]
    AddCase = Callable[..., CaseView]


def add_run(house: House, run_id: str, *uids: str, case_id: str | None = None) -> None:
    """Record a finished run on series, asked for by a doctor."""
    measured = {"name": "ball_ml", "label": "Ball", "value": 11.5, "unit": "ml"}
    inputs = [{"name": "ct", "series_uid": uid, "content_hash": ""} for uid in uids]
    with house.sessions.begin() as session:
        made = Run(id=run_id, template="ball_volume", template_hash="", inputs=inputs)
        made.state, made.results = "done", {"measurements": [measured]}
        session.add(made)
        session.flush()
        session.add(RunRequest(run_id=run_id, principal="doctor", case_id=case_id))
        session.add(OutboxEvent(kind="run", key=run_id))


def test_a_case_shows_the_runs_on_its_series(
    house: House, student: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone")
    add_run(house, "r1", case.series[0].uid)
    assert [run.id for run in service.results_of(house, student, case.id)] == ["r1"]


def test_runs_on_other_series_are_not_shown(
    house: House, student: Principal, add_case: AddCase
) -> None:
    case, other = add_case("everyone"), add_case("everyone")
    add_run(house, "r1", other.series[0].uid)
    assert service.results_of(house, student, case.id) == ()


def test_a_run_with_a_hidden_input_is_not_shown(
    house: House, student: Principal, doctor: Principal, add_case: AddCase
) -> None:
    case, hidden = add_case("everyone"), add_case("role:doctor")
    add_run(house, "r1", case.series[0].uid, hidden.series[0].uid)
    assert service.results_of(house, student, case.id) == ()
    assert len(service.results_of(house, doctor, case.id)) == 1


def test_results_of_a_hidden_case_are_hidden(
    house: House, student: Principal, add_case: AddCase
) -> None:
    with pytest.raises(NotFoundError):
        service.results_of(house, student, add_case("role:doctor").id)


def test_a_result_is_found_by_what_was_measured(
    house: House, student: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone", title="Water")
    add_run(house, "r1", case.series[0].uid)
    run_once(house)
    asked = Question(text="ball volume 11.5", where={"kind": ("result",)})
    (hit,) = searching.search(house, student, asked).hits
    assert (hit.kind, hit.url, hit.case_id) == ("result", "runs/r1", case.id)


def test_a_result_names_no_case_that_is_hidden(
    house: House, student: Principal, add_case: AddCase
) -> None:
    opened = add_case("everyone", title="Open")
    uid = opened.series[0].uid
    hidden = add_case("role:doctor", title="Hidden", series=[uid])
    add_run(house, "r1", uid, case_id=hidden.id)
    run_once(house)
    asked = Question(where={"kind": ("result",)})
    (hit,) = searching.search(house, student, asked).hits
    assert hit.case_id == opened.id
    assert searching.search(house, student, Question(text="hidden")).hits == ()
