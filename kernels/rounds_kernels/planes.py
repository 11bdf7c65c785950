"""One picture of a series: where it lies, what its values mean, what sets it apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydicom.uid import ParametricMapStorage

from rounds_kernels.attributes import Attributes, number, text, values
from rounds_kernels.errors import PixelDecodeError
from rounds_kernels.geometry import slice_normal
from rounds_kernels.instances import Instance, ParsedInstance

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["TRAITS", "Plane", "planes_of"]

Vector = tuple[float, float, float]
Six = tuple[float, float, float, float, float, float]

TRAITS: Final = {
    "FrameType": "frame type",
    "ImageType": "image type",
    "StackID": "stack",
    "ReferencedSegmentNumber": "segment",
    "EchoTime": "echo time (ms)",
    "EffectiveEchoTime": "echo time (ms)",
    "EchoNumbers": "echo",
    "InversionTime": "inversion time (ms)",
    "FlipAngle": "flip angle (degrees)",
    "KVP": "tube voltage (kV)",
    "ConvolutionKernel": "kernel",
    "DiffusionBValue": "b-value (s/mm2)",
    "DiffusionGradientOrientation": "gradient",
    "TemporalPositionIdentifier": "time point",
    "TemporalPositionIndex": "time point",
    "NominalCardiacTriggerDelayTime": "trigger delay (ms)",
    "AcquisitionNumber": "acquisition",
    "FrameAcquisitionNumber": "acquisition",
}
"""Attributes that tell pictures at one place apart, in the order they are tried."""

_SPACINGS: Final = {
    "PixelSpacing": "",
    "ImagerPixelSpacing": "Pixel spacing is that at the detector: the body is smaller.",
    "NominalScannedPixelSpacing": "Pixel spacing is that of the scanned film.",
    "RegionSpacing": "Pixel spacing is that of the first ultrasound region.",
}
_TOLERANCE: Final = 1e-2


@dataclass(frozen=True, slots=True)
class Plane:
    """One picture and all that is known of it.

    Attributes
    ----------
    frame
        Its number in a multi-frame object from 1, or 0.
    shape
        (rows, columns) or (rows, columns, 3).
    position, orientation
        Of its first pixel in LPS mm, and its six direction cosines; None where unknown.
    spacing, spacing_remark
        Between rows and between columns in mm, and what is special about it.
    slope, intercept
        From stored values to real ones.
    """

    attributes: Attributes
    instance: Instance
    frame: int
    shape: tuple[int, ...]
    position: Vector | None
    orientation: Six | None
    spacing: tuple[float, float]
    spacing_remark: str
    slope: float
    intercept: float

    @property
    def units(self) -> str:
        """Return the unit of the rescaled values, "" where none is stated."""
        return _units(self.attributes) if len(self.shape) == 2 else ""  # noqa: PLR2004 - grey

    @property
    def uid(self) -> str:
        """Return its SOP instance UID."""
        return text(self.attributes, "SOPInstanceUID")

    @property
    def order(self) -> tuple[float, float, str, int]:
        """Return what orders pictures at one place: by number, time, frame."""
        found = self.attributes
        return (
            number(found, "AcquisitionNumber", 0),
            number(found, "InstanceNumber", 0),
            text(found, "TriggerTime") or text(found, "ContentTime"),
            self.frame,
        )

    def picture(self) -> npt.NDArray[Any]:
        """Return the stored values, or RGB.

        Raises
        ------
        PixelDecodeError
            When they cannot be unpacked, or have another shape than was claimed.
        """
        picture = self.instance.picture(max(self.frame - 1, 0))
        if picture.shape != self.shape:
            msg = f"A picture of shape {picture.shape} was claimed to be {self.shape}."
            raise PixelDecodeError(msg)
        return picture


def planes_of(instance: Instance) -> Iterator[Plane]:
    """Yield the pictures of an instance."""
    several = len(instance.frames) > 1
    offsets = _offsets(instance)
    for index, found in enumerate(instance.frames):
        orientation = _orientation(found)
        spacing, remark = _spacing(found)
        slope, intercept = _rescale(found)
        yield Plane(
            attributes=found,
            instance=instance,
            frame=index + 1 if several else 0,
            shape=_shape(found),
            position=_position(found, orientation, offsets[index] if offsets else 0.0),
            orientation=orientation,
            spacing=spacing,
            spacing_remark=remark,
            slope=slope,
            intercept=intercept,
        )


def _shape(found: Attributes) -> tuple[int, ...]:
    size = int(number(found, "Rows", 0)), int(number(found, "Columns", 0))
    coloured = number(found, "SamplesPerPixel", 1) > 1
    palette = text(found, "PhotometricInterpretation") == "PALETTE COLOR"
    return (*size, 3) if coloured or palette else size


def _orientation(found: Attributes) -> Six | None:
    """Return six cosines that are two perpendicular units, or None."""
    for name in ("ImageOrientationPatient", "ImageOrientationVolume"):
        six = values(found, name, 6)
        if six and _is_orthonormal(six):
            return (six[0], six[1], six[2], six[3], six[4], six[5])
    return None


@lru_cache(maxsize=64)
def _is_orthonormal(six: tuple[float, ...]) -> bool:
    row, column = np.reshape(six, (2, 3))
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    return bool(
        np.allclose(lengths, 1, atol=_TOLERANCE) and abs(row @ column) < _TOLERANCE
    )


def _position(
    found: Attributes, orientation: Six | None, offset: float
) -> Vector | None:
    """Return the position, moved along the normal by the frame's offset."""
    three = values(found, "ImagePositionPatient", 3) or values(
        found, "ImagePositionVolume", 3
    )
    if not three or orientation is None:
        return None
    if offset:
        three = tuple(
            float(item) for item in three + offset * slice_normal(orientation)
        )
    return (three[0], three[1], three[2])


def _offsets(instance: Instance) -> tuple[float, ...]:
    """Return how far frames lie along the normal where no frame has its own position.

    Dose grids say so by GridFrameOffsetVector (PS3.3 C.8.8.3.2), reconstructed nuclear
    medicine by SpacingBetweenSlices (PS3.3 C.8.4.15).
    """
    frames = len(instance.frames)
    first = instance.frames[0]
    offsets = values(first, "GridFrameOffsetVector", frames)
    if offsets:
        return tuple(offset - offsets[0] for offset in offsets)
    image_type = [str(part) for part in first.get("ImageType", ())]
    step = number(first, "SpacingBetweenSlices", 0.0)
    if (
        frames > 1
        and text(first, "Modality") in {"NM", "PT"}
        and "RECON TOMO" in image_type
    ):
        return tuple(index * step for index in range(frames))
    return ()


def _spacing(found: Attributes) -> tuple[tuple[float, float], str]:
    """Return mm between rows and between columns, and what is special about it."""
    for name, remark in _SPACINGS.items():
        pair = values(found, name, 2)
        if pair and min(pair) > 0:
            return (pair[0], pair[1]), remark
    ratio = values(found, "PixelAspectRatio", 2)
    if ratio and min(ratio) > 0:
        return (ratio[0] / ratio[1], 1.0), "Pixel spacing is unknown but for its ratio."
    return (
        1.0,
        1.0,
    ), "Pixel spacing is unknown and taken as 1 mm: nothing can be measured."


def _rescale(found: Attributes) -> tuple[float, float]:
    """Return slope and intercept (PS3.3 C.11.1); parametric maps have a mapping."""
    if text(found, "SOPClassUID") == ParametricMapStorage:
        slope = number(found, "RealWorldValueSlope", 1.0)
        return slope or 1.0, number(found, "RealWorldValueIntercept", 0.0)
    if "DoseGridScaling" in found:
        return number(found, "DoseGridScaling", 1.0) or 1.0, 0.0
    return (
        number(found, "RescaleSlope", 1.0) or 1.0,
        number(found, "RescaleIntercept", 0.0),
    )


def _units(found: Attributes) -> str:
    """Return the unit: of CT where unstated Hounsfield's; «US» means unspecified."""
    names = ("MeasuredUnits", "Units", "DoseUnits", "RescaleType")
    stated = next(filter(None, (text(found, name) for name in names)), "")
    if stated in {"US", "NONE"}:
        return ""
    return stated or ("HU" if text(found, "Modality") == "CT" else "")


def has_time(plane: Plane) -> bool:
    """Tell whether the frames of its instance follow each other in time."""
    return (
        isinstance(plane.instance, ParsedInstance) and "FrameTime" in plane.attributes
    )
