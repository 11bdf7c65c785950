"""Parts of the house that are killed in the middle of an import and of a run."""

from __future__ import annotations

import io
import signal
import time
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from rounds_hub.errors import HubError
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rounds_hub.cli.demo_process import DemoHouse
    from rounds_hub.cli.visitor import Visitor

pytestmark = [pytest.mark.hub, pytest.mark.timeout(400)]

PARTS = ("rounds_hub.web", "rounds_hub.work.worker", "rounds_hub.deployment.hub")
SLICES = 120
ENDED = {"done", "failed", "cancelled"}


def kill(demo: DemoHouse, module: str) -> None:
    """Kill the process of the house that runs *module*, at once."""
    for process in psutil.Process(demo.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if module in process.cmdline():
                process.send_signal(signal.SIGKILL)
                return
    raise LookupError(module)


def when(ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:  # noqa: ANN401 (JSON)
    """Return what *ask* answers once it is *good*; parts may be down meanwhile."""
    until = time.monotonic() + 180
    said: Any = None
    while time.monotonic() < until:
        with suppress(httpx.HTTPError, HubError, ValueError):
            said = ask()
            if good(said):
                return said
        time.sleep(0.05)
    msg = f"It did not come so far: {said}"
    raise AssertionError(msg)


@pytest.fixture
def teacher(demo: DemoHouse) -> Iterator[Visitor]:
    with demo.visitor("teacher") as visitor:
        yield visitor


def a_zip(seed: int) -> bytes:
    """Return a zip of one phantom series that is not in the house yet."""
    phantom = phantoms.thorax(Grid((SLICES, 48, 48), (2.0 + seed / 10, 7.0, 7.0)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, made in enumerate(phantoms.to_dicom(phantom)):
            one = io.BytesIO()
            made.save_as(one, enforce_file_format=True)
            archive.writestr(f"{number}.dcm", one.getvalue())
    return packed.getvalue()


def results(teacher: Visitor, study: str) -> list[str]:
    """Return the modality of each result in *study*."""
    series = teacher.api(f"studies/{study}")["series"]
    return sorted(one["modality"] for one in series if one["modality"] in {"SEG", "SR"})


def begin_run(teacher: Visitor, series: str, seed: int) -> str:
    """Ask for a run that nobody asked for yet, and return its id when it runs."""
    asked = {
        "template": "lung_volume",
        "inputs": {"ct": series},
        "parameters": {"threshold": -371.0 - seed},
    }
    run: str = teacher.api("runs", "POST", json=asked)["id"]
    when(lambda: teacher.api(f"runs/{run}"), lambda it: it["state"] == "running")
    return run


def end_of(teacher: Visitor, what: str) -> dict[str, Any]:
    """Return the import or run *what* once it has ended."""
    ended: dict[str, Any] = when(
        lambda: teacher.api(what), lambda it: it["state"] in ENDED
    )
    return ended


@pytest.mark.parametrize(("seed", "part"), list(enumerate(PARTS)))
def test_what_was_accepted_comes_to_its_one_end(
    demo: DemoHouse, teacher: Visitor, seed: int, part: str
) -> None:
    shown = teacher.api("cases/sample-thorax-emphysema")["series"][0]
    before = results(teacher, shown["study_uid"])
    run = begin_run(teacher, shown["uid"], seed)
    files = {"files": ("series.zip", a_zip(seed), "application/zip")}
    accepted = teacher.api("imports", "POST", files=files)["id"]
    kill(demo, part)
    imported = end_of(teacher, f"imports/{accepted}")
    summary = imported["summary"]
    assert (imported["state"], summary["taken"] + summary["same"]) == ("done", SLICES)
    ran = end_of(teacher, f"runs/{run}")
    assert ran["state"] == "done", ran["error"]
    assert results(teacher, shown["study_uid"]) == sorted([*before, "SEG", "SR"])
