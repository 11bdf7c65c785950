"""The row ``qido`` of the bench: a small race runs, and both find the same."""

from __future__ import annotations

import shutil

import pytest

from rounds_hub.bench.base import run
from rounds_hub.bench.query_studies import races
from rounds_hub.errors import BusyError


def test_the_race_finds_what_orthanc_finds() -> None:
    if shutil.which("Orthanc") is None:
        pytest.skip("Orthanc is not here: install orthanc and orthanc-dicomweb")
    try:
        rows = [run(race) for race in races(quick=True)]
    except BusyError as error:
        pytest.skip(str(error))
    assert [row.equal for row in rows] == [True]
