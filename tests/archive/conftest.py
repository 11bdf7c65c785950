"""Instances made for the archive's tests, and the people who bring them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from rounds_hub.access.principal import Principal, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeInstance = Callable[..., Dataset]

ROOT_UID = "1.2.826.0.1.3680043.10.1338"


def make_instance(number: int = 1, series: int = 1, study: int = 1) -> Dataset:
    """Return a small CT instance."""
    made = Dataset()
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{ROOT_UID}.{study}.{series}.{number}"
    made.StudyInstanceUID = f"{ROOT_UID}.{study}"
    made.SeriesInstanceUID = f"{ROOT_UID}.{study}.{series}"
    made.Modality = "CT"
    made.PatientID = "P-1"
    made.PatientName = "Phantom^One"
    made.StudyDescription = "Thorax"
    made.SeriesNumber, made.InstanceNumber = series, number
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.ImagePositionPatient = [0, 0, number]
    made.PixelSpacing, made.SliceThickness = [1, 1], 1
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.Rows, made.Columns = 16, 24
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation, made.SamplesPerPixel = 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = np.full((16, 24), 1000 + number, "<u2").tobytes()
    return made


def change(made: Dataset, **changes: object) -> None:
    """Change attributes of *made*; a change to None takes the attribute away."""
    for name, value in changes.items():
        if value is None:
            delattr(made, name)
        else:
            setattr(made, name, value)


def as_file(made: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return *made* as the bytes of a Part 10 file."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(syntax)
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", ROOT_UID)
    written = io.BytesIO()
    dcmwrite(written, made, enforce_file_format=True)
    return written.getvalue()


@pytest.fixture
def instance() -> Callable[..., bytes]:
    """Return a function that makes the bytes of a small CT instance.

    ``instance(number, series, study, PatientID="P-2", Modality=None)``
    """

    def make(*place: int, **changes: object) -> bytes:
        made = make_instance(*place)
        change(made, **changes)
        return as_file(made)

    return make


@pytest.fixture
def doctor() -> Principal:
    """Return somebody who may bring images."""
    return Principal("dora", frozenset({Role.DOCTOR}))


@pytest.fixture
def student() -> Principal:
    """Return somebody who may not."""
    return Principal("stan", frozenset({Role.STUDENT}))
