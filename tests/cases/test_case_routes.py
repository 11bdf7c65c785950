"""Cases over HTTP, as programs see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from rounds_hub.archive.models import Instance
from rounds_hub.indexing.consumer import run_once

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddSeries = Callable[..., str]
    AddCase = Callable[..., CaseView]
    ClientAs = Callable[..., httpx.Client]

CODE = {"value": "J43.9", "scheme": "ICD10", "meaning": "Emphysema, unspecified"}


def test_a_case_is_made_read_and_published(
    client_as: ClientAs, add_series: AddSeries
) -> None:
    teacher = client_as("teacher")
    new = {"title": "Lung", "audience": ["everyone"], "codes": [CODE]}
    made = teacher.post("api/cases", json=new | {"series": [{"uid": add_series()}]})
    assert made.status_code == 201
    where = f"api/cases/{made.json()['id']}"
    assert teacher.post(f"{where}/publish").json()["status"] == "published"
    read = client_as("student").get(where).json()
    assert (read["title"], read["codes"], read["may_write"]) == ("Lung", [CODE], False)


def test_a_series_of_a_case_says_what_it_is(
    client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone")
    shown = client_as("student").get(f"api/cases/{case.id}").json()["series"][0]
    said = (shown["modality"], shown["instance_count"], shown["rows"])
    assert said == ("CT", 4, 32)


def test_a_change_needs_the_revision(client_as: ClientAs, add_case: AddCase) -> None:
    case = add_case("everyone")
    changed = client_as("teacher").put(f"api/cases/{case.id}", json={"title": "New"})
    assert changed.status_code == 422
    assert "revision" in changed.json()["problems"]


def test_a_change_on_an_old_revision_is_a_conflict(
    client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone")
    change = {"title": "New", "revision": case.revision - 1}
    answer = client_as("teacher").put(f"api/cases/{case.id}", json=change)
    assert answer.status_code == 409
    assert "title" in answer.json()["detail"]


def test_what_a_change_leaves_out_stays(client_as: ClientAs, add_case: AddCase) -> None:
    case = add_case("everyone", history="Fell.")
    change = {"findings": "Fluid.", "revision": case.revision}
    said = client_as("teacher").put(f"api/cases/{case.id}", json=change).json()
    assert (said["history"], said["findings"]) == ("Fell.", "Fluid.")
    assert len(said["series"]) == 1


def test_an_incomplete_case_says_what_is_missing(client_as: ClientAs) -> None:
    teacher = client_as("teacher")
    made = teacher.post("api/cases", json={"title": "Lung"}).json()
    answer = teacher.post(f"api/cases/{made['id']}/publish")
    assert answer.status_code == 422
    assert answer.json()["problems"].keys() == {"series", "audience"}


def test_a_case_is_deleted_and_restored(client_as: ClientAs, add_case: AddCase) -> None:
    case, teacher, student = (
        add_case("everyone"),
        client_as("teacher"),
        client_as("student"),
    )
    where = f"api/cases/{case.id}"
    assert teacher.delete(where).status_code == 204
    assert student.get(where).status_code == 404
    assert teacher.post(f"{where}/restore").json()["status"] == "published"
    assert student.get(where).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "", id="read"),
        pytest.param("PUT", "", id="change"),
        pytest.param("DELETE", "", id="delete"),
        pytest.param("POST", "/publish", id="publish"),
        pytest.param("POST", "/withdraw", id="withdraw"),
        pytest.param("POST", "/restore", id="restore"),
        pytest.param("GET", "/similar", id="similar"),
    ],
)
def test_a_hidden_case_answers_as_one_that_does_not_exist(
    client_as: ClientAs, add_case: AddCase, method: str, path: str
) -> None:
    hidden, student = add_case("role:doctor"), client_as("student")
    body = {"title": "x", "revision": 2} if method == "PUT" else None
    answers = [
        student.request(method, f"api/cases/{name}{path}", json=body)
        for name in (hidden.id, "nosuchcase")
    ]
    assert [one.status_code for one in answers] == [404, 404]
    said = [one.json()["detail"].replace(hidden.id, "nosuchcase") for one in answers]
    assert said[0] == said[1]


def test_nobody_reads_without_signing_in(
    client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone")
    assert client_as("").get(f"api/cases/{case.id}").status_code == 401


def test_search_by_address_and_by_body_say_the_same(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    add_case("everyone", title="Lung of water", level="advanced")
    run_once(house)
    student = client_as("student")
    one = student.get("api/search", params={"q": "lung", "level": ["advanced"]}).json()
    asked = {"text": "lung", "where": {"level": ["advanced"]}}
    assert one == student.post("api/search", json=asked).json()
    assert [hit["title"] for hit in one["hits"]] == ["Lung of water"]


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"where": {"colour": ["red"]}}, id="unknown filter"),
        pytest.param({"after": "gibberish"}, id="cursor of another search"),
        pytest.param({"size": 10_000}, id="too many"),
        pytest.param({"sort": "random"}, id="unknown order"),
        pytest.param({"audience": ["role:admin"]}, id="an audience of one's own"),
    ],
)
def test_a_search_that_cannot_be_is_refused(
    client_as: ClientAs, asked: dict[str, object]
) -> None:
    assert client_as("student").post("api/search", json=asked).status_code == 422


def test_the_description_of_the_api_names_every_route(client_as: ClientAs) -> None:
    paths = client_as("student").get("api/openapi.json").json()["paths"]
    prefix = "/services/rounds/api/"
    assert {
        f"{prefix}cases",
        f"{prefix}cases/{{case_id}}",
        f"{prefix}cases/{{case_id}}/similar",
        f"{prefix}search/picture",
        f"{prefix}studies/{{study_uid}}/case",
    } <= paths.keys()


def test_a_picture_is_sent_and_compared(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone")
    run_once(house)
    with house.sessions.begin(write=False) as session:
        wanted = select(Instance).where(Instance.series_uid == case.series[0].uid)
        sha256 = session.scalars(wanted).all()[2].sha256
    sent = {"picture": ("slice.dcm", house.store.path(sha256).read_bytes())}
    found = client_as("student").post("api/search/picture", files=sent).json()
    assert [hit["case_id"] for hit in found["hits"]] == [case.id]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"GIF89a", 422, id="no picture"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(2**24), 413, id="too large"),
    ],
)
def test_a_picture_that_cannot_be_read_is_refused(
    client_as: ClientAs, data: bytes, status: int
) -> None:
    sent = {"picture": ("x.png", data)}
    answer = client_as("student").post("api/search/picture", files=sent)
    assert answer.status_code == status
