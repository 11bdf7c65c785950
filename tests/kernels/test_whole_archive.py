"""Whatever an archive holds is read and shown, or refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import data

from rounds_kernels.errors import KernelError, NoPixelsError, SeriesError
from rounds_kernels.pictures import thumbnail
from rounds_kernels.volumes import Volume, open_volume, read_stacks, write_volume

# By folder: pydicom's own look-up would ask the network for files that it lacks.
BUNDLED = sorted((Path(data.__file__).parent / "test_files").glob("*.dcm"))
NO_PICTURE = {
    "rtplan.dcm",
    "rtplan_truncated.dcm",
    "rtstruct.dcm",
    "test-SR.dcm",
    "reportsi.dcm",
}


def stacks_of(path: Path) -> tuple[tuple[Volume, ...], str]:
    """Return the stacks in a file, or none and why it was refused."""
    try:
        return read_stacks([path]), ""
    except KernelError as error:
        return (), str(error)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_every_bundled_file_is_shown_or_refused_in_words(path: Path) -> None:
    stacks, said = stacks_of(path)
    assert stacks or said.startswith(("Instance 1: ", "Frame "))
    assert str(path) not in said
    for stack in stacks[:3]:
        picture = thumbnail(stack, 64)
        assert picture.dtype == np.uint8
        assert max(picture.shape[:2]) == 64


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(NO_PICTURE))
def test_documents_are_told_from_pictures(name: str) -> None:
    paths = [path for path in BUNDLED if path.name == name]
    if not paths:
        pytest.skip(f"{name} is not bundled with this pydicom")
    with pytest.raises(NoPixelsError, match="read it as a document"):
        read_stacks(paths[:1])


@pytest.mark.filterwarnings("ignore")
def test_most_bundled_files_are_read() -> None:
    read = sum(bool(stacks_of(path)[0]) for path in BUNDLED)
    assert read >= 0.75 * len(BUNDLED)


@pytest.mark.parametrize(
    "folder", ["mr_tumor/flair_reg", "petct_nsclc/pt_ac", "petct_nsclc/seg1"]
)
def test_a_real_series_is_kept_and_opened(
    folder: str, shared_data: Path, tmp_path: Path
) -> None:
    stack = read_stacks((shared_data / folder).glob("*.dcm"))[0]
    write_volume(stack, tmp_path)
    back = open_volume(tmp_path)
    assert back.header() == stack.header()
    assert np.array_equal(back.array, stack.array)


def test_thick_and_thin_series_of_one_study_are_refused_together(
    shared_data: Path,
) -> None:
    both = [
        path
        for folder in ("ct_head_thin/5mm", "ct_head_thin/scout")
        for path in (shared_data / folder).glob("*.dcm")
    ]
    with pytest.raises(SeriesError, match="2 series"):
        read_stacks(both)
