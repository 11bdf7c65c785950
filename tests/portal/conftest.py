"""A house with studies and cases in it, and pages read as a browser reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive import service as archive
from rounds_hub.cases import service as cases
from rounds_hub.indexing.consumer import run_once
from rounds_hub.portal.build import build
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    ClientAs = Callable[..., httpx.Client]

SMALL = Grid((6, 32, 32), (5.0, 1.5, 1.5))
TOLD = {
    "title": "Headache for three weeks",
    "history": "Three weeks of morning headache.",
    "findings": "A mass in the left parietal lobe.",
    "diagnosis": "Glioblastoma",
    "differential": "Metastasis, abscess.",
    "discussion": "A thick irregular rim after contrast.",
    "level": "intermediate",
    "body_part": "brain",
    "codes": [{"scheme": "ICD10", "value": "C71.3", "meaning": "Parietal lobe"}],
    "translations": {"zh": {"title": "头痛三周", "history": "晨起头痛三周。"}},
    "source": "A phantom, made here.",
    "audience": ["everyone"],
}


@pytest.fixture(scope="session", autouse=True)
def front_end() -> None:
    """Build the front end where it is not built yet."""
    build()


def somebody(name: str) -> Principal:
    return Principal(name, frozenset({Role(name)}))


@pytest.fixture
def teacher() -> Principal:
    return somebody("teacher")


@pytest.fixture
def study_uid(house: House, teacher: Principal) -> str:
    """Return a study with one small CT series in the archive."""
    made = phantoms.to_dicom(phantoms.sphere(SMALL, seed=3))
    offers = [archive.Offer(f"{n}.dcm", one) for n, one in enumerate(made)]
    return archive.store(house, teacher, offers)[0].study_uid


@pytest.fixture
def draft(house: House, teacher: Principal, study_uid: str) -> CaseView:
    """Return a draft of the teacher's with every field filled."""
    made = cases.create_from_study(house, teacher, study_uid)
    return cases.update(house, teacher, made.id, TOLD, revision=made.revision)


@pytest.fixture
def case(house: House, teacher: Principal, draft: CaseView) -> CaseView:
    """Return a published case that everyone finds."""
    published = cases.publish(house, teacher, draft.id)
    while run_once(house):
        pass
    return published


@dataclass(frozen=True)
class Seen:
    """A page as a person sees it: its status, its words, its links and fields."""

    status: int
    html: str
    text: str
    url: str

    def has(self, *words: str) -> bool:
        return all(word in self.text for word in words)

    def links(self) -> list[str]:
        return re.findall(r'href="([^"]+)"', self.html)


class _Words(HTMLParser):
    """Gathers what is written on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def look(client_as: ClientAs) -> Callable[..., Seen]:
    """Return a function that opens a page for a role: ``look("student", "cases")``."""

    def open_page(who: str, path: str = "", **headers: str) -> Seen:
        client = client_as(who)
        answer = client.get(
            path,
            headers={"accept": "text/html", **headers},
            follow_redirects=bool(who),
        )
        return seen(answer)

    return open_page


@pytest.fixture
def send(client_as: ClientAs) -> Callable[..., Seen]:
    """Return a function that sends a form: ``send("teacher", "cases/new", {…})``."""

    def send_form(who: str, path: str, form: dict[str, object] | None = None) -> Seen:
        client = client_as(who)
        answer = client.post(
            path,
            data=form or {},
            headers={"accept": "text/html"},
            follow_redirects=True,
        )
        return seen(answer)

    return send_form


def seen(answer: httpx.Response) -> Seen:
    """Return *answer* as a person sees it."""
    parser = _Words()
    parser.feed(answer.text)
    text = " ".join(" ".join(parser.words).split())
    return Seen(answer.status_code, answer.text, text, str(answer.url))
