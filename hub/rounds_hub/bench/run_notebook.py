"""Row ``run``: the template ``lung_volume`` on a phantom, folder to results.

The peer is the ``papermill`` command on the same notebook, values and kernel, with its
own engine. Equal means: the same measurements and the same mask, voxel by voxel. Ours
also limits memory, time and output, hides the environment, and tells of each cell.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_hub.bench.base import Contestant, Race
from rounds_hub.runs import templates
from rounds_hub.runs.supervise import Limits, environment, supervise
from rounds_hub.settings import Rounds
from rounds_kernels import phantoms
from rounds_kernels.volumes import write_volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from rounds_hub.runs.templates import Template

__all__ = ["races"]

LIMITS: Final = Limits(seconds=600, memory_bytes=8 * 2**30, cpus=1)
QUICK: Final = phantoms.Grid((48, 96, 96), (6.0, 4.0, 4.0))
OUTPUTS: Final = ("figures", "masks", "tmp", "work")


@dataclass(frozen=True, slots=True, eq=False)
class _Result:
    """What a notebook left."""

    measurements: dict[str, float]
    mask: npt.NDArray[np.uint8]


def races(*, quick: bool) -> Iterator[Race]:
    """Yield the run of a template against the papermill command."""
    template = templates.find(Rounds(), "lung_volume")
    phantom = phantoms.thorax(QUICK) if quick else phantoms.thorax()
    shape = " x ".join(map(str, phantom.volume.array.shape))
    with tempfile.TemporaryDirectory() as made:
        ours, peer = Path(made) / "ours", Path(made) / "peer"
        for folder in (ours, peer):
            _write(folder, template, phantom)
        yield Race(
            "run",
            "execute a template's notebook in a fresh kernel",
            f"lung_volume on a phantom of {shape}",
            Contestant("rounds", "local", lambda: _ours(ours), lambda: _clear(ours)),
            Contestant(
                "papermill command",
                version("papermill"),
                lambda: _peer(peer),
                lambda: _clear(peer),
            ),
            _equal,
            turns=1 if quick else 3,
        )


def _write(folder: Path, template: Template, phantom: phantoms.Phantom) -> None:
    """Prepare the folder of a run."""
    write_volume(phantom.volume, folder / "inputs" / "ct")
    shutil.copyfile(template.notebook, folder / "template.ipynb")
    said = {
        "template": template.name,
        "parameters": templates.validate(template, {}),
        "inputs": {"ct": {"folder": "inputs/ct"}},
        "outputs": template.outputs.model_dump(mode="json"),
        "limits": {"memory_bytes": LIMITS.memory_bytes},
    }
    (folder / "job.json").write_text(json.dumps(said), encoding="utf-8")


def _clear(folder: Path) -> None:
    """Make the folder as it was before a run."""
    for name in OUTPUTS:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    for path in folder.iterdir():
        if path.is_file() and path.name not in {"job.json", "template.ipynb"}:
            path.unlink()


def _ours(folder: Path) -> _Result:
    fault = supervise(folder, LIMITS, lambda _lines: None, lambda: True)
    if fault is not None:
        msg = f"The run failed: {fault.message}"
        raise RuntimeError(msg)
    return _result(folder)


def _peer(folder: Path) -> _Result:
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "papermill", "--no-progress-bar"]
    given = ["-r", "parameters", json.dumps(job["parameters"])]
    names = [str(folder / "template.ipynb"), str(folder / "notebook.ipynb")]
    subprocess.run(  # noqa: S603 (our own words)
        [*command, *names, *given],
        cwd=folder / "work",
        env=environment(folder, LIMITS.cpus),
        check=True,
        capture_output=True,
    )
    return _result(folder)


def _result(folder: Path) -> _Result:
    said = json.loads((folder / "measurements.json").read_text(encoding="utf-8"))
    with np.load(folder / "masks" / "lungs.npz") as packed:
        return _Result(said, packed["labels"])


def _equal(one: _Result, other: _Result) -> bool:
    same = np.array_equal(one.mask, other.mask)
    return one.measurements == other.measurements and bool(same)
