"""Reach a remote node: an association that is bounded in time and in size.

pynetdicom speaks the protocol. What it leaves open is closed here: a read or a write
that stops for good, a PDU or a message without an end, answers that come faster than
they are looked at, and a file that is taken into memory faster than it is sent.
"""

from __future__ import annotations

import logging
import math
import queue
import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    Verification,
)
from pynetdicom.transport import AssociationSocket

from rounds_hub.errors import BusyError, ConflictError
from rounds_hub.gateway.credentials import calling_context
from rounds_hub.gateway.tls import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pynetdicom.association import Association
    from pynetdicom.events import Event
    from pynetdicom.presentation import PresentationContext
    from pynetdicom.transport import AddressInformation

    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.house import House

__all__ = ["Call", "NothingTakenError", "UnreachedError", "echo", "reach"]

CONNECT_SECONDS = 5.0
ASSOCIATE_SECONDS = 10.0
ANSWER_SECONDS = 60.0
LARGEST_PDU = 2**17
LARGEST_READ = 2**20
MESSAGE_BYTES = 4 * 2**20
MOST_UNREAD = 64
MOST_UNSENT = 8
SHORTLY = 0.005
WATCH_SECONDS = 0.25
JOIN_SECONDS = 2.0
PIECE = 2**16
SUCCESS = 0x0000
# What it logs of a data set may have a patient's name in it.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
# A file is read piece by piece while it is sent, not as a whole before.
_config.STORE_SEND_CHUNKED_DATASET = True


class UnreachedError(BusyError):
    """A remote node does not answer, or not as DICOM asks for."""

    title = "The node does not answer"


class NothingTakenError(UnreachedError):
    """A remote node answers, and takes nothing of what is proposed."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of a node in one association.

    *seconds* is how long the association may take in all, *patience* how long one
    answer; *message_bytes* how long one message of the node may be. When *stop*
    returns true the connection ends at once.
    """

    contexts: Sequence[PresentationContext]
    roles: Sequence[Any] = ()
    handlers: Sequence[tuple[Any, ...]] = ()
    seconds: float = math.inf
    patience: float = ANSWER_SECONDS
    message_bytes: int = MESSAGE_BYTES
    stop: Callable[[], bool] = lambda: False


@contextmanager
def reach(house: House, node: NodeRecord, call: Call) -> Iterator[Association]:
    """Give an established association with *node*, released or aborted at the end.

    Raises
    ------
    ConflictError
        If the node is switched off, or its record names no host.
    UnreachedError
        If it does not answer, refuses, or takes nothing of what is proposed.
    """
    if not node.enabled or not node.host:
        why = "has no host in its record" if node.enabled else "is switched off"
        msg = f"The node {node.name!r} {why}: nothing is sent to it."
        raise ConflictError(msg)
    entity = _Entity(house.settings.ae_title, call)
    association = _associated(house, entity, node, call)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(association, call, ended))
    watch.start()
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    finally:
        if association.is_established:
            association.release()
        ended.set()
        _cut(association)
        watch.join()
        association.dul.join(JOIN_SECONDS)


def echo(house: House, node: NodeRecord) -> float:
    """Return in how many seconds *node* answered a C-ECHO (PS3.4, annex A).

    Raises
    ------
    ConflictError
        If the node is switched off, or its record names no host.
    UnreachedError
        If it does not answer, and why.
    """
    entity = AE()
    entity.add_requested_context(Verification)
    call = Call(entity.requested_contexts, seconds=CONNECT_SECONDS + ASSOCIATE_SECONDS)
    begun = time.monotonic()
    with reach(house, node, call) as association:
        status = association.send_c_echo()
    if "Status" not in status or status.Status != SUCCESS:
        raise UnreachedError(_answered(node, status))
    return time.monotonic() - begun


def _answered(node: NodeRecord, status: Any) -> str:  # noqa: ANN401 (a pydicom data set)
    """Return what came instead of success, in one sentence."""
    if "Status" not in status:
        return f"The node {node.name!r} took the association and then fell silent."
    return f"The node {node.name!r} answered with status {int(status.Status):04X}."


class _Entity(AE):
    """An application entity whose sockets have bounds."""

    def __init__(self, title: str, call: Call) -> None:
        """Call as *title*."""
        super().__init__(ae_title=title)
        self._call = call
        self.connection_timeout = CONNECT_SECONDS
        self.acse_timeout = min(ASSOCIATE_SECONDS, call.patience)
        self.dimse_timeout = call.patience
        self.network_timeout = call.patience

    def _create_socket(
        self,
        assoc: Association,
        address: AddressInformation,
        tls_args: tuple[ssl.SSLContext, str] | None,
    ) -> AssociationSocket:
        """Return a socket with bounds for *assoc*."""
        made = _BoundedSocket(assoc, address, self._call)
        made.tls_args = tls_args
        assoc.dul.to_provider_queue = _Unsent(assoc)
        return made


class _BoundedSocket(AssociationSocket):
    """A socket that reads no more than was asked for, and no longer than is fair."""

    def __init__(
        self, assoc: Association, address: AddressInformation, call: Call
    ) -> None:
        """Take what *call* allows."""
        super().__init__(assoc, address=address)
        self._most = call.message_bytes
        self.patience = call.patience
        self.taken = 0

    def recv(self, nr_bytes: int) -> bytearray:
        """Return *nr_bytes* from the peer.

        Raises
        ------
        OSError
            If one PDU or one message is too long, or the peer stops in its middle;
            pynetdicom then closes the connection.
        """
        self.taken += nr_bytes
        if nr_bytes > LARGEST_READ or self.taken > self._most:
            msg = f"{self.taken} bytes without an end"
            raise OSError(msg)
        self._wait_for_reader()
        read = bytearray(nr_bytes)
        view, got = memoryview(read), 0
        until = time.monotonic() + self.patience
        connected = cast("socket.socket", self.socket)
        while got < nr_bytes:
            count = connected.recv_into(view[got : got + PIECE])
            if not count:
                return read[:got]
            got += count
            if time.monotonic() > until:
                msg = "a PDU that comes too slowly"
                raise OSError(msg)
        return read

    def _shutdown_socket(self) -> None:
        """Close the connection, also one that the peer has closed already.

        pynetdicom leaves that one open until it is collected.
        """
        connected = self.socket
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
            connected.close()

    def _wait_for_reader(self) -> None:
        """Let the peer wait while its messages are not looked at."""
        until = time.monotonic() + self.patience
        while self.assoc.dimse.msg_queue.qsize() > MOST_UNREAD:
            if time.monotonic() > until:
                msg = "more answers than anybody looks at"
                raise OSError(msg)
            time.sleep(SHORTLY)


class _Unsent(queue.Queue[Any]):
    """What waits to be sent; whoever puts more waits with it."""

    def __init__(self, association: Association) -> None:
        """Begin empty."""
        super().__init__()
        self._association = association

    def put(
        self,
        item: Any,  # noqa: ANN401 (any primitive of pynetdicom)
        block: bool = True,  # noqa: FBT001, FBT002 (as the class has it)
        timeout: float | None = None,
    ) -> None:
        """Put *item* behind the others, once there are few of them."""
        upper = self._association.dul
        until = time.monotonic() + ANSWER_SECONDS
        own = threading.current_thread() is upper
        while not own and self.qsize() >= MOST_UNSENT and upper.is_alive():
            if time.monotonic() > until:
                break  # the peer takes nothing: its socket times out as well
            time.sleep(SHORTLY)
        super().put(item, block, timeout)


def _associated(house: House, entity: AE, node: NodeRecord, call: Call) -> Association:
    """Return an established association, or raise why there is none."""
    tls = (calling_context(house.settings, node), node.host) if node.tls else None
    handlers = [
        (evt.EVT_CONN_OPEN, _opened),
        (evt.EVT_DIMSE_RECV, _message_ended),
        *call.handlers,
    ]
    try:
        association = entity.associate(
            node.host,
            node.port,
            contexts=list(call.contexts),
            ae_title=node.ae_title,
            max_pdu=LARGEST_PDU,
            ext_neg=list(call.roles),
            tls_args=tls,
            evt_handlers=handlers,
        )
    except (OSError, ValueError, TypeError) as error:
        msg = f"The node {node.name!r} has a host that nobody knows."
        raise UnreachedError(msg) from error
    if not association.is_established:
        _cut(association)
        if association.rejected_contexts and not association.accepted_contexts:
            msg = f"The node {node.name!r} takes none of what is proposed to it."
            raise NothingTakenError(msg)
        raise UnreachedError(_why_not(node, association, tls))
    shown = _raw(association)
    if tls and node.certificate and (shown is None or _other(shown, node)):
        association.abort()
        _cut(association)
        msg = f"The node {node.name!r} shows another certificate than its record names."
        raise UnreachedError(msg)
    return association


def _other(connected: socket.socket, node: NodeRecord) -> bool:
    """Return whether the peer showed another certificate than *node* has."""
    return fingerprint(connected) != node.certificate


def _opened(event: Event) -> None:
    """Let no read or write last for ever, and no small packet wait."""
    bounded, connected = event.assoc.dul.socket, _raw(event.assoc)
    if connected is not None and isinstance(bounded, _BoundedSocket):
        connected.settimeout(bounded.patience)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _message_ended(event: Event) -> None:
    """Begin to count the bytes of the next message."""
    bounded = event.assoc.dul.socket
    if isinstance(bounded, _BoundedSocket):
        bounded.taken = 0


def _watch(association: Association, call: Call, ended: threading.Event) -> None:
    """Cut the connection when its time is over or it is not wanted any more."""
    until = time.monotonic() + call.seconds
    while not ended.wait(WATCH_SECONDS):
        if time.monotonic() > until or call.stop():
            _cut(association)
            return


def _raw(association: Association) -> socket.socket | None:
    """Return the connection below *association*, None where it is closed."""
    bounded = association.dul.socket
    return None if bounded is None else bounded.socket


def _cut(association: Association) -> None:
    """End the connection now, whatever is under way on it."""
    connected = _raw(association)
    if connected is not None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)


REJECTED = {
    (1, 2): "does not know the application context",
    (1, 3): "does not know the title by which we call",
    (1, 7): "does not know the title by which it is called",
    (2, 2): "speaks another version of the protocol",
    (3, 1): "is too busy now",
    (3, 2): "has no room for one more association",
}
"""Why an association was rejected, by source and reason (PS3.8, 9.3.4)."""


def _why_not(
    node: NodeRecord,
    association: Association,
    tls: tuple[ssl.SSLContext, str] | None,
) -> str:
    """Return why *node* could not be reached, in one sentence."""
    name = f"The node {node.name!r}"
    if association.is_rejected:
        said = association.acceptor.primitive
        cause = (getattr(said, "result_source", 0), getattr(said, "diagnostic", 0))
        why = REJECTED.get(cause, "gave no reason that we know")
        return f"{name} rejected the association: it {why}."
    return f"{name} {_why_no_connection(node, tls)}."


def _why_no_connection(node: NodeRecord, tls: tuple[ssl.SSLContext, str] | None) -> str:
    """Return what is wrong below DICOM, by trying it once more."""
    over = "over TLS " if tls else ""
    try:
        with socket.create_connection((node.host, node.port), CONNECT_SECONDS) as plain:
            if tls is not None:
                tls[0].wrap_socket(plain, server_hostname=tls[1]).close()
    except OSError as error:
        return f"{_in_words(error)} (port {node.port})"
    return f"answers {over}on port {node.port}, but not as DICOM does"


def _in_words(error: OSError) -> str:
    """Return what a failed connection means."""
    words: list[tuple[type[OSError], str]] = [
        (ssl.SSLCertVerificationError, "has a certificate that is not trusted"),
        (ssl.SSLError, "does not speak TLS with us"),
        (TimeoutError, f"does not answer within {CONNECT_SECONDS:.0f} seconds"),
        (socket.gaierror, "has a host that nobody knows"),
        (ConnectionRefusedError, "does not listen"),
    ]
    for kind, meaning in words:
        if isinstance(error, kind):
            return meaning
    return f"cannot be reached: {error.strerror or 'it closed the connection'}"
