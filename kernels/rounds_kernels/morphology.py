"""Shapes of masks: closing, opening, components, holes; on the device that holds them.

Structuring elements are boxes given in mm, so that a filter is a few shifts along each
axis, whatever its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rounds_kernels.device import array_namespace, ndimage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "bounds",
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
    for axis, count in enumerate(size):
        if count > 1:
            mask = _spread(mask, axis, count)
    return mask


def eroded(mask: Array, size: Sequence[int]) -> Array:
    """Return *mask* shrunk by a box of *size* voxels; the border counts as inside."""
    return ~dilated(~mask, size)


def _spread(mask: Array, axis: int, count: int) -> Array:
    """Return whether any of *count* voxels around each is set, along one axis.

    The reach doubles with every pass, so that ten voxels take four of them.
    """
    xp = array_namespace(mask)
    half = count // 2
    tail = [half if axis == other else 0 for other in range(mask.ndim)]
    found = xp.pad(mask, [(0, more) for more in tail], mode="constant")
    reach = 1
    while reach < count:
        step = min(reach, count - reach)
        grown = found.copy()
        grown[_part(axis, step, None)] |= found[_part(axis, None, -step)]
        found, reach = grown, reach + step
    return found[_part(axis, half, None)]


def _part(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    """Return an index that takes part of one axis."""
    return (slice(None),) * axis + (slice(start, stop),)


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
    labels = _labels(mask, across=across)
    return labels, array_namespace(mask).bincount(labels.ravel())


def _labels(mask: Array, *, across: bool) -> Array:
    xp = array_namespace(mask)
    cross = xp.zeros((3, 3, 3), dtype=xp.bool)
    cross[1, 1, :] = cross[1, :, 1] = True
    if across:
        cross[:, 1, 1] = True
    labels, _ = ndimage_of(mask).label(mask, structure=cross)
    return labels


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
    if 0 in mask.shape:
        return mask
    padded = xp.zeros(
        (mask.shape[0], mask.shape[1] + 2, mask.shape[2] + 2), dtype=xp.bool
    )
    padded[:, 1:-1, 1:-1] = mask
    labels = _labels(~padded, across=False)
    outside = labels[:, 0, 0]
    return (labels != outside[:, None, None])[:, 1:-1, 1:-1]


def bounds(mask: Array, margin: Sequence[int]) -> tuple[slice, ...]:
    """Return the box around *mask* with a margin in voxels; empty around nothing."""
    found = []
    for axis, more in enumerate(margin):
        others = tuple(other for other in range(3) if other != axis)
        where = mask.any(axis=others).nonzero()[0]
        if where.shape[0] == 0:
            return (slice(0, 0),) * 3
        found.append(slice(max(0, int(where[0]) - more), int(where[-1]) + 1 + more))
    return tuple(found)


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
