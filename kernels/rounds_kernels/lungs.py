"""Find the lungs in a CT: air inside the body, without the airway, right and left.

The steps are those of Hu, Hoffman and Reinhardt (IEEE TMI 2001;20:490-498): a
threshold, the airway removed, the lungs separated, their outline smoothed; the body is
found first, so that the table and the air around it do not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rounds_kernels import morphology as shapes
from rounds_kernels.device import array_namespace, ndimage_of
from rounds_kernels.errors import MaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["lung_labels"]

Array = Any  # NumPy's or CuPy's

_COARSE_MM: Final = 3.0
_TISSUE: Final = -300.0
_FINE_MM: Final = 1.5
_WALL_MM: Final = 6.0
_THICK_MM: Final = 15.0
_CANDIDATES: Final = 8
_LEAST_ML: Final = 30.0
_SECOND: Final = 0.08
_OVERLAP: Final = 0.5
_SIDE: Final = 0.22
_AIRWAY_HU: Final = (-950.0, -970.0, -985.0)
_AIRWAY_ML: Final = (4.0, 130.0)
_TRACHEA_MM2: Final = (40.0, 900.0)
_TRACHEA_MM: Final = 15.0
_MIDLINE_MM: Final = 45.0
_WALL_OF_AIRWAY_MM: Final = 4.0
_MOST_SHRINKING_MM: Final = 24


def lung_labels(
    hounsfield: Array, spacing: Sequence[float], threshold: float, closing_mm: float
) -> Array:
    """Return 1 where the lung at low columns is and 2 at high ones, as uint8.

    Parameters
    ----------
    hounsfield
        (z, y, x) in HU, axial, the head at high z.
    spacing
        Millimetres along z, y, x.
    threshold
        HU below which a voxel is air.
    closing_mm
        Vessels up to this width belong to the lungs.

    Raises
    ------
    MaskError
        When there is no air inside a body.
    """
    xp = array_namespace(hounsfield)
    body = _body(hounsfield, spacing)
    air = (hounsfield < threshold) & body
    air &= ~_airway(hounsfield, air, spacing)
    lungs = _lungs(air, spacing)
    sides = _sides(lungs, spacing)
    labels = xp.zeros(lungs.shape, dtype=xp.uint8)
    size = shapes.box(closing_mm, spacing)
    for side in (1, 2):
        mask = sides == side
        near = shapes.bounds(mask, size)
        whole = shapes.filled_slices(shapes.closed(mask[near], size)) & body[near]
        free = (labels[near] == 0) & ((sides[near] == 0) | mask[near])
        labels[near] = xp.where(whole & free, xp.uint8(side), labels[near])
    return labels


def _body(hounsfield: Array, spacing: Sequence[float]) -> Array:
    """Return the largest body of tissue with all that it encloses in each slice.

    A table that touches it belongs to it; its hollow is told from lungs later.
    """
    small, strides = shapes.coarse(hounsfield, spacing, _FINE_MM)
    steps = [step * n for step, n in zip(spacing, strides, strict=True)]
    tissue = shapes.largest(small > _TISSUE)
    tissue = shapes.closed(tissue, (1, *shapes.box(_WALL_MM, steps)[1:]))
    return shapes.fine(shapes.filled_slices(tissue), strides, hounsfield.shape)


def _airway(hounsfield: Array, air: Array, spacing: Sequence[float]) -> Array:
    """Return trachea and great bronchi with their wall; nothing where none is found.

    The region grows from the trachea through air as thin as it, at a threshold that
    lowers until the region no longer leaks into the lungs.
    """
    xp = array_namespace(air)
    small, strides = shapes.coarse(air, spacing, _FINE_MM)
    steps = [step * n for step, n in zip(spacing, strides, strict=True)]
    trachea = _trachea(small, steps)
    if trachea is None:
        return xp.zeros(air.shape, dtype=xp.bool)
    values = shapes.coarse(hounsfield, spacing, _FINE_MM)[0]
    smooth = ndimage_of(air).uniform_filter(xp.astype(values, xp.float32), 3)
    ml = steps[0] * steps[1] * steps[2] / 1000
    found = trachea
    for limit in _AIRWAY_HU:
        labels, sizes = shapes.components((smooth < limit) & small)
        inside = labels[trachea]
        inside = inside[inside > 0]
        if inside.shape[0] == 0:
            break
        seed = int(xp.bincount(inside).argmax())
        if _AIRWAY_ML[0] <= float(sizes[seed]) * ml <= _AIRWAY_ML[1]:
            found = trachea | (labels == seed)
            break
    found = shapes.dilated(found, shapes.box(_WALL_OF_AIRWAY_MM, steps))
    return shapes.fine(found, strides, air.shape)


def _trachea(air: Array, spacing: Sequence[float]) -> Array | None:
    """Return the trachea from the top down to where it widens into the lungs.

    It is the first round spot of air near the midline that goes on downwards.
    """
    labels, sizes = shapes.components(air, across=False)
    sizes = [int(size) for size in sizes]
    mm2 = spacing[1] * spacing[2]
    middle = air.shape[2] / 2
    for top in range(air.shape[0] - 1, 0, -1):
        for spot in _spots(labels[top]):
            mask = labels[top] == spot
            column = float(mask.nonzero()[1].mean())
            near = abs(column - middle) * spacing[2] < _MIDLINE_MM
            if near and _TRACHEA_MM2[0] <= sizes[spot] * mm2 <= _TRACHEA_MM2[1]:
                found = _downwards(labels, sizes, (top, spot), mm2)
                deep = float(found.any(axis=(1, 2)).sum()) * spacing[0]
                if deep >= _TRACHEA_MM:
                    return found
    return None


def _spots(labels: Array) -> list[int]:
    xp = array_namespace(labels)
    return [int(spot) for spot in xp.unique_values(labels) if int(spot) > 0]


def _downwards(
    labels: Array, sizes: list[int], start: tuple[int, int], mm2: float
) -> Array:
    """Follow one spot of air from slice to slice until it grows out of an airway."""
    xp = array_namespace(labels)
    level, spot = start
    found = xp.zeros(labels.shape, dtype=xp.bool)
    while True:
        mask = labels[level] == spot
        found[level] = mask
        level -= 1
        if level < 0:
            return found
        below = labels[level][mask]
        below = below[below > 0]
        if below.shape[0] == 0:
            return found
        spot = int(xp.bincount(below).argmax())
        if sizes[spot] * mm2 > _TRACHEA_MM2[1]:
            return found


def _lungs(air: Array, spacing: Sequence[float]) -> Array:
    """Return the largest air inside the body, and its counterpart on the other side."""
    ml = spacing[0] * spacing[1] * spacing[2] / 1000
    small, strides = shapes.coarse(air, spacing, _FINE_MM)
    small = shapes.opened(small, (1, 3, 3)) if min(small.shape) > 8 else small  # noqa: PLR2004
    labels, sizes = shapes.components(small)
    scale = ml * strides[0] * strides[1] * strides[2]
    steps = [step * n for step, n in zip(spacing, strides, strict=True)]
    order = _by_thickness(labels, sizes, steps)
    if not order or float(sizes[order[0]]) * scale < _LEAST_ML:
        msg = "There is no air inside a body; lungs are found on CT of the chest alone."
        raise MaskError(msg)
    mask = labels == order[0]
    if not _both_sides(mask):
        for index in order[1:]:
            large = float(sizes[index]) > _SECOND * float(sizes[order[0]])
            if large and _is_counterpart(mask, labels == index):
                mask = mask | (labels == index)
                break
    grown = shapes.fine(shapes.dilated(mask, (3, 3, 3)), strides, air.shape)
    return air & grown


def _by_thickness(labels: Array, sizes: Array, spacing: Sequence[float]) -> list[int]:
    """Return components, largest first by what is left of them when their rim is taken.

    Air in a hollow table or under the body is thin; lungs are thick.
    """
    xp = array_namespace(labels)
    core = shapes.eroded(labels > 0, shapes.box(_THICK_MM, spacing))
    thick = xp.bincount((labels * core).ravel(), minlength=sizes.shape[0])
    thick[0] = 0
    order = [int(index) for index in xp.argsort(-thick)[:_CANDIDATES]]
    return [index for index in order if int(thick[index]) > 0]


def _extent(mask: Array, axis: int) -> tuple[int, int]:
    others = tuple(other for other in range(3) if other != axis)
    where = mask.any(axis=others).nonzero()[0]
    return int(where[0]), int(where[-1])


def _both_sides(mask: Array) -> bool:
    """Tell whether a component holds both lungs."""
    low, high = _extent(mask, 2)
    wide = high - low + 1
    columns = mask.sum(axis=(0, 1))[low : high + 1]
    part = float(columns[: wide // 2].sum()) / float(columns.sum())
    return wide > 0.6 * mask.shape[2] and _SIDE < part < 1 - _SIDE


def _is_counterpart(first: Array, second: Array) -> bool:
    """Tell whether *second* lies beside *first*, at the same height of the body."""
    low, high = _extent(first, 0)
    shared = float(second[low : high + 1].sum()) / float(second.sum())
    above, below = _extent(second, 0)
    tall = (below - above) > _OVERLAP / 2 * (high - low)
    front, back = _extent(first, 1)
    level = float(second[:, front : back + 1].sum()) / float(second.sum())
    return min(shared, level) > _OVERLAP and tall and _apart(first, second)


def _sides(lungs: Array, spacing: Sequence[float]) -> Array:
    """Return 1 for the lung at low columns and 2 for the other, on *lungs*.

    Where both touch they are shrunk until they part; each voxel then belongs to the
    nearer part.
    """
    xp = array_namespace(lungs)
    small, strides = shapes.coarse(lungs, spacing, _COARSE_MM)
    steps = [step * n for step, n in zip(spacing, strides, strict=True)]
    markers = _parted(small, steps)
    nearest = ndimage_of(lungs).distance_transform_edt(
        markers == 0, sampling=steps, return_distances=False, return_indices=True
    )
    near = markers[tuple(nearest)]
    return xp.where(lungs, shapes.fine(near, strides, lungs.shape), 0)


def _parted(mask: Array, spacing: Sequence[float]) -> Array:
    """Return two parts as 1 and 2, by shrinking *mask*, or by its middle column."""
    xp = array_namespace(mask)
    parts = xp.zeros(mask.shape, dtype=xp.uint8)
    for width in range(0, _MOST_SHRINKING_MM, 3):
        shrunk = shapes.eroded(mask, shapes.box(width, spacing))
        labels, sizes = shapes.components(shrunk)
        pair = _two_largest(sizes)
        if pair:
            masks = [labels == index for index in pair]
            if _apart(*masks):
                masks.sort(key=lambda part: float(part.nonzero()[2].mean()))
                parts[masks[0]], parts[masks[1]] = 1, 2
                return parts
    low, high = _extent(mask, 2)
    column = (low + high) // 2 if _both_sides(mask) else _single_side(mask)
    parts[:, :, :column] = 1
    parts[:, :, column:] = 2
    return xp.where(mask, parts, xp.zeros_like(parts))


def _two_largest(sizes: Array) -> tuple[int, ...]:
    """Return the two largest components where the second is not too small."""
    counted = sorted(((int(n), k) for k, n in enumerate(sizes[1:], 1)), reverse=True)
    large = [k for n, k in counted[:2] if n > _SECOND * counted[0][0]]
    return tuple(large) if large[1:] else ()


def _apart(first: Array, second: Array) -> bool:
    columns = [float(each.nonzero()[2].mean()) for each in (first, second)]
    return bool(abs(columns[0] - columns[1]) > 0.1 * first.shape[2])


def _single_side(mask: Array) -> int:
    """Return the column that puts a lone lung on its side of the picture's middle."""
    column = float(mask.nonzero()[2].mean())
    return mask.shape[2] if column < mask.shape[2] / 2 else 0
