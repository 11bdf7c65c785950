"""An association as a service sees it: requests come, responses go (PS3.7, PS3.8).

One thread reads and writes it. How long a peer may take is bounded by the wire.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.errors import InvalidError, TooLargeError
from rounds_hub.gateway.conversation import Conversation, Instance
from rounds_hub.gateway.datasets import parsed
from rounds_hub.gateway.messages import NO_DATA_SET, RESPONSE, Field
from rounds_hub.gateway.nodes import principal_of_node
from rounds_hub.gateway.pdus import RELEASE_RESPONSE, PduError
from rounds_hub.gateway.services import Request
from rounds_hub.gateway.wire import GoneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydicom import Dataset

    from rounds_hub.access.principal import Principal
    from rounds_hub.gateway.messages import Command
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.pdus import AssociateRequest
    from rounds_hub.gateway.services import Context
    from rounds_hub.gateway.wire import Wire
    from rounds_hub.house import House

__all__ = ["Association", "Instance", "Peer"]

LARGEST_IDENTIFIER = 2**20
MOST_PENDING = 8
MOST_CANCELLED = 64
MOST_SERIES = 10_000


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end: the node, its address and what it asked for."""

    node: NodeRecord
    address: str
    request: AssociateRequest
    tls: bool = False


class Association:
    """An accepted association with a known node.

    Parameters
    ----------
    house
        The opened house.
    peer
        Who called.
    contexts
        The accepted presentation contexts by their number.
    wire
        Its connection.
    """

    def __init__(
        self, house: House, peer: Peer, contexts: Mapping[int, Context], wire: Wire
    ) -> None:
        """Wrap *wire*, on which the association was accepted."""
        self.house = house
        self.peer = peer
        self.contexts = contexts
        self.principal: Principal = principal_of_node(peer.node)
        self._wire = wire
        self._talk = Conversation(wire, contexts, peer.request.largest)
        self._pending: deque[Request] = deque()
        self._unread: Request | None = None
        self._cancelled: set[int] = set()
        self._message_id = 0
        self.counts = {"messages": 0, "kept": 0, "refused": 0}
        self.series: set[str] = set()
        """The series to which it brought something, as far as they are counted."""

    @property
    def node(self) -> NodeRecord:
        """The node at the other end."""
        return self.peer.node

    def next_request(self) -> Request | None:
        """Return the next request, None when the peer releases the association.

        Raises
        ------
        GoneError
            If the peer is gone or was given up.
        PduError
            If it does not keep to the standard.
        """
        if self._pending:
            return self._pending.popleft()
        while True:
            command = self._talk.next_command()
            if command is None:
                return None
            context, said = command
            if said["CommandField"] == Field.C_CANCEL:
                self._wire.message_done()  # it came too late: no answer (PS3.7, 9.3.2)
                continue
            return self._request(context, said)

    def pieces(self, request: Request) -> Iterator[memoryview]:
        """Yield the bytes of the data set of *request* as they come.

        Each piece is valid until the next one.
        """
        if self._unread is not request:
            return
        while True:
            fragment = self._talk.next_fragment()
            if fragment is None or fragment.command:
                msg = "A data set breaks off."
                raise PduError(msg, PduError.UNEXPECTED)
            if fragment.context_id != request.context.id:
                msg = "A data set changes its presentation context."
                raise PduError(msg)
            if fragment.last:
                self._unread = None
            yield fragment.data
            if fragment.last:
                return

    def drain(self, request: Request, most: int) -> None:
        """Read what is left of the data set of *request* and forget it.

        Raises
        ------
        PduError
            If it has more than *most* bytes.
        """
        size = 0
        for piece in self.pieces(request):
            size += len(piece)
            if size > most:
                msg = f"A data set has more than {most} bytes."
                raise PduError(msg)

    def read_dataset(self, request: Request) -> Dataset:
        """Return the data set of *request*, a mebibyte at most.

        Raises
        ------
        InvalidError
            If there is none, or it is larger, nested too deeply or broken.
        """
        data = bytearray()
        for piece in self.pieces(request):
            data += piece
            if len(data) > LARGEST_IDENTIFIER:
                self.drain(request, self.house.settings.max_instance_bytes)
                msg = f"A request has more than {LARGEST_IDENTIFIER} bytes."
                raise TooLargeError(msg)
        if not request.has_dataset:
            msg = "The request has no data set."
            raise InvalidError(msg)
        return parsed(bytes(data), request.context.transfer_syntax)

    def respond(
        self,
        request: Request,
        status: int,
        dataset: Dataset | bytes | None = None,
        **elements: int | str | list[int],
    ) -> None:
        """Answer *request* with *status*, and with *dataset* where there is one.

        *elements* are further elements of the command set, by keyword.
        """
        asked = request.command
        command: Command = {
            "CommandField": request.field | RESPONSE,
            "MessageIDBeingRespondedTo": request.message_id,
            "Status": int(status),
        }
        for name in ("AffectedSOPClassUID", "AffectedSOPInstanceUID"):
            requested = name.replace("Affected", "Requested")
            if value := asked.get(name) or asked.get(requested):
                command[name] = value
        self._talk.say(request.context, command | elements, dataset)

    def cancelled(self, request: Request) -> bool:
        """Return whether a C-CANCEL for *request* has arrived; this does not wait."""
        while self._talk.has_more():
            self._look()
        return request.message_id in self._cancelled

    def invoke(
        self,
        context: Context,
        command: Command,
        dataset: Dataset | bytes | Instance | None = None,
    ) -> Command:
        """Send a request of ours on *context* and return the peer's response to it.

        The message number is filled in. What else arrives meanwhile is kept: a cancel,
        or another request.
        """
        self._message_id = self._message_id % 0xFFFF + 1
        said = command | {"MessageID": self._message_id}
        self._talk.say(context, said, dataset)
        while True:
            answer = self._look()
            if answer and answer.get("MessageIDBeingRespondedTo") == self._message_id:
                return answer

    def send_store(
        self, context: Context, instance: Instance, **elements: int | str
    ) -> int:
        """Send *instance* in a C-STORE sub-operation and return the peer's status.

        Parameters
        ----------
        context
            An accepted context of its SOP class and transfer syntax, with the
            peer's SCP role.
        instance
            What to send; its data set goes as it is.
        **elements
            Further elements of the command, such as the originator of a C-MOVE.
        """
        command: Command = {
            "CommandField": Field.C_STORE,
            "AffectedSOPClassUID": instance.sop_class,
            "AffectedSOPInstanceUID": instance.sop_uid,
            "Priority": 0,
        }
        return int(self.invoke(context, command | elements, instance)["Status"])

    def stored(self, series_uid: str) -> None:
        """Count an instance that was kept in a series, or refused if that is empty."""
        self.counts["kept" if series_uid else "refused"] += 1
        if series_uid and len(self.series) < MOST_SERIES:
            self.series.add(series_uid)

    def finish(self, request: Request) -> None:
        """Put *request* behind us: what is left of its data set, and its cancel."""
        self.drain(request, self.house.settings.max_instance_bytes)
        self._cancelled.discard(request.message_id)
        self.counts["messages"] += 1
        self._wire.message_done()

    def release(self) -> None:
        """Agree to the release that the peer asked for."""
        self._wire.close(RELEASE_RESPONSE, linger=True)

    def _look(self) -> Command | None:
        """Read one message that comes while a request is under way; return a response.

        A cancel is remembered, another request is put in line.
        """
        arrived = self._talk.next_command()
        if arrived is None:
            msg = "The peer released the association in the middle of an operation."
            raise GoneError(msg)
        context, command = arrived
        field = command["CommandField"]
        if field == Field.C_CANCEL:
            if len(self._cancelled) < MOST_CANCELLED:
                self._cancelled.add(int(command.get("MessageIDBeingRespondedTo", -1)))
            return None
        if field & RESPONSE:
            return command
        if len(self._pending) >= MOST_PENDING or _has_dataset(command):
            msg = "Another request came before the answer to the last one."
            raise PduError(msg, PduError.UNEXPECTED)
        self._pending.append(Request(context, command))
        return None

    def _request(self, context: Context, command: Command) -> Request:
        """Return the request that *command* is."""
        if command["CommandField"] & RESPONSE or "MessageID" not in command:
            msg = "A response came to no request, or a request without a number."
            raise PduError(msg, PduError.UNEXPECTED)
        request = Request(context, command, _has_dataset(command))
        self._unread = request if request.has_dataset else None
        return request


def _has_dataset(command: Command) -> bool:
    """Return whether a data set follows the command set (PS3.7, E.1)."""
    return int(command.get("CommandDataSetType", NO_DATA_SET)) != NO_DATA_SET
