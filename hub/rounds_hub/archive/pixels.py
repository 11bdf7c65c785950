"""Compare what a data set says about its pixels with the pixel data that it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.archive.codestreams import check_segments, size_of
from rounds_hub.archive.offsets import check_offsets
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from rounds_hub.archive.texts import Texts
    from rounds_hub.archive.walking import Bytes, Pixels, Walk

__all__ = ["Shape", "check_pixels", "shape_of"]

SAMPLES = 0x00280002
PHOTOMETRIC = 0x00280004
FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
ALLOCATED = 0x00280100
STORED, HIGH_BIT, SIGN = 0x00280101, 0x00280102, 0x00280103
SHAPING = frozenset({SAMPLES, ROWS, COLUMNS, ALLOCATED, STORED, HIGH_BIT, SIGN})
"""The attributes whose numbers say how the pixel data are laid out, all of VR US."""

MOST_SAMPLES = 4
MOST_FRAME_BYTES = 2**28
BITS = frozenset({1, 8, 16, 24, 32, 40, 48, 56, 64})
PIXEL_DATA = 0x7FE00010
RLE = "1.2.840.10008.1.2.5"
NATIVE = frozenset(
    {
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",
    }
)
"""The transfer syntaxes whose pixel data are not encapsulated (PS3.5, annex A)."""

VIDEO = "1.2.840.10008.1.2.4.10"
"""The beginning of every MPEG-2, MPEG-4 and HEVC transfer syntax (PS3.6, annex A)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the Image Pixel module says (PS3.3, C.7.6.3)."""

    rows: int
    columns: int
    frames: int
    samples: int
    allocated: int
    photometric: str

    @property
    def frame_bits(self) -> int:
        """How many bits one native frame has."""
        # In 4:2:2 two pixels share their colour (PS3.3, C.7.6.3.1.2).
        halved = self.photometric == "YBR_FULL_422" and self.samples == 3  # noqa: PLR2004
        samples = 2 if halved else self.samples
        return self.rows * self.columns * samples * self.allocated


def shape_of(texts: Texts) -> Shape:
    """Return the shape that a data set declares.

    Raises
    ------
    InvalidError
        If it declares none that can be.
    """
    samples = texts.short(SAMPLES)
    shape = Shape(
        rows=texts.short(ROWS) or 0,
        columns=texts.short(COLUMNS) or 0,
        frames=texts.integer(FRAMES, 1),
        samples=1 if samples is None else samples,
        allocated=texts.short(ALLOCATED) or 0,
        photometric=texts.code(PHOTOMETRIC),
    )
    if not (shape.rows and shape.columns):
        msg = f"It has pixel data, and {shape.rows} rows x {shape.columns} columns."
        raise InvalidError(msg)
    if shape.frames < 1:
        msg = f"It has pixel data, and says that it has {shape.frames} frames."
        raise InvalidError(msg)
    if shape.allocated not in BITS:
        msg = f"A pixel cannot have {shape.allocated} bits allocated."
        raise InvalidError(msg)
    if not 1 <= shape.samples <= MOST_SAMPLES:
        msg = f"A pixel cannot have {shape.samples} samples."
        raise InvalidError(msg)
    _check_bits(texts, shape.allocated)
    if shape.frame_bits // 8 > MOST_FRAME_BYTES:
        msg = (
            f"One frame would have {shape.frame_bits // 8} bytes; 256 MiB are the most."
        )
        raise InvalidError(msg)
    return shape


def _check_bits(texts: Texts, allocated: int) -> None:
    """Refuse stored bits that are not among those allocated (PS3.5, 8.1.1)."""
    stored = texts.short(STORED)
    if stored is not None and not 1 <= stored <= allocated:
        msg = f"It says that {stored} bits stored are in {allocated} allocated."
        raise InvalidError(msg)
    high = texts.short(HIGH_BIT)
    if high is not None and not (stored or 1) - 1 <= high < allocated:
        msg = f"Its high bit cannot be {high}, with {allocated} bits allocated."
        raise InvalidError(msg)
    if (texts.short(SIGN) or 0) > 1:
        msg = f"Its sign (pixel representation) can be 0 or 1, not {texts.short(SIGN)}."
        raise InvalidError(msg)


def check_pixels(data: Bytes, found: Walk, texts: Texts, syntax: str) -> Shape | None:
    """Return the shape of the pixel data, None where there are none to have.

    Parameters
    ----------
    data
        The bytes that were walked over.
    found
        What the walk found.
    texts
        Its values.
    syntax
        The transfer syntax UID.

    Raises
    ------
    InvalidError
        If the pixel data are missing, too short, too long by a frame or more, or not in
        the form that the transfer syntax says.
    """
    if found.pixels is None:
        if ROWS in found.values:
            msg = "It says how many rows it has, and has no pixel data."
            raise InvalidError(msg)
        return None
    shape = shape_of(texts)
    _check_form(found.pixels, syntax)
    if found.pixels.fragments is None:
        _check_native(found.pixels, shape)
    elif syntax.startswith(VIDEO):
        _check_count(found.pixels, 1)
    else:
        _check_count(found.pixels, shape.frames)
        check_offsets(data, found)
        if syntax == RLE:
            _check_segments(data, found.pixels, shape)
        _check_codestreams(data, found.pixels, shape)
    return shape


def _check_form(pixels: Pixels, syntax: str) -> None:
    """Refuse compressed pixel data under a native syntax, and the other way round."""
    native = syntax in NATIVE or pixels.tag != PIXEL_DATA
    if native and pixels.fragments is not None:
        msg = "Its transfer syntax is not a compressed one, and its pixel data are."
        raise InvalidError(msg)
    if not native and pixels.fragments is None:
        msg = "Its transfer syntax is a compressed one, and its pixel data are not."
        raise InvalidError(msg)


def _check_native(pixels: Pixels, shape: Shape) -> None:
    """Refuse native pixel data that are not as long as the shape says."""
    expected = (shape.frame_bits * shape.frames + 7) // 8
    more = pixels.length - expected
    if more < 0 or more > max(1, shape.frame_bits // 8 - 1):
        msg = (
            f"Its pixel data have {pixels.length} bytes; {shape.frames} frames of "
            f"{shape.rows} x {shape.columns} need {expected}."
        )
        raise InvalidError(msg)


def _check_count(pixels: Pixels, frames: int) -> None:
    """Refuse compressed pixel data with fewer fragments than frames."""
    fragments = len(pixels.fragments or ())
    if fragments < frames:
        msg = f"It says that it has {frames} frames, and has {fragments} of them."
        raise InvalidError(msg)


def _check_segments(data: Bytes, pixels: Pixels, shape: Shape) -> None:
    """Refuse run lengths whose segments are not those of the frame (PS3.5, G.2).

    Each frame is one fragment (A.4.2); others are left to whoever decodes them.
    """
    if len(pixels.fragments or ()) != shape.frames:
        return
    for start, length in pixels.fragments or ():
        check_segments(data, start, length, shape.samples * shape.allocated // 8)


def _check_codestreams(data: Bytes, pixels: Pixels, shape: Shape) -> None:
    """Refuse compressed pictures that are not of the size that the data set says."""
    for start, length in pixels.fragments or ():
        size = size_of(data, start, length)
        if size is not None and size != (shape.rows, shape.columns):
            msg = (
                f"A compressed frame has {size[0]} x {size[1]} pixels, the data set "
                f"says {shape.rows} x {shape.columns}."
            )
            raise InvalidError(msg)
