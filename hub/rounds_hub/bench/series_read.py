"""Row ``series-read``: 300 CT slices from disk into one sorted volume in HU.

pydicom does what its documentation shows: read, rescale, sort by position, stack.
SimpleITK reads the series as its examples do, with GDCM's file names. Files are plain
explicit VR little endian, warm in the page cache. Equal means: the same voxels.
"""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_hub import __version__
from rounds_hub.bench.base import Contestant, Race
from rounds_kernels import phantoms
from rounds_kernels.volumes import read_series

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["races"]

WHOLE: Final = phantoms.Grid((300, 512, 512), (1.0, 0.74, 0.74))
QUICK: Final = phantoms.Grid((40, 128, 128), (7.0, 3.0, 3.0))


def races(*, quick: bool) -> Iterator[Race]:
    """Yield the reading of one series against pydicom and against SimpleITK."""
    grid = QUICK if quick else WHOLE
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        phantoms.to_dicom(phantoms.thorax(grid), made)
        paths = sorted(made.glob("*.dcm"))
        ours = Contestant("rounds", __version__, lambda: read_series(paths).array)
        for peer in (_pydicom(paths), _simpleitk(made)):
            yield Race(
                "series-read",
                "read, rescale, sort by position, stack",
                f"{len(paths)} slices of {grid.shape[1]} x {grid.shape[2]}",
                ours,
                peer,
                np.array_equal,
            )


def _pydicom(paths: list[Path]) -> Contestant:
    import pydicom  # noqa: PLC0415 - peers are loaded by their row alone

    def read() -> npt.NDArray[Any]:
        slices = sorted(
            map(pydicom.dcmread, paths), key=lambda one: one.ImagePositionPatient[2]
        )
        first = slices[0]
        volume = np.empty((len(slices), first.Rows, first.Columns), np.int16)
        for index, one in enumerate(slices):
            scaled = one.pixel_array * int(one.RescaleSlope) + int(one.RescaleIntercept)
            volume[index] = scaled
        return volume

    return Contestant("pydicom", pydicom.__version__, read)


def _simpleitk(folder: Path) -> Contestant:
    sitk: Any = importlib.import_module("SimpleITK")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    def read() -> npt.NDArray[Any]:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
        array: npt.NDArray[Any] = sitk.GetArrayFromImage(reader.Execute())
        return array

    return Contestant("SimpleITK", sitk.Version.VersionString(), read)
