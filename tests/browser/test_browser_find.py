"""Finding in Chromium, in a whole house: Chinese words, a dropped picture, a region."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from rounds_hub.cli.demo_process import DemoHouse

pytestmark = [pytest.mark.browser, pytest.mark.hub]

SERVICE = "services/rounds/"
SECONDS = 30_000
SHOULDER = "Shoulder: coronal T1 anatomy"
BRAIN = "Normal brain on T1-weighted MRI"
DROP = """([name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  const how = { bubbles: true, cancelable: true, dataTransfer: data };
  document.body.dispatchEvent(new DragEvent("drop", how));
}"""


@pytest.fixture
def page(browser: Browser, demo: DemoHouse) -> Iterator[Page]:
    """Return the page of cases of a doctor, signed in by the hub's form."""
    context = browser.new_context(
        base_url=demo.url, locale="en-GB", viewport={"width": 1280, "height": 860}
    )
    context.set_default_timeout(SECONDS)
    opened = context.new_page()
    opened.goto(f"{SERVICE}cases")
    opened.get_by_label(re.compile("user", re.IGNORECASE)).fill("doctor")
    password = opened.get_by_label(re.compile("password", re.IGNORECASE))
    password.fill(demo.accounts["doctor"])
    password.press("Enter")
    opened.wait_for_url(re.compile("/services/rounds/cases"))
    yield opened
    context.close()


def test_words_in_chinese_find_an_english_case(page: Page) -> None:
    page.locator("#find").fill("肩关节 磁共振")
    page.locator("#find").press("Enter")
    first = page.locator("a.hit").first
    expect(first.locator("b")).to_have_text(SHOULDER, timeout=SECONDS)
    expect(first.locator(".why")).to_contain_text("text 1")
    expect(page.locator(".chip.also", has_text="shoulder").first).to_be_visible()


def test_a_picture_dropped_on_the_page_finds_its_like(page: Page) -> None:
    hit = page.locator(".hit-box", has_text=BRAIN)
    frames = hit.get_attribute("data-slices")
    sent = page.request.get(f"{demo_root(page)}{frames}95.png?size=300").body()
    page.evaluate(DROP, ["mine.png", list(sent)])
    expect(page.locator("[data-asked]")).to_contain_text("mine.png")
    expect(page.locator("a.hit b").first).to_have_text(BRAIN)
    expect(page.locator("a.hit .why").first).to_have_text("picture 1")
    page.locator("details.pairs summary").first.click()
    expect(page.locator(".pair img").nth(1)).to_be_visible()


def test_a_region_drawn_on_a_slice_finds_like_regions(page: Page) -> None:
    page.locator("a.hit", has_text=BRAIN).click()
    expect(page.locator("[data-where]")).to_contain_text("slice 95 / 189")
    page.get_by_text("Find like this", exact=True).click()
    page.get_by_role("button", name="A region of it").click()
    box = page.locator("[data-region-pad]").bounding_box()
    assert box is not None
    for number, part in enumerate((0.42, 0.58)):
        page.mouse.move(box["x"] + part * box["width"], box["y"] + part * box["height"])
        (page.mouse.up if number else page.mouse.down)()
    page.get_by_role("button", name="Find like this region").click()
    expect(page.locator("a.hit b").first).to_have_text(BRAIN)
    expect(page.locator("a.hit .why").first).to_contain_text("region 1")
    expect(page.locator(".region-box")).to_be_visible()


def demo_root(page: Page) -> str:
    """Return scheme and host of the house."""
    return "/".join(page.url.split("/")[:3])
