"""Index the header of a DICOM file: its attributes as plain values, without pixels.

The walk goes over the bytes before the pixels once, and turns the values of the top
level into Python values directly. Whatever is out of the ordinary (an encoding that
lies, values that need judgement) is left to pydicom; nothing is guessed. The layout of
elements is in PS3.5, chapter 7.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from rounds_kernels.errors import UnreadableInstanceError
from rounds_kernels.guard import Bounds, Encoding, check_structure, inflate
from rounds_kernels.header_values import NAMES, UnusualError, converted, of_header
from rounds_kernels.walker import file_meta

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from rounds_kernels.attributes import Attributes

__all__ = ["HeaderIndex", "index_header"]

IMPLICIT: Final = b"1.2.840.10008.1.2"
EXPLICIT: Final = b"1.2.840.10008.1.2.1"
DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
BIG_ENDIAN: Final = b"1.2.840.10008.1.2.2"

_HEADS: Final = (16 << 10, 512 << 10, 8 << 20)
_META: Final = 16 << 10
_MOST_ELEMENTS: Final = 100_000
_INFLATED: Final = Bounds(inflated=64 << 20)
_DEPTH: Final = 16
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_FIRST_PIXELS: Final = 0x7FE00008
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)


@dataclass(frozen=True, slots=True)
class HeaderIndex:
    """What stands before the pixels of a file.

    Attributes
    ----------
    syntax
        The transfer syntax UID, empty where the file does not say it.
    attributes
        The values of the top level by keyword (PS3.6): texts, whole numbers and
        numbers, each in a tuple. Without sequences, bytes, private attributes and what
        has no value.
    quick
        Whether pydicom was not needed.
    """

    syntax: str
    attributes: Attributes
    quick: bool


def index_header(source: Path | bytes) -> HeaderIndex:
    """Return the attributes of a DICOM file without reading its pixels.

    The same values as pydicom's ``dcmread(source, stop_before_pixels=True)`` has.

    Parameters
    ----------
    source
        A file, or its bytes.

    Raises
    ------
    UnreadableInstanceError
        When it is no DICOM, or asks too much of its reader.

    Examples
    --------
    >>> index_header(b"a letter")
    Traceback (most recent call last):
    ...
    rounds_kernels.errors.UnreadableInstanceError: It is no DICOM file.
    """
    try:
        return _quick(source)
    except (UnusualError, struct.error, ValueError):
        return _by_pydicom(source)


def _quick(source: Path | bytes) -> HeaderIndex:
    """Return the index by the bytes of *source* alone."""
    for head, whole in _heads(source):
        try:
            return _of_head(head, whole=whole)
        except (UnusualError, struct.error, ValueError):
            if whole:
                raise
    raise UnusualError


def _heads(source: Path | bytes) -> Iterator[tuple[bytes, bool]]:
    """Give more and more of the beginning of *source*, and whether it is all."""
    if isinstance(source, bytes):
        yield source, True
        return
    try:
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        msg = f"It cannot be opened: {error.strerror}."
        raise UnreadableInstanceError(msg) from error
    try:
        for wanted in _HEADS:
            head = os.pread(descriptor, wanted, 0)
            yield head, len(head) < wanted
            if len(head) < wanted:
                return
    except OSError as error:
        msg = f"It cannot be read: {error.strerror}."
        raise UnreadableInstanceError(msg) from error
    finally:
        os.close(descriptor)


def _of_head(head: bytes, *, whole: bool) -> HeaderIndex:
    """Return the index of what begins with *head*."""
    position, syntax = file_meta(head)
    if syntax == DEFLATED:
        if not whole:
            raise UnusualError
        head, position = _inflated(head[position:]), 0
    elif not syntax:
        raise UnusualError
    walk = _Walk(head, explicit=syntax != IMPLICIT, big=syntax == BIG_ENDIAN)
    found = walk.found(position, whole=whole)
    return HeaderIndex(syntax.decode("ascii"), converted(found, walk.order), True)  # noqa: FBT003 (a field)


def _inflated(packed: bytes) -> bytes:
    """Return a deflated data set within bounds."""
    try:
        return inflate(packed, _INFLATED)
    except UnreadableInstanceError as error:
        raise UnusualError from error


class _Walk:
    """One walk over the top level of a data set."""

    def __init__(self, head: bytes, *, explicit: bool, big: bool) -> None:
        self.head = head
        self.explicit = explicit
        self.order = ">" if big else "<"
        self._named = struct.Struct(f"{self.order}HH2sH").unpack_from
        self._bare = struct.Struct(f"{self.order}HHL").unpack_from
        self._long = struct.Struct(f"{self.order}L").unpack_from

    def found(self, position: int, *, whole: bool) -> dict[int, tuple[bytes, bytes]]:
        """Return VR and bytes of the attributes that are shown, up to the pixels."""
        step = self._explicit if self.explicit else self._implicit
        found: dict[int, tuple[bytes, bytes]] = {}
        size, last = len(self.head), 0
        for _ in range(_MOST_ELEMENTS):
            if position == size and whole:
                return found
            tag, kind, start, length = step(position)
            if tag <= last:
                raise UnusualError
            if tag >= _FIRST_PIXELS and tag in _PIXELS:
                return found
            last = tag
            if length == _UNDEFINED:
                position = self._past_sequence(kind, start, _DEPTH)
                continue
            position = start + length
            if position > size:
                raise UnusualError
            if tag in NAMES:
                found[tag] = (kind, self.head[start:position])
        raise UnusualError

    def _explicit(self, position: int) -> tuple[int, bytes, int, int]:
        """Return tag, VR, where the value starts and its length."""
        group, element, kind, length = self._named(self.head, position)
        if kind in _SHORT:
            return group << 16 | element, kind, position + 8, length
        if kind not in _LONG:
            raise UnusualError
        (length,) = self._long(self.head, position + 8)
        return group << 16 | element, kind, position + 12, length

    def _implicit(self, position: int) -> tuple[int, bytes, int, int]:
        """Return tag, no VR, where the value starts and its length."""
        group, element, length = self._bare(self.head, position)
        return group << 16 | element, b"", position + 8, length

    def _past_sequence(self, kind: bytes, position: int, depth: int) -> int:
        """Return where a sequence without a length ends."""
        if depth == 0 or kind not in {b"SQ", b""}:
            raise UnusualError
        while True:
            tag, _, start, length = self._implicit(position)
            if tag == _SEQUENCE_END:
                return start
            if tag != _ITEM:
                raise UnusualError
            known = length != _UNDEFINED
            position = start + length if known else self._past_item(start, depth)

    def _past_item(self, position: int, depth: int) -> int:
        """Return where an item without a length ends."""
        step = self._explicit if self.explicit else self._implicit
        while True:
            group, element, _ = self._bare(self.head, position)
            if (group << 16 | element) == _ITEM_END:
                return position + 8
            _, kind, start, length = step(position)
            known = length != _UNDEFINED
            position = (
                start + length if known else self._past_sequence(kind, start, depth - 1)
            )


def _by_pydicom(source: Path | bytes) -> HeaderIndex:
    """Return the index by pydicom, after a look at the structure of the bytes."""
    try:
        dataset = _read(source)
    except InvalidDicomError as error:
        msg = "It is no DICOM file."
        raise UnreadableInstanceError(msg) from error
    except UnreadableInstanceError:
        raise
    except Exception as error:  # pydicom raises anything; the reader hears of it as one
        msg = f"Its header is damaged ({type(error).__name__}). Ask for it again."
        raise UnreadableInstanceError(msg) from error
    meta = getattr(dataset, "file_meta", None)
    syntax = str(getattr(meta, "TransferSyntaxUID", "") or "")
    return HeaderIndex(syntax, of_header(dataset), False)  # noqa: FBT003 (a field)


def _read(source: Path | bytes) -> Dataset:
    """Return what pydicom reads, within bounds."""
    if isinstance(source, bytes):
        _look(source)
        return dcmread(BytesIO(source), stop_before_pixels=True)
    with source.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            msg = "It is empty."
            raise UnreadableInstanceError(msg)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _look(data)
        return dcmread(file, stop_before_pixels=True)


def _look(data: bytes | mmap.mmap) -> None:
    """Refuse what is nested too deep or grows too large, before pydicom reads it."""
    try:
        start, syntax = file_meta(data[:_META])
    except ValueError:
        start, syntax = 0, EXPLICIT
    if syntax == DEFLATED:
        inside, start = inflate(data[start:], _INFLATED), 0
    else:
        inside = data  # type: ignore[assignment] # a map is looked into like bytes
    check_structure(
        inside,
        start,
        Encoding(explicit=syntax != IMPLICIT, little=syntax != BIG_ENDIAN),
    )
