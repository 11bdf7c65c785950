"""Command sets of DIMSE messages (PS3.7, 6.3 and annex E), and their status codes."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, TypeAlias

from rounds_hub.gateway.pdus import PduError

__all__ = [
    "NO_DATA_SET",
    "RESPONSE",
    "Command",
    "Field",
    "Status",
    "decode_command",
    "encode_command",
]

Command: TypeAlias = dict[str, Any]
"""The elements of a command set by keyword: numbers are ``int``, the rest ``str``."""

MOST_COMMAND = 2**16
NO_DATA_SET = 0x0101
DATA_SET = 0x0001
RESPONSE = 0x8000
"""The bit that makes the field of a request that of its response."""

LONGEST_COMMENT = 64


class Field(IntEnum):
    """Command fields of requests (PS3.7, E.1)."""

    C_STORE = 0x0001
    C_GET = 0x0010
    C_FIND = 0x0020
    C_MOVE = 0x0021
    C_ECHO = 0x0030
    C_CANCEL = 0x0FFF
    N_EVENT_REPORT = 0x0100
    N_GET = 0x0110
    N_SET = 0x0120
    N_ACTION = 0x0130
    N_CREATE = 0x0140
    N_DELETE = 0x0150


class Status(IntEnum):
    """Status codes (PS3.7, annex C; PS3.4, B.2.3 and C.4)."""

    SUCCESS = 0x0000
    PENDING = 0xFF00
    PENDING_OPTIONAL = 0xFF01
    CANCEL = 0xFE00
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_INSTANCE = 0x0111
    NO_SUCH_INSTANCE = 0x0112
    INVALID_INSTANCE = 0x0117
    CLASS_NOT_SUPPORTED = 0x0122
    NOT_AUTHORIZED = 0x0124
    UNRECOGNIZED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    OUT_OF_RESOURCES = 0xA700
    BUSY = 0xA701
    DATA_SET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    REFUSED_BY_ARCHIVE = 0xC001


_ELEMENTS: dict[str, tuple[int, str]] = {
    "AffectedSOPClassUID": (0x0002, "UI"),
    "RequestedSOPClassUID": (0x0003, "UI"),
    "CommandField": (0x0100, "US"),
    "MessageID": (0x0110, "US"),
    "MessageIDBeingRespondedTo": (0x0120, "US"),
    "MoveDestination": (0x0600, "AE"),
    "Priority": (0x0700, "US"),
    "CommandDataSetType": (0x0800, "US"),
    "Status": (0x0900, "US"),
    "OffendingElement": (0x0901, "AT"),
    "ErrorComment": (0x0902, "LO"),
    "ErrorID": (0x0903, "US"),
    "AffectedSOPInstanceUID": (0x1000, "UI"),
    "RequestedSOPInstanceUID": (0x1001, "UI"),
    "EventTypeID": (0x1002, "US"),
    "ActionTypeID": (0x1008, "US"),
    "NumberOfRemainingSuboperations": (0x1020, "US"),
    "NumberOfCompletedSuboperations": (0x1021, "US"),
    "NumberOfFailedSuboperations": (0x1022, "US"),
    "NumberOfWarningSuboperations": (0x1023, "US"),
    "MoveOriginatorApplicationEntityTitle": (0x1030, "AE"),
    "MoveOriginatorMessageID": (0x1031, "US"),
}
_BY_NUMBER = {number: (name, vr) for name, (number, vr) in _ELEMENTS.items()}


def decode_command(data: bytes) -> Command:
    r"""Return the elements of the command set in *data* that PS3.7 knows.

    Raises
    ------
    PduError
        If it is not a command set: little endian, implicit, group 0 (PS3.7, 6.3.1).

    Examples
    --------
    >>> decode_command(bytes.fromhex("0000100102000000 0700"))
    Traceback (most recent call last):
    ...
    rounds_hub.gateway.pdus.PduError: A command set has no command field.
    >>> decode_command(encode_command({"CommandField": 48, "MessageID": 7}))
    {'CommandField': 48, 'MessageID': 7}
    """
    found: Command = {}
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            msg = "A command set is cut short."
            raise PduError(msg)
        group, number, length = struct.unpack_from("<HHL", data, position)
        position += 8
        if group or position + length > len(data):
            msg = "A command set has a wrong group or length."
            raise PduError(msg)
        if number in _BY_NUMBER:
            name, vr = _BY_NUMBER[number]
            found[name] = _read(vr, data[position : position + length])
        position += length
    if "CommandField" not in found:
        msg = "A command set has no command field."
        raise PduError(msg)
    return found


def encode_command(command: Command) -> bytes:
    """Return the bytes of the command set with these elements, its length first.

    Examples
    --------
    >>> encode_command({"CommandField": 0x8030})[12:].hex()
    '00000001020000003080'
    """
    parts = []
    for name in sorted(command, key=lambda name: _ELEMENTS[name][0]):
        number, vr = _ELEMENTS[name]
        value = _written(vr, command[name])
        parts.append(struct.pack("<HHL", 0, number, len(value)) + value)
    body = b"".join(parts)
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def _read(vr: str, value: bytes) -> int | str | list[int]:
    """Return the value of one element."""
    if vr == "US":
        if len(value) != 2:  # noqa: PLR2004 (PS3.5, 6.2: two bytes)
            msg = "A number of a command set has not two bytes."
            raise PduError(msg)
        return int.from_bytes(value, "little")
    if vr == "AT":
        numbers = struct.unpack(f"<{len(value) // 2}H", value[: len(value) // 4 * 4])
        return [a << 16 | b for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    return value.decode("ascii", "replace").strip(" \x00")


def _written(vr: str, value: int | str | list[int]) -> bytes:
    """Return the bytes of one value, padded to even length (PS3.5, 6.2)."""
    if vr == "US":
        return struct.pack("<H", value)
    if isinstance(value, list):
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in value)
    text = str(value).encode("ascii", "replace")
    if vr == "LO":
        text = text[:LONGEST_COMMENT]
    return text + (b"\x00" if vr == "UI" else b" ") * (len(text) % 2)
