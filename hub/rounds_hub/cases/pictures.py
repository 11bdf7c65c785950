"""Read a picture that was sent as a question: PNG, JPEG or DICOM, within limits."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from rounds_hub.errors import InvalidError, TooLargeError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["LARGEST_PICTURE", "MOST_PIXELS", "SIGNATURES", "read_picture"]

LARGEST_PICTURE: Final = 16 * 2**20
"""Bytes that a picture may have."""
MOST_PIXELS: Final = 25_000_000
"""Pixels that a picture may have when it is unpacked."""
SIGNATURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""What a PNG and a JPEG begin with."""

_FORMATS: Final = ("PNG", "JPEG")
_SMALLEST: Final = 8
_MOST_CLAIMED: Final = 2**30


def read_picture(data: bytes) -> npt.NDArray[np.float32]:
    """Return the picture in *data* as grey values, (rows, columns) float32.

    Of a DICOM object with several frames it is the middle one.

    Raises
    ------
    TooLargeError
        If it has too many bytes or pixels.
    InvalidError
        If it is none of PNG, JPEG and DICOM, or is damaged.

    Examples
    --------
    >>> read_picture(b"GIF89a")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    rounds_hub.errors.InvalidError: This is no picture that can be read: ...
    """
    if len(data) > LARGEST_PICTURE:
        msg = f"The picture has {len(data)} bytes; at most {LARGEST_PICTURE} are taken."
        raise TooLargeError(msg)
    grey = _raster(data) if data.startswith(SIGNATURES) else _dicom(data)
    if min(grey.shape) < _SMALLEST:
        rows, columns = grey.shape
        msg = f"The picture is {columns} by {rows} pixels; at least 8 by 8 are needed."
        raise InvalidError(msg)
    return grey


def _raster(data: bytes) -> npt.NDArray[np.float32]:
    """Return the grey values of a PNG or JPEG, its size checked before unpacking."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                _refuse_large(picture.height, picture.width)
                deep = picture.mode.startswith(("I", "F"))
                grey = picture if deep else picture.convert("L")
                return np.asarray(grey, np.float32)
    except Image.DecompressionBombError as error:
        msg = f"The picture has far more pixels than the {MOST_PIXELS} that are taken."
        raise TooLargeError(msg) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        msg = "The picture is damaged; send it again or another."
        raise InvalidError(msg) from error


def _dicom(data: bytes) -> npt.NDArray[np.float32]:
    """Return the grey values of the middle frame of a DICOM object."""
    # The decoders load slowly, and most questions are words.
    from rounds_kernels.attributes import number, text  # noqa: PLC0415
    from rounds_kernels.errors import SeriesError  # noqa: PLC0415
    from rounds_kernels.instances import open_instance  # noqa: PLC0415

    try:
        instance = open_instance(data, _MOST_CLAIMED)
        middle = len(instance.frames) // 2
        said = instance.frames[middle]
        _refuse_large(int(number(said, "Rows", 0)), int(number(said, "Columns", 0)))
        grey = _grey(np.asarray(instance.picture(middle)))
    except SeriesError as error:
        msg = "This is no picture that can be read: send PNG, JPEG or DICOM."
        raise InvalidError(msg) from error
    # PS3.3 C.7.6.3.1.2: in MONOCHROME1 the least value is white.
    inverted = text(said, "PhotometricInterpretation") == "MONOCHROME1"
    return grey.max() - grey if inverted else grey


def _grey(picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return *picture* without its colours."""
    values = np.asarray(picture, np.float32)
    return values if values.ndim == 2 else values.mean(axis=-1)  # noqa: PLR2004


def _refuse_large(rows: int, columns: int) -> None:
    """Refuse more pixels than are unpacked."""
    if rows * columns > MOST_PIXELS:
        msg = (
            f"The picture is {columns} by {rows} pixels; "
            f"at most {MOST_PIXELS} in all are taken."
        )
        raise TooLargeError(msg)
