"""The row ``series-read`` races fairly: everybody reads the same voxels."""

from __future__ import annotations

import pytest

from rounds_hub.bench.base import run


def test_every_peer_reads_the_same_voxels() -> None:
    pytest.importorskip("SimpleITK", reason="the peer SimpleITK is not here")
    from rounds_hub.bench.series_read import races

    rows = [run(race) for race in races(quick=True)]
    assert [(row.peer, row.equal) for row in rows] == [
        ("pydicom", True),
        ("SimpleITK", True),
    ]
