"""What a container of a user may do."""

from __future__ import annotations

from typing import Any

import pytest

from rounds_hub.deployment.traits import Deployment
from rounds_hub.spawning.docker import RoundsDockerSpawner
from rounds_hub.spawning.options import hardened, network_name


@pytest.fixture
def options() -> dict[str, Any]:
    return hardened(Deployment(server_memory="2G", user_image="mine:1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("cap_drop", ["ALL"], id="no capability"),
        pytest.param("security_opt", ["no-new-privileges"], id="none to gain"),
        pytest.param("read_only", True, id="nothing of the system to write"),
        pytest.param("memswap_limit", "2G", id="no swap"),
        pytest.param("oom_score_adj", 500, id="the first to go, not the hub"),
    ],
)
def test_the_host_is_closed(options: dict[str, Any], name: str, value: object) -> None:
    assert options["extra_host_config"][name] == value


def test_processes_are_bounded(options: dict[str, Any]) -> None:
    assert 0 < options["extra_host_config"]["pids_limit"] < 10_000


def test_the_container_is_not_root(options: dict[str, Any]) -> None:
    assert options["extra_create_kwargs"]["user"] != "0"


def test_images_are_never_pulled(options: dict[str, Any]) -> None:
    assert (options["image"], options["pull_policy"]) == ("mine:1", "never")


def test_a_stopped_container_does_not_block_the_next(options: dict[str, Any]) -> None:
    assert options["remove"] is True


def test_a_home_outlives_its_container(options: dict[str, Any]) -> None:
    assert options["volumes"] == {"rounds-home-{username}": "/home/jovyan"}


def test_users_do_not_share_a_network() -> None:
    assert network_name("ada") != network_name("ben")


def test_every_option_is_one_that_the_spawner_has(options: dict[str, Any]) -> None:
    assert set(options) <= set(RoundsDockerSpawner.class_trait_names())
