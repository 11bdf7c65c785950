"""A route in Chromium, from the form to what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from rounds_hub.routing import completeness
from rounds_hub.routing.workflow import RouteWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser


def test_a_route_is_written_tried_fired_and_followed(
    visit: Visit, house: House
) -> None:
    page = visit("admin", "routes/new")
    page.get_by_label("Name", exact=True).fill("Chests")
    field = page.get_by_role("combobox", name="this condition is true")
    field.press_sequentially('Modality == "CT" and SeriesDescr')
    expect(page.get_by_role("option", selected=True)).to_contain_text("text")
    field.press("Enter")
    expect(field).to_have_value('Modality == "CT" and SeriesDescription')
    expect(page.get_by_text("compare it with a value")).to_be_visible()
    field.press_sequentially(' like "*thorax*"')
    expect(page.get_by_text("True for 1 of the newest series")).to_be_visible()

    page.get_by_role("button", name="Run a template").click()
    page.get_by_label("Template").select_option(label="Lung volume and density")
    expect(page.get_by_label("Threshold (HU)", exact=True)).to_have_value("-400")
    page.get_by_role("button", name="Label", exact=True).click()
    page.get_by_label("Word").fill("chest")
    page.get_by_role("button", name="Remove this action").first.click()
    page.get_by_role("button", name="Save the route").click()
    expect(page.get_by_role("link", name="Chests")).to_be_visible()

    house.settings.series_silence_seconds = 0
    work = RouteWork(house)
    assert [work.act(key) for key in completeness.look(house, set())] == ["done"]
    page.get_by_role("link", name="Activity").click()
    expect(page.get_by_text("done", exact=True)).to_be_visible()
    page.get_by_role("link", name="why").click()
    chests = page.locator("section.verdict", has_text="Chests")
    expect(chests.get_by_text("applies", exact=True)).to_be_visible()
    expect(chests.get_by_text("on this content already: done")).to_be_visible()


def test_a_route_that_cannot_be_saved_says_why_and_keeps_what_was_written(
    visit: Visit,
) -> None:
    page = visit("admin", "routes/new")
    page.get_by_label("Name", exact=True).fill("Wrong")
    page.get_by_role("combobox", name="this condition is true").fill('Modalty == "CT"')
    page.get_by_role("button", name="Hold for de-identification").click()
    page.get_by_label("Reason").fill("Names.")
    page.get_by_role("button", name="Save the route").click()
    expect(page.get_by_role("alert")).to_contain_text("Did you mean Modality")
    expect(page.get_by_label("Reason")).to_have_value("Names.")


def test_nobody_else_is_offered_routes(visit: Visit) -> None:
    page = visit("doctor", "studies")
    expect(page.get_by_role("link", name="Routes")).to_have_count(0)
