"""The pages of cases, as each role sees them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds_hub.cases import service as cases
from rounds_hub.indexing.consumer import run_once
from rounds_hub.portal.languages import Language
from rounds_hub.portal.viewing import geometry
from rounds_kernels.volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    Look = Callable[..., Any]
    ClientAs = Callable[..., httpx.Client]


AXES = (0, 0, 1, 0, 1, 0, 1, 0, 0)


def test_an_empty_house_says_how_the_first_case_comes(look: Look) -> None:
    assert look("teacher").has("There are no cases yet", "Three steps")
    assert look("student").has("as soon as a teacher publishes one")


def test_the_first_page_shows_the_newest_case(look: Look, case: CaseView) -> None:
    page = look("student")
    assert page.has("Newest cases", case.title)
    assert f"/services/rounds/cases/{case.id}" in page.links()


def test_the_first_page_shows_own_drafts_to_their_author_only(
    look: Look, draft: CaseView
) -> None:
    assert look("teacher").has("My drafts", draft.title)
    assert not look("doctor").has(draft.title)


def test_a_search_says_how_many_and_why(look: Look, case: CaseView) -> None:
    page = look("student", "cases?q=headache")
    assert page.has("1 hit", case.title, "text 1")
    assert "<mark>" in page.html


def test_a_search_counts_what_could_narrow_it(look: Look, case: CaseView) -> None:
    html = look("student", "cases?q=headache").html
    assert case.level == "intermediate"
    assert 'name="level" value="intermediate"' in html
    assert 'name="modality" value="CT"' in html


def test_a_chosen_filter_is_a_chip_that_can_be_removed(
    look: Look, case: CaseView
) -> None:
    page = look("student", "cases?q=headache&level=intermediate&modality=CT")
    assert page.has(case.title)
    assert "/services/rounds/cases?q=headache&amp;modality=CT" in page.links()
    assert 'value="intermediate" checked' in page.html


def test_a_filter_that_nothing_has_stays_to_be_taken_away(
    look: Look, case: CaseView
) -> None:
    page = look("student", "cases?q=headache&level=advanced")
    assert page.has("0 hits", "Nothing was found")
    assert case.title not in page.text
    assert 'value="advanced" checked' in page.html


def test_for_htmx_only_the_part_that_changes_is_sent(
    look: Look, case: CaseView
) -> None:
    part = look("student", "cases?q=headache", **{"hx-request": "true"})
    assert case.title in part.text
    assert "<html" not in part.html


def test_a_wrong_order_is_refused_with_words(look: Look) -> None:
    assert look("student", "cases?sort=nonsense").status == 422


def test_more_than_a_page_of_hits_is_gone_through(
    look: Look, house: House, teacher: Principal, case: CaseView
) -> None:
    told = {"audience": ["everyone"], "series": [case.series[0].uid]}
    for number in range(30):
        made = cases.create(house, teacher, {"title": f"Another {number}", **told})
        cases.publish(house, teacher, made.id)
    while run_once(house):
        pass
    first = look("student", "cases")
    onward = re.search(r'href="/services/rounds/(cases\?[^"]*after=[^"]+)"', first.html)
    assert onward is not None
    second = look("student", onward.group(1).replace("&amp;", "&"))
    shown = [
        re.findall(r'class="panel hit" href="([^"]+)"', p.html) for p in (first, second)
    ]
    assert (len(shown[0]), len(shown[1])) == (24, 7)
    assert not set(shown[0]) & set(shown[1])


def test_a_picture_finds_the_case_it_is_of(client_as: ClientAs, case: CaseView) -> None:
    client = client_as("student")
    picture = client.get(f"api/series/{case.series[0].uid}/frames/3.png").content
    answer = client.post(
        "cases/picture",
        files={"files": ("slice.png", picture, "image/png")},
        headers={"accept": "text/html"},
    )
    assert case.title in answer.text
    assert "picture 1" in answer.text
    assert "slice.png" in answer.text


def test_what_is_no_picture_is_refused_with_words(client_as: ClientAs) -> None:
    answer = client_as("student").post(
        "cases/picture",
        files={"files": ("x.txt", b"no", "text/plain")},
        headers={"accept": "text/html"},
    )
    assert answer.status_code == 422
    assert "One PNG or JPEG" in answer.text


def test_a_case_hides_findings_and_diagnosis_until_shown(
    look: Look, case: CaseView
) -> None:
    page = look("student", f"cases/{case.id}")
    assert page.has("Findings are hidden.", "Diagnosis is hidden.", case.history)
    revealed = re.findall(r"<details[^>]*data-reveal[^>]*>", page.html)
    assert len(revealed) == 2
    assert not [one for one in revealed if " open" in one]


def test_a_case_offers_a_reader_no_change(look: Look, case: CaseView) -> None:
    page = look("student", f"cases/{case.id}")
    assert not page.has("Withdraw")
    assert f"/services/rounds/cases/{case.id}/edit" not in page.links()


def test_a_case_opens_in_a_notebook(look: Look, case: CaseView) -> None:
    links = look("student", f"cases/{case.id}").links()
    assert f"/hub/user-redirect/rounds/open?case={case.id}" in links


def test_a_case_is_read_in_the_language_of_the_page(look: Look, case: CaseView) -> None:
    chinese = {"accept-language": "zh"}
    assert look("student", f"cases/{case.id}", **chinese).has("头痛三周")
    assert look("student", f"cases/{case.id}?lang=en", **chinese).has(case.title)


def test_the_viewer_is_told_what_to_show(look: Look, case: CaseView) -> None:
    html = look("student", f"cases/{case.id}").html
    assert case.series[0].uid in html
    assert "Soft tissue" in html


def test_the_viewer_learns_planes_and_letters(
    client_as: ClientAs, case: CaseView
) -> None:
    said = client_as("student").get(f"viewer/{case.series[0].uid}").json()
    assert said["planes"][0]["frames"] == 6
    assert said["planes"][0]["letters"] == {"n": "A", "s": "P", "w": "R", "e": "L"}


def test_a_draft_is_not_there_for_others(look: Look, draft: CaseView) -> None:
    assert look("teacher", f"cases/{draft.id}").status == 200
    assert look("doctor", f"cases/{draft.id}").status == 404
    assert look("student", f"cases/{draft.id}/edit").status == 404


@pytest.mark.parametrize("path", ["cases/new", "cases/{id}/edit"])
def test_a_student_may_not_write(look: Look, case: CaseView, path: str) -> None:
    assert look("student", path.format(id=case.id)).status == 403


def test_a_code_leads_to_the_cases_that_have_it(look: Look, case: CaseView) -> None:
    page = look("student", f"cases/{case.id}")
    link = next(one for one in page.links() if "?code=" in one)
    assert look("student", link.removeprefix("/services/rounds/")).has(case.title)


def test_where_an_object_lay_is_not_guessed() -> None:
    unplaced = Volume(
        np.zeros((1, 8, 8, 3), np.uint8), (1, 1, 1), (0, 0, 0), AXES, "", "US", "1.2"
    )
    learnt = geometry((unplaced,), Language("en"))
    assert learnt["planes"][0]["letters"] is None
    assert (len(learnt["planes"]), learnt["window"]) == (1, None)
