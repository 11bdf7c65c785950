"""What can go wrong with images, masks and results, and what would work instead.

KernelError
├── SeriesError                   files that make no volume
│   ├── EmptySeriesError          there is nothing to read
│   ├── UnreadableInstanceError   one instance is damaged, truncated or no DICOM
│   ├── NoPixelsError             documents, plans and reports hold no picture
│   ├── PixelDecodeError          no installed decoder can unpack the pixels
│   ├── SeriesTooLargeError       the header claims more than the limit
│   └── SeveralSeriesError        instances of different series, or several stacks
├── VolumeFormatError             a stored volume that does not fit its header
├── NiftiError                    a NIfTI file that makes no series
├── MaskError                     a volume on which a mask cannot be found
└── ResultError                   a mask or measurement that makes no DICOM result

A message says what, with which value, and what would work; it never holds a patient's
name or a path of the file system.
"""

from __future__ import annotations

__all__ = [
    "EmptySeriesError",
    "KernelError",
    "MaskError",
    "NiftiError",
    "NoPixelsError",
    "PixelDecodeError",
    "ResultError",
    "SeriesError",
    "SeriesTooLargeError",
    "SeveralSeriesError",
    "UnreadableInstanceError",
    "VolumeFormatError",
]


class KernelError(Exception):
    """Something an image cannot give."""


class SeriesError(KernelError):
    """Files that make no volume."""


class EmptySeriesError(SeriesError):
    """There is nothing to read."""


class UnreadableInstanceError(SeriesError):
    """One instance is damaged, truncated or no DICOM at all."""


class NoPixelsError(SeriesError):
    """No instance of the series holds a picture."""


class PixelDecodeError(SeriesError):
    """No installed decoder can unpack the pixels of an instance."""


class SeriesTooLargeError(SeriesError):
    """The header claims more pixels than the limit allows."""


class SeveralSeriesError(SeriesError):
    """The instances belong to several series, or to several stacks of one."""


class VolumeFormatError(KernelError):
    """A stored volume that does not fit its header."""


class NiftiError(KernelError):
    """A NIfTI file that makes no series."""


class MaskError(KernelError):
    """A volume on which a mask cannot be found."""


class ResultError(KernelError):
    """A mask or a measurement that makes no DICOM result."""
