"""Make one array with its geometry of a stack of pictures, and say what was noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from rounds_kernels.attributes import number
from rounds_kernels.errors import SeriesTooLargeError
from rounds_kernels.geometry import Direction, slice_normal
from rounds_kernels.instances import PlainInstance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rounds_kernels.grouping import Group
    from rounds_kernels.planes import Plane

__all__ = ["Grid", "grid_of", "pixels_of"]

_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
_TILT_DEGREES: Final = 0.05
_TOLD_TILT_DEGREES: Final = 0.5
_UNEVEN: Final = 0.01
_UNEVEN_MM: Final = 0.01
_SIDEWAYS_MM: Final = 0.1
_GAP: Final = 1.5
_LISTED: Final = 3
_IDENTITY: Final[Direction] = (0, 0, 1, 0, 1, 0, 1, 0, 0)


class Grid(NamedTuple):
    """Where the voxels of a stack lie, as `rounds_kernels.volumes.Volume` has it."""

    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: Direction
    remarks: tuple[str, ...]


def grid_of(group: Group) -> Grid:
    """Return the geometry of a stack from its pictures' positions."""
    first = group.planes[0]
    remarks = list(group.remarks)
    if "MOSAIC" in first.attributes.get("ImageType", ()):
        remarks.append(
            "Each picture is a mosaic of many slices: nothing can be measured on it. "
            "Ask for the series as separate slices."
        )
    if first.spacing_remark:
        remarks.append(first.spacing_remark)
    if group.places is None or first.orientation is None or first.position is None:
        depth = _thickness(first)
        return Grid((depth, *first.spacing), (0.0, 0.0, 0.0), _IDENTITY, tuple(remarks))
    positions = np.asarray([plane.position for plane in group.planes], np.float64)
    step, noticed = _step(positions, group.places, first)
    length = float(np.linalg.norm(step))
    row, column = np.reshape(first.orientation, (2, 3))
    axes = np.stack([step / length, column, row], axis=1)
    direction: Any = tuple(float(item) for item in axes.ravel())
    return Grid(
        (length, *first.spacing), first.position, direction, (*remarks, *noticed)
    )


def _thickness(plane: Plane) -> float:
    """Return how deep one picture alone is in mm."""
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        depth = abs(number(plane.attributes, name, 0.0))
        if depth:
            return depth
    return 1.0


def _step(
    positions: npt.NDArray[np.float64], places: npt.NDArray[np.float64], first: Plane
) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return the way from one slice to the next in mm, and what is wrong with it."""
    normal = slice_normal(first.orientation or (1, 0, 0, 0, 1, 0))
    if len(places) == 1:
        return normal * _thickness(first), []
    depth, remarks = _even(places)
    line = (positions[-1] - positions[0]) / (places[-1] - places[0])
    tilt = float(np.degrees(np.arccos(min(1.0, 1.0 / float(np.linalg.norm(line))))))
    expected = positions[0] + np.outer(places - places[0], line)
    sideways = float(np.linalg.norm(positions - expected, axis=1).max())
    if sideways > _SIDEWAYS_MM:
        remarks.append(
            f"Slices are shifted sideways by up to {sideways:.1f} mm against a "
            "straight stack."
        )
    if tilt < _TILT_DEGREES:
        return normal * depth, remarks
    if tilt >= _TOLD_TILT_DEGREES:
        remarks.append(
            f"Gantry tilt: slices lean by {tilt:.1f} degrees against the way the stack "
            "goes. The affine is sheared; resample before you measure angles on the "
            "array."
        )
    return line * depth, remarks


def _even(places: npt.NDArray[np.float64]) -> tuple[float, list[str]]:
    """Return the slices' distance along the normal in mm; name gaps and uneven ones."""
    steps = np.diff(places)
    usual = float(np.median(steps))
    tolerance = max(_UNEVEN_MM, _UNEVEN * usual)
    off = np.abs(steps - usual) > tolerance
    if not off.any():
        return float((places[-1] - places[0]) / len(steps)), []
    missing = np.rint(steps / usual)
    whole = np.abs(steps - missing * usual) <= np.maximum(tolerance, 0.1 * usual)
    if (whole & (missing >= 1)).all() and (steps[off] > _GAP * usual).all():
        return usual, [_gap_remark(places, steps, usual)]
    mean = float(steps.mean())
    remark = (
        f"Slices lie unevenly: {steps.min():.2f} to {steps.max():.2f} mm apart. The "
        f"volume is spaced by the mean, {mean:.2f} mm; the true places are in its "
        "sources."
    )
    return mean, [remark]


def _gap_remark(
    places: npt.NDArray[np.float64], steps: npt.NDArray[np.float64], usual: float
) -> str:
    gaps = np.flatnonzero(steps > _GAP * usual)
    lost = int(np.rint(steps[gaps] / usual - 1).sum())
    where = [
        f"between {places[gap] - places[0]:.1f} and {places[gap + 1] - places[0]:.1f} "
        "mm"
        for gap in gaps[:_LISTED]
    ]
    more = f" and at {len(gaps) - _LISTED} more places" if len(gaps) > _LISTED else ""
    slices = "1 slice is" if lost == 1 else f"{lost} slices are"
    return (
        f"{slices} missing {', '.join(where)}{more} from the first: what lies beyond "
        "is drawn too near. Ask for the whole series."
    )


def pixels_of(group: Group, limit: int) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return the array of a stack in real-world units, and remarks on its values.

    Grey values are int16 where that holds them exactly, float32 otherwise; colours are
    the unsigned integers that were stored.

    Raises
    ------
    SeriesTooLargeError
        When the array would take more than *limit* bytes.
    """
    planes = group.planes
    shape = (len(planes), *planes[0].shape)
    size = int(np.prod(shape, dtype=np.int64)) * (1 if len(shape) > 3 else 2)  # noqa: PLR2004
    _check_size(size, limit)
    if len(shape) > 3:  # noqa: PLR2004 - colour
        return np.stack([_colour(plane) for plane in planes]), ()
    whole = _whole(planes, shape)
    if whole is not None:
        return whole, _value_remarks(planes)
    _check_size(2 * size, limit)
    return _real(planes, shape), _value_remarks(planes)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        msg = (
            f"The volume would take {size} bytes, more than its limit of {limit}. "
            "Raise the limit if that is right."
        )
        raise SeriesTooLargeError(msg)


def _colour(plane: Plane) -> npt.NDArray[Any]:
    """Return a coloured picture of at most 16 bits a sample."""
    picture = plane.picture()
    spare = max(0, 8 * (picture.dtype.itemsize - 2))
    return (picture >> spare).astype(np.uint16) if spare else picture


def _value_remarks(planes: Sequence[Plane]) -> tuple[str, ...]:
    meanings = {(plane.slope, plane.intercept) for plane in planes}
    if len(meanings) == 1:
        return ()
    slopes = [slope for slope, _ in meanings]
    remark = (
        f"Slices are rescaled by {len(meanings)} different rules (slopes "
        f"{min(slopes):.6g} to {max(slopes):.6g}); each was rescaled by its own."
    )
    return (remark,)


def _whole(
    planes: Sequence[Plane], shape: tuple[int, ...]
) -> npt.NDArray[np.int16] | None:
    """Return the array as int16, or None where that cannot hold every value exactly."""
    if not all(
        plane.slope.is_integer() and plane.intercept.is_integer() for plane in planes
    ):
        return None
    out = np.empty(shape, np.int16)
    for target, plane in zip(out, planes, strict=True):
        if not _fill_whole(target, plane):
            return None
    return out


def _fill_whole(target: npt.NDArray[np.int16], plane: Plane) -> bool:
    """Fill one slice, in place where it holds 16-bit words; tell whether it fits."""
    instance = plane.instance
    stored: npt.NDArray[Any]
    if (
        isinstance(instance, PlainInstance)
        and instance.dtype.itemsize == target.itemsize
    ):
        stored = target.view(instance.dtype)
        instance.read_into(stored)
    else:
        stored = plane.picture()
        if stored.dtype.kind not in "iu" or stored.shape != target.shape:
            return False
    slope, intercept = int(plane.slope), int(plane.intercept)
    lowest, highest = sorted(
        int(value) * slope + intercept for value in (stored.min(), stored.max())
    )
    if lowest < _LOW or highest > _HIGH:
        return False
    if not np.shares_memory(stored, target):
        target[...] = stored.astype(np.int64) * slope + intercept
        return True
    if slope != 1:
        target *= np.int16(slope)
    if intercept:
        target += np.int16(intercept)
    return True


def _real(planes: Sequence[Plane], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the array as float32, rescaled in double precision."""
    out = np.empty(shape, np.float32)
    for target, plane in zip(out, planes, strict=True):
        scaled = plane.picture().astype(np.float64)
        scaled *= plane.slope
        scaled += plane.intercept
        target[...] = scaled
    return out
