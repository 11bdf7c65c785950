"""A template is run from a notebook, by a real worker, and its results are read."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

import rounds
from rounds.errors import NotFoundError, RefusedError, RunTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.extensions.conftest import ServedHouse

    from rounds.runs import Run


@pytest.fixture(autouse=True)
def researcher(served_house: ServedHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process the notebook of a researcher."""
    served_house.as_person("researcher", monkeypatch)


@pytest.fixture(scope="module")
def worker(served_house: ServedHouse) -> Iterator[None]:
    """Let a worker take what waits in the house."""
    command = [sys.executable, "-m", "rounds_hub.work.worker"]
    told = {
        "ROUNDS_DATA": str(served_house.house.settings.data),
        "ROUNDS_DEVICE": "cpu",
    }
    process = subprocess.Popen(
        command, env=os.environ | told, stdout=subprocess.DEVNULL
    )
    yield
    process.terminate()
    process.wait(60)


@pytest.fixture
def lungs(served_house: ServedHouse, worker: None) -> Run:
    """Return the lungs of the chest, measured."""
    del worker
    case = rounds.open(served_house.chest)
    return rounds.run("lung_volume", series=case.series[0], case=case, threshold=-400)


def test_a_run_ends_with_its_measurements(
    served_house: ServedHouse, lungs: Run
) -> None:
    total = max(float(one) for one in lungs.measurements.values())
    assert lungs.state == "done"
    assert total >= 0.9 * served_house.phantom.truth["lungs_ml"]


def test_a_run_gives_its_mask_on_the_volume(
    served_house: ServedHouse, lungs: Run
) -> None:
    mask = lungs.segmentation(rounds.open(served_house.chest).volume)
    truth = served_house.phantom.masks["lungs"] > 0
    overlap = 2 * np.sum((mask > 0) & truth) / (np.sum(mask > 0) + np.sum(truth))
    assert overlap > 0.95


def test_its_figures_are_pictures(lungs: Run) -> None:
    assert [f.png[:4] for f in lungs.figures] == [b"\x89PNG"] * len(lungs.figures)


def test_a_run_lays_its_mask_over_the_case(
    served_house: ServedHouse, lungs: Run
) -> None:
    shown = rounds.open(served_house.chest).show(overlay=lungs)
    assert len(shown.canvas.volumes) == 2
    shown.close()


def test_the_case_has_the_result(served_house: ServedHouse, lungs: Run) -> None:
    results = rounds.open(served_house.chest).results
    assert [run.id for run in results] == [lungs.id]


def test_the_same_again_is_answered_from_the_record(
    served_house: ServedHouse, lungs: Run
) -> None:
    series = rounds.open(served_house.chest).series[0].uid
    again = rounds.run("lung_volume", series=series, threshold=-400)
    assert again.id == lungs.id


def test_a_run_tells_its_cells_where_nobody_looks_on(
    lungs: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    lungs.wait()
    assert "lung_volume: done" in capsys.readouterr().err


def test_a_parameter_out_of_range_is_refused_before_anything_runs(
    served_house: ServedHouse,
) -> None:
    series = rounds.open(served_house.chest).series[0]
    with pytest.raises(RefusedError, match="threshold"):
        rounds.run("lung_volume", series=series, threshold=10_000)


def test_a_template_that_is_none_names_those_there_are(
    served_house: ServedHouse,
) -> None:
    with pytest.raises(NotFoundError, match=r"Known: .*lung_volume"):
        rounds.run("liver", series=served_house.series)


def test_waiting_can_end_before_the_run(served_house: ServedHouse) -> None:
    started = rounds.run(
        "lung_volume", series=served_house.series, wait=False, threshold=-555
    )
    with pytest.raises(RunTimeoutError, match="wait"):
        started.wait(timeout=0)
