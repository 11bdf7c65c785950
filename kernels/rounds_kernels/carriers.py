"""Copies of source images that are safe to derive results from.

A hospital's images hold names of one part, sexes like «0000» and empty trials.
highdicom warns of the first with the name in the message and refuses the second, and a
result that copied the third would be invalid. So it is given copies without them, and
what identifies the patient is written into the result afterwards, unchanged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydicom.dataset import Dataset

from rounds_kernels.attributes import of_frames
from rounds_kernels.writing import named_uid

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["carriers", "identify", "library_entry", "referable"]

_NAMES: Final = ("PatientName", "ReferringPhysicianName")
_WANTED: Final = (
    "AccessionNumber",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyID",
    "StudyTime",
)
_PATTERNS: Final = {
    "PatientSex": r"[MFO]?",
    "PatientBirthDate": r"(\d{8})?",
    "StudyDate": r"(\d{8})?",
    "StudyTime": r"(\d{2}){0,3}(\.\d{1,6})?",
}
_PLANE: Final = (
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "ImageOrientationPatient",
    "ImagePositionPatient",
)
_LEFT_OUT: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
# The clinical trial modules (PS3.3 C.7.1.3 and on), and codes that are often malformed.
_TRIAL: Final = 0x0012
_CODES: Final = frozenset({0x00081032, 0x00401012})


def _carrier(source: Dataset) -> Dataset:
    """Return a copy of *source* without pixels, names and what is not valid."""
    copy = _bare(source)
    for name in _WANTED:
        value = "" if name in _NAMES else str(source.get(name) or "")
        if not re.fullmatch(_PATTERNS.get(name, ".*"), value, re.DOTALL):
            value = ""
        _replace(copy, name, value)
    for tag in [tag for tag in copy.keys() if tag.group == _TRIAL or tag in _CODES]:  # noqa: SIM118 - a data set iterates over elements
        del copy[tag]
    if not source.get("FrameOfReferenceUID"):
        _replace(
            copy, "FrameOfReferenceUID", named_uid("frame", source.SeriesInstanceUID)
        )
    return copy


def _replace(copy: Dataset, name: str, value: str) -> None:
    """Set an attribute of a copy, whose elements are still those of its source."""
    if name in copy:
        delattr(copy, name)
    setattr(copy, name, value)


def library_entry(image: Dataset) -> Dataset:
    """Return *image* with the plane of its first frame at the top, where it has frames.

    highdicom describes an image in a report by attributes at the top of it.
    """
    if "PixelSpacing" in image:
        return image
    entry = Dataset({element.tag: element for element in image.elements()})
    described = of_frames(image, 1)[0]
    for name in _PLANE:
        found = described.get(name)
        if found:
            setattr(entry, name, list(found) if len(found) > 1 else found[0])
    return entry


def identify(result: Dataset, source: Dataset) -> None:
    """Write the names of the patient and the physician into *result*."""
    result.SpecificCharacterSet = "ISO_IR 192"
    for name in _NAMES:
        setattr(result, name, str(source.get(name) or ""))


def carriers(sources: Sequence[Dataset]) -> list[Dataset]:
    """Return a carrier of each source."""
    return [_carrier(source) for source in sources]


def referable(segmentation: Dataset) -> Dataset:
    """Return a copy of *segmentation*, without pixels, that a report can refer to.

    Where all frames show one segment, it is written once for all of them (PS3.3
    C.7.6.16.1.1), and highdicom does not look for it there: so the copy says it for
    every frame.
    """
    copy = _bare(segmentation)
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    said = shared.get("SegmentIdentificationSequence")
    if said is None:
        return copy
    frames = []
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        one = _bare(frame)
        one.SegmentIdentificationSequence = said
        frames.append(one)
    copy.PerFrameFunctionalGroupsSequence = frames
    return copy


def _bare(source: Dataset) -> Dataset:
    """Return a copy of the outermost level of *source*, without its pixels."""
    copy = Dataset({element.tag: element for element in source.elements()})
    if hasattr(source, "file_meta"):
        copy.file_meta = source.file_meta
    for name in _LEFT_OUT:
        if name in copy:
            delattr(copy, name)
    return copy
