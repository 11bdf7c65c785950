"""Find from the headers of a series whether its images make up one volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import select

from rounds_hub.archive.models import Instance
from rounds_kernels.attributes import values
from rounds_kernels.errors import KernelError
from rounds_kernels.headers import index_header

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.archive.models import Series
    from rounds_hub.house import House

__all__ = ["evenly_stacked", "is_volume"]

LEAST: Final = 3
MOST: Final = 5000
VOLUME_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
        "1.2.840.10008.5.1.4.1.1.20",  # Nuclear Medicine
        "1.2.840.10008.5.1.4.1.1.128.1",  # Legacy Converted Enhanced PET
        "1.2.840.10008.5.1.4.1.1.130",  # Enhanced PET
    }
)
"""Multi-frame objects whose frames are slices (PS3.4, B.5)."""
_WANTED: Final = (
    ("ImagePositionPatient", 3),
    ("ImageOrientationPatient", 6),
    ("Rows", 1),
    ("Columns", 1),
)
_NUMBERS: Final = sum(count for _, count in _WANTED)
_SAME: Final = 1e-3
_GAP: Final = 1.5


def is_volume(house: House, series: Series) -> bool:
    """Return whether the images of *series* make up one volume.

    That is: at least three images of one size, parallel, and with no gap wider than
    one and a half times the usual one; or one multi-frame object of slices.
    """
    if series.instance_count == 1:
        return series.sop_class in VOLUME_CLASSES and series.frame_count >= LEAST
    if not LEAST <= series.instance_count <= MOST:
        return False
    with house.sessions.begin(write=False) as session:
        hashes = select(Instance.sha256).where(Instance.series_uid == series.uid)
        paths = [house.store.path(one) for one in session.scalars(hashes)]
    planes = [_plane(path) for path in paths]
    known = [one for one in planes if one is not None]
    return len(known) == len(planes) and evenly_stacked(np.array(known))


def evenly_stacked(planes: npt.NDArray[np.float64]) -> bool:
    """Return whether *planes* are one stack.

    Parameters
    ----------
    planes
        Shape (images, 11), float64: position (3, mm), orientation (6), rows, columns.

    Examples
    --------
    >>> lying = [1.0, 0, 0, 0, 1, 0, 16, 16]
    >>> evenly_stacked(np.array([[0, 0, z, *lying] for z in (0.0, 1, 2)]))
    True
    >>> evenly_stacked(np.array([[0, 0, z, *lying] for z in (0.0, 1, 9)]))
    False
    """
    if np.ptp(planes[:, 3:], axis=0).max() > _SAME:
        return False
    normal = np.cross(planes[0, 3:6], planes[0, 6:9])
    gaps = np.diff(np.sort(planes[:, :3] @ normal))
    return bool(gaps.min() > _SAME and gaps.max() <= _GAP * float(np.median(gaps)))


def _plane(path: Path) -> list[float] | None:
    """Return where an image lies and how large it is, None where it does not say."""
    try:
        found = index_header(path).attributes
    except KernelError:
        return None
    numbers = [one for name, count in _WANTED for one in values(found, name, count)]
    return numbers if len(numbers) == _NUMBERS else None
