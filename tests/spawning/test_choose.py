"""Where user servers run, and why."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from rounds_hub.errors import SettingsError
from rounds_hub.spawning.choose import Engine, choose_spawner, decide, probe_engine

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Engine(address="172.17.0.1")
NONE = Engine("no Docker engine answers")


@pytest.mark.parametrize(
    ("wish", "engine", "kind"),
    [
        pytest.param("auto", GOOD, "docker", id="containers where there is an engine"),
        pytest.param("auto", NONE, "local", id="processes where there is none"),
        pytest.param("local", GOOD, "local", id="processes by wish"),
        pytest.param("docker", GOOD, "docker", id="containers by wish"),
    ],
)
def test_the_wish_and_the_engine_decide(wish: str, engine: Engine, kind: str) -> None:
    assert decide(wish, engine).kind == kind


def test_containers_that_cannot_be_had_are_said() -> None:
    with pytest.raises(SettingsError, match="no Docker engine answers; 'auto'"):
        decide("docker", NONE)


def test_the_choice_says_why() -> None:
    line = str(decide("auto", NONE))
    assert line == "User servers are local processes: no Docker engine answers."


def test_the_hub_listens_where_containers_reach_it() -> None:
    assert decide("auto", GOOD).hub_address == "172.17.0.1"


def test_processes_need_no_look_at_an_engine() -> None:
    assert choose_spawner("local", "any").reason == "Deployment.spawner says so"


def test_no_socket_is_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    found = probe_engine("any", tmp_path / "docker.sock")
    assert found.problem == "no Docker engine is here"


def test_a_dead_socket_is_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert probe_engine("any", path).problem == "no Docker engine is here"
