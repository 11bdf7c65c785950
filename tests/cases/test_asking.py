"""What can be asked for, as values, and how words and pictures are weighed."""

from __future__ import annotations

from typing import Any

import pytest

from rounds_hub.cases.asking import Example, Question, Region
from rounds_hub.cases.weighing import names_only_anatomy
from rounds_hub.errors import InvalidError


def test_a_rectangle_may_be_drawn_from_any_corner() -> None:
    assert Region.rectangle(50, 80, 10, 20).box == (10.0, 20.0, 50.0, 80.0)


@pytest.mark.parametrize(
    ("points", "why"),
    [
        pytest.param(((0, 0), (9, 9)), "3 to 200 points", id="a line"),
        pytest.param(((0, 0), (9, 0), (4, 2)), "9 by 2", id="too flat"),
        pytest.param(((0, 0), (9, 0), (4, float("nan"))), "numbers", id="no number"),
        pytest.param(((0, 0), (9, 0), (4, 1e30)), "numbers", id="out of this world"),
    ],
)
def test_what_surrounds_nothing_is_no_region(points: Any, why: str) -> None:  # noqa: ANN401
    with pytest.raises(InvalidError, match=why):
        Region(points)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"case_id": "c1"}, "case"),
        ({"series_uid": "1.2"}, "series"),
        ({"series_uid": "1.2", "slice": 0}, "slice"),
        (
            {"series_uid": "1.2", "slice": 0, "region": Region.rectangle(0, 0, 9, 9)},
            "region",
        ),
        ({}, "upload"),
    ],
)
def test_an_example_is_of_one_kind(said: dict[str, Any], kind: str) -> None:
    assert Example(**said).kind == kind


def test_a_region_of_a_series_needs_its_slice() -> None:
    with pytest.raises(InvalidError, match="'slice'"):
        Example(series_uid="1.2", region=Region.rectangle(0, 0, 9, 9))


def test_what_to_leave_out_is_known() -> None:
    with pytest.raises(InvalidError, match="Known: patient, copies"):
        Question(leave_out=frozenset({"everything"}))


@pytest.mark.parametrize(
    "words",
    ["brain", "axial CT of the chest", "T2 knee", "膝关节 MRI", "胸部CT", "liver MR"],
)
def test_anatomy_and_technique_are_told(words: str) -> None:
    assert names_only_anatomy(words)


@pytest.mark.parametrize(
    "words",
    ["", "brain abscess", "HCC", "ring enhancing lesion", "肝细胞癌", "knee pain"],
)
def test_what_names_more_is_no_plain_anatomy(words: str) -> None:
    assert not names_only_anatomy(words)
