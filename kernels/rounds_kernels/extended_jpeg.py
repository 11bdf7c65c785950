"""Unpack 12-bit JPEG Extended by GDCM, the one permissively licensed decoder that can.

pydicom's own bridge to GDCM refuses this syntax, so the bridge here is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gdcm
import numpy as np
from pydicom.encaps import get_frame
from pydicom.uid import JPEGExtended12Bit

if TYPE_CHECKING:
    import numpy.typing as npt
    from pydicom.dataset import Dataset

__all__ = ["decode"]


def decode(dataset: Dataset, index: int) -> npt.NDArray[Any]:
    """Return a grey frame of JPEG Extended (process 4, ISO/IEC 10918-1), 9 to 12 bits.

    Raises
    ------
    ValueError
        When GDCM gives other bytes than the header claims.
    """
    frames = int(dataset.get("NumberOfFrames") or 1)
    packed = get_frame(dataset.PixelData, index, number_of_frames=frames)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    unpacked = _image(dataset, packed).GetBuffer().encode("utf-8", "surrogateescape")
    kind = np.dtype("<i2" if dataset.PixelRepresentation else "<u2")
    if len(unpacked) != rows * columns * kind.itemsize:
        msg = f"GDCM gave {len(unpacked)} bytes for {rows} x {columns} pixels."
        raise ValueError(msg)
    return np.frombuffer(unpacked, kind).reshape(rows, columns)


def _image(dataset: Dataset, packed: bytes) -> Any:  # noqa: ANN401 - GDCM has no types
    """Return a GDCM image that holds one packed frame."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(packed)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((int(dataset.Columns), int(dataset.Rows), 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    syntax = gdcm.TransferSyntax.GetTSType(str.__str__(JPEGExtended12Bit))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    stored = int(dataset.BitsStored)
    signed = int(dataset.PixelRepresentation)
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, stored, stored - 1, signed))
    return image
