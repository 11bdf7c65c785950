"""Deleting on the study page and over HTTP, and undoing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.conftest import person

from rounds_hub.archive.service import Offer, store

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.house import House

    ClientAs = Callable[..., httpx.Client]

STUDY = "1.2.826.0.1.3680043.10.1338.1"
HTML = {"accept": "text/html", "sec-fetch-site": "same-origin"}


@pytest.fixture(autouse=True)
def study(house: House, instance: Callable[..., bytes]) -> None:
    """Put a study of two series into the house."""
    doctor = person("doctor")
    store(house, doctor, [Offer("slice", instance(1, n)) for n in (1, 2)])


def delete(client: httpx.Client, **fields: str) -> httpx.Response:
    return client.post(f"studies/{STUDY}/delete", data=fields, headers=HTML)


def test_a_study_is_deleted_and_brought_back_on_its_page(client_as: ClientAs) -> None:
    client = client_as("doctor")
    sent = delete(client, reason="wrong patient")
    assert sent.status_code == 303
    deletion = client.base_url.join(sent.headers["location"])
    page = client.get(deletion, headers=HTML)
    assert "wrong patient" in page.text
    assert client.get(f"api/studies/{STUDY}").status_code == 404
    undone = client.post(f"{deletion}/undo", headers=HTML)
    assert undone.headers["location"].endswith(f"studies/{STUDY}")
    assert len(client.get(f"api/studies/{STUDY}").json()["series"]) == 2


def test_one_series_can_be_chosen(client_as: ClientAs) -> None:
    client = client_as("doctor")
    delete(client, reason="sent twice", series=f"{STUDY}.2")
    left = client.get(f"api/studies/{STUDY}").json()["series"]
    assert [series["uid"] for series in left] == [f"{STUDY}.1"]


def test_a_page_says_that_a_reason_is_needed(client_as: ClientAs) -> None:
    refused = delete(client_as("doctor"), reason=" ")
    assert refused.status_code == 422
    assert "Say why it is deleted" in refused.text


def test_only_who_may_delete_is_offered_to(client_as: ClientAs) -> None:
    mine = client_as("doctor").get(f"studies/{STUDY}", headers=HTML).text
    theirs = client_as("otto", "doctor").get(f"studies/{STUDY}", headers=HTML).text
    assert (mine.count("delete-reason"), theirs.count("delete-reason")) == (2, 0)


def test_administrators_see_all_deletions(client_as: ClientAs) -> None:
    delete(client_as("doctor"), reason="wrong patient")
    page = client_as("admin").get("archive", headers=HTML)
    assert page.status_code == 200
    assert "wrong patient" in page.text
    (found,) = client_as("admin").get("api/deletions").json()
    assert (found["by"], found["undoable"]) == ("doctor", True)


def test_a_program_can_undo(client_as: ClientAs) -> None:
    delete(client_as("doctor"), reason="wrong patient")
    (found,) = client_as("admin").get("api/deletions").json()
    undone = client_as("doctor").post(f"api/deletions/{found['id']}/undo")
    assert undone.json()["state"] == "undone"
    assert client_as("doctor").get(f"api/studies/{STUDY}").status_code == 200
