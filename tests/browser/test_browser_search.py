"""The page of cases in Chromium: pictures that scroll, chips, drops, kept searches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser

SMALL = {"viewport": {"width": 360, "height": 740}}
DROP = """([type, name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type }));
  const how = { bubbles: true, cancelable: true, dataTransfer: data };
  document.body.dispatchEvent(new DragEvent("drop", how));
}"""
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def drop(page: Page, content: bytes, name: str = "slice.png") -> None:
    """Drop a file on the page, as from a folder of the desktop."""
    page.evaluate(DROP, ["image/png", name, list(content)])


def slice_of(page: Page, number: int) -> bytes:
    """Return a slice of the first hit that has some, as a picture."""
    frames = page.locator("[data-slices]").first.get_attribute("data-slices")
    return page.request.get(f"{frames}{number}.png").body()


def place(page: Page) -> str:
    return page.locator("[data-place]").first.inner_text()


def test_a_thumbnail_scrolls_under_the_mouse_and_comes_back(visit: Visit) -> None:
    page = visit("student", "cases?q=shadow")
    screen = page.locator("[data-slices] .screen").first
    box = screen.bounding_box()
    assert box is not None
    assert place(page) == "7/12"
    page.mouse.move(box["x"] + 3, box["y"] + 20)
    expect(page.locator("[data-place]").first).to_have_text("1/12")
    expect(screen.locator("img")).to_have_attribute("src", re.compile("^blob:"))
    page.mouse.move(2, 2)
    expect(page.locator("[data-place]").first).to_have_text("7/12")


def test_a_thumbnail_scrolls_by_arrows_and_by_its_slider(visit: Visit) -> None:
    page = visit("student", "cases?q=shadow")
    page.locator("a.hit").first.focus()
    page.keyboard.press("ArrowRight")
    assert place(page) == "8/12"
    page.keyboard.press("Tab")
    slider = page.get_by_role("slider", name="Slices of Shadow in the lung")
    expect(slider).to_be_focused()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "12/12")
    assert place(page) == "12/12"


def test_words_are_completed_while_they_are_typed(visit: Visit) -> None:
    page = visit("student", "runs")
    page.keyboard.press("/")
    page.keyboard.type("shad")
    field = page.get_by_role("combobox", name="Find cases")
    expect(page.get_by_role("option").first).to_contain_text("shadow")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "completion-0")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=shadow"))
    expect(page.locator("a.hit b").first).to_contain_text("Shadow")


def test_an_expansion_is_taken_out_and_brought_back(visit: Visit) -> None:
    page = visit("student", "cases?q=lung")
    out = page.get_by_role("link", name=re.compile("Search without")).first
    word = (out.inner_text()).removeprefix("= ").strip()
    out.click()
    expect(page).to_have_url(re.compile("without="))
    expect(page.locator("#count")).to_be_focused()
    back = page.get_by_role("link", name=f"Search with {word} again")
    back.click()
    expect(page).not_to_have_url(re.compile("without="))


def test_a_dropped_picture_stays_with_every_change_and_after_a_reload(
    visit: Visit,
) -> None:
    page = visit("student", "cases")
    drop(page, slice_of(page, 6))
    asked = page.get_by_role("region", name="The picture that is asked with")
    expect(asked).to_contain_text("slice.png")
    page.get_by_role("link", name="List").click()
    expect(page).to_have_url(re.compile("picture=slice.png&view=list"))
    expect(page.locator(".pairs img").first).to_be_attached()
    page.locator("#find").fill("shadow")
    page.keyboard.press("Enter")
    expect(page.locator("a.hit .why").first).to_have_text(
        re.compile(r"text 1 · picture \d")
    )
    page.reload()
    expect(asked).to_contain_text("slice.png")
    page.get_by_role("link", name="Without the picture").click()
    expect(asked).to_have_count(0)


def test_what_is_no_picture_is_refused_on_the_page_itself(visit: Visit) -> None:
    page = visit("student", "cases?q=shadow")
    drop(page, b"no picture at all", "notes.png")
    expect(page.get_by_role("alert")).to_contain_text("One PNG or JPEG")
    expect(page.locator("#find")).to_have_value("shadow")
    expect(page.get_by_role("button", name="Search by picture")).to_be_visible()


def test_a_region_is_drawn_by_keys_and_found(visit: Visit, chest: str) -> None:
    page = visit("student", f"cases/{chest}")
    expect(page.locator("[data-where]")).to_contain_text("slice 7 / 12")
    page.keyboard.press("l")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[data-region-pad]")).to_be_focused()
    for key in ("ArrowRight", "ArrowLeft", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(r"series=[0-9.]+&slice=6&region=13"))
    expect(page.locator("a.hit .why").first).to_contain_text("region 1")
    expect(page.locator("a.hit b").first).to_contain_text("Shadow in the lung")


def test_a_search_is_kept_renamed_removed_and_brought_back(visit: Visit) -> None:
    page = visit("doctor", "cases?q=shadow&modality=CT")
    page.get_by_text("Save search").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("shadow, CT")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="shadow, CT")).to_be_visible()
    page.get_by_label("Rename «shadow, CT»").click()
    page.locator("section.kept input[name=name]").fill("Shadows")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove «Shadows»").click()
    expect(page.get_by_role("link", name="Shadows")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="Shadows").click()
    expect(page).to_have_url(re.compile(r"cases\?q=shadow&modality=CT"))


def test_words_and_facets_work_without_scripts(visit: Visit) -> None:
    page = visit("student", "cases?q=shadow", java_script_enabled=False)
    page.get_by_role("checkbox", name=re.compile("CT")).check()
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile(r"q=shadow.*|modality=CT"))
    expect(page.locator("a.hit")).to_have_count(1)
    page.locator("#find").fill("headache")
    page.locator("#find").press("Enter")
    expect(page).to_have_url(re.compile("q=headache"))


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_a_search_with_a_picture_fits_a_small_screen(
    visit: Visit, chest: str, locale: str
) -> None:
    page = visit("doctor", f"cases?like={chest}&q=a", locale=locale, **SMALL)
    expect(page.locator("[data-asked]")).to_be_visible()
    assert page.evaluate(WIDER) is False
    page.goto("searches")
    assert page.evaluate(WIDER) is False
