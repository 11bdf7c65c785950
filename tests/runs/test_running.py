"""Runs from the request to the archive, with a real worker and real kernels."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from tests.runs.conftest import (
    ANATOMY,
    LUNG,
    TOKEN,
    measurement,
    store_phantom,
    wait_for,
)

from rounds_hub.access.principal import SYSTEM
from rounds_hub.archive.models import Aside, Instance, Series
from rounds_hub.archive.service import open_instance
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import ConflictError, NotFoundError
from rounds_hub.runs import service
from rounds_hub.runs.service import Asked
from rounds_hub.runs.supervise import processes_of
from rounds_kernels import phantoms

if TYPE_CHECKING:
    from tests.runs.conftest import Shelf, WorkerProcess

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

WHAT = {"code": LUNG, "category": ANATOMY}
SEGMENTS = [
    {"number": 1, "name": "ball", "label": {"en": "Ball"}, **WHAT},
    {"number": 2, "name": "rim", "label": {"en": "Rim"}, **WHAT},
]
OUTPUTS = {
    "measurements": [{**measurement("volume"), "segment": "ball"}],
    "segmentations": [
        {
            "name": "balls",
            "input": "ct",
            "label": {"en": "Balls"},
            "segments": SEGMENTS,
        }
    ],
    "figures": [{"name": "slice", "label": {"en": "A slice"}}],
}
BALL = (
    "# Read\nimport rounds\njob = rounds.job(parameters)\nct = job.read('ct')",
    "# Find\nball = ct.array > -500\nmask = ball.astype('uint8')",
    "# Part\nmask[ball & (ct.array < -30)] = 2\njob.segmentation('balls', mask)",
    "# Measure\njob.measure('volume', ball.sum() * ct.voxel_volume / 1000)",
    "# Draw\nfrom rounds import figures\njob.figure('slice', figures.planes(ct, mask))",
)


def trial(shelf: Shelf, name: str, *cells: str, **changes: Any) -> Asked:  # noqa: ANN401
    """Put a template on the shelf and return a request for it."""
    shelf.add(name, *cells, **changes)
    return Asked(name, {})


def on(asked: Asked, series: str) -> Asked:
    return Asked(asked.template, {"ct": series}, asked.parameters, asked.case_id)


@pytest.fixture
def measured(shelf: Shelf, ball: str) -> Asked:
    """Return a request for a template with every kind of output."""
    return on(trial(shelf, "measured", *BALL, outputs=OUTPUTS), ball)


def stored_of(house: House, run_id: str) -> dict[str, str]:
    """Return the instances that a run made, by modality."""
    with house.sessions.begin(write=False) as session:
        wanted = (
            select(Series.modality, Instance.uid)
            .join(Instance, Instance.series_uid == Series.uid)
            .where(Series.run_id == run_id)
        )
        rows = [(str(one), str(uid)) for one, uid in session.execute(wanted)]
    assert len(rows) == len(dict(rows))
    return dict(rows)


def asides(house: House) -> int:
    with house.sessions.begin(write=False) as session:
        return int(session.scalar(select(func.count()).select_from(Aside)) or 0)


@pytest.mark.usefixtures("worker")
def test_a_run_ends_with_dicom_in_the_archive(
    house: House, doctor: Principal, measured: Asked, dciodvfy: str
) -> None:
    run = wait_for(house, service.ask(house, doctor, measured))
    assert run.state == "done", run.error
    made = stored_of(house, run.id)
    assert made == {
        "SEG": run.results["segmentation_uid"],
        "SR": run.results["report_uid"],
    }
    for uid in made.values():
        path = open_instance(house, SYSTEM, uid).path
        said = subprocess.run([dciodvfy, path], capture_output=True, check=False)
        assert b"Error" not in said.stderr, said.stderr.decode()


@pytest.mark.usefixtures("worker")
def test_a_run_is_answered_measured_and_repeated_at_once(
    house: House, doctor: Principal, student: Principal, measured: Asked
) -> None:
    truth = phantoms.sphere().truth["ball_ml"]
    run = wait_for(house, service.ask(house, doctor, measured))
    assert run.results["measurements"][0]["value"] == pytest.approx(truth, rel=0.01)
    assert [cell["state"] for cell in run.progress["cells"]] == ["done"] * 5

    began = time.monotonic()
    again = service.ask(house, doctor, measured)
    assert (again.id, again.state, again.attempt) == (run.id, "done", 1)
    assert time.monotonic() - began < 1

    png = service.result_file(house, doctor, run.id, "slice.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    for name in ("job.json", "../job.json", "notebook.ipynb", "measurements.json"):
        with pytest.raises(NotFoundError):
            service.result_file(house, doctor, run.id, name)
    with pytest.raises(NotFoundError):
        service.get(house, student, run.id)
    kept = {
        path.name for path in service.notebook(house, doctor, run.id).parent.iterdir()
    }
    assert kept == {
        "figures",
        "masks",
        "measurements.csv",
        "measurements.json",
        "notebook.ipynb",
    }
    with house.sessions.begin(write=False) as session:
        events = select(OutboxEvent.key).where(OutboxEvent.kind == "run")
        assert set(session.scalars(events)) == {run.id}


@pytest.mark.usefixtures("worker")
def test_a_mask_that_lacks_one_of_its_parts_is_stored_all_the_same(
    house: House, doctor: Principal, shelf: Shelf, ball: str
) -> None:
    whole = "job.segmentation('balls', mask)"
    cells = (*BALL[:2], whole, *BALL[3:])
    asked = on(trial(shelf, "whole", *cells, outputs=OUTPUTS), ball)
    run = wait_for(house, service.ask(house, doctor, asked))
    assert run.state == "done", run.error
    assert set(stored_of(house, run.id)) == {"SEG", "SR"}


@pytest.mark.usefixtures("worker")
def test_a_failing_cell_is_shown_and_the_run_may_be_tried_again(
    house: House, doctor: Principal, shelf: Shelf, ball: str
) -> None:
    asked = on(trial(shelf, "failing", "# Fine\n1", "# Divide\n1 / 0"), ball)
    run = wait_for(house, service.ask(house, doctor, asked))
    assert (run.state, run.error["kind"], run.error["cell"]) == (
        "failed",
        "cell",
        "Divide",
    )
    assert [cell["state"] for cell in run.progress["cells"]] == ["done", "failed"]
    assert service.notebook(house, doctor, run.id).is_file()
    again = wait_for(house, service.ask(house, doctor, asked))
    assert (again.state, again.attempt) == ("failed", 2)


@pytest.mark.usefixtures("worker")
def test_a_notebook_that_keeps_back_a_result_fails(
    house: House, doctor: Principal, shelf: Shelf, ball: str
) -> None:
    asked = on(trial(shelf, "silent", "1", outputs=OUTPUTS), ball)
    run = wait_for(house, service.ask(house, doctor, asked))
    assert (run.state, run.error["kind"]) == ("failed", "result")
    assert "no measurement 'volume'" in run.error["message"]


@pytest.mark.usefixtures("worker")
def test_a_cancelled_run_is_gone_within_two_seconds_and_stays_cancelled(
    house: House, doctor: Principal, shelf: Shelf, ball: str
) -> None:
    asked = on(trial(shelf, "slow", "# Wait\nimport time\ntime.sleep(99)"), ball)
    run = service.ask(house, doctor, asked)
    while "running" not in str(wait_for(house, run, "running").progress):
        time.sleep(0.05)
    began = time.monotonic()
    assert service.cancel(house, doctor, run.id).state == "cancelled"
    while list(processes_of(house.settings.data / "runs")):
        assert time.monotonic() - began < 2
    time.sleep(0.5)
    ended = service.get(house, doctor, run.id)
    assert (ended.state, ended.error["kind"]) == ("cancelled", "cancelled")
    assert service.cancel(house, doctor, run.id).state == "cancelled"


@pytest.mark.usefixtures("worker")
def test_a_kernel_of_a_run_sees_no_token(
    house: House, doctor: Principal, shelf: Shelf, ball: str
) -> None:
    code = f"import os\nassert {TOKEN!r} not in str(os.environ)"
    run = wait_for(
        house, service.ask(house, doctor, on(trial(shelf, "nosy", code), ball))
    )
    assert run.state == "done", run.error


def test_a_killed_worker_resumes_a_run_in_the_middle_of_a_cell(
    house: House, doctor: Principal, shelf: Shelf, ball: str, worker: WorkerProcess
) -> None:
    slow = "# Wait\nimport time\ntime.sleep(3)"
    asked = on(trial(shelf, "resumed", slow, *BALL, outputs=OUTPUTS), ball)
    run = service.ask(house, doctor, asked)
    while "running" not in str(wait_for(house, run, "running").progress):
        time.sleep(0.05)
    worker.kill()
    worker.start()
    ended = wait_for(house, run)
    assert (ended.state, ended.attempt) == ("done", 1), ended.error
    assert set(stored_of(house, run.id)) == {"SEG", "SR"}
    assert asides(house) == 0


def test_a_worker_killed_while_storing_stores_nothing_twice(
    house: House, doctor: Principal, measured: Asked, worker: WorkerProcess
) -> None:
    run = service.ask(house, doctor, measured)
    wait_for(house, run, "storing", "done")
    worker.kill()
    worker.start()
    ended = wait_for(house, run)
    assert ended.state == "done", ended.error
    assert set(stored_of(house, run.id)) == {"SEG", "SR"}
    assert asides(house) == 0
    assert list(processes_of(house.settings.data / "runs")) == []


def test_a_worker_that_is_told_to_end_leaves_its_run_to_the_next(
    house: House, doctor: Principal, shelf: Shelf, ball: str, worker: WorkerProcess
) -> None:
    asked = on(trial(shelf, "handed", "# Wait\nimport time\ntime.sleep(3)"), ball)
    run = service.ask(house, doctor, asked)
    while "running" not in str(wait_for(house, run, "running").progress):
        time.sleep(0.05)
    assert worker.stop() == 0
    assert list(processes_of(house.settings.data / "runs")) == []
    assert service.get(house, doctor, run.id).state == "running"
    worker.start()
    assert wait_for(house, run).state == "done"


def test_runs_wait_without_a_worker_and_may_be_cancelled(
    house: House, doctor: Principal, measured: Asked
) -> None:
    run = service.ask(house, doctor, measured)
    assert (run.state, house.work.state("run", run.id)) == ("waiting", "waiting")
    assert service.cancel(house, doctor, run.id).state == "cancelled"
    assert house.work.state("run", run.id) == "cancelled"


def test_a_run_that_others_wait_for_is_not_cancelled(
    house: House, doctor: Principal, measured: Asked
) -> None:
    from rounds_hub.access.principal import Principal

    other = Principal("other", doctor.roles, doctor.groups)
    run = service.ask(house, doctor, measured)
    assert service.ask(house, other, measured).id == run.id
    with pytest.raises(ConflictError, match="1 more wait for this run"):
        service.cancel(house, doctor, run.id)
    asked_by = {one.principal for one in service.get(house, doctor, run.id).requests}
    assert asked_by == {"doctor", "other"}


def test_a_real_template_measures_a_phantom_from_end_to_end(
    house: House, doctor: Principal, worker: WorkerProcess
) -> None:
    del worker
    chest = phantoms.thorax()
    series = store_phantom(house, chest)
    run = wait_for(
        house, service.ask(house, doctor, Asked("lung_volume", {"ct": series}))
    )
    assert run.state == "done", run.error
    said = {one["name"]: one["value"] for one in run.results["measurements"]}
    assert said["lung_volume"] == pytest.approx(chest.truth["lungs_ml"], rel=0.02)
    assert {one["name"] for one in run.results["figures"]} == {"overlay", "histogram"}
