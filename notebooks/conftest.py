"""What the test of a template may ask for: its notebook executed as a run is."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds_hub.runs import templates
from rounds_hub.runs.supervise import Limits, supervise
from rounds_kernels import phantoms
from rounds_kernels.device import gpu_available

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from rounds_hub.runs.faults import Fault

ROOT = Path(__file__).parent.parent
LIMITS = Limits(seconds=280, memory_bytes=8 * 2**30, cpus=2)


@dataclass
class Outcome:
    """What the notebook of a template left."""

    folder: Path
    fault: Fault | None
    measurements: dict[str, float] = field(default_factory=dict)

    def mask(self, name: str) -> npt.NDArray[np.uint8]:
        """The mask *name*."""
        with np.load(self.folder / "masks" / f"{name}.npz") as packed:
            labels: npt.NDArray[np.uint8] = packed["labels"]
        return labels

    @property
    def figures(self) -> set[str]:
        """The names of the figures."""
        return {path.stem for path in (self.folder / "figures").glob("*.png")}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real series, or skip by name where it is missing."""
    folder = Path(os.environ.get("ROUNDS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("real series are not here: set ROUNDS_TEST_DATA to their folder")
    return folder


@pytest.fixture(
    scope="module", params=["cpu", pytest.param("auto", marks=pytest.mark.gpu)]
)
def device(request: pytest.FixtureRequest) -> str:
    """Return where to compute: on the CPU, then on a GPU where there is one."""
    if request.param == "auto" and not gpu_available():
        pytest.skip("no GPU with CuPy is here")
    return str(request.param)


@pytest.fixture(scope="module")
def run_template(
    request: pytest.FixtureRequest,
    device: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Outcome]:
    """Return a function that executes the notebook beside the test.

    ``run_template(phantom)`` or ``run_template(folder_of_dicom, threshold=-500)``.
    """
    template = templates.load(Path(str(request.path)).parent)

    def run(series: phantoms.Phantom | Path, **given: object) -> Outcome:
        folder = tmp_path_factory.mktemp("run")
        for name in ("figures", "masks", "tmp", "work", "inputs"):
            (folder / name).mkdir()
        only = template.inputs[0].name
        _bring(series, folder / "inputs" / only)
        said: dict[str, Any] = {
            "template": template.name,
            "parameters": templates.validate(template, given),
            "inputs": {only: {"folder": f"inputs/{only}"}},
            "outputs": template.outputs.model_dump(mode="json"),
            "limits": {"memory_bytes": LIMITS.memory_bytes},
        }
        (folder / "job.json").write_text(json.dumps(said))
        (folder / "template.ipynb").write_bytes(template.notebook.read_bytes())
        return _execute(folder, device)

    return run


def _bring(series: phantoms.Phantom | Path, folder: Path) -> None:
    """Put the instances of *series* into *folder*."""
    if isinstance(series, Path):
        folder.symlink_to(series, target_is_directory=True)
    else:
        phantoms.to_dicom(series, folder)


def _execute(folder: Path, device: str) -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROUNDS_DEVICE", device)
        fault = supervise(folder, LIMITS, lambda _lines: None, lambda: True)
    outcome = Outcome(folder, fault)
    kept = folder / "measurements.json"
    if kept.is_file():
        outcome.measurements = json.loads(kept.read_text())
    return outcome
