"""Small synthetic series that the tests of the kernels bend in many ways."""

from __future__ import annotations

import copy
import tempfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis.configuration import set_hypothesis_home_dir
from pydicom.dataset import Dataset

from rounds_kernels import phantoms

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_kernels.phantoms import Phantom

Series = list[Dataset]


# A folder of examples in the tree would be collected as tests, with a warning.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "rounds-hypothesis")


@pytest.fixture(scope="session")
def ball() -> Phantom:
    """Return the smallest phantom: a ball of water in 24 x 32 x 32 voxels."""
    return phantoms.sphere()


@pytest.fixture(scope="session")
def _ball_series(ball: Phantom) -> Series:
    return phantoms.to_dicom(ball)


@pytest.fixture
def series(_ball_series: Series) -> Series:
    """Return the ball as 24 CT images that the test may change."""
    return copy.deepcopy(_ball_series)


@pytest.fixture(scope="session")
def as_file() -> Callable[[Dataset], bytes]:
    """Return what makes the bytes of a file of a data set."""

    def write(dataset: Dataset) -> bytes:
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    return write


@pytest.fixture
def again() -> Callable[[Series, str], Series]:
    """Return what repeats a series under other UIDs, with other pixels."""

    def repeat(series: Series, name: str) -> Series:
        copies = copy.deepcopy(series)
        for number, dataset in enumerate(copies, 1):
            dataset.SOPInstanceUID = (
                f"{dataset.SOPInstanceUID[:40]}.{len(name)}.{number}"
            )
            stored = np.frombuffer(dataset.PixelData, np.int16) + np.int16(len(name))
            dataset.PixelData = stored.tobytes()
            dataset.InstanceNumber += 100
        return copies

    return repeat
