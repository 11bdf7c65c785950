"""Find the brain in a T1-weighted head by a surface that grows up to the skull.

The algorithm is the brain extraction tool's, written from its paper: Smith SM, «Fast
robust automated brain extraction», Human Brain Mapping 2002;17:143-155; its equations
are numbered below. A neck below the head is left out of the first guess, as in
«robustfov» (170 mm from the vertex). The surface is then trimmed by intensity: what is
as dark as fluid at its rim is no brain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_kernels import morphology as shapes
from rounds_kernels.device import array_namespace, ndimage_of, to_device
from rounds_kernels.errors import MaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["Settings", "brain_mask", "icosphere"]

Array = Any  # NumPy's or CuPy's

_STEP_MM: Final = 2.0
_HEAD_MM: Final = 170.0
_LEVEL: Final = 4
_SHARP_MM, _FLAT_MM = 3.33, 10.0
_MOST_PARTS: Final = 80
_MARGIN: Final = 8
_BRIGHT: Final = 0.1
_FLUID: Final = 0.55
_RIM_MM: Final = 30.0
_BRIDGE_MM: Final = 4.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How the surface grows: the fractional threshold (b_t) and how many steps."""

    fraction: float = 0.5
    iterations: int = 500


@dataclass(frozen=True, slots=True)
class _Head:
    """First estimates of a head (section 2.1); places in voxels of 2 mm."""

    low: float
    bright: float
    middle: float
    centre: Array
    radius: float


@dataclass(frozen=True, slots=True)
class Mesh:
    """A sphere of triangles: unit vertices, faces, and who is next to whom.

    Vertices with five neighbours have a sixth that does not count.
    """

    vertices: Array
    faces: Array
    neighbours: Array
    weights: Array
    faces_of: Array


def brain_mask(
    values: Array, spacing: Sequence[float], settings: Settings | None = None
) -> Array:
    """Return where the brain is, (z, y, x) bool, the head at high z.

    Parameters
    ----------
    values
        (z, y, x) in any unit, T1-weighted.
    spacing
        Millimetres along z, y, x.
    settings
        How the surface grows.

    Raises
    ------
    MaskError
        When there is no head.
    """
    settings = settings or Settings()
    xp = array_namespace(values)
    filters = ndimage_of(values)
    zoom = [step / _STEP_MM for step in spacing]
    smooth = filters.gaussian_filter(
        xp.astype(values, xp.float32), [0.4 * max(0.0, 1 / z - 1) for z in zoom]
    )
    small = filters.zoom(smooth, zoom, order=1, grid_mode=True, mode="nearest")
    head = _estimate(small)
    mesh = _mesh_on(small)
    # Where the picture ends, air begins: else the surface would leave it and stay open.
    around = xp.pad(small, _MARGIN, mode="constant", constant_values=head.low)
    head = replace(head, centre=head.centre + _MARGIN)
    surface = _grow(around, head, mesh, settings)
    inside = _fill(surface, mesh, around.shape)[(slice(_MARGIN, -_MARGIN),) * 3]
    return _trimmed(values, _full_size(inside, values.shape), spacing, head.low)


def _estimate(small: Array) -> _Head:
    """Return thresholds, centre and radius of the head (section 2.1)."""
    xp = array_namespace(small)
    low, high = (
        float(value) for value in xp.percentile(small, xp.asarray([2.0, 98.0]))
    )
    threshold = low + _BRIGHT * (high - low)
    head = small > threshold
    if high <= low or not bool(head.any()):
        msg = "There is no head: all values are alike."
        raise MaskError(msg)
    head = shapes.largest(shapes.opened(head, (3, 3, 3)))
    levels = head.any(axis=(1, 2)).nonzero()[0]
    if levels.shape[0] == 0:
        msg = "There is no head: nothing bright is larger than a few millimetres."
        raise MaskError(msg)
    bottom = max(0, int(levels[-1]) - round(_HEAD_MM / _STEP_MM))
    head[:bottom] = False
    weights = xp.where(head, xp.clip(small, 0, high), xp.zeros_like(small))
    total = float(weights.sum())
    centre = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        line = weights.sum(axis=others)
        centre.append(float((line * xp.arange(line.shape[0])).sum()) / total)
    filled = shapes.filled_slices(head)
    radius = (3 * float(filled.sum()) / (4 * np.pi)) ** (1 / 3)
    place = xp.asarray(centre, dtype=xp.float32)
    middle = _median_around(small, place, radius, (low, high))
    return _Head(low, threshold, middle, place, radius)


def _median_around(
    small: Array, centre: Array, radius: float, bounds: tuple[float, float]
) -> float:
    """Return the median (t_m) of what lies in the sphere between the bounds."""
    xp = array_namespace(small)
    axes = [
        (xp.arange(count, dtype=xp.float32) - centre[axis]) ** 2
        for axis, count in enumerate(small.shape)
    ]
    square = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
    inside = small[square < radius**2]
    inside = inside[(inside > bounds[0]) & (inside < bounds[1])]
    return float(xp.median(inside))


def _grow(small: Array, head: _Head, mesh: Mesh, settings: Settings) -> Array:
    """Return the vertices of the grown surface in voxels of *small*."""
    xp = array_namespace(small)
    points = head.centre + mesh.vertices * np.float32(head.radius * 0.5)
    for step in range(settings.iterations):
        ring = points[mesh.neighbours]
        mean = (ring * mesh.weights[:, :, None]).sum(axis=1)
        apart = xp.sqrt(((ring - points[:, None, :]) ** 2).sum(axis=2))
        length = float((apart * mesh.weights).sum(axis=1).mean())
        normals = _normals(points, mesh)
        shift = mean - points
        inward = (shift * normals).sum(axis=1)
        tangent = shift - inward[:, None] * normals
        smooth = _stiffness(inward, length, early=step < settings.iterations // 4)
        force = _force(small, head, (points, normals), settings.fraction)
        along = smooth * inward + np.float32(0.05 * length) * force
        points = points + np.float32(0.5) * tangent + along[:, None] * normals
    return points


def _normals(points: Array, mesh: Mesh) -> Array:
    """Return the outward unit normals of the vertices."""
    xp = array_namespace(points)
    corners = points[mesh.faces]
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    flat = xp.stack(
        [
            one[:, 1] * other[:, 2] - one[:, 2] * other[:, 1],
            one[:, 2] * other[:, 0] - one[:, 0] * other[:, 2],
            one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0],
        ],
        axis=1,
    )
    summed = (flat[mesh.faces_of] * mesh.weights[:, :, None]).sum(axis=1)
    return summed / (xp.sqrt((summed**2).sum(axis=1))[:, None] + np.float32(1e-9))


def _stiffness(inward: Array, length: float, *, early: bool) -> Array:
    """Return how much the surface is smoothed (equations 4 to 6)."""
    xp = array_namespace(inward)
    sharp, flat = _SHARP_MM / _STEP_MM, _FLAT_MM / _STEP_MM
    middle = (1 / sharp + 1 / flat) / 2
    steepness = 6 / (1 / sharp - 1 / flat)
    curvature = 2 * xp.abs(inward) / np.float32(length**2)
    factor = (1 + xp.tanh(np.float32(steepness) * (curvature - np.float32(middle)))) / 2
    return xp.clip(factor, 0.1, 1.0) if early else factor


def _force(
    small: Array, head: _Head, surface: tuple[Array, Array], fraction: float
) -> Array:
    """Return the push along the normal from the values beneath (equations 7 to 13)."""
    xp = array_namespace(small)
    points, normals = surface
    depths = xp.arange(0, 20 / _STEP_MM + 0.5, dtype=xp.float32)
    places = points[:, None, :] - depths[None, :, None] * normals[:, None, :]
    nearest = xp.astype(xp.round(places), xp.int32)
    index = tuple(
        xp.clip(nearest[..., axis], 0, count - 1)
        for axis, count in enumerate(small.shape)
    )
    beneath = small[index]
    near = beneath[:, : round(10 / _STEP_MM) + 1]
    least = xp.clip(xp.min(beneath, axis=1), head.low, head.middle)
    most = xp.clip(xp.max(near, axis=1), head.bright, head.middle)
    local = (most - head.low) * fraction + head.low
    return 2 * (least - local) / (most - head.low + np.float32(1e-6))


def _fill(surface: Array, mesh: Mesh, shape: Sequence[int]) -> Array:
    """Return the voxels inside a closed surface of triangles."""
    xp = array_namespace(surface)
    walls = xp.zeros(tuple(shape), dtype=xp.bool)
    corners = surface[mesh.faces]
    edges = xp.sqrt(((corners - xp.roll(corners, 1, axis=1)) ** 2).sum(axis=2))
    # Points half a voxel apart leave no gap for the outside to flow in.
    parts = min(_MOST_PARTS, int(2 * float(edges.max())) + 1)
    for first in range(parts + 1):
        for second in range(parts + 1 - first):
            a, b = first / parts, second / parts
            points = (
                corners[:, 0] * np.float32(1 - a - b)
                + corners[:, 1] * np.float32(a)
                + corners[:, 2] * np.float32(b)
            )
            nearest = xp.astype(xp.round(points), xp.int32)
            walls[
                tuple(
                    xp.clip(nearest[:, axis], 0, count - 1)
                    for axis, count in enumerate(shape)
                )
            ] = True
    return ndimage_of(surface).binary_fill_holes(walls)


def _full_size(mask: Array, shape: Sequence[int]) -> Array:
    """Return a coarse mask at full size, its outline interpolated."""
    xp = array_namespace(mask)
    zoom = [new / old for new, old in zip(shape, mask.shape, strict=True)]
    grown = ndimage_of(mask).zoom(
        xp.astype(mask, xp.float32), zoom, order=1, grid_mode=True, mode="nearest"
    )
    return grown > 0.5  # noqa: PLR2004 - half


def _trimmed(
    values: Array, inside: Array, spacing: Sequence[float], low: float
) -> Array:
    """Return *inside* without dark fluid near its rim, and without what then hangs off.

    Fluid deep inside (the ventricles) stays.
    """
    xp = array_namespace(values)
    middle = float(xp.median(xp.astype(values[inside], xp.float32)))
    tissue = inside & (values > low + _FLUID * (middle - low))
    deep = shapes.eroded(inside, shapes.box(_RIM_MM, spacing))
    solid = tissue | deep
    bridge = shapes.box(_BRIDGE_MM, spacing)
    core = shapes.largest(shapes.opened(solid, bridge))
    return shapes.filled_slices(solid & shapes.dilated(core, bridge))


def _mesh_on(array: Array) -> Mesh:
    """Return the sphere where *array* is."""
    mesh = icosphere(_LEVEL)
    xp = array_namespace(array)
    if xp is array_namespace(mesh.vertices):
        return mesh
    return Mesh(*(to_device(getattr(mesh, name)) for name in Mesh.__slots__))


@lru_cache(maxsize=2)
def icosphere(level: int) -> Mesh:
    """Return a sphere of 20 * 4**level triangles.

    Examples
    --------
    >>> icosphere(4).vertices.shape
    (2562, 3)
    """
    golden = (1 + 5**0.5) / 2
    corners = [
        tuple(np.roll((0.0, one, other), turn))
        for turn in range(3)
        for one in (-1.0, 1.0)
        for other in (-golden, golden)
    ]
    points = np.asarray(corners)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    edge = apart[apart > 0].min() * 1.01
    faces = [
        (a, b, c)
        for a in range(12)
        for b in range(a + 1, 12)
        for c in range(b + 1, 12)
        if max(apart[a, b], apart[b, c], apart[a, c]) < edge
    ]
    triangles = np.asarray([_outwards(points, face) for face in faces])
    for _ in range(level):
        points, triangles = _divided(points, triangles)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return Mesh(points.astype(np.float32), triangles, *_around(triangles, len(points)))


def _outwards(
    points: npt.NDArray[np.float64], face: tuple[int, int, int]
) -> tuple[int, int, int]:
    a, b, c = face
    normal = np.cross(points[b] - points[a], points[c] - points[a])
    return face if normal @ points[a] > 0 else (a, c, b)


def _divided(
    points: npt.NDArray[np.float64], faces: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return each triangle as four."""
    sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, number = np.unique(sides, axis=0, return_inverse=True)
    middles = points[unique].mean(axis=1)
    middles *= (np.linalg.norm(points[0]) / np.linalg.norm(middles, axis=1))[:, None]
    ab, bc, ca = (number.reshape(-1, 3) + len(points)).T
    a, b, c = faces.T
    new = np.concatenate(
        [np.stack(three, axis=1) for three in ((a, ab, ca), (b, bc, ab), (c, ca, bc))]
        + [np.stack((ab, bc, ca), axis=1)]
    )
    return np.concatenate([points, middles]), new


def _around(
    faces: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return six neighbours, their weights, and six faces of every vertex."""
    neighbours: list[list[int]] = [[] for _ in range(count)]
    faces_of: list[list[int]] = [[] for _ in range(count)]
    for number, (a, b, c) in enumerate(faces.tolist()):
        for one, following in ((a, b), (b, c), (c, a)):
            neighbours[one].append(following)
            faces_of[one].append(number)
    weights = np.asarray(
        [[1 / len(ring)] * len(ring) + [0.0] * (6 - len(ring)) for ring in neighbours],
        np.float32,
    )
    pad = [ring + ring[: 6 - len(ring)] for ring in neighbours]
    pad_faces = [ring + ring[: 6 - len(ring)] for ring in faces_of]
    return np.asarray(pad), weights, np.asarray(pad_faces)
