"""Nodes are called over TLS where their record says so, and have to be who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.test_gateway_tls import Identity, identity

from rounds_hub.gateway.listener import Listener
from rounds_hub.gateway.models import Node
from rounds_hub.gateway.nodes import NodeRecord
from rounds_hub.gateway.reaching import UnreachedError, echo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_hub.house import House


@pytest.fixture
def theirs(tmp_path: Path) -> Identity:
    return identity(tmp_path, "theirs")


@pytest.fixture
def tls_port(house: House, theirs: Identity) -> Iterator[int]:
    """Return the port of a gateway that speaks TLS and knows who calls."""
    settings = house.settings
    settings.gateway_port = settings.gateway_tls_port = 0
    settings.gateway_tls_certificate = str(theirs.certificate)
    settings.gateway_tls_key = str(theirs.key)
    settings.gateway_tls_clients = str(theirs.certificate)
    with house.sessions.begin() as session:
        session.add(Node(name="us", ae_title="ROUNDS", tls=True))
    with Listener(house) as listening:
        yield listening.tls_port


def node(port: int, **fields: object) -> NodeRecord:
    own: dict[str, Any] = {
        "name": "far",
        "ae_title": "ROUNDS",
        "host": "localhost",
        "tls": True,
    }
    return NodeRecord(**(own | {"port": port} | fields))


def test_a_trusted_certificate_is_enough(house: House, tls_port: int) -> None:
    assert echo(house, node(tls_port)) > 0


def test_a_named_certificate_needs_no_authority(
    house: House, tls_port: int, theirs: Identity
) -> None:
    house.settings.gateway_tls_clients = ""
    far = node(tls_port, host="127.0.0.1", certificate=theirs.fingerprint)
    assert echo(house, far) > 0


@pytest.mark.parametrize(
    ("fields", "trusted", "why"),
    [
        pytest.param(
            {"certificate": "0" * 64}, True, "another certificate", id="named"
        ),
        pytest.param({}, False, "not trusted", id="no authority"),
        pytest.param({"tls": False}, True, "not as DICOM does", id="without TLS"),
    ],
)
def test_somebody_else_is_not_called(
    fields: dict[str, Any], why: str, house: House, tls_port: int, *, trusted: bool
) -> None:
    if not trusted:
        house.settings.gateway_tls_clients = ""
    with pytest.raises(UnreachedError, match=why):
        echo(house, node(tls_port, **fields))
