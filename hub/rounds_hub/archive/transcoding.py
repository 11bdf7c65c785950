"""Write an instance in another transfer syntax, frame by frame and without loss."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from rounds_hub.archive import budget
from rounds_hub.archive.layout import open_data_set
from rounds_hub.archive.pixels import VIDEO
from rounds_hub.archive.texts import Texts
from rounds_hub.archive.unpacking import OFFSETS, copied, open_image, read_header
from rounds_hub.archive.walking import Limits, walk_group
from rounds_hub.errors import InvalidError, NotAcceptableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom import Dataset

    from rounds_hub.archive.layout import Opened
    from rounds_hub.archive.unpacking import Frame, Image

__all__ = ["ENCODED", "PLAIN", "TARGETS", "encode_frame", "refuse_target", "transcode"]

PLAIN = frozenset({str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)})
ENCODED = frozenset({str(RLELossless), str(JPEGLSLossless), str(JPEG2000Lossless)})
TARGETS = PLAIN | ENCODED
"""The transfer syntaxes into which an instance can be written: those without loss."""

MOST_NATIVE = 2**32 - 2
"""The largest value that a length of 32 bits can give (PS3.5, 7.1.1)."""

META_WRITER = 0x00020012
PIECE = 2**20


@dataclass(frozen=True, slots=True)
class _Looks:
    """What the Image Pixel module must say of the frames as they are written."""

    photometric: str
    allocated: int
    samples: int
    planar: int


def refuse_target(syntax: str) -> None:
    """Refuse a transfer syntax into which nothing is written.

    Raises
    ------
    NotAcceptableError
        With those that there are.
    """
    if syntax not in TARGETS:
        names = ", ".join(sorted(f"{UID(one)} ({UID(one).name})" for one in TARGETS))
        msg = (
            f"Nothing is converted to the transfer syntax {syntax[:64]!r}. Ask for "
            f"'*', which is what is stored, or for one of: {names}."
        )
        raise NotAcceptableError(msg)


def transcode(source: Path, syntax: str, target: Path) -> None:
    """Write the instance at *source* to *target* in another transfer *syntax*.

    Values stay what they are, bit by bit; those of lossy JPEG are unpacked to RGB. The
    SOP Instance UID stays (PS3.4, C.6.1.1.5.2: nothing is lost).

    Raises
    ------
    NotAcceptableError
        If it cannot be given in that syntax.
    InvalidError
        If it is damaged.
    KernelError
        If a frame cannot be unpacked.
    """
    refuse_target(syntax)
    with target.open("wb") as out:
        if not _has_pixels(source):
            _write_plain(source, syntax, out)
            return
        with open_image(source) as image:
            if image.layout.syntax.startswith(VIDEO):
                msg = "A video is given as it is stored: ask for transfer-syntax=*."
                raise NotAcceptableError(msg)
            _write_image(source, image, syntax, out)


def encode_frame(image: Image, number: int, syntax: str) -> bytes:
    """Return one frame of *image* in a transfer syntax of :data:`TARGETS`.

    Errors are those of :func:`transcode`.
    """
    frame = image.frame(number)
    if syntax in PLAIN:
        return frame.little_endian(image.layout.shape.allocated)
    return _encoded(image, frame, syntax)


def _has_pixels(source: Path) -> bool:
    """Return whether there are pixel data to write frame by frame."""
    budget.allow(min(3 * source.stat().st_size + 2**30, budget.CEILING))
    limits = Limits()
    with open_data_set(source, limits) as opened:
        header = read_header(opened, defer=PIECE)
        return "Rows" in header


def _write_plain(source: Path, syntax: str, out: IO[bytes]) -> None:
    """Write an instance without pixel data."""
    target = syntax if syntax in PLAIN else str(ExplicitVRLittleEndian)
    with open_data_set(source, Limits()) as opened:
        _write_header(source, opened, read_header(opened), target, out)


def _write_image(source: Path, image: Image, syntax: str, out: IO[bytes]) -> None:
    """Write an image: its header, then frame after frame."""
    moved = syntax in PLAIN and image.layout.fragments is None
    if moved and image.opened.encoding.order == "<":
        _write_header(source, image.opened, _header(image, None), syntax, out)
        _write_native(image, syntax, out, _pieces(image))
        return
    first = image.frame(0)
    looks = _looks(image, first, syntax)
    _write_header(source, image.opened, _header(image, looks), syntax, out)
    if syntax in PLAIN:
        allocated = image.layout.shape.allocated
        if not image.layout.aligned and image.layout.frames > 1:
            msg = "Its frames of single bits cannot be converted; ask for '*'."
            raise NotAcceptableError(msg)
        frames = (one.little_endian(allocated) for one in _frames(image))
        _write_native(image, syntax, out, frames, looks)
        return
    _write_encoded(out, (_encoded(image, one, syntax) for one in _frames(image)))


def _frames(image: Image) -> Iterator[Frame]:
    """Return the frames one by one."""
    return (image.frame(number) for number in range(image.layout.frames))


def _pieces(image: Image) -> Iterator[bytes]:
    """Return native pixel data as they are, a piece at a time."""
    begin, end = image.layout.start, image.layout.start + image.layout.length
    for start in range(begin, end, PIECE):
        yield image.opened.data[start : min(start + PIECE, end)]


def _looks(image: Image, first: Frame, syntax: str) -> _Looks:
    """Return what the header must say, after a look at the first frame."""
    shape = image.layout.shape
    colour = first.photometric
    if image.layout.fragments is None and colour == "YBR_FULL_422":
        colour = "YBR_FULL"  # the decoder doubled what two pixels shared
    samples = first.values.shape[2] if first.values.ndim == 3 else 1  # noqa: PLR2004
    bits = 8 * first.values.dtype.itemsize
    allocated = 1 if shape.allocated == 1 else bits
    return _Looks(colour, allocated, samples, int(syntax == str(RLELossless)))


def _header(image: Image, looks: _Looks | None) -> Dataset:
    """Return the header as the new file has it."""
    header = copied(image.header)
    for tag in OFFSETS:
        header.pop(tag, None)
    if looks is not None:
        header.PhotometricInterpretation = looks.photometric
        header.BitsAllocated = looks.allocated
        if looks.samples > 1:
            header.PlanarConfiguration = looks.planar
    return header


def _write_header(
    source: Path, opened: Opened, header: Dataset, syntax: str, out: IO[bytes]
) -> None:
    """Write preamble, meta information and everything before the pixel data."""
    written = FileDataset(
        "",
        header,
        preamble=bytes(128),
        file_meta=_meta(source, header, syntax),
        is_implicit_VR=not opened.encoding.explicit,
        is_little_endian=opened.encoding.order == "<",
    )
    dcmwrite(out, written, enforce_file_format=True)


def _meta(source: Path, header: Dataset, syntax: str) -> FileMetaDataset:
    """Return the file meta information (PS3.10, 7.1) for the new file."""
    with source.open("rb") as file:
        values, _ = walk_group(file.read(2**16), 132, 2, Limits())
    texts = Texts(values)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    if META_WRITER in values:
        meta.ImplementationClassUID = UID(texts.code(META_WRITER))
    return meta


def _write_native(
    image: Image,
    syntax: str,
    out: IO[bytes],
    pieces: Iterator[bytes],
    looks: _Looks | None = None,
) -> None:
    """Write native pixel data, whose length is known before they are."""
    shape, size = image.layout.shape, image.layout.length
    allocated = shape.allocated
    if looks is not None:
        allocated = looks.allocated
        bits = shape.rows * shape.columns * looks.samples * allocated
        size = (bits * shape.frames + 7) // 8
    if size > MOST_NATIVE:
        msg = (
            f"Unpacked it would have {size} bytes, more than one value can have. Ask "
            f"for single frames, or for transfer-syntax=*."
        )
        raise NotAcceptableError(msg)
    length = size + size % 2
    out.write(_element_head(image.layout.tag, allocated, syntax, length))
    written = 0
    for piece in pieces:
        written += len(piece)
        out.write(piece)
    if written != size:
        msg = f"Its frames have {written} bytes, and {size} are declared."
        raise InvalidError(msg)
    out.write(bytes(length - size))


def _element_head(tag: int, allocated: int, syntax: str, length: int) -> bytes:
    """Return the head of the element of native pixel data (PS3.5, 7.1 and A.1, A.2)."""
    group, element = tag >> 16, tag & 0xFFFF
    if syntax == str(ImplicitVRLittleEndian):
        return struct.pack("<HHL", group, element, length)
    vr = {0x7FE00008: b"OF", 0x7FE00009: b"OD"}.get(tag)
    vr = vr or (b"OW" if allocated > 8 else b"OB")  # noqa: PLR2004 (bits of a byte)
    return struct.pack("<HH2sHL", group, element, vr, 0, length)


def _write_encoded(out: IO[bytes], frames: Iterator[bytes]) -> None:
    """Write encapsulated pixel data, a fragment a frame, with an empty offset table."""
    item = struct.pack("<HH", 0xFFFE, 0xE000)
    out.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF))
    out.write(item + bytes(4))
    for frame in frames:
        padded = frame + b"\x00" * (len(frame) % 2)
        out.write(item + struct.pack("<L", len(padded)) + padded)
    out.write(struct.pack("<HHL", 0xFFFE, 0xE0DD, 0))


def _encoded(image: Image, frame: Frame, syntax: str) -> bytes:
    """Return one frame packed without loss."""
    values, shape = frame.values, image.layout.shape
    if values.dtype.kind == "f" or shape.allocated == 1:
        msg = "Only pictures of whole numbers are packed; ask for '*'."
        raise NotAcceptableError(msg)
    header = image.header
    colour = values.ndim == 3  # noqa: PLR2004 (rows, columns, samples)
    described: dict[str, Any] = {
        "rows": shape.rows,
        "columns": shape.columns,
        "samples_per_pixel": values.shape[2] if colour else 1,
        "bits_allocated": 8 * values.dtype.itemsize,
        "bits_stored": int(header.get("BitsStored") or shape.allocated),
        "pixel_representation": int(header.get("PixelRepresentation") or 0),
        "photometric_interpretation": frame.photometric,
        "number_of_frames": 1,
    }
    if colour:
        described["planar_configuration"] = 0
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    try:
        return get_encoder(syntax).encode(little.tobytes(), index=0, **described)
    except (ValueError, RuntimeError, TypeError) as error:
        name = UID(syntax).name
        msg = f"This picture cannot be packed as {name}; ask for '*'."
        raise NotAcceptableError(msg) from error
