"""Data sets of messages without pixel data, read and written in memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rounds_hub.archive.walking import Limits, Syntax, walk
from rounds_hub.errors import InvalidError
from rounds_hub.gateway.services import EXPLICIT_BIG, IMPLICIT_LITTLE

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["encoded", "parsed"]

LIMITS = Limits(depth=16, elements=10_000, items=10_000)


def parsed(data: bytes, transfer_syntax: str) -> Dataset:
    """Return the data set in *data*, walked over before pydicom reads it.

    Raises
    ------
    InvalidError
        If it is broken, nested too deeply, or has too many elements.
    """
    from pydicom.filereader import read_dataset  # noqa: PLC0415 (only some need it)

    explicit, big = transfer_syntax != IMPLICIT_LITTLE, transfer_syntax == EXPLICIT_BIG
    syntax = Syntax(explicit, ">" if big else "<")
    walk(data, 0, syntax, frozenset(), LIMITS)
    try:
        return read_dataset(io.BytesIO(data), not explicit, not big)
    except Exception as error:  # whoever asked hears of it: pydicom raises anything
        msg = "The data set of the request cannot be read."
        raise InvalidError(msg) from error


def encoded(dataset: Dataset, transfer_syntax: str) -> bytes:
    """Return the bytes of *dataset* in *transfer_syntax*."""
    from pydicom.filebase import DicomBytesIO  # noqa: PLC0415 (only some need it)
    from pydicom.filewriter import write_dataset  # noqa: PLC0415 (only some need it)

    written = DicomBytesIO()
    written.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    written.is_little_endian = transfer_syntax != EXPLICIT_BIG
    write_dataset(written, dataset)
    return bytes(written.getvalue())
