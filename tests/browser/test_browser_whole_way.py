"""The main way in Chromium, in a whole house: hub, services, worker, sample cases."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

    from rounds_hub.cli.demo_process import DemoHouse

    Enter = Callable[..., Page]

pytestmark = [pytest.mark.browser, pytest.mark.hub]

RUN_SECONDS = 180_000
SERVICE = "services/rounds/"


@pytest.fixture(scope="module")
def watch(demo: DemoHouse) -> list[str]:
    """Return what no browser may have said or asked, gathered over all tests."""
    del demo
    return []


@pytest.fixture
def enter(browser: Browser, demo: DemoHouse, watch: list[str]) -> Iterator[Enter]:
    """Return a function that signs somebody in by the hub's form, and goes home."""
    opened: list[BrowserContext] = []
    host = urlsplit(demo.url).netloc

    def sign_in(name: str) -> Page:
        context = browser.new_context(
            base_url=demo.url, locale="en-GB", viewport={"width": 1280, "height": 860}
        )
        context.set_default_timeout(30_000)
        context.on("weberror", lambda error: watch.append(str(error.error)))
        context.on(
            "request",
            lambda request: (
                watch.append(request.url)
                if urlsplit(request.url).netloc not in {host, ""}
                else None
            ),
        )
        opened.append(context)
        page = context.new_page()
        page.goto(f"{SERVICE}cases")
        page.get_by_label(re.compile("user", re.IGNORECASE)).fill(name)
        page.get_by_label(re.compile("password", re.IGNORECASE)).fill(
            demo.accounts[name]
        )
        page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
        page.wait_for_url(re.compile("/services/rounds/cases"))
        return page

    yield sign_in
    for context in opened:
        context.close()
    assert watch == []


def search(page: Page, words: str) -> None:
    """Search for *words* in the bar."""
    page.locator("#find").fill(words)
    page.locator("#find").press("Enter")
    expect(page.locator("#count")).to_contain_text("hit")


def test_a_doctor_finds_runs_and_finds_the_result(enter: Enter) -> None:
    page = enter("doctor")
    search(page, "emphysema")
    page.locator("a.hit", has_text="Measuring lungs").first.click()
    expect(page.locator("[data-where]")).to_contain_text("slice")
    page.keyboard.press("r")
    page.get_by_role("link", name=re.compile("Lung volume and density Finds")).click()
    page.get_by_label("Threshold", exact=False).first.fill("-450")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("Both lungs")).to_be_visible(timeout=RUN_SECONDS)
    expect(page.get_by_text("Results in the archive")).to_be_visible()
    results = page.get_by_role("checkbox", name=re.compile("Results"))
    for _ in range(30):  # the index follows within a second or two
        search(page, "lung")
        if results.is_visible():
            break
        page.wait_for_timeout(500)
    results.check()
    expect(page.locator("a.hit", has_text="Result").first).to_be_visible()


def test_a_student_finds_a_brain_and_opens_it_in_a_notebook(enter: Enter) -> None:
    page = enter("student")
    search(page, "brain")
    page.locator("a.hit").first.click()
    expect(page.locator("[data-where]")).to_contain_text("slice")
    notebook = page.get_by_role("link", name="Open in notebook").first
    expect(notebook).to_have_attribute("href", re.compile("/hub/user-redirect/rounds/"))


def test_a_teacher_brings_files_of_which_some_are_broken(
    enter: Enter, tmp_path: Path
) -> None:
    page = enter("teacher")
    page.goto(f"{SERVICE}import")
    files = [str(path) for path in _files(tmp_path)]
    page.get_by_label("Choose files").set_input_files(files)
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile("/imports/"))
    expect(page.get_by_role("status").first).to_contain_text("done", timeout=60_000)
    expect(page.locator(".measure")).to_contain_text(re.compile(r"taken\s*4"))
    expect(page.get_by_text("cut.dcm")).to_be_visible()
    page.get_by_role("button", name="Make a case").click()
    page.get_by_label("Title").first.fill("Brought by a browser")
    page.get_by_label("Students").check()
    page.get_by_role("button", name="Save and publish").click()
    expect(page.get_by_text("Published.")).to_be_visible()


def test_who_signs_out_is_out(enter: Enter) -> None:
    page = enter("researcher")
    page.get_by_label("Account of researcher").click()
    page.get_by_role("link", name="Sign out").click()
    page.goto(f"{SERVICE}runs")
    expect(page.get_by_label(re.compile("password", re.IGNORECASE))).to_be_visible()


def _files(folder: Path) -> list[Path]:
    """Write four good instances, one cut short and one that is no DICOM."""
    made = phantoms.to_dicom(
        phantoms.sphere(Grid((4, 32, 32), (5.0, 2.0, 2.0)), seed=77)
    )
    paths = []
    for number, dataset in enumerate(made):
        written = io.BytesIO()
        dataset.save_as(written, enforce_file_format=True)
        paths.append(folder / f"{number}.dcm")
        paths[-1].write_bytes(written.getvalue())
    (folder / "cut.dcm").write_bytes(paths[0].read_bytes()[:600])
    (folder / "bad.dcm").write_bytes(b"\0" * 500)
    return [*paths, folder / "cut.dcm", folder / "bad.dcm"]
