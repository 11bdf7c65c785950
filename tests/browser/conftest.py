"""A real Chromium, which is told on whenever it complains or asks another host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive import service as archive
from rounds_hub.cases import service as cases
from rounds_hub.house import House
from rounds_hub.indexing.consumer import run_once
from rounds_hub.portal.build import build
from rounds_hub.settings import load_settings
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
GRID = Grid((12, 48, 48), (4.0, 2.0, 2.0))
TEACHER = Principal("teacher", frozenset({Role.TEACHER}))
SECONDS = 15_000
expect.set_options(timeout=SECONDS)
EXPECTED = ("status of 4",)
"""Chromium itself says of a refused request that it was one; tests ask for some."""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Return a Chromium for a module; each test gets its own profile.

    Not for the session: while it is open, an event loop runs in this thread, and no
    other test could run one of its own.
    """
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@dataclass
class Watch:
    """What a browser said that it should not have: errors, and other hosts."""

    host: str
    complaints: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Listen to everything in *context*."""
        context.on("console", lambda said: self._said(said.type, said.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self._asked(request.url))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and not any(one in text for one in EXPECTED):
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws"} and parts.netloc != self.host:
            self.complaints.append(f"asked {url}")


@pytest.fixture
def visit(browser: Browser, service_url: str) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page as somebody: ``visit("doctor", "cases")``.

    At the end nothing may have been complained of, and no other host asked.
    """
    watch = Watch(urlsplit(service_url).netloc)
    opened: list[BrowserContext] = []

    def open_page(who: str, path: str = "", **options: object) -> Page:
        context = browser.new_context(
            base_url=service_url,
            extra_http_headers={"x-person": f"{who} {who}", "x-cookie": "1"},
            **{
                "locale": "en-GB",
                "viewport": {"width": 1280, "height": 860},
                **options,
            },  # type: ignore[arg-type] # options of Playwright
        )
        context.set_default_timeout(SECONDS)
        watch.over(context)
        opened.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert watch.complaints == []


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house with a case of a chest and one of a head, both published."""
    build()
    settings = load_settings(data_dir=str(tmp_path_factory.mktemp("house")))
    opened = House.open(settings)
    add_case(opened, "Shadow in the lung", phantoms.thorax(GRID))
    add_case(opened, "Headache at night", phantoms.head(GRID))
    while run_once(opened):
        pass
    yield opened
    opened.close()


def add_case(house: House, title: str, *pictures: phantoms.Phantom) -> str:
    """Put *pictures* into the archive and publish a case of them; return its id."""
    series = []
    for phantom in pictures:
        made = phantoms.to_dicom(phantom)
        offers = [archive.Offer(f"{n}.dcm", one) for n, one in enumerate(made)]
        series.append({"uid": archive.store(house, TEACHER, offers)[0].series_uid})
    told = {
        "title": title,
        "history": "Smoker, coughs.",
        "findings": "A round shadow.",
        "diagnosis": "A phantom",
        "audience": ["everyone"],
        "series": series,
    }
    case = cases.create(house, TEACHER, told)
    return cases.publish(house, TEACHER, case.id).id


@pytest.fixture(scope="session")
def chest(house: House) -> str:
    """Return the id of the case of a chest."""
    return _found(house, "Shadow in the lung")


@pytest.fixture(scope="session")
def two_series(house: House) -> str:
    """Return the id of a case with two series."""
    more = phantoms.sphere(GRID, seed=5)
    return add_case(house, "Two series", phantoms.thorax(GRID, seed=9), more)


def _found(house: House, title: str) -> str:
    """Return the id of the case called *title*."""
    from rounds_hub.cases.searching import Question, search

    return search(house, TEACHER, Question(text=title)).hits[0].case_id
