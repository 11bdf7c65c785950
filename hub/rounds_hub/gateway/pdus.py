"""The protocol data units of the upper layer (PS3.8, 9.3), read within bounds.

Only what a peer needs to agree on an association is read here; the units that carry
data are read where they are used, see :mod:`rounds_hub.gateway.wire`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "ABORT_BY_PROVIDER",
    "LARGEST_PDU",
    "LARGEST_REQUEST",
    "RELEASE_RESPONSE",
    "Accepted",
    "AssociateRequest",
    "PduError",
    "PduType",
    "Proposed",
    "Rejection",
    "Roles",
    "abort",
    "accept",
    "decode_request",
    "reject",
]

LARGEST_REQUEST = 2**18
"""The most bytes of an A-ASSOCIATE-RQ: 128 contexts with 30 long syntaxes each fit."""

LARGEST_PDU = 2**17
"""The maximum length (PS3.8, D.1) that is asked of every peer."""

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
CONTEXT_RQ, CONTEXT_AC, USER = 0x20, 0x21, 0x50
ABSTRACT, TRANSFER = 0x30, 0x40
LENGTH, CLASS, WINDOW, ROLE, VERSION, EXTENDED = 0x51, 0x52, 0x53, 0x54, 0x55, 0x56
FIXED = 68
"""The bytes before the first item of an A-ASSOCIATE-RQ (PS3.8, 9.3.2)."""

MOST_CONTEXTS = 128
MOST_UID = 64


class PduType(IntEnum):
    """The kinds of unit (PS3.8, 9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class PduError(Exception):
    """A peer does not keep to PS3.8; *reason* is what its A-ABORT says (9.3.8)."""

    UNRECOGNIZED = 1
    UNEXPECTED = 2
    INVALID_PARAMETER = 6

    def __init__(self, message: str, reason: int = INVALID_PARAMETER) -> None:
        """Say what is wrong, for the log."""
        super().__init__(message)
        self.reason = reason


class Rejection(NamedTuple):
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8, 9.3.4)."""

    result: int
    source: int
    reason: int


class Roles(NamedTuple):
    """Which roles a requestor wants for one SOP class (PS3.7, D.3.3.4)."""

    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Proposed:
    """A presentation context as it was proposed (PS3.8, 9.3.2.2)."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a proposed context: result 0 and the transfer syntax chosen."""

    id: int
    result: int
    transfer_syntax: str = EXPLICIT_LITTLE


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """What an A-ASSOCIATE-RQ says.

    *titles* are the two title fields as they came, to be sent back; *largest* is the
    longest unit that the peer takes, 0 for any; *extended* is the service class
    application information by SOP class (PS3.7, D.3.3.5).
    """

    version: int
    called: str
    calling: str
    titles: bytes
    contexts: tuple[Proposed, ...]
    largest: int = 0
    implementation: str = ""
    roles: Mapping[str, Roles] = field(default_factory=dict)
    extended: Mapping[str, bytes] = field(default_factory=dict)


RELEASE_RESPONSE = struct.pack(">BBLL", PduType.RELEASE_RP, 0, 4, 0)


def abort(reason: int, source: int = 2) -> bytes:
    """Return an A-ABORT (PS3.8, 9.3.8), by default of the service provider."""
    return struct.pack(">BBLBBBB", PduType.ABORT, 0, 4, 0, 0, source, reason)


ABORT_BY_PROVIDER = abort(0)


def reject(why: Rejection) -> bytes:
    """Return an A-ASSOCIATE-RJ."""
    return struct.pack(">BBLBBBB", PduType.ASSOCIATE_RJ, 0, 4, 0, *why)


def decode_request(body: bytes) -> AssociateRequest:
    """Return what the A-ASSOCIATE-RQ with this *body* (after its length) says.

    Raises
    ------
    PduError
        If a length leads out of it, or a part that must be there is missing.
    """
    if len(body) < FIXED:
        msg = "An A-ASSOCIATE-RQ is too short."
        raise PduError(msg)
    contexts: dict[int, Proposed] = {}
    user = b""
    for kind, value in _items(body, FIXED):
        if kind == CONTEXT_RQ:
            proposed = _proposed(value)
            if proposed.id in contexts or len(contexts) == MOST_CONTEXTS:
                msg = "A presentation context is there twice, or there are too many."
                raise PduError(msg)
            contexts[proposed.id] = proposed
        elif kind == USER:
            user = value
    if not contexts:
        msg = "An A-ASSOCIATE-RQ proposes no presentation context."
        raise PduError(msg)
    (version,) = struct.unpack_from(">H", body)
    titles = body[4:36]
    called, calling = _text(titles[:16]), _text(titles[16:])
    proposed_contexts = tuple(contexts.values())
    return _with_user(
        user, AssociateRequest(version, called, calling, titles, proposed_contexts)
    )


def accept(
    request: AssociateRequest,
    contexts: Iterable[Accepted],
    roles: Mapping[str, Roles],
    extended: Mapping[str, bytes],
    implementation: tuple[str, str],
) -> bytes:
    """Return an A-ASSOCIATE-AC (PS3.8, 9.3.3).

    Parameters
    ----------
    request
        What is answered.
    contexts
        The answer to each proposed context.
    roles
        The roles that were agreed, where the peer asked for any.
    extended
        The service class application information by SOP class, where the peer sent
        any (PS3.7, D.3.3.5.2).
    implementation
        Our implementation class UID and version name (PS3.7, D.3.3.2).
    """
    items = [_item(0x10, APPLICATION_CONTEXT)]
    for one in contexts:
        syntax = _item(TRANSFER, one.transfer_syntax.encode())
        items.append(_item(CONTEXT_AC, bytes((one.id, 0, one.result, 0)) + syntax))
    uid, version = implementation
    user = [_item(LENGTH, struct.pack(">L", LARGEST_PDU)), _item(CLASS, uid.encode())]
    for sop_class, agreed in roles.items():
        said = sop_class.encode()
        head = struct.pack(">H", len(said))
        user.append(_item(ROLE, head + said + bytes((agreed.scu, agreed.scp))))
    for sop_class, agreed_by in extended.items():
        said = sop_class.encode()
        user.append(_item(EXTENDED, struct.pack(">H", len(said)) + said + agreed_by))
    user.append(_item(VERSION, version.encode()))
    items.append(_item(USER, b"".join(user)))
    body = struct.pack(">HH", 1, 0) + request.titles + bytes(32) + b"".join(items)
    return struct.pack(">BBL", PduType.ASSOCIATE_AC, 0, len(body)) + body


def _items(data: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the value of each item from *start* (PS3.8, 9.3.1)."""
    position = start
    while position < len(data):
        if position + 4 > len(data):
            msg = "An item is cut short."
            raise PduError(msg)
        kind, _, length = struct.unpack_from(">BBH", data, position)
        position += 4
        if position + length > len(data):
            msg = "The length of an item leads out of its unit."
            raise PduError(msg)
        yield kind, data[position : position + length]
        position += length


def _proposed(value: bytes) -> Proposed:
    """Return the context that an item proposes."""
    if len(value) < 4 or not value[0] % 2:  # noqa: PLR2004 (an odd number, 3 reserved)
        msg = "A presentation context has no odd number."
        raise PduError(msg)
    abstract, syntaxes = "", []
    for kind, inside in _items(value, 4):
        if kind == ABSTRACT:
            abstract = _text(inside)
        elif kind == TRANSFER:
            syntaxes.append(_text(inside))
    return Proposed(value[0], abstract, tuple(syntaxes))


def _with_user(user: bytes, request: AssociateRequest) -> AssociateRequest:
    """Return *request* with what its user information says (PS3.8, 9.3.2.3)."""
    largest, implementation = 0, ""
    roles: dict[str, Roles] = {}
    extended: dict[str, bytes] = {}
    for kind, value in _items(user):
        if kind == LENGTH and len(value) == 4:  # noqa: PLR2004 (a number of 4 bytes)
            (largest,) = struct.unpack(">L", value)
        elif kind == CLASS:
            implementation = _text(value)
        elif kind == ROLE:
            sop_class, rest = _named(value)
            roles[sop_class] = Roles(rest[:1] == b"\x01", rest[1:2] == b"\x01")
        elif kind == EXTENDED:
            sop_class, extended_by = _named(value)
            extended[sop_class] = extended_by
    return AssociateRequest(
        request.version,
        request.called,
        request.calling,
        request.titles,
        request.contexts,
        largest,
        implementation,
        roles,
        extended,
    )


def _named(value: bytes) -> tuple[str, bytes]:
    """Return the SOP class at the beginning of *value* and what follows it."""
    length = int.from_bytes(value[:2])
    if len(value) < 2 or 2 + length > len(value):  # noqa: PLR2004 (a length of 2 bytes)
        msg = "The length of a SOP class leads out of its item."
        raise PduError(msg)
    return _text(value[2 : 2 + length]), value[2 + length :]


def _text(value: bytes) -> str:
    """Return letters as text without what pads them; what is no ASCII is marked."""
    return value[: MOST_UID + 1].decode("ascii", "replace").strip(" \x00")


def _item(kind: int, value: bytes) -> bytes:
    """Return an item of a unit."""
    return struct.pack(">BBH", kind, 0, len(value)) + value
