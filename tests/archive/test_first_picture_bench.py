"""The row ``first-picture`` races fairly: the same voxels, over real HTTP."""

from __future__ import annotations

from rounds_hub.bench.base import run
from rounds_hub.bench.first_picture import races


def test_the_coarse_picture_is_what_the_whole_series_would_show() -> None:
    rows = [run(race) for race in races(quick=True)]
    assert [row.equal for row in rows] == [True, True]
