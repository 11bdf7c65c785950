"""Masks and measurements become valid DICOM that says where it comes from."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless

from rounds_kernels import phantoms
from rounds_kernels.errors import ResultError
from rounds_kernels.references import reference_of
from rounds_kernels.results import (
    Code,
    Measurement,
    Provenance,
    Segment,
    measurement_report,
    read_provenance,
    segmentation,
)
from rounds_kernels.volumes import read_series, read_stacks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from rounds_kernels.phantoms import Phantom

    Series = list[Dataset]
    AsFile = Callable[[Dataset], bytes]

RIGHT = Segment("Right lung", 1, Code("3341006", "SCT", "Right lung"))
LEFT = Segment("Left lung", 2, Code("44029006", "SCT", "Left lung"))
VOLUME = Code("118565006", "SCT", "Volume")
MADE = Provenance(
    template="lung_volume",
    template_hash="ab" * 32,
    parameters={"threshold": -400.0, "closing_mm": 5, "note": "µ 胸"},
    run_id="0123456789abcdef",
    image_digest="sha256:" + "cd" * 32,
    software="rounds 0.1",
    created="2026-03-04T05:06:07",
)
MEASURED = (
    Measurement("Volume", 2503.5, "ml", VOLUME, "Right lung"),
    Measurement("Volume", 1981.9, "ml", VOLUME, "Left lung"),
    Measurement("Whole volume", 4485.4, "ml", VOLUME),
)


def two_boxes(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    mask[1:3, 2:9, 3:9] = 1
    mask[1:3, 2:9, 12:20] = 2
    return mask


def results_of(sources: Series) -> tuple[Dataset, Dataset]:
    mask = two_boxes(reference_of(sources).shape)
    made = segmentation(sources, mask, (RIGHT, LEFT), MADE)
    return made, measurement_report(sources, MEASURED, MADE, made)


def errors_in(dataset: Dataset, folder: Path) -> list[str]:
    """Return what dciodvfy calls an error in *dataset*."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not here: install dicom3tools")
    path = folder / "result.dcm"
    dataset.save_as(path, enforce_file_format=True)
    said = subprocess.run([tool, path], capture_output=True, text=True, check=False)
    return [line for line in said.stderr.splitlines() if "Error" in line]


def test_a_mask_comes_back_from_its_segmentation(series: Series) -> None:
    mask = two_boxes((24, 32, 32))
    made = segmentation(series[::-1], mask, (RIGHT, LEFT), MADE)
    stacks = read_stacks([made])
    assert np.array_equal(stacks[0].array, mask[1:3] == 1)
    assert np.array_equal(stacks[1].array, mask[1:3] == 2)


def test_a_segmentation_lies_where_its_mask_lay(series: Series) -> None:
    made, _ = results_of(series)
    expected = read_series(series).affine @ [1, 0, 0, 1]
    assert np.allclose(read_series([made]).origin, expected[:3])


def test_results_belong_to_the_study_of_their_images(series: Series) -> None:
    for result in results_of(series):
        assert result.StudyInstanceUID == series[0].StudyInstanceUID
        assert result.PatientID == series[0].PatientID
        assert result.PatientName == series[0].PatientName


def test_both_results_say_where_they_come_from(series: Series, as_file: AsFile) -> None:
    for result in results_of(series):
        kept = dcmread(BytesIO(as_file(result)))
        assert read_provenance(kept) == MADE


def test_the_same_run_gives_the_same_bytes(series: Series, as_file: AsFile) -> None:
    one, other = (list(map(as_file, results_of(series))) for _ in range(2))
    assert one == other


def test_another_run_gives_other_uids(series: Series) -> None:
    mask = two_boxes((24, 32, 32))
    one, other = (
        segmentation(series, mask, (RIGHT, LEFT), replace(MADE, run_id=run))
        for run in ("one", "other")
    )
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert one.SeriesInstanceUID != other.SeriesInstanceUID


def test_the_images_stay_as_they_were(series: Series) -> None:
    before = [str(dataset) for dataset in series]
    results_of(series)
    assert [str(dataset) for dataset in series] == before


def test_a_report_refers_to_its_segment(series: Series) -> None:
    made, report = results_of(series)
    assert str(made.SOPInstanceUID) in str(report)


def test_a_report_refers_to_the_only_segment_there_is(series: Series) -> None:
    mask = (two_boxes(reference_of(series).shape) == 1).astype(np.uint8)
    made = segmentation(series, mask, (RIGHT, LEFT), MADE)
    report = measurement_report(series, MEASURED[:1], MADE, made)
    assert str(made.SOPInstanceUID) in str(report)


def test_a_report_holds_the_numbers(series: Series) -> None:
    _, report = results_of(series)
    assert {"2503.5", "1981.9", "4485.4"} <= set(numbers_in(report))


def numbers_in(item: Dataset) -> list[str]:
    found = [
        str(value.NumericValue) for value in item.get("MeasuredValueSequence") or ()
    ]
    for child in item.get("ContentSequence") or ():
        found += numbers_in(child)
    return found


def test_a_report_needs_no_segmentation(series: Series) -> None:
    report = measurement_report(series, MEASURED, MADE)
    assert {"2503.5", "1981.9", "4485.4"} <= set(numbers_in(report))


def test_every_image_is_in_the_evidence(series: Series) -> None:
    _, report = results_of(series)
    named = str(report.CurrentRequestedProcedureEvidenceSequence)
    others = str(report.get("PertinentOtherEvidenceSequence", ""))
    assert all(each.SOPInstanceUID in named + others for each in series)


def test_images_may_come_without_their_pixels(series: Series) -> None:
    whole = results_of(series)[0].PixelData
    for dataset in series:
        del dataset.PixelData
    assert results_of(series)[0].PixelData == whole


def test_packed_images_carry_results(series: Series) -> None:
    for dataset in series:
        dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    made, report = results_of(series)
    assert (made.Modality, report.Modality) == ("SEG", "SR")


def test_a_name_of_one_part_and_an_odd_sex_are_no_trouble(series: Series) -> None:
    for dataset in series:
        dataset.PatientName, dataset.PatientSex = "胸部", "0000"
        dataset.SpecificCharacterSet = "GB18030"
    made, _ = results_of(series)
    assert (made.PatientName, made.PatientSex) == ("胸部", "")


def test_an_anonymous_series_carries_results(series: Series) -> None:
    for dataset in series:
        for name in ("PatientID", "StudyDate", "StudyTime", "AccessionNumber"):
            delattr(dataset, name)
    assert results_of(series)[0].PatientID == ""


@pytest.mark.parametrize(
    ("mask", "segments", "said"),
    [
        pytest.param(np.ones((2, 2, 2), int), [RIGHT], "does not lie on", id="shape"),
        pytest.param(np.zeros((24, 32, 32), int), [RIGHT], r"holds \[\]", id="empty"),
        pytest.param(
            np.full((24, 32, 32), 3), [RIGHT, LEFT], r"holds \[3\]", id="unknown label"
        ),
        pytest.param(np.ones((24, 32, 32)), [RIGHT], "whole numbers", id="floats"),
        pytest.param(np.ones((24, 32, 32), int), [LEFT], "without gaps", id="gaps"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(
    mask: npt.NDArray[np.int64], segments: list[Segment], said: str, series: Series
) -> None:
    with pytest.raises(ResultError, match=said):
        segmentation(series, mask, segments, MADE)


def test_measurements_on_an_unknown_segment_are_refused(series: Series) -> None:
    made, _ = results_of(series)
    odd = [replace(MEASURED[0], segment="Heart")]
    with pytest.raises(ResultError, match=r"'Heart'\. Known: Left lung, Right lung"):
        measurement_report(series, odd, MADE, made)


def test_what_is_no_number_is_not_reported(series: Series) -> None:
    with pytest.raises(ResultError, match="'Volume' is nan"):
        measurement_report(series, [replace(MEASURED[0], value=float("nan"))], MADE)


def test_no_measurements_make_no_report(series: Series) -> None:
    with pytest.raises(ResultError, match="no measurements"):
        measurement_report(series, [], MADE)


def test_images_without_place_carry_no_results(series: Series) -> None:
    for dataset in series:
        del dataset.ImagePositionPatient
    with pytest.raises(ResultError, match="no position"):
        results_of(series)


def test_no_images_carry_no_results() -> None:
    with pytest.raises(ResultError, match="none were given"):
        reference_of([])


def test_an_image_has_no_provenance(series: Series) -> None:
    with pytest.raises(ResultError, match="not made by a template"):
        read_provenance(series[0])


def test_a_parameter_that_is_no_json_is_refused() -> None:
    with pytest.raises(ResultError, match="no JSON value"):
        replace(MADE, parameters={"x": object()}).to_json()


def test_a_record_that_is_too_long_is_refused() -> None:
    with pytest.raises(ResultError, match="longer than 10240"):
        replace(MADE, parameters={"x": "y" * 20_000}).to_json()


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"record": "other"}'])
def test_another_line_is_no_provenance(line: str) -> None:
    with pytest.raises(ResultError):
        Provenance.from_json(line)


@pytest.mark.dciodvfy
@pytest.mark.parametrize("make", [phantoms.sphere, phantoms.head])
def test_results_on_phantoms_are_valid(
    make: Callable[[], Phantom], tmp_path: Path
) -> None:
    for result in results_of(phantoms.to_dicom(make())):
        assert errors_in(result, tmp_path) == []


@pytest.mark.dciodvfy
@pytest.mark.parametrize(
    "name",
    [
        "mr_t1_seg/mprage",
        "ct_head_thin/1mm",
        "petct_nsclc/ct",
        "petct_nsclc/pt_ac",
        "mr_tumor/flair_reg",
        "mr_knee/t1",
        "dicom_formats/dcmqi/segmentations/24x38x3/multiframe",
    ],
)
def test_results_on_real_series_are_valid(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    paths = (shared_data / name).glob("*.dcm")
    sources: Series = [dcmread(path, stop_before_pixels=True) for path in paths]
    for result in results_of(sources):
        assert errors_in(result, tmp_path) == []


def test_frames_of_an_enhanced_object_carry_results(shared_data: Path) -> None:
    folder = shared_data / "dicom_formats/dcmqi/segmentations/24x38x3/multiframe"
    source = dcmread(folder / "mf.dcm")
    made, _ = results_of([source])
    mask = two_boxes(read_series([source]).array.shape)
    assert np.array_equal(read_stacks([made])[0].array, mask[1:3] == 1)
