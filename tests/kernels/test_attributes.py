"""Attributes are the same whether they lie at the top, in a group or in a detector."""

from __future__ import annotations

import math

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import MRImageStorage, ParametricMapStorage

from rounds_kernels.attributes import number, of_dataset, of_frames, plain, text, values


def item(**attributes: object) -> Dataset:
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset


def measured(mm: float) -> Dataset:
    return item(PixelMeasuresSequence=Sequence([item(PixelSpacing=[mm, mm])]))


def test_only_what_is_needed_is_read() -> None:
    found = of_dataset(item(PatientName="Doe^J", Modality="CT", Rows=7))
    assert found == {"Modality": ("CT",), "Rows": (7,)}


def test_empty_attributes_are_as_if_absent() -> None:
    assert of_dataset(item(ImageType="", EchoTime=None, Units="")) == {}


def test_a_frame_has_its_own_over_the_shared_over_the_top() -> None:
    dataset = item(PixelSpacing=[1, 1], Rows=4)
    dataset.SharedFunctionalGroupsSequence = Sequence([measured(2)])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([measured(3), Dataset()])
    found = of_frames(dataset, 3)
    assert [frame["PixelSpacing"][0] for frame in found] == [3, 2, 2]
    assert [frame["Rows"] for frame in found] == [(4,)] * 3


def test_the_place_of_another_picture_is_not_taken() -> None:
    other = item(ImagePositionPatient=[9, 9, 9])
    group = item(DerivationImageSequence=Sequence([other]))
    dataset = item(PerFrameFunctionalGroupsSequence=Sequence([group]))
    assert "ImagePositionPatient" not in of_frames(dataset, 1)[0]


def test_sequences_are_followed_only_so_deep() -> None:
    deep = item(EchoTime=5)
    for _ in range(9):
        deep = item(MREchoSequence=Sequence([deep]))
    dataset = item(SharedFunctionalGroupsSequence=Sequence([deep]))
    assert "EchoTime" not in of_frames(dataset, 1)[0]


def test_a_detector_fills_in_what_the_top_lacks() -> None:
    detector = item(ImagePositionPatient=[1, 2, 3])
    dataset = item(DetectorInformationSequence=Sequence([detector]))
    assert of_frames(dataset, 1)[0]["ImagePositionPatient"] == (1, 2, 3)


def test_a_detector_does_not_overrule_the_top() -> None:
    detector = item(ImagePositionPatient=[1, 2, 3])
    dataset = item(
        ImagePositionPatient=[7, 8, 9],
        DetectorInformationSequence=Sequence([detector]),
    )
    assert of_frames(dataset, 1)[0]["ImagePositionPatient"] == (7, 8, 9)


def test_a_region_in_seconds_is_no_spacing() -> None:
    region = item(
        PhysicalUnitsXDirection=4,
        PhysicalUnitsYDirection=3,
        PhysicalDeltaX=0.1,
        PhysicalDeltaY=0.1,
    )
    dataset = item(SequenceOfUltrasoundRegions=Sequence([region]))
    assert "RegionSpacing" not in of_frames(dataset, 1)[0]


@pytest.mark.parametrize(
    ("sop_class", "units"),
    [(ParametricMapStorage, ("mm2/s",)), (MRImageStorage, None)],
)
def test_only_a_map_is_in_the_unit_of_its_mapping(
    sop_class: str, units: tuple[str] | None
) -> None:
    unit = item(MeasurementUnitsCodeSequence=Sequence([item(CodeValue="mm2/s")]))
    group = item(RealWorldValueMappingSequence=Sequence([unit]))
    dataset = item(
        SOPClassUID=sop_class, SharedFunctionalGroupsSequence=Sequence([group])
    )
    assert of_frames(dataset, 1)[0].get("MeasuredUnits") == units


@pytest.mark.parametrize(
    ("value", "vr", "expected"),
    [
        pytest.param(None, "DS", (), id="nothing"),
        pytest.param("", "CS", (), id="empty text"),
        pytest.param(["", "M "], "CS", ("", "M"), id="texts are stripped"),
        pytest.param("1.5", "DS", (1.5,), id="one number"),
        pytest.param([1, ""], "IS", (1,), id="a gap between numbers"),
    ],
)
def test_values_become_plain(
    value: object, vr: str, expected: tuple[object, ...]
) -> None:
    assert plain(value, vr) == expected


@pytest.mark.parametrize("bad", [(1.0, 2.0), (1.0, 2.0, math.nan), ("a", "b", "c")])
def test_three_finite_numbers_are_wanted(bad: tuple[float | str, ...]) -> None:
    assert values({"ImagePositionPatient": bad}, "ImagePositionPatient", 3) == ()


def test_a_number_has_a_default() -> None:
    found: dict[str, tuple[str | float, ...]] = {
        "A": ("x",),
        "B": (math.inf,),
        "C": (2,),
    }
    assert [number(found, name, 7) for name in "ABCD"] == [7, 7, 2, 7]


def test_a_text_joins_its_values() -> None:
    assert text({"ImageType": ("ORIGINAL", "M")}, "ImageType") == "ORIGINAL\\M"
