"""A notebook reads a volume in part, and shows a coarse copy before all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import rounds
from rounds.client import default_service
from rounds.errors import NotFoundError
from rounds.growing import grow
from rounds.levels import coarse
from rounds.streaming import KEPT
from rounds.viewers.niivue import PlanesView
from rounds_kernels import phantoms
from rounds_kernels.volumes import open_volume, write_volume

if TYPE_CHECKING:
    from pathlib import Path

    from tests.extensions.conftest import ServedHouse

    from rounds_kernels.volumes import Volume


@pytest.fixture
def series(served_house: ServedHouse, monkeypatch: pytest.MonkeyPatch) -> rounds.Series:
    """Return the chest in the hands of a student who has read nothing yet."""
    KEPT.clear()
    served_house.as_person("student", monkeypatch)
    found: rounds.Series = rounds.open(served_house.chest).series[0]
    return found


def test_ten_slices_are_ten_slices(
    series: rounds.Series, served_house: ServedHouse
) -> None:
    truth = served_house.phantom.volume.array
    assert np.array_equal(series.levels[0][30:40, 5:70, :], truth[30:40, 5:70, :])


def test_a_preview_is_coarse_and_lies_where_the_volume_does(
    series: rounds.Series, served_house: ServedHouse
) -> None:
    truth, small = (
        served_house.phantom.volume,
        coarse(default_service(), series.uid, 64),
    )
    ends = [[-0.5, -0.5, -0.5, 1.0], [*np.subtract(small.array.shape, 0.5), 1.0]]
    full = [[-0.5, -0.5, -0.5, 1.0], [*np.subtract(truth.array.shape, 0.5), 1.0]]
    assert max(small.array.shape) <= 64
    assert np.allclose(
        small.affine @ np.transpose(ends), truth.affine @ np.transpose(full)
    )


def test_what_is_small_is_its_own_preview(
    series: rounds.Series, served_house: ServedHouse
) -> None:
    assert series.preview.array.shape == served_house.phantom.volume.array.shape


@pytest.mark.usefixtures("series")
def test_a_series_that_one_may_not_see_has_no_levels() -> None:
    with pytest.raises(NotFoundError):
        coarse(default_service(), "1.2.3")


def test_a_small_volume_is_shown_whole_at_once(
    series: rounds.Series, served_house: ServedHouse
) -> None:
    del series
    shown = rounds.open(served_house.chest).show()
    assert shown.growing is None


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Volume, Volume]:
    """Return a chest and a coarse copy of it."""
    chest = phantoms.thorax(phantoms.Grid((40, 96, 96), (7.0, 4.0, 4.0))).volume
    write_volume(chest, tmp_path)
    return chest, open_volume(tmp_path, 1)


def test_the_whole_volume_takes_the_place_of_the_coarse_copy(
    copies: tuple[Volume, Volume],
) -> None:
    whole, small = copies
    shown = PlanesView(small, title="Chest")
    shown.window.center.value = -600
    grow(shown, lambda: whole)
    assert shown.growing is not None
    shown.growing.join(60)
    assert tuple(s.max for s in shown.slices.sliders) == whole.array.shape[::-1]
    assert shown.window.center.value == -600


def test_where_the_rest_does_not_come_the_copy_stays_and_says_so(
    copies: tuple[Volume, Volume],
) -> None:
    def lost() -> Volume:
        msg = "The house cannot be reached."
        raise NotFoundError(msg)

    shown = grow(PlanesView(copies[1]), lost)
    assert shown.growing is not None
    shown.growing.join(60)
    assert "Only the coarse copy is here: The house" in shown.children[3].value
