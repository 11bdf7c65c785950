"""Shapes of masks: closing, opening, components, holes; on the device that holds them.

Structuring elements are boxes given in mm, so that a filter is one pass along each axis
and costs the same whatever its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rounds_kernels.device import array_namespace, ndimage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "box",
    "closed",
    "coarse",
    "components",
    "dilated",
    "eroded",
    "filled_slices",
    "fine",
    "largest",
    "opened",
]

Array = Any  # NumPy's or CuPy's


def box(width_mm: float, spacing: Sequence[float]) -> tuple[int, ...]:
    """Return the odd number of voxels along each axis that *width_mm* covers.

    Examples
    --------
    >>> box(5.0, (2.5, 0.7, 0.7))
    (3, 9, 9)
    """
    return tuple(2 * round(width_mm / step / 2) + 1 for step in spacing)


def dilated(mask: Array, size: Sequence[int]) -> Array:
    """Return *mask* grown by a box of *size* voxels."""
    return _extreme(mask, size, "maximum_filter1d")


def eroded(mask: Array, size: Sequence[int]) -> Array:
    """Return *mask* shrunk by a box of *size* voxels; the border counts as inside."""
    return _extreme(mask, size, "minimum_filter1d")


def _extreme(mask: Array, size: Sequence[int], name: str) -> Array:
    xp = array_namespace(mask)
    extreme = getattr(ndimage_of(mask), name)
    grown = xp.astype(mask, xp.uint8)
    for axis, count in enumerate(size):
        if count > 1:
            grown = extreme(grown, count, axis=axis, mode="nearest")
    return xp.astype(grown, xp.bool)


def opened(mask: Array, size: Sequence[int]) -> Array:
    """Return *mask* without what is thinner than the box."""
    return dilated(eroded(mask, size), size)


def closed(mask: Array, size: Sequence[int]) -> Array:
    """Return *mask* with gaps closed that are narrower than the box."""
    return eroded(dilated(mask, size), size)


def components(mask: Array, *, across: bool = True) -> tuple[Array, Array]:
    """Return labels and their sizes in voxels, background first.

    Parameters
    ----------
    mask
        (z, y, x) bool.
    across
        Whether neighbours in the next slice belong together.
    """
    xp = array_namespace(mask)
    cross = xp.zeros((3, 3, 3), dtype=xp.bool)
    cross[1, 1, :] = cross[1, :, 1] = True
    if across:
        cross[:, 1, 1] = True
    labels, _ = ndimage_of(mask).label(mask, structure=cross)
    return labels, xp.bincount(labels.ravel())


def largest(mask: Array) -> Array:
    """Return the largest component of *mask*; nothing of nothing."""
    labels, sizes = components(mask)
    if sizes.shape[0] < 2:  # noqa: PLR2004 - background alone
        return mask
    return labels == int(sizes[1:].argmax()) + 1


def filled_slices(mask: Array) -> Array:
    """Return *mask* with its holes filled in each slice by itself.

    A hole is background that does not reach the border of its slice.
    """
    xp = array_namespace(mask)
    padded = xp.zeros(
        (mask.shape[0], mask.shape[1] + 2, mask.shape[2] + 2), dtype=xp.bool
    )
    padded[:, 1:-1, 1:-1] = mask
    labels, _ = components(~padded, across=False)
    outside = labels[:, 0, 0]
    return (labels != outside[:, None, None])[:, 1:-1, 1:-1]


def coarse(array: Array, spacing: Sequence[float], step_mm: float) -> tuple[Array, Any]:
    """Return every n-th voxel, about *step_mm* apart, and n along each axis."""
    strides = tuple(max(1, round(step_mm / step)) for step in spacing)
    return array[tuple(slice(None, None, stride) for stride in strides)], strides


def fine(mask: Array, strides: Sequence[int], shape: Sequence[int]) -> Array:
    """Return a coarse array at full size again, each voxel repeated."""
    xp = array_namespace(mask)
    for axis, stride in enumerate(strides):
        if stride > 1:
            mask = xp.repeat(mask, stride, axis=axis)
    return mask[tuple(slice(0, count) for count in shape)]
