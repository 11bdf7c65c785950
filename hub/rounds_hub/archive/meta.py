"""Write the head of a Part 10 file: preamble and meta information (PS3.10, 7.1)."""

from __future__ import annotations

import struct
import uuid

__all__ = ["IMPLEMENTATION", "part10_head"]

IMPLEMENTATION = f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, 'urn:rounds:archive').int}"
"""Our implementation class UID (PS3.7, D.3.3.2)."""

PREAMBLE = bytes(128) + b"DICM"


def part10_head(sop_class: str, sop_uid: str, transfer_syntax: str) -> bytes:
    r"""Return what stands before the data set of an instance in a file of ours.

    It says nothing of who sent it, so that the same data set is the same file.

    Examples
    --------
    >>> part10_head("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2")[128:134]
    b'DICM\x02\x00'
    """
    group = b"".join(
        (
            struct.pack("<HH2sHL2s", 2, 1, b"OB", 0, 2, b"\x00\x01"),
            _uid(2, sop_class),
            _uid(3, sop_uid),
            _uid(0x10, transfer_syntax),
            _uid(0x12, IMPLEMENTATION),
        )
    )
    length = struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(group))
    return PREAMBLE + length + group


def _uid(element: int, uid: str) -> bytes:
    """Return an element of group 2 with a UID, padded to even length."""
    value = uid.encode() + b"\x00" * (len(uid) % 2)
    return struct.pack("<HH2sH", 2, element, b"UI", len(value)) + value
