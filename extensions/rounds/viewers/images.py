"""Prepare a volume for a browser: a type, a size and a file that it can take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np

from rounds.errors import ViewerError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_kernels.volumes import Volume

__all__ = [
    "Picture",
    "check_labels",
    "drawable",
    "label_nifti",
    "picture_of",
    "reduced",
    "sample_of",
]

LONGEST_SIDE = 2048
"""Voxels along an axis that WebGL 2 takes at least in a 3-D texture."""

MOST_BYTES = 256 << 20
"""Bytes that are sent to a browser at most; larger volumes are sent coarser."""

RGB24 = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
"""NIfTI's type for coloured voxels."""

SAMPLE = 1 << 20
"""Voxels that are looked at, at most, to find the range of the values."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A volume as a browser gets it.

    *nifti* is a NIfTI-1 file; *shape* counts its voxels along the patient's axes from
    right to left, back to front and feet to head; *affine* leads from those to RAS mm;
    *steps* says how many voxels (z, y, x) were joined into one.
    """

    nifti: bytes
    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]
    steps: tuple[int, int, int]
    colour: bool


def picture_of(volume: Volume) -> Picture:
    """Return *volume* as a browser can take it, coarser where it is too large.

    Raises
    ------
    ViewerError
        If the array has no three axes of space.
    """
    array = volume.array
    colour = volume.is_colour
    if array.ndim != 3 and not colour:  # noqa: PLR2004 - slices, rows, columns
        msg = f"Only volumes of three axes are drawn; this one has {array.shape}."
        raise ViewerError(msg)
    values = _colours(array) if colour else drawable(array)
    steps = _steps(values.shape[:3], values[..., 0].nbytes * (3 if colour else 1))
    values = reduced(values, steps)
    affine = _coarser(volume.ras_affine, steps)
    shape = values.shape[:3]
    return Picture(
        _nifti(values, affine, colour=colour), *_in_ras(shape, affine), steps, colour
    )


def label_nifti(labels: npt.NDArray[Any], volume: Volume, picture: Picture) -> bytes:
    """Return *labels* as a NIfTI file on the grid of *picture*.

    Raises
    ------
    ViewerError
        If *labels* has not the shape of *volume*, or numbers that no label can be.
    """
    labels = check_labels(labels, volume)
    sampled = labels[tuple(slice(step // 2, None, step) for step in picture.steps)]
    cut = tuple(
        slice(0, size // step)
        for size, step in zip(labels.shape, picture.steps, strict=True)
    )
    affine = _coarser(volume.ras_affine, picture.steps)
    return _nifti(np.ascontiguousarray(sampled[cut]), affine, colour=False)


def check_labels(labels: npt.NDArray[Any], volume: Volume) -> npt.NDArray[np.uint8]:
    """Return *labels* as bytes, if they fit *volume*.

    Raises
    ------
    ViewerError
        If *labels* has not the shape of *volume*, or numbers that no label can be.
    """
    if labels.shape != volume.array.shape[:3]:
        wanted = volume.array.shape[:3]
        msg = f"The overlay has the shape {labels.shape}, the volume {wanted}."
        raise ViewerError(msg)
    low, high = labels.min(initial=0), labels.max(initial=0)
    if low < 0 or high > 255:  # noqa: PLR2004 - a byte
        msg = f"The overlay's numbers must be 0 to 255, they are {low} to {high}."
        raise ViewerError(msg)
    return np.asarray(labels, np.uint8)


def sample_of(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return finite values out of *array*, evenly spread, and at least one.

    Examples
    --------
    >>> sample_of(np.array([[[-5.0, np.nan, 7.0]]])).tolist()
    [-5.0, 7.0]
    """
    flat = array.reshape(-1)
    sample = flat[:: max(1, flat.size // SAMPLE)]
    finite = sample[np.isfinite(sample)]
    return finite if finite.size else np.zeros(1, array.dtype)


def reduced(values: npt.NDArray[Any], steps: tuple[int, int, int]) -> npt.NDArray[Any]:
    """Return the mean over blocks of *steps* voxels, in the type of *values*.

    Examples
    --------
    >>> line = np.arange(4, dtype=np.int16).reshape(1, 1, 4)
    >>> reduced(line, (1, 1, 2)).ravel().tolist()
    [0, 2]
    """
    if steps == (1, 1, 1):
        return np.ascontiguousarray(values)
    sizes = [size // step for size, step in zip(values.shape, steps, strict=False)]
    cut = values[
        tuple(slice(0, n * step) for n, step in zip(sizes, steps, strict=True))
    ]
    blocks = [part for n, step in zip(sizes, steps, strict=True) for part in (n, step)]
    means = cut.reshape(*blocks, *values.shape[3:]).mean(
        axis=(1, 3, 5), dtype=np.float32
    )
    rounded = np.rint(means) if np.issubdtype(values.dtype, np.integer) else means
    return np.ascontiguousarray(rounded.astype(values.dtype))


def drawable(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return *array* in the smallest type that keeps it and that browsers know."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype in (np.uint8, np.int16, np.uint16):
        return array
    if array.dtype == np.int8:
        return array.astype(np.int16)
    low, high = float(array.min()), float(array.max())
    if low >= -32768 and high <= 32767:  # noqa: PLR2004 - the range of 16 bits
        small = array.astype(np.int16)
        if np.array_equal(small, array):
            return small
    return array.astype(np.float32, copy=False)


def _colours(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return coloured voxels with 8 bits a channel."""
    if array.dtype == np.uint8:
        return array
    seen = sample_of(array)
    low, high = float(seen.min()), float(seen.max())
    scaled = (array - low) * (255.0 / ((high - low) or 1.0))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _steps(shape: tuple[int, ...], size: int) -> tuple[int, int, int]:
    """Return how many voxels along each axis have to be joined."""
    steps = [-(-side // LONGEST_SIDE) for side in shape]
    while size / np.prod(steps) > MOST_BYTES:
        steps = [
            step * 2 if side > 1 else step
            for side, step in zip(shape, steps, strict=True)
        ]
    z, y, x = steps
    return (z, y, x)


def _coarser(
    affine: npt.NDArray[np.float64], steps: tuple[int, int, int]
) -> npt.NDArray[np.float64]:
    """Return the matrix of the joined voxels: longer steps, and the block's centre."""
    along_xyz = np.array(steps[::-1], np.float64)
    coarse = affine.copy()
    coarse[:3, :3] = affine[:3, :3] * along_xyz
    coarse[:3, 3] = affine[:3, 3] + affine[:3, :3] @ ((along_xyz - 1) / 2)
    return coarse


def _nifti(
    values: npt.NDArray[Any], affine: npt.NDArray[np.float64], *, colour: bool
) -> bytes:
    """Return a NIfTI-1 file; our C order (z, y, x) is its order (x fastest) already."""
    header: Any = nibabel.Nifti1Header()  # type: ignore[no-untyped-call] # nibabel's
    header.set_data_dtype(RGB24 if colour else values.dtype)
    header.set_data_shape(values.shape[2::-1])
    header.set_xyzt_units("mm")
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner", strip_shears=True)
    header["magic"] = b"n+1\0"
    header["vox_offset"] = 352
    header["scl_slope"], header["scl_inter"] = 1, 0
    return b"".join([header.binaryblock, bytes(4), values.data])


def _in_ras(
    shape: tuple[int, ...], affine: npt.NDArray[np.float64]
) -> tuple[tuple[int, int, int], npt.NDArray[np.float64]]:
    """Return shape and matrix with the axes turned to right, front and head."""
    orientations: Any = nibabel.orientations  # nibabel is only half typed
    turned = orientations.io_orientation(affine)
    sizes = shape[::-1]
    along = [0, 0, 0]
    for axis, (to, _) in enumerate(turned):
        along[int(to)] = sizes[axis]
    to_old = orientations.inv_ornt_aff(turned, sizes)
    x, y, z = along
    return (x, y, z), np.asarray(affine @ to_old, np.float64)
