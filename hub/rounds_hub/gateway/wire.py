"""One connection: units read and written within limits of size, time and rate.

The time that counts is the time spent waiting for the peer, so that a busy house never
gives up an honest sender.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.gateway.pdus import LARGEST_PDU, PduError, PduType

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GoneError", "WaitLimits", "Wire"]

HEAD = 6
"""The bytes before the body of a unit: its kind, a reserved one, its length."""

ROOM = 2 * (LARGEST_PDU + HEAD)
TICK_SECONDS = 1.0
FRESH_SECONDS = 0.2
USED_SECONDS = 1.0
SLOW_SECONDS = 2.0
LINGER_SECONDS = 1.0


class GoneError(Exception):
    """The connection is at its end; the message says why, for the log."""


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long a peer is waited for.

    A message may take *grace* seconds and what its bytes need at *rate* bytes a
    second; between messages, and within one, nothing may be said for *idle* seconds.
    """

    idle: float = 30.0
    rate: float = 2**14
    grace: float = 10.0


class Wire:
    """The connection of one peer, read and written by one thread.

    Other threads may call :meth:`give_way`, and ask how idle it is.

    Parameters
    ----------
    connection
        A connected socket, plain or TLS.
    limits
        How long the peer is waited for.
    """

    def __init__(self, connection: socket.socket, limits: WaitLimits) -> None:
        """Take over *connection*."""
        connection.settimeout(TICK_SECONDS)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._limits = limits
        self._buffer = memoryview(bytearray(ROOM))
        self._start = self._end = 0
        self._leaving = ""
        self._waiting_since: float | None = None
        self._waited = 0.0
        self._moved = 0
        self._quiet_since: float | None = time.monotonic()
        self._used = False

    def read_unit(self) -> tuple[int, memoryview]:
        """Return the kind and the body of the next unit.

        The body is valid until the next call.

        Raises
        ------
        GoneError
            If the peer is gone, too slow, or has to give way to another.
        PduError
            If the unit is of no known kind or longer than was agreed.
        """
        self._fill(HEAD)
        self._quiet_since = None
        kind, length = self._head()
        self._fill(HEAD + length)
        body = self._buffer[self._start + HEAD : self._start + HEAD + length]
        self._start += HEAD + length
        return kind, body

    def has_unit(self) -> bool:
        """Return whether a whole unit can be read without waiting for the peer."""
        while not self._holds_unit():
            if not self._readable():
                return False
            self._make_room(HEAD if self._end - self._start < HEAD else self._wanted())
            self._receive(self._buffer[self._end :])
        return True

    def send(self, data: bytes) -> None:
        """Send all of *data*.

        Raises
        ------
        GoneError
            If the peer is gone, does not read, or has to give way to another.
        """
        rest = memoryview(data)
        while rest:
            sent = self._waiting(self._connection.send, rest)
            rest = rest[sent:]

    def message_done(self) -> None:
        """Say that a message was answered: from now on the peer is idle."""
        self._used = True
        self._waited, self._moved = 0.0, 0
        self._quiet_since = time.monotonic()

    def idle_seconds(self, now: float) -> float:
        """Return how much longer than its due the peer has been idle, 0 if it is not.

        Who has never sent a message is due less than who has.
        """
        since = self._quiet_since
        if since is None or self._leaving:
            return 0.0
        due = USED_SECONDS if self._used else FRESH_SECONDS
        return max(now - since - due, 0.0)

    def is_slow(self, now: float) -> bool:
        """Return whether the peer's message comes so slowly that others go first."""
        since = self._waiting_since
        if since is None or self._quiet_since is not None or self._leaving:
            return False
        waited = self._waited + now - since
        return waited > SLOW_SECONDS and self._moved < self._limits.rate * waited

    @property
    def leaving(self) -> bool:
        """Whether it was told to give way."""
        return bool(self._leaving)

    def give_way(self, why: str) -> None:
        """Let the thread that reads or writes find the connection at its end."""
        self._leaving = why
        # Not the method of a TLS socket: that one forgets its TLS in another thread.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._connection, socket.SHUT_RD)

    def close(self, farewell: bytes = b"", *, linger: bool = False) -> None:
        """Say *farewell* if the peer listens, and end the connection.

        With *linger* the peer may close first, as it shall after a release
        (PS3.8, 9.2.3).
        """
        with contextlib.suppress(OSError, ValueError):
            if farewell:
                self._connection.settimeout(TICK_SECONDS)
                self._connection.send(farewell)
            if linger:
                socket.socket.shutdown(self._connection, socket.SHUT_WR)
                self._connection.settimeout(LINGER_SECONDS)
                self._connection.recv(1)
        self._connection.close()

    def _head(self) -> tuple[int, int]:
        """Return kind and length of the unit that begins, if they can be."""
        kind, _, length = struct.unpack_from(">BBL", self._buffer, self._start)
        if kind not in PduType.__members__.values():
            msg = f"A unit of kind {kind} came."
            raise PduError(msg, PduError.UNRECOGNIZED)
        if length > (LARGEST_PDU if kind == PduType.DATA else 4):
            msg = f"A unit of kind {kind} is said to have {length} bytes."
            raise PduError(msg)
        return kind, length

    def _holds_unit(self) -> bool:
        """Return whether a whole unit is in the buffer."""
        held = self._end - self._start
        return held >= HEAD and held >= self._wanted()

    def _wanted(self) -> int:
        """Return how many bytes the unit that begins has in all."""
        return HEAD + self._head()[1]

    def _readable(self) -> bool:
        """Return whether the peer has sent more, or has ended."""
        connection = self._connection
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        return bool(select.select([connection], [], [], 0)[0])

    def _fill(self, wanted: int) -> None:
        """Read until *wanted* bytes lie in the buffer from its start."""
        while self._end - self._start < wanted:
            self._make_room(wanted)
            self._receive(self._buffer[self._end :])

    def _make_room(self, wanted: int) -> None:
        """Move what is left to the front where *wanted* bytes would not fit."""
        left = self._end - self._start
        if not left or self._start + wanted > ROOM:
            self._buffer[:left] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, left

    def _receive(self, into: memoryview) -> None:
        """Read some bytes, at least one."""
        got = self._waiting(self._connection.recv_into, into)
        if not got:
            msg = self._leaving or "The peer hung up."
            raise GoneError(msg)
        self._quiet_since = None
        self._end += got

    def _waiting(self, call: Callable[[memoryview], int], data: memoryview) -> int:
        """Return what *call* moved of *data*, waiting within the limits."""
        began = time.monotonic()
        self._waiting_since = began
        try:
            while True:
                self._check(began)
                with contextlib.suppress(TimeoutError):
                    moved = call(data)
                    self._moved += moved
                    return moved
        except OSError as error:
            msg = self._leaving or "The connection broke."
            raise GoneError(msg) from error
        finally:
            self._waited += time.monotonic() - began
            self._waiting_since = None

    def _check(self, began: float) -> None:
        """Give up on a peer that has to give way, is silent or is too slow."""
        if self._leaving:
            raise GoneError(self._leaving)
        limits, waited = self._limits, time.monotonic() - began
        if waited > limits.idle:
            msg = f"Nothing moved for {limits.idle:g} seconds."
            raise GoneError(msg)
        if self._quiet_since is not None:
            return
        if self._waited + waited > limits.grace + self._moved / limits.rate:
            msg = f"A message came with less than {limits.rate:g} bytes a second."
            raise GoneError(msg)
