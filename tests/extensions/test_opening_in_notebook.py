"""«Open in notebook» in a real Jupyter server, against the real house."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httpx
import pytest

if TYPE_CHECKING:
    from tests.extensions.conftest import Jupyter, ServedHouse

NAME = "Emphysema b of b the lungs"


def test_a_case_opens_in_a_notebook_of_its_own(
    jupyter: Jupyter, served_house: ServedHouse
) -> None:
    answer = jupyter.get("rounds/open", case=served_house.chest)
    place = unquote(answer.headers["location"])
    name = f"Rounds/{NAME}-{served_house.chest}.ipynb"
    assert (answer.status_code, place) == (302, f"/lab/tree/{name}")
    assert (jupyter.home / name).is_file()


def test_its_first_cell_opens_the_case(
    jupyter: Jupyter, served_house: ServedHouse
) -> None:
    answer = jupyter.get("rounds/open", case=served_house.chest)
    path = unquote(answer.headers["location"]).removeprefix("/lab/tree/")
    notebook = json.loads((jupyter.home / path).read_text("utf-8"))
    assert (
        f'case = rounds.open("{served_house.chest}")' in notebook["cells"][1]["source"]
    )


def test_opening_again_keeps_what_was_written(
    jupyter: Jupyter, served_house: ServedHouse
) -> None:
    first = jupyter.get("rounds/open", case=served_house.chest).headers["location"]
    path = jupyter.home / unquote(first).removeprefix("/lab/tree/")
    written = path.read_text("utf-8").replace("case.show()", "# my notes")
    path.write_text(written, "utf-8")
    again = jupyter.get("rounds/open", case=served_house.chest).headers["location"]
    assert (again, path.read_text("utf-8")) == (first, written)


@pytest.mark.parametrize(
    ("case_id", "status", "words"),
    [
        ("no-such-case", 404, "No case &#x27;no-such-case&#x27;"),
        ("../../etc/passwd", 400, "is no case"),
        ("<script>alert(1)</script>", 400, "&lt;script&gt;"),
        ("", 400, "is no case"),
    ],
)
def test_a_case_that_cannot_be_opened_gives_a_page(
    jupyter: Jupyter, case_id: str, status: int, words: str
) -> None:
    answer = jupyter.get("rounds/open", case=case_id)
    page = (answer.status_code, words in answer.text, "Traceback" in answer.text)
    assert page == (status, True, False)


def test_a_draft_of_another_is_like_none(
    jupyter: Jupyter, served_house: ServedHouse
) -> None:
    answer = jupyter.get("rounds/open", case=served_house.hidden)
    assert (answer.status_code, "A draft" in answer.text) == (404, False)


def test_nobody_opens_a_case_without_signing_in(
    jupyter: Jupyter, served_house: ServedHouse
) -> None:
    answer = httpx.get(
        f"{jupyter.url}rounds/open", params={"case": served_house.chest}, timeout=60
    )
    assert "/login" in answer.headers["location"]


def test_a_house_that_does_not_answer_is_said(jupyter_without_house: Jupyter) -> None:
    answer = jupyter_without_house.get("rounds/open", case="c-1")
    page = (answer.status_code, "cannot be reached" in answer.text)
    assert (page, "s3cret" in answer.text) == ((503, True), False)


def test_a_folder_in_the_way_is_said_without_its_place(
    jupyter: Jupyter, served_house: ServedHouse
) -> None:
    folder, aside = jupyter.home / "Rounds", jupyter.home / "Aside"
    if folder.exists():
        folder.rename(aside)
    folder.write_text("a file", "utf-8")
    answer = jupyter.get("rounds/open", case=served_house.chest)
    folder.unlink()
    page = (answer.status_code, str(jupyter.home) in answer.text)
    assert (page, "File exists" in answer.text) == ((507, False), True)
