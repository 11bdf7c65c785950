"""Conditions: what they mean on a series, and what is said of those that mean none."""

from __future__ import annotations

import pytest
from pydicom.datadict import keyword_dict

from rounds_hub.routing.names import FACTS, Name, beginning_with, near
from rounds_hub.routing.parsing import DEEPEST, LONGEST, ConditionError, parse

SERIES: dict[str, tuple[object, ...]] = {
    "Modality": ("CT",),
    "SliceThickness": ("1.25",),
    "ConvolutionKernel": ("B60f ",),
    "SeriesDescription": ("Thin LUNG 1.0",),
    "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"),
    "StudyDate": ("20260301",),
    "SeriesTime": ("143000.50",),
    "AcquisitionDateTime": ("20260301143000+0800",),
    "PatientAge": ("017Y",),
    "Rows": (512,),
    "KVP": ("a lot",),
    "ReferencedStudySequence": ("sequence",),
    "InstanceCount": (300.0,),
    "IsVolume": (True,),
    "IsResult": (False,),
}


class SeriesOf:
    """A series that has just these values."""

    def __init__(self, values: dict[str, tuple[object, ...]]) -> None:
        self._values = values

    def values(self, name: Name) -> tuple[object, ...]:
        return self._values.get(name.word, ())


def answer(condition: str) -> bool | None:
    return parse(condition).explain(SeriesOf(SERIES)).answer


@pytest.mark.parametrize(
    "condition",
    [
        'Modality == "CT" and SliceThickness <= 1.25',
        'SliceThickness <= 1.25 and ConvolutionKernel in ["B60f", "LUNG"]',
        'SeriesDescription like "*lung*"',
        'SeriesDescription not like "*brain*"',
        'ImageType == "PRIMARY"',
        'not (Modality == "MR" or Rows < 512)',
        'StudyDate >= "2026-03-01" and StudyDate < "20260302"',
        'SeriesTime > "14:30" and SeriesTime < "14:31"',
        'AcquisitionDateTime == "2026-03-01 06:30"',
        'PatientAge < "18Y" and PatientAge > "200M"',
        "IsVolume and not IsResult and IsResult == false",
        "exists(ReferencedStudySequence) and not exists(EchoTime)",
        "Rows == 5.12e2 and Rows > -1",
        "Modality in ['CT', 'MR'] and Modality not in [\"US\"]",
    ],
)
def test_a_condition_that_is_true(condition: str) -> None:
    assert answer(condition) is True


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param('ImageType != "PRIMARY"', id="any of several values is equal"),
        pytest.param('Modality in ["MR"]', id="it is not in the list"),
        pytest.param("Modality in []", id="nothing is in an empty list"),
        pytest.param("exists(EchoTime)", id="to exist is never unknown"),
        pytest.param('EchoTime > 1 and Modality == "MR"', id="false beats unknown"),
        pytest.param('Modality == "ct"', id="equal means the same letters"),
    ],
)
def test_a_condition_that_is_false(condition: str) -> None:
    assert answer(condition) is False


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("EchoTime > 1", id="the tag is not there"),
        pytest.param("EchoTime != 1", id="nothing is unequal to nothing"),
        pytest.param("not EchoTime > 1", id="not keeps unknown"),
        pytest.param("KVP > 1", id="its value is no number"),
        pytest.param('EchoTime > 1 and Modality == "CT"', id="true does not help"),
        pytest.param('EchoTime > 1 or Modality == "MR"', id="false does not help"),
    ],
)
def test_a_condition_that_is_unknown(condition: str) -> None:
    assert answer(condition) is None


def test_true_beats_unknown_in_or() -> None:
    assert answer('EchoTime > 1 or Modality == "CT"') is True


@pytest.mark.parametrize(
    ("condition", "place", "says"),
    [
        pytest.param("", 0, "missing at the end", id="empty"),
        pytest.param('Modality = "CT"', 9, "Write ==", id="one equals sign"),
        pytest.param('Modality == "CT', 12, "not closed", id="open quotes"),
        pytest.param('Modalty == "CT"', 0, "Did you mean Modality", id="typo"),
        pytest.param("slicethickness < 1", 0, "SliceThickness", id="small letters"),
        pytest.param("Modality == CT", 12, "a text in quotes", id="no quotes"),
        pytest.param("Modality == 3", 12, 'write it in quotes, as "CT"', id="number"),
        pytest.param('Rows == "3"', 8, "without quotes", id="text for a number"),
        pytest.param('StudyDate > "March"', 12, '"2026-03-01"', id="no date"),
        pytest.param('StudyDate > "20260230"', 12, "is a date", id="no such day"),
        pytest.param('PatientAge < "old"', 13, '"18Y"', id="no age"),
        pytest.param("PixelData == 1", 13, "only exists()", id="bytes"),
        pytest.param('Rows like "5*"', 0, "Only a text", id="a number is like nothing"),
        pytest.param("Rows and IsVolume", 0, "stands alone", id="a number alone"),
        pytest.param("IsVolume < true", 9, "not more or less", id="order of flags"),
        pytest.param("Rows > 1e999", 7, "is a number", id="endless"),
        pytest.param("Rows > 1\nand Colums > 1", 13, "line 2, sign 5", id="2nd line"),
        pytest.param("Rows > 1 && IsVolume", 9, "Write and", id="another language"),
    ],
)
def test_an_error_says_where_and_what_would_work(
    condition: str, place: int, says: str
) -> None:
    with pytest.raises(ConditionError) as caught:
        parse(condition)
    assert says in str(caught.value)
    assert caught.value.place == place
    assert set(caught.value.problems) == {"condition"}


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("IsVolume" + " " * LONGEST, id="too long"),
        pytest.param("not " * (DEEPEST + 1) + "IsVolume", id="too deep by not"),
        pytest.param(
            "(IsVolume and (IsVolume or " * (DEEPEST // 2 + 1)
            + "IsVolume"
            + "))" * (DEEPEST // 2 + 1),
            id="too deep by parentheses",
        ),
        pytest.param(f"Rows in [{', '.join(['1'] * 101)}]", id="too long a list"),
        pytest.param("__import__('os')", id="code"),
        pytest.param("exists(Rows.__class__)", id="attributes of objects"),
        pytest.param("(" * LONGEST, id="nothing but parentheses"),
    ],
)
def test_what_is_too_much_or_no_condition_is_refused(condition: str) -> None:
    with pytest.raises(ConditionError):
        parse(condition)


def test_parentheses_without_meaning_count_for_nothing() -> None:
    assert answer("(" * 900 + "IsVolume" + ")" * 900) is True


def test_no_fact_is_a_keyword_of_dicom() -> None:
    assert set(FACTS).isdisjoint(keyword_dict)


def test_each_clause_says_which_values_it_found() -> None:
    explained = parse('ImageType == "X" or not exists(EchoTime)').explain(
        SeriesOf(SERIES)
    )
    first, second = explained.parts
    assert (first.answer, first.values) == (False, ("ORIGINAL", "PRIMARY", "AXIAL"))
    assert (second.text, second.parts[0].values) == ("not exists(EchoTime)", ())


def test_many_and_long_values_are_shown_cut() -> None:
    held = SeriesOf({"ImageType": ("x" * 200, *map(str, range(50)))})
    shown = parse('ImageType == "X"').explain(held).values
    assert (len(shown), shown[-1], len(shown[0])) == (7, "… (+45)", 64)


def test_names_are_offered_while_one_is_written() -> None:
    assert "InstanceCount" in [one.word for one in beginning_with("instancec")]
    assert near("Modaliti")[0] == "Modality"
