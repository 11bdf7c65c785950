"""The attributes of DICOM that reading a volume needs, as plain Python values.

Both readers of headers (the quick walker over bytes and pydicom) give the same mapping,
so that all that follows is written once. A name maps to a tuple of its values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ParametricMapStorage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom.dataset import Dataset

__all__ = [
    "NAMES",
    "VRS",
    "Attributes",
    "number",
    "of_dataset",
    "of_frames",
    "text",
    "values",
]

Value = str | int | float
Attributes = dict[str, tuple[Value, ...]]

_KEYWORDS: Final = (
    # what it is
    "ImageType SOPClassUID SOPInstanceUID SeriesInstanceUID FrameOfReferenceUID "
    "Modality InstanceNumber SeriesDescription "
    # where it lies
    "ImagePositionPatient ImageOrientationPatient PixelSpacing ImagerPixelSpacing "
    "NominalScannedPixelSpacing PixelAspectRatio SliceThickness SpacingBetweenSlices "
    "ImagePositionVolume ImageOrientationVolume GridFrameOffsetVector FrameTime "
    # what tells pictures at one place apart
    "AcquisitionTime ContentTime TriggerTime NominalCardiacTriggerDelayTime "
    "AcquisitionNumber FrameAcquisitionNumber EchoTime EffectiveEchoTime EchoNumbers "
    "InversionTime FlipAngle KVP ConvolutionKernel DiffusionBValue "
    "DiffusionGradientOrientation TemporalPositionIdentifier TemporalPositionIndex "
    "StackID FrameType ReferencedSegmentNumber "
    # how it is stored
    "SamplesPerPixel PhotometricInterpretation NumberOfFrames Rows Columns "
    "BitsAllocated BitsStored HighBit PixelRepresentation "
    # what its values mean
    "RescaleSlope RescaleIntercept RescaleType Units DoseUnits DoseGridScaling "
    "RealWorldValueSlope RealWorldValueIntercept WindowCenter WindowWidth"
)
NAMES: Final[dict[int, str]] = {
    tag: name
    for name in _KEYWORDS.split()
    if (tag := tag_for_keyword(name)) is not None
}
VRS: Final[dict[int, str]] = {tag: dictionary_VR(tag) for tag in NAMES}
_TAGS: Final = tuple(sorted(NAMES))
_DEPTH: Final = 4
_CENTIMETRES: Final = 3
# Functional groups that repeat the geometry of *other* pictures (PS3.3 C.7.6.16.2.6).
_OF_OTHERS: Final = frozenset(
    {
        "DerivationImageSequence",
        "ReferencedImageSequence",
        "SourceImageEvidenceSequence",
    }
)


def of_dataset(dataset: Dataset) -> Attributes:
    """Return the attributes at the top of *dataset*."""
    found: Attributes = {}
    for tag in _TAGS:
        if tag in dataset:
            value = plain(dataset[tag].value, VRS[tag])
            if value:
                found[NAMES[tag]] = value
    return found


def of_frames(dataset: Dataset, frames: int) -> list[Attributes]:
    """Return the attributes of each frame: its own over the shared ones over the top.

    The functional groups of an enhanced object are flattened (PS3.3 C.7.6.16).
    """
    common = of_dataset(dataset)
    _add_detector(dataset, common)
    _add_region(dataset, common)
    _add_unit(dataset, common)
    for item in dataset.get("SharedFunctionalGroupsSequence") or ():
        _flatten(item, common, _DEPTH)
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    described = []
    for index in range(frames):
        own = dict(common)
        if index < len(groups):
            _flatten(groups[index], own, _DEPTH)
        described.append(own)
    return described


def _add_detector(dataset: Dataset, into: Attributes) -> None:
    """Take position and orientation of nuclear medicine from its first detector."""
    for detector in (dataset.get("DetectorInformationSequence") or ())[:1]:
        for name in ("ImagePositionPatient", "ImageOrientationPatient"):
            if name not in into and name in detector:
                into[name] = plain(detector[name].value, "DS")


def _add_region(dataset: Dataset, into: Attributes) -> None:
    """Take the pixel spacing of ultrasound from a region in cm (PS3.3 C.8.5.5)."""
    for region in (dataset.get("SequenceOfUltrasoundRegions") or ())[:1]:
        units = (
            region.get("PhysicalUnitsXDirection"),
            region.get("PhysicalUnitsYDirection"),
        )
        if units == (_CENTIMETRES, _CENTIMETRES):
            down, right = (
                region.get("PhysicalDeltaY", 0),
                region.get("PhysicalDeltaX", 0),
            )
            into["RegionSpacing"] = (10 * abs(float(down)), 10 * abs(float(right)))


def _add_unit(dataset: Dataset, into: Attributes) -> None:
    """Take the unit of a parametric map from its mapping (PS3.3 C.7.6.16.2.11)."""
    if dataset.get("SOPClassUID") != ParametricMapStorage:
        return
    for group in (dataset.get("SharedFunctionalGroupsSequence") or ())[:1]:
        for mapping in (group.get("RealWorldValueMappingSequence") or ())[:1]:
            for unit in (mapping.get("MeasurementUnitsCodeSequence") or ())[:1]:
                into["MeasuredUnits"] = plain(unit.get("CodeValue"), "SH")


def _flatten(item: Dataset, into: Attributes, depth: int) -> None:
    """Collect the attributes of *item* and of the first item of its sequences."""
    into.update(of_dataset(item))
    if depth == 0:
        return
    for element in item:
        if element.VR == "SQ" and element.keyword not in _OF_OTHERS and element.value:
            _flatten(element.value[0], into, depth - 1)


def plain(value: Any, vr: str) -> tuple[Value, ...]:  # noqa: ANN401 - pydicom types no values
    """Return what pydicom read as plain Python values, without empty ones."""
    if value is None:
        return ()
    listed = (
        value if isinstance(value, (list, tuple)) or _is_multiple(value) else [value]
    )
    if vr in {"DS", "FD", "FL"}:
        return tuple(float(item) for item in listed if item not in (None, ""))
    if vr in {"IS", "US", "UL", "SS"}:
        return tuple(int(item) for item in listed if item not in (None, ""))
    texts = tuple(str(item).strip(" \0") for item in listed)
    return texts if any(texts) else ()


def _is_multiple(value: object) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")


def values(
    attributes: Mapping[str, tuple[Value, ...]], name: str, count: int
) -> tuple[float, ...]:
    """Return *count* finite numbers, or nothing where there are fewer or other ones."""
    found = attributes.get(name, ())
    numbers = tuple(float(item) for item in found if not isinstance(item, str))
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        return ()
    return numbers


def number(
    attributes: Mapping[str, tuple[Value, ...]], name: str, default: float
) -> float:
    """Return the first number of an attribute, or *default*."""
    for item in attributes.get(name, ())[:1]:
        if not isinstance(item, str) and math.isfinite(item):
            return float(item)
    return default


def text(attributes: Mapping[str, tuple[Value, ...]], name: str) -> str:
    r"""Return an attribute as text, its values joined by backslashes, or ""."""
    return "\\".join(str(item) for item in attributes.get(name, ()))
