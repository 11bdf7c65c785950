"""Where the crosshair is: from slider positions to mm, to voxels and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rounds.viewers.images import Picture
    from rounds_kernels.volumes import Volume

__all__ = ["Grid", "Position"]

LETTERS = ("RL", "AP", "SI")
"""Towards which side of the patient a RAS coordinate is positive, and negative."""


@dataclass(frozen=True, slots=True)
class Position:
    """A voxel of the shown grid: its number along right, front and head, from 0."""

    voxel: tuple[int, int, int]
    mm: tuple[float, float, float]

    def __str__(self) -> str:
        """Return the place with the side instead of a sign.

        Examples
        --------
        >>> str(Position((0, 0, 0), (-12.0, 3.5, 40.0)))
        'L 12.0  A 3.5  S 40.0 mm'
        """
        sides = [
            f"{letters[0] if at >= 0 else letters[1]} {abs(at):.1f}"
            for letters, at in zip(LETTERS, self.mm, strict=True)
        ]
        return f"{'  '.join(sides)} mm"


class Grid:
    """The grid of a picture as it is shown, and the volume behind it."""

    def __init__(self, volume: Volume, picture: Picture) -> None:
        """Take the volume in its own resolution, and the picture shown of it."""
        self.shape = picture.shape
        self._affine = picture.affine
        self._array = volume.array
        self._to_index = np.linalg.inv(volume.affine)

    def at(self, voxel: Sequence[int]) -> Position:
        """Return the position of the shown voxel *voxel* (right, front, head)."""
        x, y, z = (int(number) for number in voxel)
        mm = self._affine @ [x, y, z, 1.0]
        return Position((x, y, z), (float(mm[0]), float(mm[1]), float(mm[2])))

    def at_fraction(self, fraction: Sequence[float]) -> Position:
        """Return the position at *fraction* (0 to 1) of each of the three axes."""
        return self.at(
            [
                min(max(int(part * size), 0), size - 1)
                for part, size in zip(fraction, self.shape, strict=True)
            ]
        )

    def fraction(self, voxel: Sequence[int]) -> list[float]:
        """Return where the centre of *voxel* lies between 0 and 1 along each axis."""
        return [(at + 0.5) / size for at, size in zip(voxel, self.shape, strict=True)]

    def value(self, position: Position) -> npt.NDArray[Any] | None:
        """Return what the volume holds there, in its own resolution; None outside."""
        right, front, head = position.mm
        index = np.rint(self._to_index @ [-right, -front, head, 1.0]).astype(int)[:3]
        inside = (index >= 0).all() and (index < self._array.shape[:3]).all()
        return np.asarray(self._array[tuple(index)]) if inside else None
