"""Finding, reading and writing cases in Chromium, by keyboard, small and dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Callable

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser

PATHS = (
    "",
    "cases",
    "cases/{chest}",
    "cases/{chest}/edit",
    "runs",
    "studies",
    "import",
)
SMALL = {"viewport": {"width": 360, "height": 740}}


def test_a_case_is_found_and_opened_by_keyboard_alone(visit: Visit) -> None:
    page = visit("student")
    page.keyboard.press("/")
    page.keyboard.type("shadow")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("hit"))).to_be_visible()
    hit = page.locator("a.hit").first
    for _ in range(40):
        page.keyboard.press("Tab")
        if hit.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Shadow in the lung")).to_be_visible()


def test_the_first_tab_offers_to_skip_to_the_content(visit: Visit) -> None:
    page = visit("student", "cases")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_what_has_the_focus_is_outlined(visit: Visit) -> None:
    page = visit("student", "cases")
    for _ in range(3):
        page.keyboard.press("Tab")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_a_facet_narrows_at_once_and_keeps_the_focus(visit: Visit) -> None:
    page = visit("student", "cases")
    page.get_by_role("checkbox", name=re.compile("CT")).focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile(r"modality=CT"))
    expect(page.locator("a.hit b", has_text="Headache")).to_have_count(0)
    expect(page.locator("a.hit b", has_text="Shadow")).to_have_count(1)
    expect(page.get_by_role("checkbox", name=re.compile("CT"))).to_be_focused()
    expect(page.locator(".htmx-settling, .htmx-request")).to_have_count(0)
    page.keyboard.press("Space")
    expect(page.locator("a.hit b", has_text="Headache")).to_have_count(1)
    expect(page.get_by_role("checkbox", name=re.compile("CT"))).to_be_visible()
    expect(page).not_to_have_url(re.compile(r"modality=CT"))
    expect(page.locator(".htmx-settling, .htmx-request")).to_have_count(0)
    page.go_back()
    expect(page.locator("a.hit b", has_text="Headache")).to_have_count(0)
    expect(page.locator("#find")).to_be_visible()


def test_what_narrows_is_folded_on_a_small_screen_until_opened(visit: Visit) -> None:
    page = visit("student", "cases", **SMALL)
    choice = page.get_by_role("checkbox", name=re.compile("CT"))
    expect(choice).to_be_hidden()
    page.get_by_text("Narrow down").click()
    choice.check()
    expect(page).to_have_url(re.compile("modality=CT"))
    expect(choice).to_be_visible()


def test_a_picture_is_searched_for_by_choosing_it(visit: Visit, chest: str) -> None:
    page = visit("student", f"cases/{chest}")
    source = page.locator(".viewer img").first.get_attribute("src")
    assert source is not None
    uid = page.locator("[data-viewer]").get_attribute("data-series") or ""
    series = re.search(r'"uid": "([0-9.]+)"', uid)
    assert series is not None
    shot = page.request.get(f"api/series/{series.group(1)}/frames/6.png").body()
    page.goto("cases")
    picture = {"name": "slice.png", "mimeType": "image/png", "buffer": shot}
    page.locator("#picture").set_input_files(picture)  # type: ignore[arg-type] # a payload
    expect(page.locator("a.hit").first).to_contain_text("Shadow in the lung")
    expect(page.locator("a.hit .why").first).to_contain_text("picture 1")
    page.get_by_role("checkbox", name=re.compile("CT")).check()
    expect(page.get_by_role("link", name="Remove CT")).to_be_visible()
    expect(page.get_by_role("region", name="asked with")).to_contain_text("slice.png")
    expect(page.locator("a.hit").first).to_contain_text("Shadow in the lung")


def test_a_picture_is_chosen_by_keyboard(visit: Visit) -> None:
    page = visit("student", "about")
    # Chromium has to know before the page is there that choosers are told of.
    page.on("filechooser", lambda chooser: chooser.set_files([]))
    page.goto("cases")
    page.get_by_role("button", name="Search by picture").focus()
    with page.expect_file_chooser():
        page.keyboard.press("Enter")


def test_h_shows_what_is_hidden_and_hides_it_again(visit: Visit, chest: str) -> None:
    page = visit("student", f"cases/{chest}")
    told = page.get_by_text("A round shadow.")
    expect(told).to_be_hidden()
    page.keyboard.press("h")
    expect(told).to_be_visible()
    expect(page.locator("#diagnosis b", has_text="A phantom")).to_be_visible()
    page.keyboard.press("h")
    expect(told).to_be_hidden()


def test_the_keys_are_told(visit: Visit) -> None:
    page = visit("student", "cases")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_a_menu_closes_by_escape_and_gives_the_focus_back(visit: Visit) -> None:
    page = visit("doctor", "cases")
    menu = page.get_by_label("Account of doctor")
    menu.click()
    expect(page.get_by_role("link", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Sign out")).to_be_hidden()
    expect(menu).to_be_focused()


def test_the_language_is_chosen_in_the_bar_and_stays(visit: Visit) -> None:
    page = visit("doctor", "cases")
    page.get_by_label("Language: English").click()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("link", name="病例", exact=True)).to_be_visible()
    page.goto("about")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")


def test_the_theme_is_chosen_in_the_bar_and_stays(visit: Visit) -> None:
    page = visit("doctor", "cases")
    page.get_by_label("Theme").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.goto("runs")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour == "rgb(14, 19, 24)"


def test_the_theme_follows_the_system_until_one_is_chosen(visit: Visit) -> None:
    page = visit("doctor", "cases", color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_nothing_is_wider_than_a_small_screen(
    visit: Visit, chest: str, path: str, locale: str
) -> None:
    page = visit("teacher", path.format(chest=chest), locale=locale, **SMALL)
    page.wait_for_load_state("networkidle")
    wider = (
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    assert page.evaluate(wider) is False


@pytest.mark.parametrize("path", ["cases", "cases/{chest}"])
def test_a_page_can_be_used_without_scripts(
    visit: Visit, chest: str, path: str
) -> None:
    page = visit("student", path.format(chest=chest), java_script_enabled=False)
    page.get_by_label("Theme").click()
    expect(page.get_by_role("button", name="Dark")).to_be_visible()


def test_motion_stops_where_less_is_asked_for(visit: Visit) -> None:
    page = visit("student", "cases", reduced_motion="reduce")
    page.evaluate(
        "document.body.insertAdjacentHTML("
        "'beforeend', '<p class=\"step now\"><i class=\"dot\"></i></p>')"
    )
    turning = "getComputedStyle(document.querySelector('.step .dot')).animationName"
    assert page.evaluate(turning) == "none"


def test_a_case_is_written_saved_and_published(visit: Visit) -> None:
    page = visit("teacher", "studies")
    page.get_by_role("button", name="Make a case").first.click()
    page.get_by_label("Title").first.fill("Written in a browser")
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    page.get_by_role("button", name="Add a code").click()
    page.get_by_label("Code", exact=True).fill("J43.9")
    page.get_by_label("Meaning").fill("Emphysema")
    page.get_by_label("Scheme").select_option("ICD10")
    page.get_by_label("Everyone who is signed in").check()
    page.get_by_role("button", name="Save and publish").click()
    expect(page.get_by_text("Published. Its audience finds it")).to_be_visible()
    page.keyboard.press("h")
    expect(page.get_by_role("link", name="Emphysema")).to_be_visible()


def test_what_is_wrong_is_said_and_what_was_written_stays(
    visit: Visit, chest: str
) -> None:
    page = visit("teacher", f"cases/{chest}/edit")
    page.get_by_label("History").first.fill("A long new story.")
    page.get_by_role("button", name="Add a code").click()
    page.get_by_label("Code", exact=True).fill("nonsense")
    page.get_by_label("Meaning").fill("Nothing")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be a code")
    expect(page.get_by_label("History").first).to_have_value("A long new story.")


def test_leaving_with_unsaved_words_is_asked_about(visit: Visit, chest: str) -> None:
    page = visit("teacher", f"cases/{chest}/edit")
    page.get_by_label("History").first.fill("Unsaved")
    asked: list[str] = []

    def answer(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined] # a dialog of Playwright
        dialog.dismiss()  # type: ignore[attr-defined] # as above

    page.on("dialog", answer)
    page.get_by_role("link", name="Runs").click(no_wait_after=True)
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    expect(page.get_by_label("History").first).to_have_value("Unsaved")


def test_the_template_menu_opens_by_r(visit: Visit, chest: str) -> None:
    page = visit("student", f"cases/{chest}")
    page.keyboard.press("r")
    expect(page.get_by_text("Lung volume")).to_be_visible()
