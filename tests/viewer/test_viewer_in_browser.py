"""OHIF in Chromium, in a whole house: a case, its mask, its planes, a measurement."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from tests.viewer.conftest import Lungs, Watch

pytestmark = [pytest.mark.browser, pytest.mark.hub, pytest.mark.xdist_group("demo")]

SERVICE = "services/rounds/"
PANE = "[data-cy=viewport-pane]"
PATIENCE = 60


@pytest.fixture(scope="module")
def viewer(doctor: Page, lungs: Lungs) -> Page:
    """Return the viewer, opened from the page of the case by its button."""
    doctor.goto(f"{SERVICE}cases/{lungs.case_id}")
    doctor.get_by_role("link", name="Open in viewer").click()
    doctor.wait_for_url(re.compile("/services/rounds/ohif/viewer"))
    doctor.locator("canvas").first.wait_for()
    return doctor


def pixels(page: Page, pane: int = 0) -> npt.NDArray[np.int16]:
    """Return what a pane of the viewer shows, (rows, columns, 3), without its rim."""
    shot = page.locator(PANE).nth(pane).screenshot()
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    return np.asarray(picture)[120:-80, 60:-60].astype(np.int16)


def until(page: Page, holds: Callable[[], bool], seconds: int = PATIENCE) -> bool:
    """Return whether *holds* becomes true in time."""
    for _ in range(seconds * 4):
        if holds():
            return True
        page.wait_for_timeout(250)
    return False


def is_grey(page: Page, pane: int = 0) -> bool:
    """Return whether a pane shows a picture in many greys."""
    shown = pixels(page, pane)
    alike = (np.ptp(shown, axis=2) < 8).mean() > 0.4
    return bool(alike and shown.std() > 20 and len(np.unique(shown)) > 60)


def coloured(page: Page) -> float:
    """Return which part of the first pane is in colour."""
    return float((np.ptp(pixels(page), axis=2) > 40).mean())


def test_one_click_opens_exactly_the_series_of_the_case(
    viewer: Page, lungs: Lungs
) -> None:
    named = re.search(r"SeriesInstanceUIDs=([\d.,]+)", viewer.url)
    assert named is not None
    uids = named.group(1).split(",")
    assert (uids[0], len(uids)) == (lungs.series_uid, 3)
    expect(viewer.locator("[data-cy=study-browser-thumbnail]")).to_have_count(1)
    expect(viewer.locator("[data-cy=study-browser-thumbnail-no-image]")).to_have_count(
        2
    )


def test_the_ct_is_drawn(viewer: Page) -> None:
    assert until(viewer, lambda: is_grey(viewer))


def test_the_mask_of_the_run_lies_over_it_in_colour(viewer: Page) -> None:
    assert until(viewer, lambda: coloured(viewer) > 0.15)


def test_the_viewer_bears_our_name_and_leads_back(viewer: Page) -> None:
    assert viewer.title() == "Rounds"
    expect(viewer.get_by_role("link", name="Rounds")).to_be_visible()
    assert not viewer.get_by_text("investigational", exact=False).count()


def test_a_length_is_saved_and_stands_on_the_case(viewer: Page, lungs: Lungs) -> None:
    viewer.locator("[data-cy=trackedMeasurements-btn]").click()
    ask_for_report(viewer)
    viewer.get_by_placeholder("Report name").fill("Width of a lung")
    with viewer.expect_response(lambda one: one.request.method == "POST") as stored:
        viewer.get_by_role("button", name="Save", exact=True).click()
    assert stored.value.status == 200
    row = viewer.get_by_text("Width of a lung").first
    expect(row).to_be_visible()
    # The arrow leads back; the name beside it leads home.
    arrow = viewer.locator("[data-cy=return-to-work-list] svg").first
    arrow.click()
    viewer.wait_for_url(re.compile(f"/cases/{lungs.case_id}"))
    expect(viewer.locator("#saved")).to_contain_text("Width of a lung")


def measure(page: Page) -> None:
    """Draw a length across the first pane, again where a slow machine lost a click."""
    row = page.locator("[data-cy^=measurement-table-row]").first
    for _ in range(3):
        page.locator("[data-cy=MeasurementTools-split-button-primary]").click()
        box = page.locator(PANE).first.bounding_box()
        assert box is not None
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.click(middle[0] - 150, middle[1] - 40, delay=50)
        page.mouse.move(middle[0] + 120, middle[1] + 40, steps=8)
        page.mouse.click(middle[0] + 120, middle[1] + 40, delay=50)
        if until(page, row.is_visible, seconds=8):
            return
    pytest.fail("no length was drawn")


def ask_for_report(page: Page) -> None:
    """Measure and ask for a report; OHIF reports what it followed from its first point.

    It begins to follow a series at its first measurement, a little late at times.
    """
    name = page.get_by_placeholder("Report name")
    for _ in range(4):
        measure(page)
        page.get_by_role("button", name="Create SR").click()
        if until(page, name.is_visible, seconds=4):
            return
    pytest.fail("no report could be made")


def test_the_saved_length_is_drawn_again(viewer: Page) -> None:
    viewer.locator("#saved").get_by_role("link", name="Width of a lung").click()
    viewer.locator("canvas").first.wait_for()
    length = viewer.get_by_text(re.compile(r"^\d+(\.\d+)? mm$")).first
    expect(length).to_be_attached()


def test_three_planes_cut_the_volume(viewer: Page) -> None:
    viewer.locator("[data-cy=Layout]").first.click()
    viewer.locator("[data-cy=MPR]").click()
    expect(viewer.locator(PANE)).to_have_count(3)
    assert until(viewer, lambda: all(is_grey(viewer, pane) for pane in range(3)))


def test_the_report_of_a_result_is_read_as_text(viewer: Page, lungs: Lungs) -> None:
    viewer.goto(f"{SERVICE}runs/{lungs.run_id}")
    viewer.get_by_role("link", name="Open in viewer").click()
    report = viewer.locator("[data-cy=study-browser-thumbnail-no-image]")
    report.filter(has_text="SR").dblclick()
    expect(viewer.get_by_text("Imaging Measurement Report")).to_be_visible()
    expect(viewer.get_by_text(re.compile("^[0-9.]+ ml$")).first).to_be_visible()


def test_nothing_was_asked_elsewhere_missing_or_wrong(
    viewer: Page, watch: Watch
) -> None:
    assert any("/dicomweb/" in url for url in watch.asked)
    assert (viewer.url != "", watch.complaints) == (True, [])
