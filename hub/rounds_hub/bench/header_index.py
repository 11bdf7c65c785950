"""Row ``header``: the attributes of files by keyword, without their pixels.

pydicom does what its documentation shows: ``dcmread(stop_before_pixels=True)``, then
the value of each attribute of the top level. One race is over 300 slices as a CT writes
them, one over every file that pydicom is tested with: all transfer syntaxes, damaged
files, and those for which ours falls back to pydicom. Equal means: the same values.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom

from rounds_hub import __version__
from rounds_hub.bench.base import Contestant, Race
from rounds_kernels.errors import KernelError
from rounds_kernels.header_values import of_header
from rounds_kernels.headers import index_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_kernels.attributes import Attributes

__all__ = ["races"]

WHOLE, QUICK = 300, 30


def races(*, quick: bool) -> Iterator[Race]:
    """Yield the reading of many headers against pydicom."""
    with tempfile.TemporaryDirectory() as folder:
        count = QUICK if quick else WHOLE
        yield _race(f"{count} CT slices", _slices(Path(folder), count))
    bundled = _bundled()
    every = bundled[::5] if quick else bundled
    yield _race(f"{len(every)} files that pydicom is tested with", every)


def _race(work: str, paths: list[Path]) -> Race:
    """Return the race over *paths*."""
    return Race(
        "header",
        "index the attributes of a file before its pixels",
        work,
        Contestant("rounds", __version__, lambda: [_ours(path) for path in paths]),
        Contestant(
            "pydicom", pydicom.__version__, lambda: [_theirs(path) for path in paths]
        ),
        lambda ours, theirs: repr(ours) == repr(theirs),
    )


def _ours(path: Path) -> Attributes:
    """Return the attributes by our index, in the order of their names."""
    return dict(sorted(index_header(path).attributes.items()))


def _theirs(path: Path) -> Attributes:
    """Return the attributes by pydicom, in the order of their names."""
    read = pydicom.dcmread(path, stop_before_pixels=True)
    return dict(sorted(of_header(read).items()))


def _slices(folder: Path, count: int) -> list[Path]:
    """Write a CT slice *count* times, as slices of a series that was taken."""
    source = pydicom.data.get_testdata_file("CT_small.dcm", download=False)
    slice_ = pydicom.dcmread(str(source))
    paths = [folder / f"{number}.dcm" for number in range(1, count + 1)]
    for number, path in enumerate(paths, 1):
        slice_.InstanceNumber = number
        slice_.ImagePositionPatient = [-158.1, -179.0, -75.7 - 0.625 * number]
        slice_.SliceLocation = -75.7 - 0.625 * number
        slice_.SOPInstanceUID = f"1.2.826.0.1.3680043.10.1338.5.{number}"
        slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
        slice_.save_as(path)
    return paths


def _bundled() -> list[Path]:
    """Return the files that come with pydicom and that both can read."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore", UserWarning)
    folder = Path(pydicom.__file__).parent / "data"
    return [path for path in sorted(folder.rglob("*.dcm")) if _is_read(path)]


def _is_read(path: Path) -> bool:
    """Return whether *path* is a file that both can read."""
    try:
        index_header(path)
        pydicom.dcmread(path, stop_before_pixels=True)
    except (KernelError, pydicom.errors.InvalidDicomError):
        return False
    return True
