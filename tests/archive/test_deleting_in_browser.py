"""A study deleted by a person in Chromium, found by an administrator, and undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.conftest import person

from rounds_hub.archive.service import Offer, store
from rounds_hub.portal.build import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from rounds_hub.house import House

pytestmark = pytest.mark.browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
STUDY = "1.2.826.0.1.3680043.10.1338.1"


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    build()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


def visit(browser: Browser, url: str, who: str) -> Page:
    headers = {"x-person": f"{who} {who}", "x-cookie": "1"}
    context = browser.new_context(extra_http_headers=headers, locale="en-GB")
    page = context.new_page()
    page.goto(url)
    return page


def test_a_study_is_deleted_with_a_reason_and_brought_back(
    browser: Browser, house: House, service_url: str, instance: Callable[..., bytes]
) -> None:
    store(house, person("doctor"), [Offer("slice", instance(1))])
    page = visit(browser, f"{service_url}studies/{STUDY}", "doctor")
    page.locator("summary", has_text="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator("#delete-reason:invalid")).to_be_visible()
    page.get_by_label("Why it is deleted").fill("Sent twice")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").first).to_contain_text("It can be undone until")
    admin = visit(browser, f"{service_url}archive", "admin")
    expect(admin.locator("li", has_text="Sent twice")).to_contain_text("doctor")
    admin.get_by_role("button", name="Undo").click()
    expect(admin.get_by_role("heading", name="Thorax")).to_be_visible()
