"""Bring a NIfTI volume into DICOM, where it lies in the patient as it did.

NIfTI says neither who the patient is nor what made the picture: the modality is
declared by a person, the rest is neutral. Axes are flipped and swapped so that slices
are shown as radiologists do, which changes no value and no place.
"""

from __future__ import annotations

import hashlib
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import nibabel as nib
import numpy as np

from rounds_kernels.errors import NiftiError
from rounds_kernels.geometry import RAS_AND_LPS, Direction
from rounds_kernels.volumes import Volume
from rounds_kernels.writing import MODALITIES, Identity, classic_series

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from pydicom.dataset import Dataset

__all__ = ["LIMIT", "to_dicom", "volumes_of"]

LIMIT: Final = 2 << 30
"""Bytes that a volume may take unpacked, unless the caller says otherwise."""

_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31
_MOST_FRAMES: Final = 4096
_SQUARE: Final = 1e-3
_LONG_TEXT: Final = 64
# Where rows and columns run in LPS when slices across x, y or z are shown.
_SHOWN: Final = {
    0: ((0, 1, 0), (0, 0, -1)),
    1: ((1, 0, 0), (0, 0, -1)),
    2: ((1, 0, 0), (0, 1, 0)),
}


def to_dicom(
    source: Path | bytes, *, modality: str, description: str = "", limit: int = LIMIT
) -> list[Dataset]:
    """Return a NIfTI-1 or NIfTI-2 volume as a classic series, one instance a slice.

    A fourth dimension becomes temporal positions.

    Parameters
    ----------
    source
        A `.nii` or `.nii.gz` file, or its bytes.
    modality
        As in DICOM: CT, MR, PT, NM, US or OT.
    description
        Of the series, for people.
    limit
        Bytes that the volume may take unpacked.

    Raises
    ------
    NiftiError
        When it is damaged, too large, or holds what classic DICOM cannot say.
    """
    if modality not in MODALITIES:
        msg = f"No modality {modality!r}. Known: {', '.join(MODALITIES)}."
        raise NiftiError(msg)
    data = _unpacked(_bytes(source, limit), limit)
    key = hashlib.sha256(data).hexdigest()
    name = "".join(c for c in description if c.isprintable() and c != "\\")[:_LONG_TEXT]
    identity = Identity(
        patient_name=f"NIFTI^{key[:8].upper()}",
        patient_id=f"NIFTI-{key[:8].upper()}",
        study=name or "NIfTI volume",
        series=name or "NIfTI volume",
        key=f"nifti/{modality}/{key}",
    )
    frames = volumes_of(data, modality)
    made: list[Dataset] = []
    for number, frame in enumerate(frames, 1):
        time = (number, len(frames)) if len(frames) > 1 else None
        made += classic_series(frame, identity, time)
    return made


def volumes_of(data: bytes, modality: str) -> list[Volume]:
    """Return the volumes in the bytes of an unpacked NIfTI file, one a time point."""
    image = _image(data)
    values = _values(image)
    affine = RAS_AND_LPS @ np.asarray(image.affine, np.float64)
    _check_affine(affine)
    # NIfTI counts x, y, z; a volume counts z, y, x.
    return [
        _shown(values[..., time].transpose(2, 1, 0), affine[:, [2, 1, 0, 3]], modality)
        for time in range(values.shape[3])
    ]


def _bytes(source: Path | bytes, limit: int) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        if source.stat().st_size > limit:
            msg = f"The file is larger than {limit} bytes."
            raise NiftiError(msg)
        return source.read_bytes()
    except OSError as error:
        msg = f"The file cannot be read: {error.strerror}."
        raise NiftiError(msg) from error


def _unpacked(data: bytes, limit: int) -> bytes:
    """Return *data* without gzip, refusing what grows beyond *limit*."""
    if data[:2] != _GZIP:
        return data
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        msg = "The file is damaged: it cannot be unpacked."
        raise NiftiError(msg) from error
    if len(plain) > limit:
        msg = f"The volume takes more than {limit} bytes unpacked."
        raise NiftiError(msg)
    if not unpacker.eof:
        msg = "The file ends early; it was cut short."
        raise NiftiError(msg)
    return plain


def _image(data: bytes) -> Any:  # noqa: ANN401 - nibabel has no types
    """Return the image in *data*, its claims checked against the bytes there are."""
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        try:
            header = kind.header_class.from_fileobj(BytesIO(data[:1024]))  # type: ignore[no-untyped-call]
            shape, itemsize = header.get_data_shape(), header.get_data_dtype().itemsize
            offset = int(header.get_data_offset())
        except Exception:  # noqa: BLE001, S112 - nibabel raises anything; the next is tried
            continue
        claimed = offset + int(np.prod(shape, dtype=object)) * itemsize
        if not shape or min(shape) < 1 or len(shape) > 4:  # noqa: PLR2004 - x, y, z, time
            msg = f"A volume of the shape {shape} cannot be brought into DICOM."
            raise NiftiError(msg)
        if claimed > len(data):
            msg = (
                f"The header claims {claimed} bytes for the shape {shape}, there are "
                f"{len(data)}: the file was cut short."
            )
            raise NiftiError(msg)
        try:
            return kind.from_bytes(data)
        except Exception as error:  # nibabel raises anything; the caller hears of it
            msg = "The file is damaged: its header contradicts itself."
            raise NiftiError(msg) from error
    msg = "It is no NIfTI file: neither NIfTI-1 nor NIfTI-2 in one file."
    raise NiftiError(msg)


def _values(image: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - nibabel has no types
    """Return the scaled values as (x, y, z, time), finite."""
    kind = image.get_data_dtype()
    if kind.kind not in "iuf":
        msg = f"Values of the type {kind} cannot be brought into DICOM; grey ones can."
        raise NiftiError(msg)
    try:
        values = np.asarray(image.dataobj)
    except Exception as error:  # nibabel raises anything; the caller hears of it
        msg = "The file is damaged: its values cannot be read."
        raise NiftiError(msg) from error
    values = values.reshape((*values.shape, 1, 1, 1)[:4])
    if values.shape[2] * values.shape[3] > _MOST_FRAMES:
        msg = (
            f"{values.shape[2] * values.shape[3]} slices are more than {_MOST_FRAMES}."
        )
        raise NiftiError(msg)
    return (
        np.nan_to_num(values, posinf=0, neginf=0)
        if values.dtype.kind == "f"
        else values
    )


def _check_affine(affine: npt.NDArray[np.float64]) -> None:
    """Refuse a grid that an image plane of DICOM cannot describe (PS3.3 C.7.6.2)."""
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(affine).all() or lengths.min() < 1e-6 or lengths.max() > 1e4:  # noqa: PLR2004 - mm
        msg = "The affine is not finite, or its voxels have no size in mm."
        raise NiftiError(msg)
    units = axes / lengths
    if abs(np.linalg.det(units)) < 0.1:  # noqa: PLR2004 - nearly flat
        msg = "The affine is degenerate: two axes of the volume are nearly the same."
        raise NiftiError(msg)
    if abs(units[:, 0] @ units[:, 1]) > _SQUARE:
        msg = "The affine is sheared within a slice; resample the volume and try again."
        raise NiftiError(msg)


def _shown(
    array: npt.NDArray[Any], affine: npt.NDArray[np.float64], modality: str
) -> Volume:
    """Return a volume whose rows and columns run as a radiologist expects."""
    across = int(np.abs(affine[:3, 0]).argmax())
    along_row, along_column = (np.asarray(way) for way in _SHOWN[across])
    if abs(affine[:3, 1] @ along_row) > abs(affine[:3, 1] @ along_column):
        array, affine = array.swapaxes(1, 2), affine[:, [0, 2, 1, 3]]
    affine = affine.copy()
    for axis, way in ((1, along_column), (2, along_row)):
        if affine[:3, axis] @ way < 0:
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
            array = np.flip(array, axis)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    direction: Direction = tuple((affine[:3, :3] / lengths).ravel().tolist())
    depth, row, column = lengths.tolist()
    x, y, z = affine[:3, 3].tolist()
    return Volume(
        array=np.ascontiguousarray(array),
        spacing=(depth, row, column),
        origin=(x, y, z),
        direction=direction,
        units="HU" if modality == "CT" else "",
        modality=modality,
        series_uid="",
    )
