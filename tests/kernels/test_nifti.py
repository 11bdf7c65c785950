"""A NIfTI volume keeps its values and its place in DICOM; a hostile one is refused."""

from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rounds_kernels.errors import KernelError, NiftiError
from rounds_kernels.nifti import to_dicom
from rounds_kernels.volumes import Volume, read_series, read_stacks
from rounds_kernels.writing import MODALITIES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

IMAGE: Any = nib.Nifti1Image
AXIAL = np.diag([2.0, 1.5, 3.0, 1.0])
OBLIQUE = np.array(
    [[2, 0, 0, -20], [0, 1.2, -0.9, 10], [0, 0.9, 1.2, 5], [0, 0, 0, 1]], float
)
SAGITTAL = np.array(
    [[0, 0, 1.3, -60], [-1, 0, 0, 100], [0, -1, 0, 80], [0, 0, 0, 1]], float
)


def nifti(array: npt.NDArray[Any], affine: npt.NDArray[np.float64] = AXIAL) -> bytes:
    return bytes(IMAGE(array, affine).to_bytes())


def counted(kind: str = "int16") -> npt.NDArray[Any]:
    """Return 5 x 6 x 9 different values, the first three of which are negative."""
    return (np.arange(270).reshape(5, 6, 9) - 3).astype(kind)


def at(volume: Volume, place: npt.NDArray[np.float64]) -> float:
    """Return the value of *volume* at a place in RAS mm."""
    x, y, z = np.rint(np.linalg.inv(volume.ras_affine) @ place)[:3].astype(int)
    return float(volume.array[z, y, x])


@pytest.mark.parametrize("affine", [AXIAL, OBLIQUE, SAGITTAL, -AXIAL * [1, 1, 1, -1]])
def test_every_value_keeps_its_place(affine: npt.NDArray[np.float64]) -> None:
    array = counted()
    volume = read_series(to_dicom(nifti(array, affine), modality="CT"))
    for index in np.ndindex(array.shape):
        assert at(volume, affine @ [*index, 1]) == array[index]


def test_an_axial_volume_is_shown_with_the_nose_up_and_the_right_at_the_left() -> None:
    volume = read_series(to_dicom(nifti(counted()), modality="CT"))
    assert volume.direction == (0, 0, 1, 0, 1, 0, 1, 0, 0)


def test_a_sagittal_volume_is_shown_with_the_head_up() -> None:
    volume = read_series(to_dicom(nifti(counted(), SAGITTAL), modality="MR"))
    axes = np.reshape(volume.direction, (3, 3))
    assert axes[:, 1].tolist() == [0, 0, -1]
    assert axes[:, 2].tolist() == [0, 1, 0]


def test_whole_numbers_stay_exact_also_below_nought() -> None:
    volume = read_series(to_dicom(nifti(counted()), modality="MR"))
    assert sorted(volume.array.ravel().tolist()) == list(range(-3, 267))


def test_fractions_are_kept_to_16_bits() -> None:
    array = np.random.default_rng(2).normal(0, 1, (6, 5, 4)).astype(np.float32)
    volume = read_series(to_dicom(nifti(array), modality="MR"))
    error = np.abs(np.sort(volume.array.ravel()) - np.sort(array.ravel())).max()
    assert error < np.ptp(array) / 65000


def test_scaling_in_the_header_counts() -> None:
    data = bytearray(nifti(counted()))
    data[112:120] = struct.pack("<ff", 2, 100)
    volume = read_series(to_dicom(bytes(data), modality="CT"))
    assert volume.array.max() == 266 * 2 + 100


def test_the_second_form_of_nifti_is_read() -> None:
    second: Any = nib.Nifti2Image
    data = second(counted(), AXIAL).to_bytes()
    assert len(to_dicom(data, modality="MR")) == 9


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "brain.nii.gz"
    path.write_bytes(gzip.compress(nifti(counted())))
    assert len(to_dicom(path, modality="MR", description="Brain")) == 9


def test_time_points_become_temporal_positions() -> None:
    array = np.stack([counted(), counted() + 5], axis=3)
    stacks = read_stacks(to_dicom(nifti(array), modality="MR"))
    assert [stack.array.max() for stack in stacks] == [266, 271]
    assert "time point 2" in stacks[0].remarks[0]


def test_one_slice_is_one_instance() -> None:
    assert len(to_dicom(nifti(counted()[:, :, 0]), modality="MR")) == 1


def test_what_is_no_number_becomes_nought() -> None:
    array = counted("float32")
    array[0, 0, 0] = np.nan
    volume = read_series(to_dicom(nifti(array), modality="MR"))
    assert volume.array.min() == -2


def test_nobody_is_named() -> None:
    dataset = to_dicom(nifti(counted()), modality="MR", description="Brain")[0]
    assert str(dataset.PatientName).startswith("NIFTI^")
    assert dataset.SeriesDescription == "Brain"


def test_the_same_file_gives_the_same_uids() -> None:
    one, other = (to_dicom(nifti(counted()), modality="MR") for _ in range(2))
    assert [each.SOPInstanceUID for each in one] == [
        each.SOPInstanceUID for each in other
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "no NIfTI", id="nothing"),
        pytest.param(b"no volume" * 99, "no NIfTI", id="noise"),
        pytest.param(nifti(counted())[:500], "cut short", id="cut"),
        pytest.param(gzip.compress(nifti(counted()))[:90], "cut short", id="cut gzip"),
        pytest.param(b"\x1f\x8bno gzip", "damaged", id="no gzip"),
        pytest.param(nifti(counted("complex64")), "complex64", id="complex"),
        pytest.param(nifti(counted()[..., None, None]), "shape", id="five axes"),
    ],
)
def test_a_hostile_file_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(NiftiError, match=said):
        to_dicom(data, modality="MR")


def test_a_small_file_cannot_grow_without_end() -> None:
    packed = gzip.compress(bytes(1 << 22))
    with pytest.raises(NiftiError, match="more than 65536 bytes unpacked"):
        to_dicom(packed, modality="MR", limit=1 << 16)


def test_a_claim_of_many_voxels_is_refused_before_it_is_believed() -> None:
    data = bytearray(nifti(counted()))
    data[42:48] = struct.pack("<hhh", 32000, 32000, 32000)
    with pytest.raises(NiftiError, match="claims 65536000000352 bytes"):
        to_dicom(bytes(data), modality="MR")


@pytest.mark.parametrize(
    ("affine", "said"),
    [
        pytest.param(np.diag([0.0, 1, 1, 1]), "no size", id="flat"),
        pytest.param(np.diag([np.nan, 1, 1, 1]), "not finite", id="nowhere"),
        pytest.param(
            np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
            "sheared",
            id="sheared",
        ),
        pytest.param(
            np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0.01, 0], [0, 0, 0, 1.0]]),
            "degenerate",
            id="two axes alike",
        ),
    ],
)
def test_a_grid_that_dicom_cannot_say_is_refused(
    affine: npt.NDArray[np.float64], said: str
) -> None:
    data = bytearray(nifti(counted()))
    data[252:256] = struct.pack("<hh", 0, 2)
    data[280:328] = affine[:3].astype("<f4").tobytes()
    with pytest.raises(NiftiError, match=said):
        to_dicom(bytes(data), modality="MR")


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(NiftiError, match=r"'XX'\. Known: CT, MR"):
        to_dicom(nifti(counted()), modality="XX")


def test_a_file_that_is_not_there_is_named_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(NiftiError) as caught:
        to_dicom(tmp_path / "secret.nii", modality="MR")
    assert "secret" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=5
    )
)
def test_a_garbled_header_is_read_or_refused_in_words(
    changes: list[tuple[int, int]],
) -> None:
    data = bytearray(nifti(counted()))
    for where, value in changes:
        data[where] = value
    try:
        made = to_dicom(bytes(data), modality="MR", limit=1 << 24)
    except KernelError:
        return
    assert 0 < len(made) <= 270


@pytest.mark.dciodvfy
@pytest.mark.parametrize("modality", MODALITIES)
def test_what_is_made_is_valid_dicom(modality: str, tmp_path: Path) -> None:
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not here: install dicom3tools")
    dataset = to_dicom(nifti(counted("float32") / 7), modality=modality)[4]
    dataset.save_as(tmp_path / "made.dcm", enforce_file_format=True)
    said = subprocess.run(
        [tool, tmp_path / "made.dcm"], capture_output=True, text=True, check=False
    ).stderr
    assert "Error" not in said, said
