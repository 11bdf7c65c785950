"""What search finds, and what it must not let anybody know."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from rounds_hub.access.principal import Principal, Role
from rounds_hub.cases import searching, service
from rounds_hub.cases.searching import Question
from rounds_hub.errors import InvalidError, NotFoundError
from rounds_hub.indexing.consumer import run_once
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddCase = Callable[..., CaseView]

NOBODY = Principal("zoe")


def titles(found: searching.Found) -> list[str]:
    return [hit.title for hit in found.hits]


def a_ball() -> bytes:
    """Return a slice of the sphere phantom as somebody's screenshot of it."""
    volume = phantoms.sphere(Grid((4, 32, 32), (7.0, 1.5, 1.5)), seed=77).volume
    grey = np.clip((volume.array[2] + 1000) / 5, 0, 255).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(grey).save(written, "PNG")
    return written.getvalue()


def test_a_case_is_found_by_its_words_with_the_place_marked(
    house: House, student: Principal, add_case: AddCase
) -> None:
    add_case("everyone", title="Emphysema", findings="Bullae in both apices.")
    run_once(house)
    (hit,) = searching.search(house, student, Question(text="bullae")).hits
    assert "<mark>Bullae</mark>" in hit.highlights["findings"]
    assert (hit.why, hit.kind) == (("text 1",), "case")


def test_a_hit_has_a_picture_and_a_page(
    house: House, student: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone")
    run_once(house)
    (hit,) = searching.search(house, student, Question()).hits
    uid = case.series[0].uid
    assert hit.thumbnail_url == f"api/series/{uid}/thumbnail.png"
    assert hit.url == f"cases/{case.id}"


def test_chinese_and_english_find_the_same_case_titled_as_asked(
    house: House, student: Principal, add_case: AddCase
) -> None:
    translations = {"zh": {"title": "肺气肿", "findings": "双肺尖大疱"}}
    add_case("everyone", title="Emphysema", translations=translations)
    run_once(house)
    english = Question(text="emphysema")
    chinese = Question(text="大疱", language="zh")
    assert titles(searching.search(house, student, english)) == ["Emphysema"]
    assert titles(searching.search(house, student, chinese)) == ["肺气肿"]


def test_a_code_finds_its_cases(
    house: House, student: Principal, add_case: AddCase
) -> None:
    code = {"value": "J43.9", "scheme": "ICD10", "meaning": "Emphysema"}
    add_case("everyone", title="With", codes=[code])
    add_case("everyone", title="Without")
    run_once(house)
    asked = Question(where={"code": ("ICD10:J43.9",)})
    assert titles(searching.search(house, student, asked)) == ["With"]


def test_hidden_cases_leave_no_trace_in_an_answer(
    house: House, student: Principal, add_case: AddCase
) -> None:
    add_case("everyone", title="Open lung", level="primary")
    add_case("role:doctor", title="Hidden lung", level="advanced")
    add_case("everyone", title="Draft lung", level="intermediate", publish=False)
    run_once(house)
    found = searching.search(house, student, Question(text="lung"))
    assert (titles(found), found.total) == (["Open lung"], 1)
    assert found.facets["level"] == (("primary", 1),)
    assert dict(found.facets["modality"]) == {"CT": 1}


def test_hidden_words_are_not_suggested(
    house: House, student: Principal, doctor: Principal, add_case: AddCase
) -> None:
    add_case("role:doctor", title="Zebrafish osteopetrosis")
    run_once(house)
    asked = Question(prefix="osteop")
    assert searching.search(house, student, asked).suggestions == ()
    assert searching.search(house, doctor, asked).suggestions


def test_a_draft_is_found_by_its_owner(
    house: House, teacher: Principal, add_case: AddCase
) -> None:
    add_case("everyone", title="Half written", publish=False)
    run_once(house)
    found = searching.search(house, teacher, Question(text="half"))
    assert titles(found) == ["Half written"]


def test_like_cases_are_found_but_not_the_case_itself_nor_hidden_ones(
    house: House, student: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone", title="This")
    add_case("everyone", title="Like it")
    add_case("role:doctor", title="Hidden")
    run_once(house)
    assert titles(searching.similar(house, student, case.id)) == ["Like it"]


def test_nothing_is_like_a_hidden_case(
    house: House, student: Principal, add_case: AddCase
) -> None:
    case = add_case("role:doctor")
    run_once(house)
    with pytest.raises(NotFoundError):
        searching.similar(house, student, case.id)


def test_a_case_that_is_not_indexed_yet_has_none_like_it(
    house: House, student: Principal, add_case: AddCase
) -> None:
    assert searching.similar(house, student, add_case("everyone").id).hits == ()


def test_a_series_in_an_open_and_a_hidden_case_leads_to_the_open_one(
    house: House, student: Principal, add_case: AddCase
) -> None:
    opened = add_case("everyone", title="Open")
    shared = [opened.series[0].uid]
    add_case("role:doctor", title="Hidden", series=shared)
    run_once(house)
    found = searching.search_picture(house, student, a_ball())
    assert (titles(found), found.total) == (["Open"], 1)


def test_a_picture_finds_cases_that_look_like_it(
    house: House, student: Principal, add_case: AddCase
) -> None:
    add_case("everyone", title="A ball")
    run_once(house)
    (hit,) = searching.search_picture(house, student, a_ball()).hits
    assert (hit.title, hit.why) == ("A ball", ("picture 1",))
    assert hit.score > 0.8


def test_a_lagging_index_shows_nothing_that_was_withdrawn(
    house: House, student: Principal, teacher: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone")
    run_once(house)
    service.withdraw(house, teacher, case.id)
    found = searching.search(house, student, Question())
    assert (found.hits, found.total) == ((), 0)


def test_who_has_no_role_searches_nothing(house: House, add_case: AddCase) -> None:
    add_case("everyone")
    with pytest.raises(Exception, match="may not do 'search'"):
        searching.search(house, NOBODY, Question())


def test_an_answer_goes_on_where_it_ended(
    house: House, student: Principal, add_case: AddCase
) -> None:
    for number in range(5):
        add_case("everyone", title=f"Case {number}")
    run_once(house)
    asked = Question(sort="title", size=3)
    first = searching.search(house, student, asked)
    rest = Question(sort="title", size=3, after=first.after)
    both = titles(first) + titles(searching.search(house, student, rest))
    assert both == [f"Case {number}" for number in range(5)]


def test_an_unknown_filter_names_the_known_ones(
    house: House, student: Principal
) -> None:
    with pytest.raises(InvalidError, match=r"'colour'.*body_part"):
        searching.search(house, student, Question(where={"colour": ("red",)}))


def test_an_administrator_finds_all(house: House, add_case: AddCase) -> None:
    add_case("role:doctor", title="Hidden")
    add_case("everyone", title="Draft", publish=False)
    run_once(house)
    admin = Principal("dee", frozenset({Role.ADMIN}))
    found = searching.search(house, admin, Question(sort="title"))
    assert titles(found) == ["Draft", "Hidden"]
