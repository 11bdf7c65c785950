"""DICOMweb through the hub: a program by its token, a browser by its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from tests.archive.conftest import make_instance
from tests.dicomweb.test_stow import RELATED, body_of, file_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_hub.cli.demo_process import DemoHouse
    from rounds_hub.cli.visitor import Visitor

pytestmark = [
    pytest.mark.hub,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("demo"),
]
STUDIES = "services/rounds/dicomweb/studies"
STUDY = 77


@pytest.fixture
def doctor(demo: DemoHouse) -> Iterator[Visitor]:
    with demo.visitor("doctor") as visitor:
        yield visitor


def token_of(visitor: Visitor) -> str:
    """Return a new token of the hub, as a person makes one for a program."""
    cookies = visitor.client.cookies.jar
    mark = next(c.value for c in cookies if c.name == "_xsrf" and c.path == "/hub/")
    answer = visitor.client.post(
        f"hub/api/users/{visitor.name}/tokens",
        json={"note": "a viewer"},
        headers={"X-XSRFToken": str(mark), "Referer": f"{visitor.url}hub/token"},
    )
    return str(answer.raise_for_status().json()["token"])


def body(number: int) -> bytes:
    """Return a body with one instance of a study of our own."""
    return body_of([file_of(make_instance(number, 1, STUDY))])


def test_a_program_stores_and_reads_with_its_token(doctor: Visitor) -> None:
    token = {"authorization": f"token {token_of(doctor)}"}
    with httpx.Client(base_url=doctor.url, headers=token, timeout=60) as program:
        kind = {"content-type": RELATED}
        stored = program.post(STUDIES, content=body(1), headers=kind)
        study = make_instance(1, 1, STUDY).StudyInstanceUID
        found = program.get(f"{STUDIES}/{study}/metadata")
    assert (stored.status_code, found.status_code) == (200, 200)
    named = found.json()[0]["7FE00010"]["BulkDataURI"]
    assert named.startswith(f"{doctor.url}{STUDIES}/{study}/")


def test_a_page_of_the_house_stores_with_its_session(doctor: Visitor) -> None:
    headers = {"content-type": RELATED, "sec-fetch-site": "same-origin"}
    answer = doctor.client.post(STUDIES, content=body(2), headers=headers)
    assert answer.status_code == 200


def test_a_page_of_another_site_does_not(doctor: Visitor) -> None:
    headers = {"content-type": RELATED, "sec-fetch-site": "cross-site"}
    answer = doctor.client.post(STUDIES, content=body(3), headers=headers)
    assert answer.status_code == 403


def test_nobody_gets_nothing(demo: DemoHouse) -> None:
    answer = httpx.get(f"{demo.url}{STUDIES}", headers={"accept": "text/html"})
    assert answer.status_code == 401
