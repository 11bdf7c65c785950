"""Templates made for one test, a house that has them, and a real worker."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from rounds_hub.access.principal import SYSTEM, Principal, Role
from rounds_hub.runs import service
from rounds_hub.settings import load_settings
from rounds_kernels import phantoms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_hub.house import House
    from rounds_hub.runs.models import Run

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
TOKEN = secrets.token_hex(8)
ENDED = {"done", "failed", "cancelled"}

READ = "# Read\nimport rounds\njob = rounds.job(parameters)"
LUNG = {"value": "39607008", "scheme": "SCT", "meaning": "Lung"}
ANATOMY = {"value": "123037004", "scheme": "SCT", "meaning": "Anatomical Structure"}
VOLUME = {"value": "118565006", "scheme": "SCT", "meaning": "Volume"}


@dataclass
class Shelf:
    """A folder of templates that a test fills."""

    folder: Path
    schema: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, *cells: str, **changes: object) -> Path:
        """Put a template on the shelf; *changes* go into its schema."""
        folder = self.folder / "test" / name
        folder.mkdir(parents=True)
        schema: dict[str, Any] = {
            "name": name,
            "version": "1",
            "organ": "test",
            "title": {"en": name},
            "summary": {"en": "A template of a test."},
            "parameters": [],
            "inputs": [{"name": "ct", "modality": ["CT"], "label": {"en": "CT"}}],
            "outputs": {},
            **changes,
        }
        (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
        (folder / "README.md").write_text(f"# {name}\n", encoding="utf-8")
        (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        defaults = {one["name"]: one["default"] for one in schema["parameters"]}
        write_notebook(folder / "notebook.ipynb", defaults, cells)
        return folder


def write_notebook(
    path: Path, defaults: dict[str, Any], cells: tuple[str, ...]
) -> None:
    """Write a notebook whose parameters cell holds *defaults*."""
    first = nbformat.v4.new_code_cell(  # type: ignore[no-untyped-call]
        f"parameters = {json.dumps(defaults)!r}", metadata={"tags": ["parameters"]}
    )
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[first, *map(nbformat.v4.new_code_cell, cells)],
        metadata={"kernelspec": kernel},
    )
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def number(name: str, default: float, **more: object) -> dict[str, Any]:
    """Return a parameter of a schema, a number unless *more* says otherwise."""
    texts = {"label": {"en": name}, "help": {"en": name}}
    return {"name": name, "type": "float", "default": default, **texts, **more}


def measurement(name: str) -> dict[str, Any]:
    """Return a measurement of a schema, in ml."""
    return {"name": name, "label": {"en": name}, "unit": "ml", "code": VOLUME}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Return an empty folder of templates."""
    (tmp_path / "shelf").mkdir()
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def house(tmp_path: Path, shelf: Shelf) -> Iterator[House]:
    """Return a house with the test's own templates and those of Rounds."""
    from rounds_hub.house import House

    settings = load_settings(
        data_dir=str(tmp_path / "data"),
        template_dirs=[str(shelf.folder), str(NOTEBOOKS)],
        run_seconds=120,
        free_space_bytes=2**20,
    )
    opened = House.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def doctor() -> Principal:
    """Return somebody who may see what was imported, and run things."""
    return Principal("doctor", frozenset({Role.DOCTOR}), frozenset({"doctors"}))


@pytest.fixture
def student() -> Principal:
    """Return somebody who sees published cases alone."""
    return Principal("student", frozenset({Role.STUDENT}), frozenset({"students"}))


@pytest.fixture
def ball(house: House) -> str:
    """Return the UID of a small CT in the archive: a ball of water in air."""
    return store_phantom(house, phantoms.sphere())


def store_phantom(house: House, phantom: phantoms.Phantom) -> str:
    """Bring a phantom into the archive and return the UID of its series."""
    from rounds_hub.archive.service import Offer, store

    made = phantoms.to_dicom(phantom)
    outcomes = store(house, SYSTEM, [Offer(str(i), one) for i, one in enumerate(made)])
    assert {one.status.value for one in outcomes} == {"taken"}
    return outcomes[0].series_uid


class WorkerProcess:
    """A real worker in a process of its own, on the data of *house*."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.log = folder / "worker.log"
        self._config = folder / "config.py"
        kept = ("data_dir", "database_url", "template_dirs", "run_seconds")
        said = {name: getattr(house.settings, name) for name in kept}
        lines = [f"c.Rounds.{name} = {value!r}" for name, value in said.items()]
        lines.append("c.Rounds.free_space_bytes = 1048576")
        self._config.write_text("\n".join(lines), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> WorkerProcess:
        """Start it, and return when it takes work."""
        environment = {**os.environ, "ROUNDS_CONFIG": str(self._config)}
        environment["JUPYTERHUB_API_TOKEN"] = TOKEN
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rounds_hub.work.worker"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + 60
        while b"worker ready" not in self.log.read_bytes()[before:]:
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """Kill it as a crash would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        """End it as the hub does, and return its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self._process.wait(30)


@pytest.fixture
def worker(house: House, tmp_path: Path) -> Iterator[WorkerProcess]:
    """Return a worker that has started."""
    process = WorkerProcess(house, tmp_path).start()
    yield process
    process.stop()


def wait_for(house: House, run: Run | str, *states: str, seconds: float = 90) -> Run:
    """Return the run when it has one of *states*, by default when it has ended."""
    wanted = set(states) or ENDED
    run_id = run if isinstance(run, str) else run.id
    until = time.monotonic() + seconds
    while True:
        found = service.get(house, SYSTEM, run_id)
        if found.state in wanted or (found.state in ENDED and not states):
            return found
        assert time.monotonic() < until, f"{found.state} {found.error}"
        assert found.state not in ENDED, f"{found.state} {found.error}"
        time.sleep(0.05)
