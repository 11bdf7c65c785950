"""Write a volume as a classic DICOM series, one instance a slice.

What is made here is synthetic or declared by a person (phantoms, NIfTI files); nothing
is invented about an examination beyond what the information object demands (PS3.3 A.3,
A.4).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)
from pydicom.valuerep import DSfloat

from rounds_kernels.geometry import slice_normal

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from rounds_kernels.volumes import Volume

__all__ = [
    "IMPLEMENTATION_UID",
    "MODALITIES",
    "Identity",
    "classic_series",
    "named_uid",
    "save",
]

MODALITIES: Final = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
    "NM": SecondaryCaptureImageStorage,
    "US": SecondaryCaptureImageStorage,
    "OT": SecondaryCaptureImageStorage,
}
"""Modalities that can be written, with their SOP classes."""

_NAMESPACE: Final = uuid.UUID("8f2d3a52-6a5b-4f0e-9d5e-2f6c1f0a7b11")
_DATE: Final = "20200101"
_TIME: Final = "120000"


def named_uid(*parts: object) -> UID:
    """Return the UID of a name: the same parts give the same UID (PS3.5 B.2).

    Examples
    --------
    >>> named_uid("a", 1) == named_uid("a", 1) != named_uid("a", 2)
    True
    """
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}")


IMPLEMENTATION_UID: Final = named_uid("implementation")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who and what a written series says it is.

    Attributes
    ----------
    patient_name, patient_id
        Neutral ones: nobody real.
    study, series
        Descriptions.
    key
        What the UIDs are made of: the same key gives the same UIDs.
    body_part
        BodyPartExamined, a defined term of PS3.16 annex L, or "".
    series_number
        As in DICOM.
    """

    patient_name: str
    patient_id: str
    study: str
    series: str
    key: str
    body_part: str = ""
    series_number: int = 1


def classic_series(
    volume: Volume, identity: Identity, time: tuple[int, int] | None = None
) -> list[Dataset]:
    """Return *volume* as classic images in explicit VR little endian.

    Values are stored as 16-bit integers with the rescale that loses least. *time* says
    which temporal position this is, and of how many.

    Raises
    ------
    ValueError
        When the modality has no classic object here, or the array is coloured.
    """
    if volume.modality not in MODALITIES or volume.is_colour:
        known = ", ".join(MODALITIES)
        msg = f"A grey volume of {known} is wanted, not {volume.modality!r}."
        raise ValueError(msg)
    kind = _kind(volume)
    rescale = _rescale(volume, kind)
    common = _common(volume, identity)
    instances = []
    for index, plane in enumerate(volume.array):
        stored = _stored(plane, rescale, kind)
        instance = _instance(volume, index, stored, common)
        _mean(instance, volume, rescale)
        if time is not None:
            _place_in_time(instance, time, (index, len(volume.array)))
        instances.append(instance)
    return instances


def _place_in_time(
    instance: Dataset, time: tuple[int, int], slices: tuple[int, int]
) -> None:
    """Make an instance the one of a slice at a temporal position (PS3.3 C.8.3.1)."""
    (number, count), (index, depth) = time, slices
    instance.TemporalPositionIdentifier = number
    instance.NumberOfTemporalPositions = count
    instance.InstanceNumber = (number - 1) * depth + index + 1
    instance.SOPInstanceUID = named_uid(instance.SeriesInstanceUID, number, index)
    instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID


def save(instances: list[Dataset], folder: Path) -> list[Path]:
    """Write data sets as files `0001.dcm`, ... into *folder* and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, dataset in enumerate(instances, 1):
        path = folder / f"{number:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _kind(volume: Volume) -> np.dtype[Any]:
    """Return how values are stored: with a sign where the object has one by habit."""
    return np.dtype("<i2" if volume.modality in {"CT", "PT"} else "<u2")


def _rescale(volume: Volume, kind: np.dtype[Any]) -> tuple[float, float]:
    """Return slope and intercept that bring the values into 16 bits."""
    low, high = float(volume.array.min()), float(volume.array.max())
    lowest, highest = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    whole = volume.array.dtype.kind in "iu" or bool(
        (volume.array == volume.array.round()).all()
    )
    if whole and lowest <= low and high <= highest:
        return 1.0, 0.0
    if high <= low:
        return 1.0, _decimal(low - lowest).real
    if volume.modality == "PT":
        # PET has no intercept (PS3.3 C.8.9.4).
        return _decimal(max(abs(low), abs(high)) / highest * (1 + 1e-9)).real, 0.0
    if whole and high - low <= highest - lowest:
        return 1.0, low - lowest
    slope = _decimal((high - low) / (highest - lowest) * (1 + 1e-9)).real
    return slope, _decimal(low - lowest * slope).real


def _stored(
    plane: npt.NDArray[Any], rescale: tuple[float, float], kind: np.dtype[Any]
) -> npt.NDArray[Any]:
    """Return one slice as the integers that are stored."""
    slope, intercept = rescale
    values = np.rint((plane.astype(np.float64) - intercept) / slope)
    limits = np.iinfo(kind)
    return np.asarray(np.clip(values, limits.min, limits.max).astype(kind))


def _common(volume: Volume, identity: Identity) -> dict[str, Any]:
    """Return the attributes that every instance of the series has."""
    key = identity.key
    found = {
        "SpecificCharacterSet": "ISO_IR 192",
        "StudyDate": _DATE,
        "StudyTime": _TIME,
        "SeriesDate": _DATE,
        "SeriesTime": _TIME,
        "ContentDate": _DATE,
        "ContentTime": _TIME,
        "AccessionNumber": "",
        "Modality": volume.modality,
        "Manufacturer": "Rounds",
        "ReferringPhysicianName": "",
        "StudyDescription": identity.study,
        "SeriesDescription": identity.series,
        "PatientName": identity.patient_name,
        "PatientID": identity.patient_id,
        "PatientBirthDate": "",
        "PatientSex": "",
        "PatientPosition": "HFS",
        "StudyInstanceUID": named_uid(key, "study"),
        "SeriesInstanceUID": volume.series_uid or named_uid(key, "series"),
        "FrameOfReferenceUID": volume.frame_of_reference_uid or named_uid(key, "frame"),
        "StudyID": "1",
        "SeriesNumber": identity.series_number,
        "AcquisitionNumber": 1,
        "PositionReferenceIndicator": "",
    }
    # Laterality is wanted, if empty, where no body part says that it has none.
    found |= (
        {"BodyPartExamined": identity.body_part}
        if identity.body_part
        else {"Laterality": ""}
    )
    special = _SPECIAL.get(volume.modality, _CAPTURE)
    if volume.modality == "PT":
        # PatientOrientationCodeSequence takes its place (PS3.3 C.7.3.1).
        del found["PatientPosition"]
        special = special | {"NumberOfSlices": len(volume.array)}
    return found | {"SOPClassUID": MODALITIES[volume.modality]} | special


_CT: Final[dict[str, Any]] = {
    "ImageType": ["DERIVED", "SECONDARY", "AXIAL"],
    "KVP": None,
}
_MR: Final[dict[str, Any]] = {
    "ImageType": ["DERIVED", "SECONDARY", "OTHER"],
    "ScanningSequence": "RM",
    "SequenceVariant": "NONE",
    "ScanOptions": "",
    "MRAcquisitionType": "3D",
    "RepetitionTime": None,
    "EchoTime": None,
    "EchoTrainLength": None,
}
_PT: Final[dict[str, Any]] = {
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "Units": "CNTS",
    "CountsSource": "EMISSION",
    "SeriesType": ["STATIC", "IMAGE"],
    "CorrectedImage": "DECY",
    "DecayCorrection": "NONE",
    "CollimatorType": "NONE",
    "FrameReferenceTime": 0,
    "ActualFrameDuration": 1,
    "AcquisitionDate": _DATE,
    "AcquisitionTime": _TIME,
    "RadiopharmaceuticalInformationSequence": [],
    "PatientOrientationCodeSequence": [],
    "PatientGantryRelationshipCodeSequence": [],
}
_CAPTURE: Final[dict[str, Any]] = {
    "ImageType": ["DERIVED", "SECONDARY"],
    "ConversionType": "WSD",
    "PatientOrientation": "",
}
_SPECIAL: Final = {"CT": _CT, "MR": _MR, "PT": _PT}


def _instance(
    volume: Volume,
    index: int,
    stored: npt.NDArray[Any],
    common: dict[str, Any],
) -> Dataset:
    """Return one slice as a data set that can be written as a file."""
    dataset = Dataset()
    for name, value in common.items():
        setattr(dataset, name, value)
    dataset.SOPInstanceUID = named_uid(common["SeriesInstanceUID"], index)
    dataset.InstanceNumber = index + 1
    _place(dataset, volume, index)
    _pixels(dataset, stored)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "ROUNDS"
    dataset.file_meta = meta
    return dataset


def _place(dataset: Dataset, volume: Volume, index: int) -> None:
    """Write the image plane (PS3.3 C.7.6.2)."""
    axes = np.reshape(volume.direction, (3, 3))
    orientation = [*axes[:, 2], *axes[:, 1]]
    position = (volume.affine @ [index, 0, 0, 1])[:3]
    dataset.ImageOrientationPatient = [_decimal(item) for item in orientation]
    dataset.ImagePositionPatient = [_decimal(item) for item in position]
    dataset.PixelSpacing = [_decimal(step) for step in volume.spacing[1:]]
    step = axes[:, 0] * volume.spacing[0]
    dataset.SliceThickness = _decimal(abs(float(step @ slice_normal(orientation))))
    dataset.SliceLocation = _decimal(float(position @ slice_normal(orientation)))


def _decimal(value: float) -> DSfloat:
    """Return a decimal string of at most 16 characters (PS3.5 6.2)."""
    return DSfloat(float(value) + 0.0, auto_format=True)


def _pixels(dataset: Dataset, stored: npt.NDArray[Any]) -> None:
    """Write the pixels (PS3.3 C.7.6.3)."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"


def _mean(dataset: Dataset, volume: Volume, rescale: tuple[float, float]) -> None:
    """Write what the pixels mean: rescale and window (PS3.3 C.11.1, C.11.2)."""
    if volume.window is not None:
        dataset.WindowCenter, dataset.WindowWidth = map(_decimal, volume.window)
    slope, intercept = rescale
    if volume.modality in {"CT", "PT"} or rescale != (1.0, 0.0):
        dataset.RescaleIntercept = _decimal(intercept)
        dataset.RescaleSlope = _decimal(slope)
    if volume.modality == "PT":
        dataset.ImageIndex = dataset.InstanceNumber
    elif "RescaleSlope" in dataset:
        dataset.RescaleType = volume.units or (
            "HU" if volume.modality == "CT" else "US"
        )
