"""Open one frame of an instance at a time, in the process that may die of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from rounds_hub.archive import budget
from rounds_hub.archive.checking import DEFLATED
from rounds_hub.archive.layout import layout_in, open_data_set
from rounds_hub.archive.pixels import NATIVE
from rounds_hub.archive.walking import PIXEL_TAGS, Limits
from rounds_hub.errors import InvalidError, NotFoundError
from rounds_kernels.pixels import check_claim, stored_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.archive.layout import Layout, Opened

__all__ = ["Frame", "Image", "copied", "open_image", "packed_bits", "read_header"]

LARGE = 2**20
"""Values longer than this are left where they are, unless they are asked for."""

INFLATED = 2**31
UNPACKING = 16
"""How often the size of a native frame a decoder may need to unpack it."""

OFFSETS = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00003})
NAMES = {
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
    0x7FE00010: "PixelData",
}


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame as it is stored: values, and what they mean (PS3.3, C.7.6.3.1.2)."""

    values: npt.NDArray[Any]
    photometric: str

    def little_endian(self, allocated: int) -> bytes:
        """Return the values as explicit VR little endian has them (PS3.5, 8.1.1)."""
        if allocated == 1:
            return packed_bits(self.values)
        order = self.values.dtype.newbyteorder("<")
        return np.ascontiguousarray(self.values, order).tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An instance with pixels, opened: its header, and where its frames lie."""

    header: Dataset
    layout: Layout
    opened: Opened

    def packed(self, number: int) -> bytes:
        """Return the bytes of frame *number*, from 0, as they lie in the data set."""
        self._known(number)
        parts = self.layout.parts(number)
        data = self.opened.data
        return b"".join(data[start : start + size] for start, size in parts)

    def single(self, number: int) -> Dataset:
        """Return frame *number* as an instance of one frame that pydicom can decode."""
        packed = self.packed(number)
        if self.layout.fragments is None and not self.layout.aligned:
            packed = self._shifted(packed, number)
        small = copied(self.header)
        for tag in OFFSETS:
            small.pop(tag, None)
        groups = self.header.get("PerFrameFunctionalGroupsSequence") or ()
        small.pop("PerFrameFunctionalGroupsSequence", None)
        if number < len(groups):
            small.PerFrameFunctionalGroupsSequence = [groups[number]]
        small.pop("NumberOfFrames", None)
        small.file_meta = FileMetaDataset()
        small.file_meta.TransferSyntaxUID = UID(self._syntax())
        if self.layout.fragments is not None:
            packed = _encapsulated(packed)
        setattr(small, NAMES[self.layout.tag], packed)
        return small

    def frame(self, number: int) -> Frame:
        """Return frame *number*, unpacked.

        Raises
        ------
        KernelError
            If it cannot be.
        """
        small = self.single(number)
        check_claim(_claimed(small), budget.CEILING)
        return Frame(*stored_frame(small, 0))

    def _known(self, number: int) -> None:
        """Refuse a frame that there is not."""
        if not 0 <= number < self.layout.frames:
            kind = "frame"
            known = [f"1 to {self.layout.frames}"]
            raise NotFoundError(kind, str(number + 1), known)

    def _shifted(self, packed: bytes, number: int) -> bytes:
        """Return a frame of single bits so that it begins with its byte."""
        bits = self.layout.shape.frame_bits
        begin = number * bits % 8
        spread = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
        return packed_bits(spread[begin : begin + bits])

    def _syntax(self) -> str:
        """Return how the frame is encoded now that the data set is inflated."""
        deflated = self.layout.syntax == DEFLATED
        return str(ExplicitVRLittleEndian) if deflated else self.layout.syntax


@contextlib.contextmanager
def open_image(path: Path) -> Iterator[Image]:
    """Give the instance at *path* so that its frames can be unpacked one by one.

    Raises
    ------
    InvalidError
        If it has no pixel data, or is damaged.
    """
    limits = Limits()
    budget.allow(path.stat().st_size + INFLATED)
    with open_data_set(path, limits) as opened:
        layout = layout_in(opened, limits)
        if layout is None:
            msg = "It has no pixel data."
            raise InvalidError(msg)
        packed = 1 if layout.syntax in NATIVE and layout.fragments is None else 2
        frame = layout.shape.frame_bits // 8 + 1
        inflated = len(opened.data) + path.stat().st_size
        header = max(0, layout.start - opened.start)
        wanted = inflated + 2 * header + UNPACKING * packed * frame
        budget.allow(min(wanted, budget.CEILING))
        yield Image(read_header(opened), layout, opened)


def read_header(opened: Opened, *, defer: int | None = None) -> Dataset:
    """Return the elements before the pixel data; values over *defer* bytes left out."""
    file = cast("IO[bytes]", opened.data)
    if isinstance(opened.data, bytes):
        file = BytesIO(opened.data)
    file.seek(opened.start)
    return read_dataset(
        cast("Any", file),
        not opened.encoding.explicit,
        opened.encoding.order == "<",
        stop_when=lambda tag, _vr, _length: int(tag) in PIXEL_TAGS,
        defer_size=defer,
    )


def copied(dataset: Dataset) -> Dataset:
    """Return a data set with the same elements, which can be changed by itself.

    pydicom's own copy shares its elements with what it was made of.
    """
    every: dict[Any, Any] = {tag: dataset.get_item(tag) for tag in dataset.keys()}  # noqa: SIM118
    return Dataset(every)


def packed_bits(bits: npt.NDArray[Any]) -> bytes:
    """Return single bits packed, the first in the lowest place (PS3.5, 8.1.1).

    Examples
    --------
    >>> packed_bits(np.array([1, 0, 0, 0, 0, 0, 0, 0, 1])).hex()
    '0101'
    """
    return np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()


def _encapsulated(packed: bytes) -> bytes:
    """Return one packed frame as encapsulated pixel data (PS3.5, A.4)."""
    padded = packed + b"\x00" * (len(packed) % 2)
    item = b"\xfe\xff\x00\xe0"
    empty = item + bytes(4)
    return b"".join((empty, item, len(padded).to_bytes(4, "little"), padded))


def _claimed(small: Dataset) -> Any:  # noqa: ANN401 (the kernel's own mapping)
    """Return the sizes that the header claims, as the kernel has them."""
    names = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
    return {name: (int(small[name].value),) for name in names if name in small}
