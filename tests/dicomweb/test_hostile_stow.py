"""The hostile corpus by STOW-RS: refused or taken as by any other door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.archive.hostile_reading import Told, otherwise, told_by

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("hostile")]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    return told_by(tmp_path_factory.mktemp("hostile-stow"), "stow")


def test_every_file_is_refused_or_taken_by_stow(told: list[Told]) -> None:
    assert otherwise(told) == []


def test_no_file_by_stow_is_an_error_of_the_server(told: list[Told]) -> None:
    assert [one for one in told if one.failed] == []


def test_no_file_by_stow_takes_more_than_it_may(told: list[Told]) -> None:
    assert [one for one in told if one.megabytes > 256 or one.seconds > 10] == []


def test_no_file_by_stow_is_written_elsewhere(told: list[Told], tmp_path: Path) -> None:
    assert told
    around = tmp_path.parent.parent.glob("*/hostile-stow0/*")
    assert {path.name for path in around} <= {"data"}
