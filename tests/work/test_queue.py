"""The queue takes work as JSON, once for the same request, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_hub.errors import BusyError
from rounds_hub.work.client import WorkClient, workflow_id
from rounds_hub.work.serializer import JsonSerializer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def client(database_url: str) -> Iterator[WorkClient]:
    opened = WorkClient(database_url)
    yield opened
    opened.close()


def test_work_that_nobody_asked_for_has_no_state(client: WorkClient) -> None:
    assert client.state("run", "c0ffee") is None


def test_work_waits_without_a_worker(client: WorkClient) -> None:
    client.enqueue("run", "c0ffee")
    assert client.state("run", "c0ffee") == "waiting"


def test_the_same_request_is_the_same_work(client: WorkClient) -> None:
    for _ in range(3):
        client.enqueue("run", "c0ffee")
    client.cancel("run", "c0ffee")
    client.enqueue("run", "c0ffee")
    assert client.state("run", "c0ffee") == "cancelled"


def test_runs_and_imports_do_not_share_names(client: WorkClient) -> None:
    client.enqueue("run", "1")
    assert client.state("import", "1") is None
    assert workflow_id("run", "1") != workflow_id("import", "1")


def test_cancelling_what_is_not_there_changes_nothing(client: WorkClient) -> None:
    client.cancel("run", "nothing")
    assert client.state("run", "nothing") is None


def test_two_clients_see_the_same_queue(client: WorkClient, database_url: str) -> None:
    client.enqueue("import", "7")
    other = WorkClient(database_url)
    assert other.state("import", "7") == "waiting"
    other.close()


def test_closing_twice_changes_nothing(client: WorkClient) -> None:
    client.enqueue("run", "1")
    client.close()
    client.close()
    assert client.state("run", "1") == "waiting"


def test_a_queue_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    client = WorkClient(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite'}")
    with pytest.raises(BusyError, match="The queue does not answer now"):
        client.enqueue("run", "1")


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="The queue takes JSON, got object"):
        JsonSerializer().serialize({"args": [object()]})


def test_an_error_goes_through_the_queue_as_its_text() -> None:
    serializer = JsonSerializer()
    said = serializer.deserialize(serializer.serialize(ValueError("no lungs")))
    assert said == {"error": "ValueError", "message": "no lungs"}


def test_reading_from_the_queue_runs_no_code() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        JsonSerializer().deserialize("gASVKAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOU")
