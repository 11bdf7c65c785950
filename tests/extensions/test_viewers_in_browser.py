"""Both viewers draw in JupyterLab and in Notebook, and nothing leaves the machine."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from tests.extensions.conftest import Browser, Jupyter, ServedHouse

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PHANTOM = """\
from rounds.viewers import view
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

chest = phantoms.thorax(Grid((40, 96, 96), (7.0, 4.0, 4.0)))
mask = chest.masks["lungs"]
"""
PLANES = 'shown = view(chest.volume, overlay=mask, title="Chest")\nshown'
ITK = 'shown = view(chest.volume, engine="itk")\nshown.mode = "z"\nshown'
"""One plane: rendering takes minutes where there is no graphics card."""

PLACES = [
    pytest.param("lab/tree/", id="JupyterLab"),
    pytest.param("notebooks/", id="Notebook"),
]


def run(jupyter: Jupyter, browser: Browser, place: str, *cells: str) -> Page:
    """Open a notebook of *cells* at *place* and run it."""
    jupyter.write("chest.ipynb", *cells)
    page = browser.open(f"{jupyter.url}{place}chest.ipynb?token={jupyter.token}")
    browser.run_all(page)
    return page


def drawn(shown: Locator) -> bool:
    """Return whether the middle of the picture is dark with something grey in it."""
    png = shown.screenshot(timeout=120_000)
    grey = np.asarray(Image.open(io.BytesIO(png)).convert("L"), np.float64)
    rows, columns = grey.shape
    middle = grey[rows // 5 : rows * 4 // 5, columns // 2 : columns * 4 // 5]
    return bool((middle < 40).mean() > 0.1 and (middle > 90).mean() > 0.05)


def wait_until_drawn(shown: Locator, seconds: float = 120) -> None:
    """Wait for the picture; a machine without a graphics card takes its time."""
    shown.wait_for(timeout=seconds * 1000)
    until = time.monotonic() + seconds
    while not drawn(shown):
        assert time.monotonic() < until, "the picture stayed empty"
        time.sleep(1)


@pytest.mark.parametrize("place", PLACES)
def test_three_planes_are_drawn_without_the_internet(
    jupyter: Jupyter, browser: Browser, place: str
) -> None:
    page = run(jupyter, browser, place, PHANTOM, PLANES)
    wait_until_drawn(page.locator(".jp-OutputArea canvas").first)
    assert (browser.elsewhere, browser.complaints) == ([], [])


@pytest.mark.parametrize("place", PLACES)
def test_itkwidgets_draw_without_the_internet(
    jupyter: Jupyter, browser: Browser, place: str
) -> None:
    page = run(jupyter, browser, place, PHANTOM, ITK)
    page.locator(".jp-OutputArea canvas").first.wait_for(timeout=120_000)
    wait_until_drawn(page.locator(".jp-OutputArea-output").last)
    assert (browser.elsewhere, browser.complaints) == ([], [])


def test_a_click_and_a_slider_meet_at_one_place(
    jupyter: Jupyter, browser: Browser
) -> None:
    page = run(jupyter, browser, "lab/tree/", PHANTOM, PLANES)
    canvas = page.locator(".jp-OutputArea canvas").first
    wait_until_drawn(canvas)
    before = page.locator("[role=status]").last.inner_text()
    box: Any = canvas.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 8, box["y"] + box["height"] / 2)
    page.wait_for_function(
        "before => [...document.querySelectorAll('[role=status]')].pop()"
        ".innerText !== before",
        arg=before,
    )
    slider = page.locator(".jupyter-widgets [role=slider]").first
    patients_right = float(slider.get_attribute("aria-valuenow") or 0)
    assert patients_right > 52  # the left of the picture, as radiologists hang it


def test_nobody_is_asked_about_news(jupyter: Jupyter, browser: Browser) -> None:
    page = run(jupyter, browser, "lab/tree/", "1 + 1")
    page.wait_for_timeout(3000)
    assert page.get_by_text("Would you like to").count() == 0


def test_a_case_opens_in_a_notebook_and_is_drawn(
    jupyter: Jupyter, browser: Browser, served_house: ServedHouse
) -> None:
    address = f"{jupyter.url}rounds/open?case={served_house.chest}"
    page = browser.open(f"{address}&token={jupyter.token}")
    browser.run_all(page)
    wait_until_drawn(page.locator(".jp-OutputArea canvas").first)
    assert page.get_by_alt_text("Thumbnail of Emphysema").is_visible()
    assert (browser.elsewhere, browser.complaints) == ([], [])


@pytest.mark.parametrize("place", PLACES)
def test_a_case_notebook_leads_back_to_its_case(
    jupyter: Jupyter, browser: Browser, served_house: ServedHouse, place: str
) -> None:
    opened = jupyter.get("rounds/open", case=served_house.chest)
    name = opened.headers["location"].removeprefix("/lab/tree/")
    page = browser.open(f"{jupyter.url}{place}{name}?token={jupyter.token}")
    link = page.get_by_role("link", name="Case in Rounds")
    link.wait_for(timeout=60_000)
    address = link.get_attribute("href")
    assert address == f"/services/rounds/cases/{served_house.chest}"


GROWING = """\
import tempfile, time
from pathlib import Path
from rounds.growing import grow
from rounds_kernels.volumes import open_volume, write_volume

folder = Path(tempfile.mkdtemp())
write_volume(chest.volume, folder)

def rest():
    time.sleep(2)
    return chest.volume

shown = grow(view(open_volume(folder, 1), title="Chest"), rest)
shown"""


def test_a_coarse_copy_is_drawn_and_then_all_of_it(
    jupyter: Jupyter, browser: Browser
) -> None:
    page = run(jupyter, browser, "lab/tree/", PHANTOM, GROWING)
    page.get_by_text(
        "96 \N{MULTIPLICATION SIGN} 96 \N{MULTIPLICATION SIGN} 40"
    ).wait_for(timeout=120_000)
    wait_until_drawn(page.locator(".jp-OutputArea canvas").first)
    assert (browser.elsewhere, browser.complaints) == ([], [])
