"""The door: who calls is heard by one thread until it has asked for an association.

A caller costs a descriptor and the bytes of its A-ASSOCIATE-RQ, and has a few seconds
to send them. Only then does it get a thread, if there is a seat for it.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rounds_hub.gateway.pdus import (
    LARGEST_REQUEST,
    PduError,
    PduType,
    Rejection,
    abort,
    decode_request,
    reject,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rounds_hub.gateway.lines import Sparing
    from rounds_hub.gateway.pdus import AssociateRequest

__all__ = ["Arrival", "Door", "DoorLimits", "Front"]

HEAD = 6
BACKLOG = 256
ACCEPTS_AT_ONCE = 32
TICK_SECONDS = 0.1
CLOSING_SECONDS = 1.0
CONGESTED = Rejection(2, 3, 1)
"""Transient: temporary congestion (PS3.8, 9.3.4)."""

WRONG_VERSION = Rejection(1, 2, 2)
WRONG_CALLED = Rejection(1, 1, 7)
VERSION_1 = 1


@dataclass(frozen=True, slots=True)
class Door:
    """A listening socket; with *tls* whoever comes in has to speak TLS."""

    listening: socket.socket
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """How long, and how many, callers may stand at the door."""

    seconds: float = 5.0
    waiting_seconds: float = 4.0
    callers: int = 256
    callers_of_address: int = 128


@dataclass(eq=False, slots=True)
class Arrival:
    """Somebody who has asked for an association; *at* is when."""

    connection: socket.socket
    address: str
    tls: bool
    request: AssociateRequest
    at: float


@dataclass(eq=False, slots=True)
class _Caller:
    """A connection that has not asked yet, or is being turned away."""

    connection: socket.socket
    address: str
    tls: bool
    began: float
    shaken: bool
    data: bytearray = field(default_factory=bytearray)
    turned_away: bool = False


class Front:
    """Hears callers at some doors, in a thread of its own.

    Parameters
    ----------
    doors
        Where to listen.
    title
        Our AE title; who calls another is turned away.
    limits
        For callers.
    admit
        Takes over an arrival, or returns False where there is no seat now. It must
        not block.
    lines
        Where it is said who was turned away.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        title: str,
        limits: DoorLimits,
        admit: Callable[[Arrival], bool],
        *,
        lines: Sparing,
    ) -> None:
        """Listen from now on."""
        self._doors = doors
        self._title = title
        self._limits = limits
        self._admit = admit
        self._lines = lines
        self._callers: dict[_Caller, None] = {}
        self._arrivals: deque[Arrival] = deque()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._closed = False
        for door in doors:
            door.listening.settimeout(0)
            self._selector.register(door.listening, selectors.EVENT_READ, door)
        self._woken.settimeout(0)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._work, name="door", daemon=True)
        self._thread.start()

    def seat_free(self) -> None:
        """Say that a seat may be free for who waits."""
        with contextlib.suppress(OSError):
            self._wake.send(b"\0", socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Stop listening, and hang up on who has no association yet."""
        self._closed = True
        self.seat_free()
        self._thread.join()

    def _work(self) -> None:
        """Serve the doors until closed."""
        while not self._closed:
            busy = bool(self._callers or self._arrivals)
            for key, _ in self._selector.select(TICK_SECONDS if busy else 1.0):
                if isinstance(key.data, Door):
                    self._open(key.data)
                elif isinstance(key.data, _Caller):
                    self._hear(key.data)
                else:
                    with contextlib.suppress(OSError):
                        self._woken.recv(2**12)
            self._expire()
            self._seat()
        self._end()

    def _end(self) -> None:
        """Close everything."""
        for caller in list(self._callers):
            self._hang_up(caller)
        for arrival in self._arrivals:
            arrival.connection.close()
        for door in self._doors:
            door.listening.close()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _open(self, door: Door) -> None:
        """Let in who stands at *door*."""
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                connection, address = door.listening.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no descriptors left, or the caller is gone
                self._lines.warn("door", why=error.strerror)
                self._drop_oldest("")
                return
            self._greet(door, connection, str(address[0]))

    def _greet(self, door: Door, connection: socket.socket, address: str) -> None:
        """Begin to listen to one caller, at the cost of the oldest if need be."""
        connection.settimeout(0)
        if door.tls is not None:
            try:
                connection = door.tls.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            except OSError:  # it hung up already
                connection.close()
                return
        same = sum(1 for one in self._callers if one.address == address)
        if same >= self._limits.callers_of_address:
            self._drop_oldest(address)
        elif len(self._callers) >= self._limits.callers:
            self._drop_oldest("")
        tls = door.tls is not None
        caller = _Caller(connection, address, tls, time.monotonic(), shaken=not tls)
        self._callers[caller] = None
        self._selector.register(connection, selectors.EVENT_READ, caller)

    def _drop_oldest(self, address: str) -> None:
        """Hang up on the caller, of *address* if any, who has stood there longest."""
        for caller in self._callers:
            if not address or caller.address == address:
                self._lines.warn("caller dropped", peer=caller.address, why="crowd")
                self._hang_up(caller)
                return

    def _hear(self, caller: _Caller) -> None:
        """Read on from *caller*."""
        try:
            if not caller.shaken and isinstance(caller.connection, ssl.SSLSocket):
                caller.connection.do_handshake()
                caller.shaken = True
                self._listen_for(caller, selectors.EVENT_READ)
            while self._read(caller):
                continue
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except ssl.SSLWantWriteError:
            self._listen_for(caller, selectors.EVENT_READ | selectors.EVENT_WRITE)
        except PduError as error:
            self._lines.warn("caller refused", peer=caller.address, why=str(error))
            self._turn_away(caller, abort(error.reason))
        except OSError as error:
            if not caller.turned_away:
                why = type(error).__name__
                self._lines.warn("caller lost", peer=caller.address, why=why)
            self._hang_up(caller)

    def _listen_for(self, caller: _Caller, events: int) -> None:
        """Say what *caller* is waited for."""
        self._selector.modify(caller.connection, events, caller)

    def _read(self, caller: _Caller) -> bool:
        """Read some bytes of *caller*; return whether there may be more."""
        if caller.turned_away:
            if caller.connection.recv(2**12):
                return False
            self._hang_up(caller)
            return False
        wanted = _wanted(caller.data) - len(caller.data)
        piece = caller.connection.recv(min(wanted, 2**16))
        if not piece:
            self._hang_up(caller)
            return False
        caller.data += piece
        if len(caller.data) < HEAD or len(caller.data) < _wanted(caller.data):
            return True
        self._asked(caller, decode_request(bytes(caller.data[HEAD:])))
        return False

    def _asked(self, caller: _Caller, request: AssociateRequest) -> None:
        """Put a caller whose request is whole in line, or turn it away."""
        why = None
        if not request.version & VERSION_1:
            why = WRONG_VERSION
        elif request.called != self._title.strip():
            why = WRONG_CALLED
        if why is not None:
            self._lines.warn(
                "association rejected",
                peer=caller.address,
                calling=request.calling,
                called=request.called,
                why="version" if why is WRONG_VERSION else "called title",
            )
            self._turn_away(caller, reject(why))
            return
        self._forget(caller)
        now = time.monotonic()
        arrival = Arrival(caller.connection, caller.address, caller.tls, request, now)
        if len(self._arrivals) >= self._limits.callers:
            self._refuse(self._arrivals.popleft())
        self._arrivals.append(arrival)

    def _seat(self) -> None:
        """Give seats to those who wait for one, in the order in which they came."""
        for _ in range(len(self._arrivals)):
            arrival = self._arrivals.popleft()
            if self._admit(arrival):
                continue
            if time.monotonic() - arrival.at > self._limits.waiting_seconds:
                self._refuse(arrival)
            else:
                self._arrivals.append(arrival)

    def _refuse(self, arrival: Arrival) -> None:
        """Turn away somebody for whom there was no seat."""
        self._lines.warn(
            "association rejected",
            peer=arrival.address,
            calling=arrival.request.calling,
            why="no seat",
        )
        caller = _Caller(
            arrival.connection, arrival.address, arrival.tls, arrival.at, shaken=True
        )
        self._callers[caller] = None
        self._selector.register(caller.connection, selectors.EVENT_READ, caller)
        self._turn_away(caller, reject(CONGESTED))

    def _turn_away(self, caller: _Caller, answer: bytes) -> None:
        """Say *answer*, and leave it to the caller to hang up, for a moment."""
        caller.turned_away = True
        caller.began = time.monotonic() - self._limits.seconds + CLOSING_SECONDS
        try:
            caller.connection.send(answer)
            socket.socket.shutdown(caller.connection, socket.SHUT_WR)
        except OSError:  # it is gone, or does not read: no matter now
            self._hang_up(caller)

    def _expire(self) -> None:
        """Hang up on those who took too long to ask."""
        late = time.monotonic() - self._limits.seconds
        for caller in [one for one in self._callers if one.began < late]:
            if not caller.turned_away:
                self._lines.warn("caller dropped", peer=caller.address, why="late")
            self._hang_up(caller)

    def _hang_up(self, caller: _Caller) -> None:
        """Forget *caller* and close its connection."""
        self._forget(caller)
        caller.connection.close()

    def _forget(self, caller: _Caller) -> None:
        """Hear *caller* no more."""
        if caller in self._callers:
            del self._callers[caller]
            self._selector.unregister(caller.connection)


def _wanted(data: bytearray) -> int:
    """Return how many bytes an A-ASSOCIATE-RQ that begins with *data* has in all."""
    if data and data[0] != PduType.ASSOCIATE_RQ:
        msg = f"The first unit is of kind {data[0]}."
        unknown = data[0] not in PduType.__members__.values()
        raise PduError(msg, PduError.UNRECOGNIZED if unknown else PduError.UNEXPECTED)
    if len(data) < HEAD:
        return HEAD
    (length,) = struct.unpack_from(">L", data, 2)
    if length > LARGEST_REQUEST:
        msg = f"An A-ASSOCIATE-RQ is said to have {length} bytes."
        raise PduError(msg)
    return HEAD + int(length)
