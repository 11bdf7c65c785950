"""A case of lungs that a template measured, in a whole house and in a browser."""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.conftest import missing

from rounds_hub.viewer.files import is_installed
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

    from rounds_hub.cli.demo_process import DemoHouse
    from rounds_hub.cli.visitor import Visitor

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Where there is no graphics card, Chromium draws WebGL itself only if told so.
    "--enable-unsafe-swiftshader",
]
GRID = Grid((20, 96, 96), (8.0, 3.5, 3.5))
SECONDS = 60_000
LUNGS = "Lungs for the viewer"


@pytest.fixture(scope="session", autouse=True)
def viewer_there() -> None:
    """Skip where OHIF could not be fetched."""
    if not is_installed():
        missing("OHIF", "fetch it with: python -m rounds_hub.viewer.build")


@dataclass(frozen=True)
class Lungs:
    """A published case, its series, and the run that measured it."""

    case_id: str
    series_uid: str
    run_id: str


@pytest.fixture(scope="module")
def lungs(demo: DemoHouse) -> Lungs:
    """Return a case of a synthetic chest, its lungs measured by a run."""
    with demo.visitor("doctor") as visitor:
        return _measured(visitor)


def _measured(visitor: Visitor) -> Lungs:
    """Bring a chest in, make a case of it, and run the template on it."""
    datasets = phantoms.to_dicom(phantoms.thorax(GRID, seed=77))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, dataset in enumerate(datasets):
            content = io.BytesIO()
            dataset.save_as(content, enforce_file_format=True)
            archive.writestr(f"{number}.dcm", content.getvalue())
    files = {"files": ("chest.zip", packed.getvalue(), "application/zip")}
    _ended(visitor, f"imports/{visitor.api('imports', 'POST', files=files)['id']}")
    series_uid = str(datasets[0].SeriesInstanceUID)
    case_id = _published(visitor, str(datasets[0].StudyInstanceUID))
    asked = {"template": "lung_volume", "inputs": {"ct": series_uid}, "case": case_id}
    run = _ended(visitor, f"runs/{visitor.api('runs', 'POST', json=asked)['id']}")
    assert run["state"] == "done", run["error"]
    return Lungs(case_id, series_uid, run["id"])


def _published(visitor: Visitor, study_uid: str) -> str:
    """Return the id of a case of the study that everyone finds."""
    made = visitor.api(f"studies/{study_uid}/case", "POST")
    told = {"title": LUNGS, "diagnosis": "None", "audience": ["everyone"]}
    told["revision"] = made["revision"]
    visitor.api(f"cases/{made['id']}", "PUT", json=told)
    visitor.api(f"cases/{made['id']}/publish", "POST")
    return str(made["id"])


def _ended(visitor: Visitor, path: str) -> dict[str, Any]:
    """Return what *path* says once it is done, or will never be."""
    until = time.monotonic() + 180
    while time.monotonic() < until:
        found: dict[str, Any] = visitor.api(path)
        if found["state"] in {"done", "failed", "cancelled"}:
            return found
        time.sleep(0.1)
    pytest.fail(f"{path} does not end")


@dataclass
class Watch:
    """What a browser met that it should not have: errors, and other hosts."""

    host: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Listen to everything in *context*."""
        context.on("console", lambda said: self._said(said.type, said.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("response", lambda one: self._answered(one.status, one.url))
        context.on("request", lambda request: self._asked(request.url))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def _answered(self, status: int, url: str) -> None:
        if status >= 400:
            self.complaints.append(f"{status} {url}")

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        self.asked.append(url)
        if parts.scheme in {"http", "https", "ws"} and parts.netloc != self.host:
            self.complaints.append(f"asked {url}")


@pytest.fixture(scope="module")
def watch(demo: DemoHouse) -> Watch:
    return Watch(urlsplit(demo.url).netloc)


@pytest.fixture(scope="module")
def doctor(chromium: str, demo: DemoHouse, watch: Watch) -> Iterator[Page]:
    """Return a page of a doctor who signed in by the hub's form."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        context = browser.new_context(
            base_url=demo.url, locale="en-GB", viewport={"width": 1280, "height": 860}
        )
        context.set_default_timeout(SECONDS)
        watch.over(context)
        page = context.new_page()
        page.goto("services/rounds/cases")
        page.locator("input[name=username]").fill("doctor")
        page.locator("input[name=password]").fill(demo.accounts["doctor"])
        page.locator("input[name=password]").press("Enter")
        page.wait_for_url("**/services/rounds/cases")
        yield page
        browser.close()
