"""Other readers of DICOM and NIfTI see the same voxels in the same place."""

from __future__ import annotations

import importlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from rounds_kernels import phantoms
from rounds_kernels.nifti import to_dicom
from rounds_kernels.results import (
    Code,
    Measurement,
    Provenance,
    Segment,
    measurement_report,
    segmentation,
)
from rounds_kernels.volumes import read_series

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from rounds_kernels.volumes import Volume

Image = Any  # SimpleITK has no types
SERIES = [
    "ct_head_thin/5mm",
    "mr_t1_seg/mprage",
    "mr_tumor/t1post",
    "mr_tumor/hippocrop",
    "petct_nsclc/ct",
    "petct_nsclc/pt_ac",
    "mr_knee/t1",
    "mr_knee/t2",
]
MADE = Provenance("lung_volume", "ab" * 32, {"threshold": -400}, run_id="77")
LUNGS = (
    Segment("Right lung", 1, Code("3341006", "SCT", "Right lung")),
    Segment("Left lung", 2, Code("44029006", "SCT", "Left lung")),
)
VOLUME = Code("118565006", "SCT", "Volume")


@pytest.fixture(scope="module")
def sitk() -> ModuleType:
    pytest.importorskip("SimpleITK", reason="the peer SimpleITK is not here")
    return importlib.import_module("SimpleITK")


@pytest.fixture(scope="module")
def chest() -> phantoms.Phantom:
    return phantoms.thorax(phantoms.Grid((24, 48, 48), (12.0, 8.0, 8.0)))


def by_itk(sitk: ModuleType, folder: Path) -> Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def same_place(volume: Volume, image: Image) -> bool:
    """Tell whether the corners of an ITK image lie where those of the volume do."""
    ends = [count - 1 for count in volume.array.shape]
    for k, i, j in ((0, 0, 0), (ends[0], 0, 0), (0, ends[1], 0), (0, 0, ends[2])):
        ours = (volume.affine @ [k, i, j, 1])[:3]
        theirs = image.TransformIndexToPhysicalPoint((j, i, k))
        if not np.allclose(ours, theirs, atol=0.05):
            return False
    return True


@pytest.mark.parametrize("name", SERIES)
def test_itk_reads_the_same_values(
    name: str, sitk: ModuleType, shared_data: Path
) -> None:
    folder = shared_data / name
    theirs = sitk.GetArrayFromImage(by_itk(sitk, folder))
    ours = read_series(folder.glob("*.dcm")).array
    assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", SERIES)
def test_itk_puts_them_in_the_same_place(
    name: str, sitk: ModuleType, shared_data: Path
) -> None:
    folder = shared_data / name
    assert same_place(read_series(folder.glob("*.dcm")), by_itk(sitk, folder))


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([-2.0, -1.5, 3.0, 1.0]),
        np.array(
            [[0, 0, 1.3, -60], [-1, 0, 0, 100], [0, -1, 0, 80], [0, 0, 0, 1]], float
        ),
    ],
)
def test_itk_sees_a_nifti_volume_where_we_put_it(
    affine: npt.NDArray[np.float64], sitk: ModuleType, tmp_path: Path
) -> None:
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    kind: Any = nib.Nifti1Image
    path = tmp_path / "volume.nii"
    path.write_bytes(kind(array, affine).to_bytes())
    theirs = sitk.ReadImage(str(path))
    ours = read_series(to_dicom(path, modality="CT"))
    for index in np.ndindex(array.shape):
        place = theirs.TransformIndexToPhysicalPoint(index)
        z, y, x = np.rint(np.linalg.inv(ours.affine) @ [*place, 1])[:3].astype(int)
        assert ours.array[z, y, x] == theirs[index]


def test_highdicom_reads_our_segmentation_back(chest: phantoms.Phantom) -> None:
    sources = phantoms.to_dicom(chest)
    made = segmentation(sources, chest.masks["lungs"], LUNGS, MADE)
    read = hd.seg.Segmentation.from_dataset(made)
    back = read.get_pixels_by_source_instance(
        [str(each.SOPInstanceUID) for each in sources],
        combine_segments=True,
        assert_missing_frames_are_empty=True,
    )
    assert np.array_equal(back, chest.masks["lungs"])


def test_highdicom_reads_our_report_back(chest: phantoms.Phantom) -> None:
    sources = phantoms.to_dicom(chest)
    made = segmentation(sources, chest.masks["lungs"], LUNGS, MADE)
    measured = [Measurement("Volume", 2503.5, "ml", VOLUME, "Right lung")]
    report = written(measurement_report(sources, measured, MADE, made))
    content: Any = hd.sr.srread(report).content
    groups = content.get_volumetric_roi_measurement_groups()
    value = groups[0].get_measurements()[0]
    assert (value.value, value.unit.value) == (2503.5, "ml")
    assert groups[0].referenced_segment is not None


def written(dataset: Dataset) -> BytesIO:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return buffer


def test_pydicom_reads_what_phantoms_write(chest: phantoms.Phantom) -> None:
    dataset = phantoms.to_dicom(chest)[3]
    back = dcmread(written(dataset))
    assert np.array_equal(back.pixel_array, chest.volume.array[3])
