"""Nodes over the API, on the pages, and from the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.errors import SettingsError
from rounds_hub.gateway.nodes import find_node, list_all
from rounds_hub.gateway.registry import apply_configured
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    ClientAs = Callable[..., httpx.Client]

CT: dict[str, Any] = {"name": "ct-1", "ae_title": "CT1", "host": "127.0.0.1"}


@pytest.fixture
def admin_client(client_as: ClientAs) -> httpx.Client:
    return client_as("admin")


def test_a_node_is_made_with_defaults_that_let_it_store_alone(
    admin_client: httpx.Client,
) -> None:
    made = admin_client.post("api/nodes", json=CT)
    rights = {
        name: made.json()[name] for name in ("may_store", "may_query", "may_move")
    }
    assert made.status_code == 201
    assert rights == {"may_store": True, "may_query": False, "may_move": False}


def test_staff_see_names_and_what_can_be_done(
    admin_client: httpx.Client, client_as: ClientAs
) -> None:
    admin_client.post("api/nodes", json=CT)
    admin_client.post("api/nodes", json={"name": "us", "ae_title": "US"})
    seen = client_as("doctor").get("api/nodes").json()
    assert seen == [
        {"name": "ct-1", "sendable": True, "askable": True},
        {"name": "us", "sendable": False, "askable": False},
    ]


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        pytest.param("name", "CT 1", "small letters", id="blank in the name"),
        pytest.param("name", "new", "small letters", id="the name of a page"),
        pytest.param("ae_title", "A" * 17, "1 to 16", id="long title"),
        pytest.param("ae_title", "CT\\1", "no backslash", id="backslash"),
        pytest.param(
            "host", "http://ct1/", "A host is a name", id="an address of a page"
        ),
        pytest.param("port", 70000, "1 to 65535", id="large port"),
        pytest.param("associations", 0, "1 to 64", id="no association"),
        pytest.param("roles", ["system"], "No role 'system'", id="a role of nobody"),
        pytest.param("audience", ["doctors"], "is no audience", id="no audience"),
        pytest.param("certificate", "abc", "64 hexadecimal", id="no fingerprint"),
    ],
)
def test_a_field_that_cannot_be_is_named(
    field: str, value: object, why: str, admin_client: httpx.Client
) -> None:
    answer = admin_client.post("api/nodes", json={**CT, field: value})
    assert answer.status_code == 422
    assert why in answer.json()["problems"][field]


def test_a_title_belongs_to_one_node(admin_client: httpx.Client) -> None:
    admin_client.post("api/nodes", json=CT)
    answer = admin_client.post("api/nodes", json={**CT, "name": "ct-2"})
    assert answer.json()["problems"] == {
        "ae_title": "The node 'ct-1' has this AE title."
    }


def test_a_change_needs_the_revision_that_was_read(admin_client: httpx.Client) -> None:
    admin_client.post("api/nodes", json=CT)
    first = {"revision": 1, "may_query": True}
    changed = admin_client.put("api/nodes/ct-1", json=first)
    assert (changed.json()["may_query"], changed.json()["revision"]) == (True, 2)
    assert admin_client.put("api/nodes/ct-1", json=first).status_code == 409


def test_a_deleted_node_is_gone_and_comes_back_as_it_was(
    admin_client: httpx.Client,
) -> None:
    made = admin_client.post("api/nodes", json={**CT, "roles": ["doctor"]}).json()
    assert admin_client.delete("api/nodes/ct-1").status_code == 204
    assert admin_client.get("api/nodes/ct-1").status_code == 404
    assert admin_client.post("api/nodes/ct-1/restore").json() == made


def test_a_node_does_not_come_back_over_another(admin_client: httpx.Client) -> None:
    admin_client.post("api/nodes", json=CT)
    admin_client.delete("api/nodes/ct-1")
    admin_client.post("api/nodes", json={**CT, "name": "other"})
    assert admin_client.post("api/nodes/ct-1/restore").status_code == 422


def test_an_echo_says_how_long_or_why_not(
    admin_client: httpx.Client, receiver: Callable[..., Any]
) -> None:
    port = receiver().record.port
    admin_client.post("api/nodes", json={**CT, "port": port})
    answered = admin_client.post("api/nodes/ct-1/echo").json()
    admin_client.put("api/nodes/ct-1", json={"revision": 1, "port": 1})
    silent = admin_client.post("api/nodes/ct-1/echo").json()
    assert (answered["answered"], answered["seconds"] > 0) == (True, True)
    assert silent["why"] == "The node 'ct-1' does not listen (port 1)."


def open_with(folder: Path, *nodes: dict[str, Any]) -> House:
    return House.open(load_settings(data_dir=str(folder), nodes=list(nodes)))


def test_configured_nodes_are_there_and_changed_in_the_configuration_alone(
    tmp_path: Path,
) -> None:
    house = open_with(tmp_path, CT, {"name": "us", "ae_title": "US"})
    with house.sessions.begin(write=False) as session:
        assert [one.name for one in list_all(session)] == ["ct-1", "us"]
    house.close()
    house = open_with(tmp_path, {**CT, "may_query": True})
    with house.sessions.begin(write=False) as session:
        assert [one.may_query for one in list_all(session)] == [True]
    house.close()


def test_a_configured_node_is_not_changed_over_the_api(
    house: House, admin_client: httpx.Client
) -> None:
    apply_configured(house.sessions, [CT])
    change = admin_client.put("api/nodes/ct-1", json={"revision": 1, "port": 1})
    assert change.status_code == 409
    assert "Rounds.nodes" in change.json()["detail"]
    assert admin_client.delete("api/nodes/ct-1").status_code == 409


def test_the_configuration_takes_over_what_was_made_by_hand(
    house: House, admin_client: httpx.Client
) -> None:
    admin_client.post("api/nodes", json={**CT, "name": "by-hand"})
    apply_configured(house.sessions, [CT])
    with house.sessions.begin(write=False) as session:
        assert find_node(session, "by-hand") is None
        found = find_node(session, "ct-1")
    assert found is not None
    assert found.configured


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([{"name": "ct-1"}], id="no title"),
        pytest.param([{**CT, "color": "red"}], id="unknown field"),
        pytest.param([CT, {**CT, "name": "ct-2"}], id="one title twice"),
        pytest.param([CT, CT], id="one name twice"),
    ],
)
def test_a_configuration_that_cannot_be_stops_the_start(
    nodes: list[dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"Rounds\.nodes"):
        open_with(tmp_path, *nodes)


def test_the_form_shows_what_was_typed_and_what_is_wrong(
    admin_client: httpx.Client,
) -> None:
    sent = {"name": "ct-1", "ae_title": "", "port": "x", "associations": "8"}
    page = admin_client.post("nodes/new", data=sent, headers={"accept": "text/html"})
    assert page.status_code == 422
    assert 'value="ct-1"' in page.text
    assert "Every node has one." in page.text


def test_a_deleted_node_is_offered_back_on_the_list(admin_client: httpx.Client) -> None:
    admin_client.post("api/nodes", json=CT)
    html = {"accept": "text/html"}
    page = admin_client.post("nodes/ct-1/delete", headers=html, follow_redirects=True)
    assert "nodes/ct-1/restore" in page.text
    back = admin_client.post("nodes/ct-1/restore", headers=html, follow_redirects=True)
    assert 'value="CT1"' in back.text
