"""Where voxels lie in the patient.

DICOM's patient axes are LPS: x grows to the patient's left, y to the back (posterior),
z to the head (superior), all in mm (PS3.3 C.7.6.2.1.1). NIfTI's are RAS: x and y
turned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = [
    "RAS_AND_LPS",
    "Direction",
    "lps_affine",
    "orientation_name",
    "ras_from_lps",
    "slice_normal",
]

Direction = tuple[float, float, float, float, float, float, float, float, float]

_PLANES = ("sagittal", "coronal", "axial")
RAS_AND_LPS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Turns RAS into LPS and back."""


def slice_normal(orientation: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return the unit normal of a slice from its six direction cosines.

    Parameters
    ----------
    orientation
        ImageOrientationPatient: along a row, then along a column (PS3.3 C.7.6.2.1.1).

    Examples
    --------
    >>> slice_normal([1, 0, 0, 0, 1, 0]).tolist()
    [0.0, 0.0, 1.0]
    """
    along_row, along_column = np.reshape(np.asarray(orientation, np.float64), (2, 3))
    normal = np.cross(along_row, along_column)
    return np.asarray(normal / np.linalg.norm(normal), np.float64)


def orientation_name(orientation: Sequence[float]) -> str:
    """Return axial, coronal or sagittal; «oblique» beyond 5 degrees from an axis.

    Examples
    --------
    >>> orientation_name([1, 0, 0, 0, 0, -1])
    'coronal'
    """
    normal = np.abs(slice_normal(orientation))
    axis = int(normal.argmax())
    oblique = normal[axis] < np.cos(np.radians(5.0))
    return f"oblique {_PLANES[axis]}" if oblique else _PLANES[axis]


def lps_affine(
    spacing: Sequence[float], origin: Sequence[float], direction: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Return the 4x4 matrix from an array index (z, y, x) to LPS mm.

    Examples
    --------
    >>> axes = (0, 0, 1, 0, 1, 0, 1, 0, 0)
    >>> (lps_affine((5, 1, 1), (0, 0, 0), axes) @ [2, 0, 0, 1]).tolist()
    [0.0, 0.0, 10.0, 1.0]
    """
    affine = np.eye(4)
    axes = np.reshape(np.asarray(direction, np.float64), (3, 3))
    affine[:3, :3] = axes * np.asarray(spacing, np.float64)
    affine[:3, 3] = origin
    return affine


def ras_from_lps(affine: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Turn a matrix from (z, y, x) to LPS mm into NIfTI's, (x, y, z) to RAS mm."""
    return np.asarray(RAS_AND_LPS @ affine[:, [2, 1, 0, 3]], np.float64)
