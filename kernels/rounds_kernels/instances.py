"""Open one instance: quickly where it is plain, by pydicom where it is not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from rounds_kernels.attributes import Attributes, number, of_frames, text
from rounds_kernels.errors import (
    EmptySeriesError,
    NoPixelsError,
    SeriesError,
    SeriesTooLargeError,
    UnreadableInstanceError,
)
from rounds_kernels.guard import Encoding, check_structure, inflate
from rounds_kernels.pixels import check_claim, decode_frame
from rounds_kernels.walker import Header, file_meta, walk

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Instance", "ParsedInstance", "PlainInstance", "Source", "open_instance"]

Source = Path | bytes | Dataset

_HEADS: Final = (16 << 10, 512 << 10)
_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_BIG_ENDIAN: Final = b"1.2.840.10008.1.2.2"
_IMPLICIT: Final = b"1.2.840.10008.1.2"
_GREY: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})
_PIXELS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True, slots=True)
class PlainInstance:
    """One uncompressed grey picture, read straight from its bytes."""

    source: Path | bytes
    header: Header

    @property
    def frames(self) -> list[Attributes]:
        """Return the attributes of its one picture."""
        return [self.header.attributes]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return how its values are stored."""
        attributes = self.header.attributes
        signed = number(attributes, "PixelRepresentation", 0)
        size = int(number(attributes, "BitsAllocated", 16)) // 8
        return np.dtype(f"<{'i' if signed else 'u'}{size}")

    def read_into(self, out: npt.NDArray[Any]) -> None:
        """Fill *out*, (rows, columns) of `dtype`, with the stored values."""
        start = self.header.start
        if isinstance(self.source, bytes):
            out[...] = np.frombuffer(self.source, out.dtype, out.size, start).reshape(
                out.shape
            )
        else:
            _read_at(self.source, start, out)
        _correct_unused_bits(out, int(number(self.header.attributes, "BitsStored", 16)))

    def picture(self, index: int) -> npt.NDArray[Any]:
        """Return the stored values; *index* is 0."""
        rows = int(number(self.header.attributes, "Rows", 0))
        columns = int(number(self.header.attributes, "Columns", 0))
        out = np.empty((rows, columns), self.dtype)
        if index == 0:
            self.read_into(out)
        return out


@dataclass(frozen=True, slots=True)
class ParsedInstance:
    """Any picture that pydicom and the installed decoders can read."""

    dataset: Dataset
    frames: list[Attributes]

    def picture(self, index: int) -> npt.NDArray[Any]:
        """Return frame *index* as grey values or RGB."""
        return decode_frame(self.dataset, index)


Instance = PlainInstance | ParsedInstance


def open_instance(source: Source, limit: int) -> Instance:
    """Return the instance in *source*, its sizes checked against *limit* bytes.

    Raises
    ------
    SeriesError
        When it is no DICOM, damaged, too large, or holds no picture.
    """
    plain = None if isinstance(source, Dataset) else _plain(source)
    if plain is not None:
        check_claim(plain.header.attributes, limit)
        return plain
    try:
        if isinstance(source, Dataset):
            return _parsed(source, limit)
        return _parsed(_parse(_all_bytes(source, limit)), limit)
    except SeriesError:
        raise
    except Exception as error:  # pydicom raises anything; the reader hears of it as one
        msg = f"It is damaged or no DICOM ({type(error).__name__}). Ask for it again."
        raise UnreadableInstanceError(msg) from error


def _plain(source: Path | bytes) -> PlainInstance | None:
    """Return *source* where it is one plain grey picture, or None."""
    if isinstance(source, bytes):
        header = walk(source)
        return (
            PlainInstance(source, header)
            if header and _fits(header, len(source))
            else None
        )
    descriptor = _open(source)
    try:
        size = os.fstat(descriptor).st_size
        for wanted in _HEADS:
            header = walk(_head(descriptor, wanted))
            if header is not None or size <= wanted:
                break
    finally:
        os.close(descriptor)
    return PlainInstance(source, header) if header and _fits(header, size) else None


def _head(descriptor: int, count: int) -> bytes:
    try:
        return os.pread(descriptor, count, 0)
    except OSError as error:
        msg = f"It cannot be read: {error.strerror}."
        raise UnreadableInstanceError(msg) from error


def _fits(header: Header, size: int) -> bool:
    """Tell whether the pixels are one grey picture that lies in the file."""
    found = header.attributes
    bits = int(number(found, "BitsAllocated", 0))
    stored = int(number(found, "BitsStored", bits))
    needed = (
        int(number(found, "Rows", 0)) * int(number(found, "Columns", 0)) * bits // 8
    )
    return (
        bits in {8, 16}
        and 0 < stored <= bits
        and number(found, "HighBit", stored - 1) == stored - 1
        and number(found, "SamplesPerPixel", 1) == 1
        and number(found, "NumberOfFrames", 1) == 1
        and number(found, "PixelRepresentation", 0) in {0, 1}
        and text(found, "PhotometricInterpretation") in _GREY
        and "GridFrameOffsetVector" not in found
        and needed > 0
        and header.length == needed + needed % 2
        and header.start + needed <= size
    )


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        msg = f"It cannot be opened: {error.strerror}."
        raise UnreadableInstanceError(msg) from error


def _read_at(path: Path, start: int, out: npt.NDArray[Any]) -> None:
    """Fill *out* from the file, without a copy between."""
    descriptor = _open(path)
    try:
        filled = os.preadv(descriptor, [out.data.cast("B")], start)
    finally:
        os.close(descriptor)
    if filled != out.nbytes:
        msg = f"It changed while it was read: {filled} of {out.nbytes} bytes are left."
        raise UnreadableInstanceError(msg)


def _correct_unused_bits(out: npt.NDArray[Any], stored: int) -> None:
    """Clear or sign-extend unused bits, which may hold overlays (PS3.5 8.1.1)."""
    unused = 8 * out.dtype.itemsize - stored
    if unused == 0:
        return
    if out.dtype.kind == "u":
        np.bitwise_and(out, (1 << stored) - 1, out=out)
    else:
        np.left_shift(out, unused, out=out)
        np.right_shift(out, unused, out=out)


def _all_bytes(source: Path | bytes, limit: int) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        size = source.stat().st_size
        if size > limit:
            msg = f"It takes {size} bytes, more than the limit of {limit}."
            raise SeriesTooLargeError(msg)
        return source.read_bytes()
    except OSError as error:
        msg = f"It cannot be read: {error.strerror}."
        raise UnreadableInstanceError(msg) from error


def _parse(data: bytes) -> Dataset:
    """Return the data set in *data*, after a look at its structure."""
    try:
        start, syntax = file_meta(data)
    except ValueError:
        start, syntax = 0, b""
    if syntax == _DEFLATED:
        meta = data[:start].replace(_DEFLATED, _DEFLATED[:-3] + b"\0\0\0")
        data = meta + inflate(data[start:])
    if not data:
        msg = "It is empty."
        raise EmptySeriesError(msg)
    encoding = Encoding(explicit=syntax != _IMPLICIT, little=syntax != _BIG_ENDIAN)
    check_structure(data, start, encoding)
    try:
        return dcmread(BytesIO(data))
    except InvalidDicomError:
        return _without_prefix(data)


def _without_prefix(data: bytes) -> Dataset:
    """Return a data set that was written without a Part 10 prefix, if it is one."""
    dataset = dcmread(BytesIO(data), force=True)
    if "SOPClassUID" not in dataset:
        msg = "It is no DICOM file."
        raise UnreadableInstanceError(msg)
    return dataset


def _parsed(dataset: Dataset, limit: int) -> ParsedInstance:
    if not any(name in dataset for name in _PIXELS):
        if "Rows" in dataset or not dataset.get("Modality"):
            msg = "It was cut short before its pixels. Ask for it again."
            raise UnreadableInstanceError(msg)
        kind = dataset.Modality
        msg = f"It holds no picture (modality {kind}); read it as a document."
        raise NoPixelsError(msg)
    frames = int(dataset.get("NumberOfFrames") or 1)
    top = of_frames(dataset, 1)[0]
    check_claim(top, limit)
    held = max(len(dataset[name].value or b"") for name in _PIXELS if name in dataset)
    if frames > 8 * held:
        msg = f"The header claims {frames} frames, its pixels take {held} bytes."
        raise UnreadableInstanceError(msg)
    return ParsedInstance(dataset, of_frames(dataset, frames) if frames > 1 else [top])
