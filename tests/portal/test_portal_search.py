"""The page of cases as its address says it, and the searches that are kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rounds_hub.cases import service as cases
from rounds_hub.indexing.consumer import run_once
from rounds_hub.portal.keeping import looking_of, request_of
from rounds_hub.portal.looking import Looking

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    Look = Callable[..., Any]
    Send = Callable[..., Any]
    ClientAs = Callable[..., httpx.Client]

REGION = Looking(series="1.2.3", slice="4", region="8,9,30,31", text="lung")


def test_what_is_typed_is_completed(client_as: ClientAs, case: CaseView) -> None:
    answer = client_as("student").get("cases/suggest", params={"q": "head"})
    assert any("headache" in one.lower() for one in answer.json())
    assert case.title


def test_an_expansion_leads_to_the_search_without_it(
    look: Look, case: CaseView
) -> None:
    page = look("student", "cases?q=glioblastoma")
    without = [link for link in page.links() if "without=" in link]
    assert page.has(case.title)
    assert without
    again = look("student", without[0].split("rounds/")[1].replace("&amp;", "&"))
    assert "Search with" in again.html


def test_an_address_cannot_hold_what_was_sent(look: Look, case: CaseView) -> None:
    page = look("student", "cases?q=headache&picture=slice.png")
    assert page.has("The picture «slice.png» was not kept", case.title)


def test_a_slice_in_the_address_is_asked_with(look: Look, case: CaseView) -> None:
    uid = case.series[0].uid
    page = look("student", f"cases?series={uid}&slice=3&region=8,8,24,24")
    assert page.has("Slice 4 of 6, CT", "A region of it is compared", case.title)
    assert f"api/series/{uid}/frames/3.png" in page.html


def test_a_region_that_is_none_is_refused_beside_what_was_asked(
    look: Look, case: CaseView
) -> None:
    page = look("student", f"cases?q=headache&series={case.series[0].uid}&region=x")
    assert page.status == 422
    assert page.has("No region 'x'", "Search by picture")
    assert 'value="headache"' in page.html


def test_a_list_says_so_in_its_address(look: Look, case: CaseView) -> None:
    page = look("student", "cases?q=headache&view=list")
    assert "as-list" in page.html
    assert page.has(case.title, "text 1")


def test_a_case_to_find_out_is_asked_with_by_its_neutral_name(
    house: House, teacher: Principal, look: Look, case: CaseView
) -> None:
    cases.update(house, teacher, case.id, {"unknown": True}, revision=case.revision)
    while run_once(house):
        pass
    page = look("student", f"cases?like={case.id}")
    assert page.status == 200
    assert not page.has("Glioblastoma")
    assert "C71.3" not in page.html


def test_a_search_is_kept_as_the_api_says_it_and_comes_back() -> None:
    assert looking_of(request_of(REGION, "en").model_dump()) == REGION


def test_a_kept_search_that_was_removed_can_be_brought_back(
    look: Look, send: Send, case: CaseView
) -> None:
    asked = {"name": "Aches", "asked": "q=headache&modality=CT", "alert": "on"}
    page = send("doctor", "searches", asked)
    assert page.has("Saved.", "Aches", "headache", case.modalities[0])
    found = re.search(r"searches/([0-9a-f]+)/remove", page.html)
    assert found is not None
    page = send("doctor", f"searches/{found.group(1)}/remove")
    assert page.has("«Aches» was removed.", "Undo")
    back = dict(re.findall(r'name="(name|asked|alert)" value="([^"]*)"', page.html))
    back["asked"] = back["asked"].replace("&amp;", "&")
    assert send("doctor", "searches", back).has("Aches", "Alert on")
    assert not look("student", "searches").has("Aches")
