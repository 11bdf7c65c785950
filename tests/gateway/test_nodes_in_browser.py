"""Nodes in Chromium: made, tested, asked, pulled from and sent to, by a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from rounds_hub.gateway import dispatching, fetching, pulling, sending
from rounds_hub.portal.build import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

    Visit = Callable[[str, str], Page]

pytestmark = pytest.mark.browser

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
SECONDS = 30_000


@pytest.fixture
def visit(chromium: str, service_url: str) -> Iterator[Visit]:
    """Return a function that opens a page as somebody; nothing may be complained of."""
    build()
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)

        def open_page(who: str, path: str) -> Page:
            context = browser.new_context(
                base_url=service_url,
                extra_http_headers={"x-person": f"{who} {who}", "x-cookie": "1"},
                locale="en-GB",
                viewport={"width": 1280, "height": 800},
            )
            context.set_default_timeout(SECONDS)
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            page = context.new_page()
            page.goto(path)
            return page

        yield open_page
        browser.close()
    assert complaints == []


@pytest.fixture
def nodes(
    house: House, remote: Callable[..., Any], second: Callable[..., Any]
) -> tuple[Any, Any]:
    """Return an archive and a receiver that the house knows."""
    far, desk = remote(), second()
    far.known_to(house)
    desk.known_to(house)
    return far, desk


def test_a_node_is_made_by_keyboard_and_its_connection_tested(
    visit: Visit, receiver: Callable[..., Any]
) -> None:
    desk, page = receiver(), visit("admin", "nodes/new")
    page.get_by_label("Name", exact=True).fill("desk")
    page.get_by_label("AE title").fill("DESK\\1")
    page.get_by_label("Host").fill("127.0.0.1")
    page.get_by_label("Port").fill(str(desk.record.port))
    page.keyboard.press("Enter")
    expect(page.locator("#problem-ae_title")).to_contain_text("no backslash")
    expect(page.get_by_label("AE title")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("AE title").fill("DESK")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("button", name="Test connection").press("Enter")
    expect(page.get_by_text(re.compile(r"answered in [\d.,]+ ms"))).to_be_visible()


def test_a_study_is_asked_for_pulled_and_sent_on(
    house: House, doctor: Principal, visit: Visit, nodes: tuple[Any, Any]
) -> None:
    desk = nodes[1]
    page = visit("doctor", "remote")
    page.get_by_label("Node", exact=True).select_option("remote")
    page.get_by_label("Patient's name").fill("PHANTOM")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("2 studies at remote")).to_be_visible()
    page.get_by_role("button", name="Pull this study").first.click()
    page.wait_for_url(re.compile("/pulls/"))
    fetching.fetch(house, pulling.list_pulls(house, doctor)[0].id)
    page.get_by_role("link", name="Open the study").click()
    page.get_by_text("Send to…").click()
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_url(re.compile("/sendings/"))
    found = sending.list_sendings(house, doctor)[0]
    assert dispatching.attempt(house, sending.workflow_key(found)) == "done"
    expect(page.get_by_role("status").first).to_contain_text("done")
    assert len(desk.files()) == 4
