"""The client in a notebook against the real service, as different people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import rounds
from rounds.errors import NotFoundError, NotSignedInError, RefusedError, ViewerError
from rounds.streaming import KEPT

if TYPE_CHECKING:
    from tests.extensions.conftest import ServedHouse


@pytest.fixture(autouse=True)
def student(served_house: ServedHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process the notebook of a student."""
    KEPT.clear()
    served_house.as_person("student", monkeypatch)


def test_the_house_knows_who_asks() -> None:
    me = rounds.me()
    assert (me.name, me.roles, me.groups) == ("student", ("student",), ("students",))


def test_a_token_that_the_hub_does_not_know_is_refused(
    served_house: ServedHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    served_house.as_person("nobody", monkeypatch)
    with pytest.raises(NotSignedInError, match="Stop and start your server"):
        rounds.me()


def test_a_case_opens_with_its_story_and_series(served_house: ServedHouse) -> None:
    case = rounds.open(served_house.chest)
    first = case.series[0]
    assert (case.history, case.body_part) == ("A miner & smoker.", "chest")
    assert (first.uid, first.modality, first.count) == (served_house.series, "CT", 48)


def test_the_volume_is_that_of_the_archive(served_house: ServedHouse) -> None:
    volume = rounds.open(served_house.chest).volume
    truth = served_house.phantom.volume
    assert np.array_equal(volume.array, truth.array)
    assert np.allclose(volume.affine, truth.affine, atol=1e-3)


def test_a_series_is_streamed_once(served_house: ServedHouse) -> None:
    first = rounds.open(served_house.chest).series[0].volume
    assert rounds.open(served_house.chest).volume is first


@pytest.mark.parametrize("case_id", ["no-such-case", "hidden"])
def test_a_case_that_one_may_not_see_is_like_none(
    served_house: ServedHouse, case_id: str
) -> None:
    wanted = served_house.hidden if case_id == "hidden" else case_id
    with pytest.raises(NotFoundError, match=r"None that you may see|none that you may"):
        rounds.open(wanted)


def test_its_author_opens_a_draft(
    served_house: ServedHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    served_house.as_person("teacher", monkeypatch)
    assert rounds.open(served_house.hidden).title == "A draft"


@pytest.mark.parametrize("wrong", ["../me", "a b", "", "x" * 65, "a/../b"])
def test_what_can_be_no_case_is_not_asked_for(wrong: str) -> None:
    with pytest.raises(RefusedError, match="is no case"):
        rounds.open(wrong)


def test_a_case_is_shown_with_its_picture_and_as_text(
    served_house: ServedHouse,
) -> None:
    html = rounds.open(served_house.chest)._repr_html_()
    assert "Emphysema &lt;b&gt;of&lt;/b&gt;" in html
    assert 'src="data:image/png;base64,' in html


def test_a_case_shows_its_volume(served_house: ServedHouse) -> None:
    shown = rounds.open(served_house.chest).show()
    assert shown.canvas.volumes[0].name == "volume.nii"
    shown.close()


def test_an_engine_that_is_none_names_those_there_are(
    served_house: ServedHouse,
) -> None:
    with pytest.raises(ViewerError, match="Known: itk, niivue"):
        rounds.open(served_house.chest).show(engine="vtk")


def test_a_series_that_is_none_names_those_there_are(served_house: ServedHouse) -> None:
    with pytest.raises(NotFoundError, match=r"no series 3\. Known: 0 \("):
        rounds.open(served_house.chest).show(series=3)


def test_a_word_finds_the_case_and_opens_it(served_house: ServedHouse) -> None:
    hits = rounds.find("emphysema", modality="CT")
    assert [hit.id for hit in hits] == [served_house.chest]
    assert hits[0].open().id == served_house.chest


def test_hits_are_a_table_with_only_the_marks_as_html() -> None:
    html = rounds.find("emphysema")._repr_html_()
    assert ("<mark>" in html, "<b>" in html) == (True, False)


def test_a_draft_is_not_found() -> None:
    assert len(rounds.find("draft")) == 0


def test_a_facet_that_is_none_names_those_there_are() -> None:
    with pytest.raises(TypeError, match=r"No facet 'organ'\. Known: modality"):
        rounds.find("brain", organ="lung")


def test_a_case_without_runs_has_no_results(served_house: ServedHouse) -> None:
    assert rounds.open(served_house.chest).results == []
