"""Unpack the pixels of one instance, after checking what its header claims."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
)

from rounds_kernels import isolated
from rounds_kernels.attributes import number
from rounds_kernels.errors import (
    PixelDecodeError,
    SeriesTooLargeError,
    UnreadableInstanceError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from pydicom.dataset import Dataset
    from pydicom.pixels.decoders.base import Decoder

    from rounds_kernels.attributes import Attributes

__all__ = ["LIMIT", "check_claim", "decode_frame", "stored_frame", "transfer_syntax"]

LIMIT: Final = 4 << 30
"""Bytes that one volume may take in memory, unless the caller says otherwise."""

_NATIVE: Final = frozenset(
    {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian}
)
_BITS: Final = frozenset({1, 8, 16, 32, 64})
_SAMPLES: Final = frozenset({1, 3, 4})
_RELIABLE: Final = ("pyjpegls", "pylibjpeg", "pillow")
# pylibjpeg's RLE decoder panics on damaged segments; pydicom's own raises.
_RELIABLE_RLE: Final = ("pydicom",)
# Their colours were changed by packing; all others come out as they went in.
_LOSSY_COLOURS: Final = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit})
_SOF: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}


def check_claim(attributes: Attributes, limit: int) -> tuple[int, int, int, int]:
    """Return frames, rows, columns and samples, checked before anything is allocated.

    Raises
    ------
    UnreadableInstanceError
        When a size is missing or none that DICOM knows.
    SeriesTooLargeError
        When the pixels would take more than *limit* bytes.
    """
    frames = int(number(attributes, "NumberOfFrames", 1))
    rows = int(number(attributes, "Rows", 0))
    columns = int(number(attributes, "Columns", 0))
    samples = int(number(attributes, "SamplesPerPixel", 1))
    bits = int(number(attributes, "BitsAllocated", 16))
    if min(frames, rows, columns) < 1 or samples not in _SAMPLES or bits not in _BITS:
        msg = (
            f"The header claims {frames} frames of {rows} x {columns} pixels, "
            f"{samples} samples of {bits} bits; that is no picture."
        )
        raise UnreadableInstanceError(msg)
    claimed = frames * rows * columns * samples * max(bits // 8, 1)
    if claimed > limit:
        msg = (
            f"The header claims {frames} x {rows} x {columns} pixels ({claimed} "
            f"bytes), more than the limit of {limit} bytes. Raise the limit if that is "
            "right."
        )
        raise SeriesTooLargeError(msg)
    return frames, rows, columns, samples


def transfer_syntax(dataset: Dataset) -> UID:
    """Return how pixels are packed; explicit VR little endian where unsaid."""
    meta = getattr(dataset, "file_meta", None)
    return UID(str(getattr(meta, "TransferSyntaxUID", "") or ExplicitVRLittleEndian))


def decode_frame(dataset: Dataset, index: int) -> npt.NDArray[Any]:
    """Return frame *index* of *dataset* as (rows, columns) or (rows, columns, 3).

    Grey values are those stored, or looked up where there is a modality LUT; colours
    come out as RGB.

    Raises
    ------
    PixelDecodeError
        When no installed decoder can unpack the frame, or what is packed has another
        size than the header claims.
    """
    return _guarded(dataset, index, _decoded)


def stored_frame(dataset: Dataset, index: int) -> tuple[npt.NDArray[Any], str]:
    """Return the values of a frame as they are stored, and what they mean.

    No table is looked up. Colours come out as they were packed, except those of JPEG
    Baseline and Extended, which come out as RGB. The second value is the photometric
    interpretation (PS3.3, C.7.6.3.1.2) of the first.

    Raises
    ------
    PixelDecodeError
        As :func:`decode_frame`.
    """
    return _guarded(dataset, index, _stored)


def _stored(dataset: Dataset, index: int, syntax: UID) -> tuple[npt.NDArray[Any], str]:
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        return _float_frame(dataset, index), "MONOCHROME2"
    return _by_decoder(dataset, index, syntax, raw=syntax not in _LOSSY_COLOURS)


_Result = TypeVar("_Result")


def _guarded(
    dataset: Dataset, index: int, decode: Callable[[Dataset, int, UID], _Result]
) -> _Result:
    """Return what *decode* gives, and one kind of error for whatever it raises."""
    syntax = transfer_syntax(dataset)
    try:
        if syntax not in _NATIVE:
            _check_codestream(dataset, index)
        return decode(dataset, index, syntax)
    except PixelDecodeError:
        raise
    except (
        Exception
    ) as error:  # decoders raise anything; the reader hears of it as one error
        packed = (
            "cannot be unpacked: it is damaged, or no installed decoder knows it. Ask "
            "for the series uncompressed."
        )
        plain = "is cut short or does not fit its header. Ask for the instance again."
        why = plain if syntax in _NATIVE else packed
        msg = f"Frame {index + 1} ({syntax.name}) {why}"
        raise PixelDecodeError(msg) from error


def _decoded(dataset: Dataset, index: int, syntax: UID) -> npt.NDArray[Any]:
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        return _float_frame(dataset, index)
    picture, colour = _by_decoder(dataset, index, syntax)
    if colour == "PALETTE COLOR":
        return _to_bytes(apply_color_lut(picture, dataset))
    if picture.ndim == 2 and "ModalityLUTSequence" in dataset:  # noqa: PLR2004 - grey
        return np.asarray(apply_modality_lut(picture, dataset))
    return picture[..., :3] if picture.ndim == 3 else picture  # noqa: PLR2004 - colour


def _by_decoder(
    dataset: Dataset, index: int, syntax: UID, *, raw: bool = False
) -> tuple[npt.NDArray[Any], str]:
    """Return a frame and its photometric interpretation.

    Decoders that raise on damaged streams run here; GDCM, which ends the process on
    some, runs in a process of its own.
    """
    decoder = get_decoder(syntax)
    if syntax in _NATIVE:
        return _array(decoder, dataset, index, "", raw=raw)
    for plugin in _RELIABLE_RLE if syntax == RLELossless else _RELIABLE:
        if plugin in decoder.available_plugins:
            try:
                return _array(decoder, dataset, index, plugin, raw=raw)
            except Exception:  # noqa: BLE001, S112 - the next is asked, the last tells
                continue
    return isolated.decode(dataset, index, raw=raw)


def _array(
    decoder: Decoder, dataset: Dataset, index: int, plugin: str, *, raw: bool
) -> tuple[npt.NDArray[Any], str]:
    array, described = decoder.as_array(
        dataset, index=index, raw=raw, decoding_plugin=plugin
    )
    return array, str(described["photometric_interpretation"])


def _float_frame(dataset: Dataset, index: int) -> npt.NDArray[Any]:
    """Return a frame of a parametric map (PS3.3 C.7.6.24, C.7.6.25)."""
    double = "DoubleFloatPixelData" in dataset
    data = dataset.DoubleFloatPixelData if double else dataset.FloatPixelData
    order = ">" if transfer_syntax(dataset) == ExplicitVRBigEndian else "<"
    shape = int(dataset.Rows), int(dataset.Columns)
    kind = np.dtype(f"{order}f{8 if double else 4}")
    count = shape[0] * shape[1]
    flat = np.frombuffer(data, kind, count, index * count * kind.itemsize)
    return flat.reshape(shape).astype(kind.newbyteorder("="))


def _to_bytes(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return colours as bytes: of 16-bit palettes the high one (PS3.3 C.7.9.1)."""
    high = picture >> 8 if picture.dtype.itemsize > 1 else picture
    return np.asarray(high, np.uint8)[..., :3]


def _check_codestream(dataset: Dataset, index: int) -> None:
    """Refuse packed pixels whose own header gives another size than the data set."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    packed = get_frame(dataset.PixelData, index, number_of_frames=frames)
    claimed = int(dataset.Rows), int(dataset.Columns)
    inside = codestream_size(packed)
    if inside is not None and inside != claimed:
        msg = (
            f"Frame {index + 1} is packed as {inside[0]} x {inside[1]} pixels, its "
            f"header claims {claimed[0]} x {claimed[1]}; it is refused."
        )
        raise PixelDecodeError(msg)


def codestream_size(packed: bytes) -> tuple[int, int] | None:
    r"""Return rows and columns from the header of a JPEG, JPEG-LS or JPEG 2000 stream.

    Examples
    --------
    >>> codestream_size(b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x02\x00\x03")
    (2, 3)
    """
    try:
        if packed[:4] == b"\xff\x4f\xff\x51":
            wide, high, left, top = struct.unpack_from(">IIII", packed, 8)
            return high - top, wide - left
        if packed[:2] == b"\xff\xd8":
            return _jpeg_size(packed)
    except struct.error:
        pass
    return None


def _jpeg_size(packed: bytes) -> tuple[int, int] | None:
    """Walk over the markers of a JPEG to its frame header (ISO/IEC 10918-1)."""
    position = 2
    while packed[position : position + 1] == b"\xff":
        marker = packed[position + 1] if position + 1 < len(packed) else 0
        if marker == 0xFF:  # noqa: PLR2004 - a fill byte
            position += 1
            continue
        (length,) = struct.unpack_from(">H", packed, position + 2)
        if marker in _SOF:
            rows, columns = struct.unpack_from(">HH", packed, position + 5)
            return rows, columns
        position += 2 + length
    return None
