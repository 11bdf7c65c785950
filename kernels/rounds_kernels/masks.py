"""Masks of organs, on the CPU and on a GPU by the same code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds_kernels.brain import Settings, brain_mask
from rounds_kernels.device import to_device, to_host
from rounds_kernels.errors import MaskError
from rounds_kernels.lungs import lung_labels

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_kernels.volumes import Volume

__all__ = ["LUNGS", "brain", "lungs"]

LUNGS = {"right": 1, "left": 2}
"""What the labels of `lungs` mean, in the patient's terms."""


@dataclass(frozen=True, slots=True)
class _Turned:
    """A volume's axes brought to feet-head, front-back, right-left; and back again."""

    order: tuple[int, int, int]
    flips: tuple[int, ...]

    @classmethod
    def of(cls, volume: Volume) -> _Turned:
        axes = np.reshape(volume.direction, (3, 3))
        order = [0, 0, 0]
        left = {0, 1, 2}
        for target, patient in ((0, 2), (2, 0), (1, 1)):
            best = max(left, key=lambda axis: abs(axes[patient, axis]))
            order[target] = best
            left.discard(best)
        flips = tuple(
            target
            for target, patient in ((0, 2), (1, 1), (2, 0))
            if axes[patient, order[target]] < 0
        )
        return cls((order[0], order[1], order[2]), flips)

    def there(self, array: Any) -> Any:  # noqa: ANN401 - NumPy's or CuPy's
        """Return *array* with its axes turned."""
        turned = array.transpose(self.order)
        return turned[self._slices()]

    def back(self, array: Any) -> Any:  # noqa: ANN401 - NumPy's or CuPy's
        """Return a turned array as it lay."""
        return array[self._slices()].transpose(tuple(np.argsort(self.order)))

    def _slices(self) -> tuple[slice, ...]:
        return tuple(
            slice(None, None, -1 if n in self.flips else None) for n in range(3)
        )


def lungs(
    volume: Volume, threshold: float = -400.0, closing_mm: float = 5.0
) -> npt.NDArray[np.uint8]:
    """Return the lungs of a chest CT: 1 the patient's right, 2 the left one.

    Trachea, great bronchi, the table and the air around the body do not count; vessels
    up to *closing_mm* wide do.

    Parameters
    ----------
    volume
        CT in HU; any orientation.
    threshold
        HU below which a voxel is air, -900 to -200.
    closing_mm
        Width of gaps that are closed, in mm.

    Returns
    -------
    uint8 array
        Labels of the shape of the volume.

    Raises
    ------
    MaskError
        When the volume is no CT, or holds no air inside a body.

    Examples
    --------
    >>> from rounds_kernels import phantoms
    >>> chest = phantoms.thorax(phantoms.Grid((32, 96, 96), (9.0, 4.0, 4.0)))
    >>> found = lungs(chest.volume)
    >>> sorted(set(found.ravel().tolist()))
    [0, 1, 2]
    """
    _check_grey(volume)
    if volume.units not in {"HU", ""} or volume.modality not in {"CT", ""}:
        msg = (
            f"Lungs are found on CT in HU, not on {volume.modality or 'unknown'} in "
            f"{volume.units or 'no unit'}."
        )
        raise MaskError(msg)
    turn = _Turned.of(volume)
    spacing = [volume.spacing[axis] for axis in turn.order]
    hounsfield = turn.there(to_device(volume.array))
    found = lung_labels(hounsfield, spacing, threshold, closing_mm)
    return np.ascontiguousarray(to_host(turn.back(found)))


def brain(
    volume: Volume, fraction: float = 0.5, *, iterations: int = 500
) -> npt.NDArray[np.uint8]:
    """Return the brain in a T1-weighted MR of a head, as 1 in 0.

    It is meant for volumes of a whole head in voxels of at most 3 mm. Where slices are
    thicker the skull is blurred and the mask may leak into the scalp: look at it.

    Parameters
    ----------
    volume
        T1-weighted MR; any orientation.
    fraction
        Fractional intensity threshold, 0 to 1: smaller ones give a larger brain.
    iterations
        Of the growing surface.

    Returns
    -------
    uint8 array
        A mask of the shape of the volume.

    Raises
    ------
    MaskError
        When there is no head in the volume.
    """
    _check_grey(volume)
    if not 0 < fraction < 1:
        msg = f"The fraction is {fraction:g}; 0.2 to 0.8 would work."
        raise MaskError(msg)
    turn = _Turned.of(volume)
    spacing = [volume.spacing[axis] for axis in turn.order]
    values = turn.there(to_device(volume.array))
    found = brain_mask(values, spacing, Settings(fraction, iterations))
    return np.ascontiguousarray(to_host(turn.back(found))).astype(np.uint8)


def _check_grey(volume: Volume) -> None:
    if volume.is_colour or min(volume.array.shape) < 8:  # noqa: PLR2004 - a few slices
        msg = (
            f"A grey volume of at least 8 slices is wanted, this one has the shape "
            f"{volume.array.shape}."
        )
        raise MaskError(msg)
