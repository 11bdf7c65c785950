"""The form of a run and the pages of runs in every state."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.catalogue.models import utc_now
from rounds_hub.runs.models import Run, RunRequest
from rounds_hub.runs.states import attempt_of, run_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    Look = Callable[..., Any]
    Send = Callable[..., Any]
    AddRun = Callable[..., Run]

LUNGS = {"en": "Both lungs", "zh": "双肺"}
DONE = {
    "measurements": [
        {
            "name": "both",
            "label": "Both lungs",
            "labels": LUNGS,
            "value": 4811.83,
            "unit": "mL",
            "code": {},
        }
    ],
    "figures": [
        {"name": "mask", "file": "mask.png", "label": "Mask", "labels": {"en": "Mask"}}
    ],
    "files": {},
}
CELLS = [
    {"index": 0, "name": "Read the series", "state": "done", "seconds": 0.34},
    {"index": 1, "name": "Threshold and label", "state": "running", "seconds": None},
]


@pytest.fixture
def add_run(house: House, case: CaseView) -> AddRun:
    """Return a function that puts a run of the doctor's on the case into a state."""

    def add(state: str, **columns: Any) -> Run:  # noqa: ANN401 (columns of the row)
        now = utc_now()
        run = Run(
            id=f"{len(state):032x}",
            template="lung_volume",
            template_hash="1f" * 32,
            parameters={"threshold": -400.0, "closing_mm": 5.0},
            inputs=[
                {
                    "name": "ct",
                    "series_uid": case.series[0].uid,
                    "content_hash": "ab" * 32,
                }
            ],
            state=state,
            attempt=1,
            started_at=now - timedelta(seconds=6.4),
            finished_at=now if state in {"done", "failed", "cancelled"} else None,
            **columns,
        )
        request = RunRequest(run_id=run.id, principal="doctor", case_id=case.id)
        with house.sessions.begin() as session:
            session.add(run)
            session.flush()
            session.add(request)
        return run

    return add


def test_a_case_offers_the_templates_that_fit_and_says_why_others_do_not(
    look: Look, case: CaseView
) -> None:
    page = look("student", f"cases/{case.id}")
    assert page.has("Run a template", "'CT'; MR is needed.")
    assert 'aria-disabled="true"' in page.html


def test_the_form_is_made_from_what_the_template_declares(
    look: Look, case: CaseView
) -> None:
    page = look("student", f"cases/{case.id}/run/lung_volume")
    assert page.has("Threshold", "HU, \u2212900 to \u2212200", "are needed")
    assert 'type="number"' in page.html
    assert 'min="-900"' in page.html
    assert 'value="-400"' in page.html


def test_the_form_speaks_the_language_of_the_page(look: Look, case: CaseView) -> None:
    chinese = {"accept-language": "zh"}
    page = look("student", f"cases/{case.id}/run/lung_volume", **chinese)
    assert page.has("参数", "阈值")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("warm", "is not a number", id="no number"),
        pytest.param("5000", "is outside -900 to -200", id="out of range"),
    ],
)
def test_a_wrong_value_is_named_at_its_field_and_kept(
    send: Send, case: CaseView, text: str, words: str
) -> None:
    form = {"p-threshold": text, "i-ct": case.series[0].uid}
    page = send("student", f"cases/{case.id}/run/lung_volume", form)
    assert page.status == 422
    assert page.has("Nothing was started", words)
    assert 'id="problem-threshold"' in page.html
    assert f'value="{text}"' in page.html


def test_a_series_that_does_not_fit_is_named(send: Send, case: CaseView) -> None:
    form = {"i-ct": case.series[0].uid}
    page = send("student", f"cases/{case.id}/run/lung_volume", form)
    assert page.status == 422
    assert 'id="problem-inputs.ct"' in page.html


def test_a_run_of_no_template_is_not_there(look: Look, case: CaseView) -> None:
    page = look("student", f"cases/{case.id}/run/nonsense")
    assert page.status == 404
    assert page.has("No template 'nonsense'")


def test_a_run_that_goes_on_shows_its_steps_and_can_be_cancelled(
    look: Look, add_run: AddRun
) -> None:
    run = add_run("running", progress={"cells": CELLS, "total": 2})
    page = look("doctor", f"runs/{run.id}")
    assert page.has("Read the series", "0.3 s", "Threshold and label", "Cancel the run")
    assert f'data-events="/services/rounds/api/runs/{run.id}/events"' in page.html


def test_only_who_asked_is_offered_to_cancel(look: Look, add_run: AddRun) -> None:
    run = add_run("running", progress={"cells": CELLS, "total": 2})
    page = look("student", f"runs/{run.id}")
    assert page.status == 200
    assert not page.has("Cancel the run")
    assert not page.has("doctor")


def test_a_run_is_cancelled_by_its_button(send: Send, add_run: AddRun) -> None:
    run = add_run("running", progress={"cells": CELLS, "total": 2})
    assert send("doctor", f"runs/{run.id}/cancel").has(
        "cancelled", "Nothing was stored"
    )


def test_a_done_run_shows_its_numbers_and_where_they_come_from(
    look: Look, add_run: AddRun
) -> None:
    run = add_run("done", results=DONE)
    page = look("doctor", f"runs/{run.id}")
    assert page.has("done", "6.4 s", "Both lungs", "4812", "ml", "Change and rerun")
    assert page.has(run.template_hash, "ab" * 32)


def test_a_notebook_is_shown_where_it_can_do_nothing(
    look: Look, house: House, add_run: AddRun
) -> None:
    run = add_run("done", results=DONE)
    folder = run_folder(house.settings, attempt_of(run))
    folder.mkdir(parents=True)
    (folder / "notebook.ipynb").write_text("{}")
    html = look("doctor", f"runs/{run.id}").html
    assert '<iframe class="notebook-frame" sandbox src=' in html


def test_a_run_that_left_no_notebook_shows_none(look: Look, add_run: AddRun) -> None:
    run = add_run("failed", error={"kind": "worker", "message": "It ended."})
    page = look("doctor", f"runs/{run.id}")
    assert page.has("It ended.", "run it again.")
    assert "<iframe" not in page.html


def test_measurements_have_their_names_in_the_language_of_the_page(
    look: Look, add_run: AddRun
) -> None:
    run = add_run("done", results=DONE)
    assert look("doctor", f"runs/{run.id}", **{"accept-language": "zh"}).has("双肺")


def test_a_failed_run_names_the_step_and_its_error(look: Look, add_run: AddRun) -> None:
    error = {
        "kind": "cell",
        "cell": "Measure",
        "message": "ZeroDivisionError: division by zero",
        "traceback": "line 3 <b>in</b> cell",
    }
    page = look("doctor", f"runs/{add_run('failed', error=error).id}")
    assert page.has("The step «Measure» failed.", "division by zero")
    assert "&lt;b&gt;in&lt;/b&gt;" in page.html


def test_changing_a_run_begins_with_its_values(
    look: Look, case: CaseView, add_run: AddRun
) -> None:
    run = add_run("done", results=DONE)
    with_values = f"cases/{case.id}/run/lung_volume?again={run.id}"
    assert 'value="-400"' in look("doctor", with_values).html


def test_the_list_shows_one_state_or_all(look: Look, add_run: AddRun) -> None:
    run = add_run("failed", error={"message": "It broke."})
    assert f"/services/rounds/runs/{run.id}" in look("doctor", "runs").links()
    assert look("doctor", "runs?state=done").has("No such runs")
    assert look("doctor", "runs?state=failed").has("It broke.")


def test_an_empty_list_says_how_a_run_comes(look: Look) -> None:
    assert look("student", "runs").has("Nothing was run yet")


def test_the_part_that_changes_is_sent_alone(look: Look, add_run: AddRun) -> None:
    run = add_run("running", progress={"cells": CELLS, "total": 2})
    part = look("doctor", f"runs/{run.id}/live")
    assert "<html" not in part.html
    assert "data-live" in part.html


def test_a_run_on_a_hidden_case_is_hidden(
    look: Look, house: House, draft: CaseView
) -> None:
    now = utc_now()
    with house.sessions.begin() as session:
        session.add(
            Run(
                id="f" * 32,
                template="lung_volume",
                template_hash="",
                inputs=[{"name": "ct", "series_uid": draft.series[0].uid}],
                started_at=now,
                finished_at=now,
            )
        )
    assert look("student", f"runs/{'f' * 32}").status == 404


def test_a_mask_is_looked_at_over_its_series(
    look: Look, case: CaseView, add_run: AddRun
) -> None:
    mask = [{"name": "lungs", "uid": "1.2.3.4", "series_uid": "1.2.3"}]
    add_run("done", results=DONE | {"segmentations": mask})
    html = look("doctor", f"cases/{case.id}").html
    assert '"label": "Lung volume and density"' in html
    assert '"uid": "1.2.3"' in html
