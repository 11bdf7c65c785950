"""Searches that are kept: what is new, for whom, and what is never told."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.cases import saved, service, watching
from rounds_hub.indexing.consumer import run_once

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddCase = Callable[..., CaseView]
    ClientAs = Callable[..., httpx.Client]

SAVED = "api/saved-searches"


def keep(client: httpx.Client, name: str = "Mine", **request: object) -> dict[str, Any]:
    answer = client.post(SAVED, json={"name": name, "request": request})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def look_again(house: House) -> None:
    """Index what changed, and ask the kept searches again as the worker does."""
    while run_once(house):
        pass
    watching.run_once(house)


def new(client: httpx.Client) -> list[str]:
    told = client.get(f"{SAVED}/alerts").json()
    assert told["new"] == len(told["alerts"])
    return [alert["hit"]["title"] for alert in told["alerts"]]


def test_what_is_found_later_is_new_until_it_is_seen(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    student = client_as("student")
    add_case("everyone", title="Old lung")
    look_again(house)
    mine = keep(student, text="lung")
    add_case("everyone", title="New lung")
    look_again(house)
    assert new(student) == ["New lung"]
    assert student.get(f"{SAVED}/{mine['id']}").json()["new"] == 1
    student.post(f"{SAVED}/{mine['id']}/seen")
    look_again(house)
    assert new(student) == []


def test_what_is_like_a_case_is_told_when_it_comes(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone", title="This")
    look_again(house)
    student = client_as("student")
    keep(student, like=[{"kind": "case", "case_id": case.id}])
    add_case("everyone", title="Like it")
    look_again(house)
    assert new(student) == ["Like it"]


def test_hidden_cases_are_never_told(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    student = client_as("student")
    keep(student, text="lung")
    add_case("role:doctor", title="Hidden lung")
    look_again(house)
    assert (new(student), student.get(SAVED).json()[0]["new"]) == ([], 0)


def test_what_is_withdrawn_is_told_no_more(
    house: House, client_as: ClientAs, teacher: Principal, add_case: AddCase
) -> None:
    student = client_as("student")
    keep(student, text="lung")
    case = add_case("everyone", title="New lung")
    look_again(house)
    service.withdraw(house, teacher, case.id)
    assert (new(student), student.get(SAVED).json()[0]["new"]) == ([], 0)


def test_an_alert_does_not_tell_what_an_unknown_case_is(
    house: House, client_as: ClientAs, teacher: Principal, add_case: AddCase
) -> None:
    student = client_as("student")
    keep(student, text="glioma")
    case = add_case("everyone", title="Glioma")
    look_again(house)
    now = service.get(house, teacher, case.id)
    service.update(house, teacher, case.id, {"unknown": True}, revision=now.revision)
    assert new(student) == []
    look_again(house)
    assert new(student) == []


def test_what_somebody_lost_the_role_for_is_told_no_more(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    keep(client_as("ada", "doctor"), text="lung")
    add_case("role:doctor", title="For doctors: lung")
    look_again(house)
    assert new(client_as("ada", "student")) == []


def test_another_question_begins_anew(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    student = client_as("student")
    mine = keep(student, text="lung")
    add_case("everyone", title="New lung")
    look_again(house)
    student.put(f"{SAVED}/{mine['id']}", json={"request": {"text": "liver"}})
    add_case("everyone", title="New liver")
    look_again(house)
    assert new(student) == ["New liver"]


def test_without_alerts_nothing_is_looked_for(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    student = client_as("student")
    mine = keep(student, text="lung")
    student.put(f"{SAVED}/{mine['id']}", json={"alert": False})
    add_case("everyone", title="New lung")
    look_again(house)
    assert new(student) == []


def test_a_search_is_ones_own(client_as: ClientAs) -> None:
    mine = keep(client_as("student"), text="lung")
    other = client_as("ben", "student")
    assert other.get(SAVED).json() == []
    assert other.delete(f"{SAVED}/{mine['id']}").status_code == 404
    assert client_as("student").delete(f"{SAVED}/{mine['id']}").status_code == 204


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"name": "Mine", "request": {}}, 409, id="a name that is taken"),
        pytest.param({"name": " ", "request": {}}, 422, id="no name"),
        pytest.param(
            {"name": "New", "request": {"like": [{"kind": "upload"}]}},
            422,
            id="a picture that is not kept",
        ),
        pytest.param(
            {"name": "New", "request": {"where": {"colour": ["red"]}}},
            422,
            id="a filter that is none",
        ),
        pytest.param(
            {
                "name": "New",
                "request": {"like": [{"kind": "case", "case_id": "hidden"}]},
            },
            404,
            id="a case that is not there",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(
    client_as: ClientAs, body: dict[str, Any], status: int
) -> None:
    student = client_as("student")
    keep(student)
    answer = student.post(SAVED, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_person_keeps_no_more_than_a_hundred(client_as: ClientAs) -> None:
    student = client_as("student")
    for number in range(saved.MOST_SAVED):
        keep(student, name=f"Search {number}")
    more = student.post(SAVED, json={"name": "One more", "request": {}})
    assert more.status_code == 409
    assert "100" in more.json()["detail"]


def test_the_worker_looks_by_itself(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    keep(client_as("student"), text="lung")
    stop = threading.Event()
    worker = threading.Thread(target=watching.loop, args=(house, stop))
    worker.start()
    try:
        add_case("everyone", title="New lung")
        run_once(house)
        until = time.monotonic() + 60
        while not (told := new(client_as("student"))) and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        stop.set()
        worker.join(30)
    assert told == ["New lung"]
