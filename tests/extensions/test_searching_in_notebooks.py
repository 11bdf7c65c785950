"""Search from a notebook: by words, pictures, slices and regions, and in a widget."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import rounds
from rounds.asking import example_of, png_of
from rounds.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from tests.extensions.conftest import Browser, Jupyter, ServedHouse

    from rounds.finder import Finder


@pytest.fixture
def student(served_house: ServedHouse, monkeypatch: pytest.MonkeyPatch) -> ServedHouse:
    """Make this process a notebook of a student."""
    served_house.as_person("student", monkeypatch)
    return served_house


def test_words_find_a_case_that_opens(student: ServedHouse) -> None:
    hits = rounds.search("emphysema", modality="CT")
    assert hits[0].open().id == student.chest
    assert hits[0].ranks["text"] == 1


def test_an_array_finds_the_case_that_it_is_of(student: ServedHouse) -> None:
    slice_ = rounds.open(student.chest).volume.array[24]
    found = rounds.search(picture=slice_)
    assert [hit.case_id for hit in found] == [student.chest]
    assert found[0].pairs[0]["leg"] == "picture"


def test_a_file_asks_as_its_bytes_do(student: ServedHouse, tmp_path: Path) -> None:
    png = rounds.open(student.chest).series[0].slice_png(24)
    (tmp_path / "slice.png").write_bytes(png)
    for picture in (png, tmp_path / "slice.png", str(tmp_path / "slice.png")):
        assert rounds.search(picture=picture).total == 1


def test_a_case_is_not_like_itself(student: ServedHouse) -> None:
    case = rounds.open(student.chest)
    assert rounds.search(like=case).total == 0
    assert rounds.search(like=case.id).total == 0


def test_a_slice_and_a_region_find_the_like(student: ServedHouse) -> None:
    series = rounds.open(student.chest).series[0]
    region = (20, 20, 70, 70)
    found = rounds.search(like=series, slice=24, region=region)
    assert found[0].ranks == {"region": 1}
    assert rounds.search(like=student.series, slice=24)[0].ranks == {"picture": 1}


def test_words_and_a_picture_go_together(student: ServedHouse) -> None:
    array = rounds.open(student.chest).volume.array[24]
    hit = rounds.search("emphysema", picture=array, body_part="chest")[0]
    assert hit.ranks == {"text": 1, "picture": 1}


@pytest.mark.usefixtures("student")
def test_a_hit_has_its_picture() -> None:
    assert rounds.search("emphysema")[0].thumbnail.startswith(b"\x89PNG")


def test_a_hidden_case_is_no_example(student: ServedHouse) -> None:
    with pytest.raises(NotFoundError):
        rounds.search(like=student.hidden)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        pytest.param(np.zeros((4, 9, 9)), "Of a volume take a slice", id="a volume"),
        pytest.param(np.ones((9, 9)), "of one grey", id="one grey"),
        pytest.param(np.full((9, 9), np.nan), "of one grey", id="no number"),
        pytest.param(np.array([["a"]]), "A picture has", id="words"),
        pytest.param("/nowhere/x.png", "no file 'x.png'", id="no file"),
        pytest.param(b"x" * (17 << 20), "at most 16 MiB", id="too much"),
    ],
)
def test_what_is_no_picture_is_refused_before_it_is_sent(
    picture: object, words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        png_of(picture)  # type: ignore[arg-type] # what a person might give


def test_a_region_needs_its_slice() -> None:
    with pytest.raises(RefusedError, match="needs the slice"):
        example_of("1.2.3", region=(1, 2, 30, 40))


def test_a_polygon_is_sent_as_one() -> None:
    told = example_of("1.2.3", 4, [(1, 2), (30, 4), (5, 60)])
    assert told["polygon"] == [[1.0, 2.0], [30.0, 4.0], [5.0, 60.0]]


def press(finder: Finder, words: str) -> None:
    """Press the first button of *finder* that says *words*."""
    waiting = [finder]
    while waiting:
        part = waiting.pop(0)
        if getattr(part, "description", "") == words and hasattr(part, "click"):
            part.click()
            return
        waiting += getattr(part, "children", ())
    pytest.fail(f"No button {words!r}.")


@pytest.mark.usefixtures("student")
def test_a_widget_shows_hits_and_counts() -> None:
    finder = rounds.explore("emphysema")
    assert "1 of 1 found" in finder.status.value
    assert len(finder.gallery.children) == 1
    assert ("CT (1)", "CT") in finder.facets["modality"].options


@pytest.mark.usefixtures("student")
def test_a_facet_narrows_what_is_shown() -> None:
    finder = rounds.explore("emphysema")
    finder.facets["body_part"].value = "chest"
    assert "1 of 1 found" in finder.status.value


@pytest.mark.usefixtures("student")
def test_a_title_is_shown_as_it_is() -> None:
    card = rounds.explore("emphysema").gallery.children[0]
    assert "Emphysema &lt;b&gt;of&lt;/b&gt;" in card.children[1].value


def test_a_hit_opens_from_the_widget(student: ServedHouse) -> None:
    finder = rounds.explore("emphysema")
    press(finder, "Open")
    assert finder.case.id == student.chest


@pytest.mark.usefixtures("student")
def test_slices_are_scrolled_and_a_region_is_searched() -> None:
    finder = rounds.explore("emphysema")
    press(finder, "Look")
    first = finder.canvas.png
    finder.slider.value = 10
    assert finder.canvas.png != first
    assert finder.canvas.size == [96, 96]
    finder.canvas.region = [20.0, 20.0, 70.0, 70.0]
    press(finder, "Like this region")
    assert "found like the region" in finder.status.value
    press(finder, "Only words")
    assert "like" not in finder.status.value


@pytest.mark.usefixtures("student")
def test_a_region_that_is_not_drawn_is_asked_for() -> None:
    finder = rounds.explore("emphysema")
    press(finder, "Look")
    press(finder, "Like this region")
    assert "Draw a rectangle" in finder.status.value


@pytest.mark.usefixtures("student")
def test_trouble_is_said_in_the_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = rounds.explore("emphysema")
    monkeypatch.setenv("ROUNDS_URL", "http://127.0.0.1:9/")
    press(finder, "Search")
    assert "cannot be reached" in finder.status.value
    assert len(finder.gallery.children) == 1


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_a_region_is_drawn_in_a_notebook(jupyter: Jupyter, browser: Browser) -> None:
    jupyter.write("find.ipynb", 'import rounds\nrounds.explore("emphysema")')
    page = browser.open(f"{jupyter.url}lab/tree/find.ipynb?token={jupyter.token}")
    browser.run_all(page)
    page.get_by_role("button", name="Look", exact=True).click(timeout=120_000)
    canvas = page.locator(".rounds-slice canvas")
    canvas.wait_for(timeout=60_000)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    page.mouse.move(x + width * 0.2, y + height * 0.3)
    page.mouse.down()
    page.mouse.move(x + width * 0.6, y + height * 0.7, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Like this region", exact=True).click()
    page.get_by_text("found like the region").wait_for(timeout=120_000)
    if kept := os.environ.get("ROUNDS_SCREENSHOTS"):
        page.screenshot(path=str(Path(kept) / "finder.png"))
    assert browser.complaints == []
    assert browser.elsewhere == []
