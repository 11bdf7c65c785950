"""The ground that phantoms are built on: a grid in mm, shapes on it, a scanner."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_kernels.volumes import SliceSource, Volume
from rounds_kernels.writing import named_uid

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Grid", "Phantom", "Scanner", "scan"]

_AXIAL: Final = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Grid:
    """How many voxels a phantom has, and mm between them (z, y, x)."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def origin(self) -> tuple[float, float, float]:
        """Return the LPS mm of voxel [0, 0, 0]; the middle of the volume is 0."""
        z, y, x = (
            -(count - 1) / 2 * step
            for count, step in zip(self.shape, self.spacing, strict=True)
        )
        return (x, y, z)

    def axes(self) -> tuple[npt.NDArray[np.float32], ...]:
        """Return mm along z, y and x, each shaped to broadcast over the volume."""
        x0, y0, z0 = self.origin
        starts = (z0, y0, x0)
        lines = (
            start + step * np.arange(count, dtype=np.float32)
            for start, step, count in zip(starts, self.spacing, self.shape, strict=True)
        )
        z, y, x = lines
        return (
            z[:, None, None].astype(np.float32),
            y[None, :, None].astype(np.float32),
            x[None, None, :].astype(np.float32),
        )

    def ml(self, mask: npt.NDArray[np.bool_]) -> float:
        """Return the volume of *mask* in ml."""
        return float(np.count_nonzero(mask) * np.prod(self.spacing) / 1000)

    def ellipsoid(
        self, centre: tuple[float, float, float], radii: tuple[float, float, float]
    ) -> npt.NDArray[np.bool_]:
        """Return the voxels in an ellipsoid; centre and radii are (x, y, z) in mm."""
        z, y, x = self.axes()
        (cx, cy, cz), (rx, ry, rz) = centre, radii
        inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 <= 1
        return np.asarray(inside, np.bool_)

    def tube(
        self,
        start: tuple[float, float, float],
        end: tuple[float, float, float],
        radius: float,
    ) -> npt.NDArray[np.bool_]:
        """Return the voxels within *radius* mm of the line from *start* to *end*."""
        z, y, x = self.axes()
        way = np.subtract(end, start)
        dx, dy, dz = x - start[0], y - start[1], z - start[2]
        along = (dx * way[0] + dy * way[1] + dz * way[2]) / float(way @ way)
        along = along.clip(0, 1)
        square = (
            (dx - along * way[0]) ** 2
            + (dy - along * way[1]) ** 2
            + (dz - along * way[2]) ** 2
        )
        return np.asarray(square <= radius**2, np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A synthetic patient and the right answers.

    Attributes
    ----------
    name
        In lower case, e.g. "thorax".
    volume
        What a scanner would give.
    masks
        Where its parts are, arrays of the volume's shape.
    truth
        What is to be measured, with the unit at the end of the name (`lungs_ml`).
    body_part
        BodyPartExamined.
    """

    name: str
    volume: Volume
    masks: dict[str, npt.NDArray[np.uint8]]
    truth: dict[str, float]
    body_part: str = ""


@dataclass(frozen=True, slots=True)
class Scanner:
    """How a phantom's values become a picture."""

    modality: str
    noise: float
    seed: int
    window: tuple[float, float]
    padding: int | None = None


def scan(
    name: str, grid: Grid, values: npt.NDArray[np.float32], scanner: Scanner
) -> Volume:
    """Return *values* with noise as a volume whose UIDs follow from its voxels."""
    random = np.random.default_rng(scanner.seed)
    noisy = values + random.standard_normal(grid.shape, np.float32) * scanner.noise
    if scanner.modality == "MR":
        noisy = np.abs(noisy)
    array = np.rint(noisy).clip(-1024, 3071).astype(np.int16)
    if scanner.padding is not None:
        _, y, x = grid.axes()
        outside = x**2 + y**2 > (min(grid.shape[1:]) * min(grid.spacing[1:]) / 2) ** 2
        array[np.broadcast_to(outside, grid.shape)] = scanner.padding
    key = f"{name}/{hashlib.sha256(array.tobytes()).hexdigest()}"
    uid = named_uid(key, "series")
    return Volume(
        array=array,
        spacing=grid.spacing,
        origin=grid.origin,
        direction=_AXIAL,
        units="HU" if scanner.modality == "CT" else "",
        modality=scanner.modality,
        series_uid=uid,
        sources=tuple(
            SliceSource(named_uid(uid, index), 0, round(index * grid.spacing[0], 6))
            for index in range(grid.shape[0])
        ),
        frame_of_reference_uid=named_uid(key, "frame"),
        description=f"Phantom {name}",
        window=scanner.window,
    )
