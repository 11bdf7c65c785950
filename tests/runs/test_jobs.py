"""What a notebook may say to the house, inside a run and in a person's own server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.runs.conftest import NOTEBOOKS, store_phantom

import rounds
from rounds import figures
from rounds.client import Service
from rounds.job import FolderJob, JobError, ServerJob
from rounds_hub.runs import templates
from rounds_kernels import phantoms
from rounds_kernels.volumes import write_volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rounds_hub.house import House

LUNG_VOLUME = templates.load(NOTEBOOKS / "lung" / "lung_volume")
SHAPE = phantoms.sphere().volume.array.shape


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderJob:
    """Return the job of a run of lung_volume on a small phantom."""
    write_volume(phantoms.sphere().volume, tmp_path / "inputs" / "ct")
    for name in ("figures", "masks"):
        (tmp_path / name).mkdir()
    said = {
        "template": "lung_volume",
        "inputs": {"ct": {"folder": "inputs/ct"}},
        "outputs": LUNG_VOLUME.outputs.model_dump(mode="json"),
    }
    (tmp_path / "job.json").write_text(json.dumps(said))
    monkeypatch.setenv("ROUNDS_JOB", str(tmp_path))
    made = rounds.job('{"threshold": -400.0}', template="lung_volume")
    assert isinstance(made, FolderJob)
    return made


def test_inside_a_run_the_job_is_its_folder(job: FolderJob) -> None:
    assert job["threshold"] == -400.0
    assert (job.has("ct"), job.has("prior")) == (True, False)


def test_an_input_is_mapped_and_not_read(job: FolderJob) -> None:
    volume = job.read("ct")
    assert volume.array.shape == SHAPE
    assert isinstance(volume.array, np.memmap)


def test_measurements_are_kept_as_numbers(job: FolderJob, tmp_path: Path) -> None:
    job.measure("lung_volume", np.float64(1.5))
    job.measure("mean_density", -800)
    kept = json.loads((tmp_path / "measurements.json").read_text())
    assert kept == {"lung_volume": 1.5, "mean_density": -800.0}


def test_a_mask_is_kept_as_bytes(job: FolderJob, tmp_path: Path) -> None:
    job.segmentation("lungs", np.full(SHAPE, 2, np.int64))
    with np.load(tmp_path / "masks" / "lungs.npz") as packed:
        assert packed["labels"].dtype == np.uint8
        assert set(np.unique(packed["labels"])) == {2}


def test_a_figure_depends_on_what_is_drawn_alone(
    job: FolderJob, tmp_path: Path
) -> None:
    path = tmp_path / "figures" / "overlay.png"
    seen = []
    for _ in range(2):
        job.figure("overlay", figures.planes(job.read("ct"), np.ones(SHAPE, np.uint8)))
        seen.append(path.read_bytes())
    assert seen[0] == seen[1]


BAD = [
    pytest.param(lambda job: job["typo"], "no parameter 'typo'", id="a parameter"),
    pytest.param(lambda job: job.read("mr"), "no input 'mr'. Known: ct", id="an input"),
    pytest.param(
        lambda job: job.measure("x", 1), "no measurement 'x'", id="a measurement"
    ),
    pytest.param(
        lambda job: job.measure("lung_volume", float("nan")), "finite", id="NaN"
    ),
    pytest.param(
        lambda job: job.segmentation("x", np.zeros(SHAPE, np.uint8)),
        "no segmentation 'x'",
        id="a segmentation",
    ),
    pytest.param(
        lambda job: job.segmentation("lungs", np.zeros((1, 2, 3), np.uint8)),
        r"shape \(1, 2, 3\)",
        id="another shape",
    ),
    pytest.param(
        lambda job: job.segmentation("lungs", np.full(SHAPE, 3, np.uint8)),
        r"holds \[3\]",
        id="an undeclared number",
    ),
    pytest.param(
        lambda job: job.segmentation("lungs", np.full(SHAPE, 0.5)),
        "float64",
        id="no whole numbers",
    ),
    pytest.param(lambda job: job.figure("x", b""), "no figure 'x'", id="a figure"),
    pytest.param(
        lambda job: job.figure("overlay", b"GIF89a"), "must be a Matplotlib", id="a GIF"
    ),
    pytest.param(
        lambda job: job.figure("overlay", 3), "must be a Matplotlib", id="no picture"
    ),
]


@pytest.mark.parametrize(("does", "said"), BAD)
def test_what_is_not_declared_is_refused_by_name(
    job: FolderJob, does: Callable[[FolderJob], object], said: str
) -> None:
    with pytest.raises(JobError, match=said):
        does(job)


@pytest.mark.usefixtures("job")
def test_a_run_cannot_be_told_to_be_another_template() -> None:
    with pytest.raises(JobError, match="This run is of template 'lung_volume'"):
        rounds.job("{}", template="brain_tissue")


@pytest.mark.parametrize("text", ["[]x", "3", "", "[1]"])
def test_parameters_are_one_json_object(text: str) -> None:
    with pytest.raises(JobError, match="must be one JSON object"):
        rounds.job(text)


def test_outside_a_run_a_series_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROUNDS_JOB", raising=False)
    with pytest.raises(JobError, match="name the template and a series"):
        rounds.job("{}", template="lung_volume")


class ServiceOfTests(Service):
    """Speaks with a service that believes who one says one is."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "token")
        self._http.headers["x-person"] = "doctor doctor"


def test_in_a_persons_own_server_the_series_streams_from_the_house(
    house: House, service_url: str
) -> None:
    series = store_phantom(house, phantoms.sphere())
    service = ServiceOfTests(service_url)
    declared = service.get("api/templates/lung_volume")
    job = ServerJob(declared, {"threshold": -400.0}, {"ct": series}, service)
    assert job.read("ct").array.shape == SHAPE
    job.measure("lung_volume", 11.5)
    job.segmentation("lungs", np.ones(SHAPE, np.uint8))
    assert "Both lungs" in job._repr_html_()
    assert set(job.masks) == {"lungs"}
    service.close()
