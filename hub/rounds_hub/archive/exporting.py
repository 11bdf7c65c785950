"""Give instances away: the bytes as they are kept, with a preamble that does nothing.

The 128 bytes before a DICOM file may be anything (PS3.10, 7.1), also the head of a
program, so that one file is both. The store keeps what came; by every door it leaves
with a preamble of zeros, unless that was one already or the head of a TIFF picture,
which PS3.10 names as what a preamble is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["PREAMBLE", "export", "is_harmless", "neutralised"]

PREAMBLE = 128
PIECE = 2**20
TIFF = (b"II*\x00", b"MM\x00*")


def neutralised(preamble: bytes) -> bytes:
    r"""Return *preamble* if it does no harm, else zeros.

    Examples
    --------
    >>> neutralised(b"MZ" + bytes(126)) == bytes(128)
    True
    >>> neutralised(b"II*\x00" + bytes(124))[:2]
    b'II'
    """
    return preamble if preamble.startswith(TIFF) else bytes(len(preamble))


def is_harmless(path: Path) -> bool:
    """Return whether the file at *path* can be given away byte by byte."""
    with path.open("rb") as file:
        preamble = file.read(PREAMBLE)
    return neutralised(preamble) == preamble


def export(path: Path) -> Iterator[bytes]:
    """Give the bytes of the Part 10 file at *path*, a megabyte at a time at most."""
    with path.open("rb") as file:
        yield neutralised(file.read(PREAMBLE))
        while piece := file.read(PIECE):
            yield piece
