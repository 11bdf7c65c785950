"""Looking at pictures in Chromium, by mouse and by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser


@pytest.fixture
def page(visit: Visit, chest: str) -> Page:
    """Return the case of a chest, its first picture on the screen."""
    opened = visit("student", f"cases/{chest}")
    expect(opened.locator("[data-where]")).to_contain_text("slice 7 / 12")
    expect(opened.locator("[data-level]")).to_contain_text("W")
    return opened


def where(page: Page) -> str:
    return page.locator("[data-where]").inner_text()


def picture(page: Page) -> str:
    return page.locator(".viewer .screen img").get_attribute("src") or ""


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        pytest.param("ArrowDown", "slice 8 / 12", id="down is the next"),
        pytest.param("ArrowUp", "slice 6 / 12", id="up is the one before"),
        pytest.param("End", "slice 12 / 12", id="end is the last"),
        pytest.param("Home", "slice 1 / 12", id="home is the first"),
        pytest.param("PageDown", "slice 12 / 12", id="ten further stops at the last"),
    ],
)
def test_keys_scroll_through_the_slices(page: Page, key: str, shown: str) -> None:
    before = picture(page)
    page.keyboard.press(key)
    expect(page.locator("[data-where]")).to_contain_text(shown)
    expect(page.locator(".viewer .screen img")).not_to_have_attribute("src", before)


def test_the_wheel_scrolls_and_the_page_stays(page: Page) -> None:
    page.locator(".viewer .screen").hover()
    page.mouse.wheel(0, 120)
    expect(page.locator("[data-where]")).not_to_contain_text("slice 7 / 12")
    assert page.evaluate("window.scrollY") == 0


def test_the_slider_scrolls(page: Page) -> None:
    page.locator("[data-slices] input").fill("2")
    expect(page.locator("[data-where]")).to_contain_text("slice 3 / 12")


def test_w_goes_through_the_windows(page: Page) -> None:
    page.keyboard.press("w")
    expect(page.locator("[data-level]")).to_have_text("W 400 L 40")
    page.keyboard.press("w")
    expect(page.locator("[data-level]")).to_have_text("W 1500 L -600")
    expect(page.locator("[data-windows]")).to_have_value("2")


def test_a_right_drag_sets_the_window(page: Page) -> None:
    before = page.locator("[data-level]").inner_text()
    page.locator(".viewer .screen").hover()
    page.mouse.down(button="right")
    page.mouse.move(300, 500, steps=4)
    page.mouse.up(button="right")
    expect(page.locator("[data-level]")).not_to_have_text(before)


def test_letters_say_how_the_picture_lies(page: Page) -> None:
    letters = [page.locator(f".letter.{side}").inner_text() for side in "nswe"]
    assert letters == ["A", "P", "R", "L"]


def test_p_cuts_the_volume_in_another_plane(page: Page) -> None:
    page.keyboard.press("p")
    expect(page.locator("[data-what]")).to_contain_text("coronal")
    expect(page.locator(".letter.n")).to_have_text("H")
    expect(page.locator("[data-where]")).to_contain_text("/ 48")


def test_plus_magnifies_and_zero_is_as_it_was(page: Page) -> None:
    page.keyboard.press("+")
    expect(page.locator("[data-zoom]")).to_contain_text("zoom 1.3")
    page.keyboard.press("0")
    expect(page.locator("[data-zoom]")).to_have_text("")


def test_the_neighbours_are_there_before_they_are_asked_for(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = picture(page)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".viewer .screen img")).not_to_have_attribute("src", before)
    assert not [url for url in asked if "/frames/7.png" in url]


def test_s_goes_to_the_next_series(visit: Visit, two_series: str) -> None:
    page = visit("student", f"cases/{two_series}")
    expect(page.locator("[data-choose='0']")).to_have_attribute("aria-current", "true")
    page.keyboard.press("s")
    expect(page.locator("[data-choose='1']")).to_have_attribute("aria-current", "true")
    expect(page.locator("[data-what]")).to_contain_text("sphere")


def test_a_series_is_chosen_by_its_picture(visit: Visit, two_series: str) -> None:
    page = visit("student", f"cases/{two_series}")
    page.locator("[data-choose='1']").click()
    expect(page.locator("[data-what]")).to_contain_text("sphere")


def test_a_frame_that_does_not_come_says_so(visit: Visit, chest: str) -> None:
    page = visit("student", "about")
    page.route("**/frames/**", lambda route: route.fulfill(status=404))
    page.goto(f"cases/{chest}")
    expect(page.get_by_text("This frame could not be loaded.")).to_be_visible()


def test_typing_in_the_search_does_not_move_the_picture(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("ws")
    assert page.locator("#find").input_value() == "ws"
    assert where(page).startswith("slice 7")
