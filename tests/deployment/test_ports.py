"""The ports of a house."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from rounds_hub.deployment.ports import choose_ports, is_free, read_ports
from rounds_hub.deployment.traits import Deployment
from rounds_hub.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that another program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_is_named(tmp_path: Path, taken: int) -> None:
    with pytest.raises(ConflictError, match=f"Port {taken} is taken .* --port"):
        choose_ports(tmp_path, Deployment(port=taken))


def test_a_taken_port_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_four_ports_are_chosen(tmp_path: Path) -> None:
    ports = choose_ports(tmp_path, Deployment(port=0))
    assert len({ports.public, ports.hub, ports.proxy_api, ports.web}) == 4


def test_a_restart_has_the_same_ports(tmp_path: Path) -> None:
    first = choose_ports(tmp_path, Deployment(port=0))
    assert choose_ports(tmp_path, Deployment(port=0)) == first


def test_an_inner_port_that_was_taken_meanwhile_changes(tmp_path: Path) -> None:
    first = choose_ports(tmp_path, Deployment(port=0))
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.hub))
        other.listen()
        assert choose_ports(tmp_path, Deployment(port=0)).hub != first.hub


def test_ports_are_read_back(tmp_path: Path) -> None:
    chosen = choose_ports(tmp_path, Deployment(port=0))
    assert read_ports(tmp_path) == chosen


@pytest.mark.parametrize("kept", ["", "{", '{"public": 1}', "[]"])
def test_a_damaged_file_is_no_ports(tmp_path: Path, kept: str) -> None:
    (tmp_path / "ports.json").write_text(kept)
    assert read_ports(tmp_path) is None
