"""The messages of one association, in and out, unit by unit (PS3.7, 6.3; PS3.8, 9.3.5).

A data set is given on piece by piece, never held whole.
"""

from __future__ import annotations

import io
import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rounds_hub.gateway.datasets import encoded
from rounds_hub.gateway.messages import (
    DATA_SET,
    MOST_COMMAND,
    NO_DATA_SET,
    decode_command,
    encode_command,
)
from rounds_hub.gateway.pdus import PduError, PduType
from rounds_hub.gateway.wire import GoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydicom import Dataset

    from rounds_hub.gateway.messages import Command
    from rounds_hub.gateway.services import Context
    from rounds_hub.gateway.wire import Wire

__all__ = ["Conversation", "Fragment", "Instance"]

SMALLEST_UNIT = 64
LARGEST_UNIT = 2**17
PDV_HEAD = 6
COMMAND, LAST = 1, 2


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance to be sent: a Part 10 file, and where its data set begins."""

    path: Path
    start: int
    sop_class: str
    sop_uid: str


class Fragment(NamedTuple):
    """One presentation data value (PS3.8, 9.3.5.1); *data* lasts until the next."""

    context_id: int
    command: bool
    last: bool
    data: memoryview


class Conversation:
    """Reads and writes messages on the accepted contexts of one wire.

    Parameters
    ----------
    wire
        The connection.
    contexts
        The accepted presentation contexts by their number.
    largest
        The longest unit that the peer takes, 0 for any (PS3.8, D.1).
    """

    def __init__(
        self, wire: Wire, contexts: Mapping[int, Context], largest: int
    ) -> None:
        """Speak on *wire*."""
        self._wire = wire
        self._contexts = contexts
        self._fragments: deque[Fragment] = deque()
        asked = largest or LARGEST_UNIT
        self._largest = min(max(asked, SMALLEST_UNIT), LARGEST_UNIT)

    def has_more(self) -> bool:
        """Return whether there is something to read without waiting for the peer."""
        return bool(self._fragments) or self._wire.has_unit()

    def next_command(self) -> tuple[Context, Command] | None:
        """Return the next command set and its context, None on a release."""
        data = bytearray()
        context_id = 0
        while True:
            fragment = self.next_fragment()
            if fragment is None:
                return None
            if not fragment.command or (data and fragment.context_id != context_id):
                msg = "A command set is missing or changes its presentation context."
                raise PduError(msg, PduError.UNEXPECTED)
            context_id = fragment.context_id
            data += fragment.data
            if len(data) > MOST_COMMAND:
                msg = f"A command set has more than {MOST_COMMAND} bytes."
                raise PduError(msg)
            if fragment.last:
                return self._contexts[context_id], decode_command(bytes(data))

    def next_fragment(self) -> Fragment | None:
        """Return the next presentation data value, None on a release."""
        while not self._fragments:
            kind, body = self._wire.read_unit()
            if kind == PduType.RELEASE_RQ:
                return None
            if kind == PduType.ABORT:
                msg = "The peer aborted."
                raise GoneError(msg)
            if kind != PduType.DATA:
                msg = f"A unit of kind {kind} came on an open association."
                raise PduError(msg, PduError.UNEXPECTED)
            self._fragments.extend(self._values(body))
        return self._fragments.popleft()

    def _values(self, body: memoryview) -> Iterator[Fragment]:
        """Yield the presentation data values of one unit (PS3.8, 9.3.5)."""
        position = 0
        while position < len(body):
            if position + PDV_HEAD > len(body):
                msg = "A presentation data value is cut short."
                raise PduError(msg)
            length, context_id, flags = struct.unpack_from(">LBB", body, position)
            after = position + 4 + length
            if length < 2 or after > len(body):  # noqa: PLR2004 (number and flags)
                msg = "The length of a presentation data value leads out of its unit."
                raise PduError(msg)
            if context_id not in self._contexts:
                msg = f"A value came on context {context_id}, which was not accepted."
                raise PduError(msg)
            data = body[position + PDV_HEAD : after]
            yield Fragment(context_id, bool(flags & COMMAND), bool(flags & LAST), data)
            position = after

    def say(
        self,
        context: Context,
        command: Command,
        dataset: Dataset | bytes | Instance | None,
    ) -> None:
        """Send a message: a command set, and a data set where there is one."""
        follows = DATA_SET if dataset is not None else NO_DATA_SET
        said = encode_command(command | {"CommandDataSetType": follows})
        begin = b"".join(self._units(context, io.BytesIO(said), COMMAND))
        if dataset is None:
            self._wire.send(begin)
            return
        if isinstance(dataset, Instance):
            with dataset.path.open("rb") as file:
                file.seek(dataset.start)
                self._send_all(begin, self._units(context, file, 0))
            return
        data = (
            dataset
            if isinstance(dataset, bytes)
            else encoded(dataset, context.transfer_syntax)
        )
        self._send_all(begin, self._units(context, io.BytesIO(data), 0))

    def _send_all(self, begin: bytes, units: Iterator[bytes]) -> None:
        """Send *begin* together with the first of *units*, then the others."""
        for unit in units:
            self._wire.send(begin + unit)
            begin = b""

    def _units(
        self, context: Context, source: io.BufferedIOBase, flags: int
    ) -> Iterator[bytes]:
        """Yield the units that carry the bytes of *source*."""
        room = self._largest - PDV_HEAD
        piece = source.read(room)
        while True:
            following = source.read(room)
            last = flags if following else flags | LAST
            length = len(piece) + 2
            head = struct.pack(">BBLLBB", 4, 0, length + 4, length, context.id, last)
            yield head + piece
            if not following:
                return
            piece = following
