"""The peers of these tests are the programs that they are said to be."""

from __future__ import annotations

import pytest
from tests.gateway.speaking import dcmtk


@pytest.mark.parametrize(
    "program",
    ["storescu", "findscu", "getscu", "movescu", "echoscu", "storescp", "dcmqrscp"],
)
def test_a_peer_is_dcmtks(program: str) -> None:
    assert f"$dcmtk: {program} v" in dcmtk(program, "--version").stdout
