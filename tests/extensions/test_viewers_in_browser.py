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
    from tests.extensions.conftest import Browser, Jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PHANTOM = """\
from rounds.viewers import view
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

chest = phantoms.thorax(Grid((40, 96, 96), (7.0, 4.0, 4.0)))
mask = chest.masks["lungs"]
"""
PLANES = 'shown = view(chest.volume, overlay=mask, title="Chest")\nshown'
RENDERED = 'view(chest.volume, engine="itk")'
PLACES = [
    pytest.param("lab/tree/", id="JupyterLab"),
    pytest.param("notebooks/", id="Notebook"),
]


def run(jupyter: Jupyter, browser: Browser, place: str, *cells: str) -> Page:
    """Open a notebook of *cells* at *place* and run it."""
    jupyter.write("chest.ipynb", *cells)
    page = browser.open(f"{jupyter.url}{place}chest.ipynb?token={jupyter.token}")
    browser.run_all(page, len(cells))
    return page


def drawn(canvas: Locator) -> bool:
    """Return whether the picture is dark with something grey in it."""
    png = canvas.screenshot(timeout=180_000)
    grey = np.asarray(Image.open(io.BytesIO(png)).convert("L"), np.float64)
    return bool((grey < 40).mean() > 0.2 and (grey > 90).mean() > 0.02)


def wait_until_drawn(canvas: Locator, seconds: float = 240) -> None:
    """Wait for the picture; a machine without a graphics card takes its time."""
    canvas.wait_for(timeout=seconds * 1000)
    until = time.monotonic() + seconds
    while not drawn(canvas):
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
def test_a_volume_is_rendered_without_the_internet(
    jupyter: Jupyter, browser: Browser, place: str
) -> None:
    page = run(jupyter, browser, place, PHANTOM, RENDERED)
    wait_until_drawn(page.locator(".jp-OutputArea canvas").last)
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
    assert float(slider.get_attribute("aria-valuenow") or 0) < 30


def test_nobody_is_asked_about_news(jupyter: Jupyter, browser: Browser) -> None:
    page = run(jupyter, browser, "lab/tree/", "1 + 1")
    page.wait_for_timeout(3000)
    assert page.get_by_text("Would you like to").count() == 0
