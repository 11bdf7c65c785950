"""NIfTI volumes on their way into the archive."""

from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pytest

from rounds_hub.archive.importing import import_paths
from rounds_hub.archive.service import get_study
from rounds_hub.archive.volumes import open_stacks

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House


@pytest.fixture
def hippocampus(shared_data: Path) -> Path:
    """Return a real T1 volume."""
    found = sorted((shared_data / "hippocampus" / "images").glob("*.nii*"))
    if not found:
        pytest.skip("the hippocampus volumes are not among the real series")
    return found[0]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a small volume with oblique axes."""
    array = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)
    turned = np.array([[0, -1.5, 0, 3], [1, 0, 0, -4], [0, 0, 2, 5], [0, 0, 0, 1.0]])
    path = tmp_path / "made.nii.gz"
    image: Any = nibabel.Nifti1Image
    nibabel.save(image(array, turned), path)
    return path


def test_a_real_volume_comes_back_as_it_was(
    house: House, doctor: Principal, hippocampus: Path
) -> None:
    summary = import_paths(house, doctor, [hippocampus], modality="MR")
    assert (summary.taken, summary.problems) == (1, [])
    (series,) = get_study(house, doctor, summary.study_uids[0]).series
    volume = open_stacks(house, doctor, series.uid)[0]
    truth: Any = nibabel.load(hippocampus)
    in_order = truth.get_fdata()
    assert np.isclose(volume.array.astype(float).sum(), in_order.sum(), rtol=1e-6)
    assert np.isclose(np.prod(volume.spacing), np.prod(truth.header.get_zooms()))


def test_every_voxel_stays_where_it_was(
    house: House, doctor: Principal, made: Path
) -> None:
    summary = import_paths(house, doctor, [made], modality="CT")
    (series,) = get_study(house, doctor, summary.study_uids[0]).series
    volume = open_stacks(house, doctor, series.uid)[0]
    truth: Any = nibabel.load(made)
    place = np.array([1, 2, 3])
    at = np.linalg.inv(volume.ras_affine) @ truth.affine @ [*place, 1]
    x, y, z = np.rint(at[:3]).astype(int)
    assert volume.array[z, y, x] == truth.get_fdata()[tuple(place)]


def test_the_same_volume_again_is_the_same(
    house: House, doctor: Principal, made: Path
) -> None:
    import_paths(house, doctor, [made], modality="MR")
    again = import_paths(house, doctor, [made], modality="MR")
    assert (again.taken, again.same, again.aside) == (0, 1, 0)


def test_a_volume_in_a_zip_is_taken(
    house: House, doctor: Principal, made: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.write(made, "in/made.nii.gz")
    summary = import_paths(house, doctor, [tmp_path / "a.zip"], modality="MR")
    assert (summary.taken, summary.exit_code) == (1, 0)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"text" * 200, id="text"),
        pytest.param(bytes(352), id="zeros"),
    ],
)
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_what_is_no_volume_is_refused_by_name(
    name: str, content: bytes, house: House, doctor: Principal, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    summary = import_paths(house, doctor, [path], modality="MR")
    (problem,) = summary.problems
    assert (problem.file, problem.status) == (name, "refused")
    assert str(tmp_path) not in problem.why


def test_a_gzip_that_is_cut_short_is_refused(
    house: House, doctor: Principal, made: Path
) -> None:
    made.write_bytes(made.read_bytes()[:-20])
    (problem,) = import_paths(house, doctor, [made], modality="MR").problems
    assert problem.why.startswith("It cannot be unpacked")


def test_nothing_temporary_is_left(house: House, doctor: Principal, made: Path) -> None:
    import_paths(house, doctor, [made], modality="MR")
    assert not list(house.store.folder.glob("temporary/*/*"))
