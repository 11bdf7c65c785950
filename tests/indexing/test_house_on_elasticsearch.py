"""A whole house whose index is in Elasticsearch: brought, published, found, hidden."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
from tests.conftest import open_house
from tests.dicomweb.test_stow import body_of, file_of, send

from rounds_hub.indexing import consumer
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from rounds_hub.house import House

    ClientAs = Callable[..., httpx.Client]

SMALL = Grid((4, 32, 32), (7.0, 1.5, 1.5))


@pytest.fixture
def house(
    elasticsearch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """Return a house that finds its cluster where the environment says."""
    monkeypatch.setenv("ELASTICSEARCH_URL", elasticsearch)
    opened = open_house(tmp_path, search_prefix=f"house-{secrets.token_hex(4)}")
    yield opened
    opened.close()


def brought(client: httpx.Client) -> str:
    """Return the UID of a series that was stored over HTTP."""
    made = phantoms.to_dicom(phantoms.sphere(SMALL, seed=9))
    assert send(client, body_of(list(map(file_of, made)))).status_code == 200
    return str(made[0].SeriesInstanceUID)


def published(client: httpx.Client, title: str, *audience: str) -> str:
    """Return the id of a case that was made and published over HTTP."""
    told = {
        "title": title,
        "findings": "Ring-enhancing lesion",
        "audience": list(audience),
        "series": [{"uid": brought(client)}],
    }
    made = client.post("api/cases", json=told).raise_for_status().json()
    client.post(f"api/cases/{made['id']}/publish").raise_for_status()
    return str(made["id"])


def found(client: httpx.Client, **asked: str) -> list[str]:
    answer = client.get("api/search", params=asked).raise_for_status().json()
    return [hit["id"] for hit in answer["hits"]]


def test_a_case_is_brought_published_found_and_hidden(
    house: House, client_as: ClientAs
) -> None:
    teacher = client_as("teacher")
    name = published(teacher, "Brain abscess", "role:student")
    while consumer.run_once(house):
        pass
    assert house.index.health()["backend"] == "elasticsearch"
    assert found(client_as("student"), text="脑脓肿") == [name]
    assert found(client_as("doctor"), text="脑脓肿") == []
    teacher.post(f"api/cases/{name}/withdraw").raise_for_status()
    while consumer.run_once(house):
        pass
    assert found(client_as("student"), text="abscess") == []


def test_a_rebuild_gives_the_same(house: House, client_as: ClientAs) -> None:
    name = published(client_as("teacher"), "Lung cancer", "everyone")
    consumer.rebuild(house)
    assert house.index.health()["documents"] == 1
    assert found(client_as("student"), text="肺癌") == [name]
