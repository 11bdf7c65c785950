"""The upper layer under bytes that nobody sane would send."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.speaking import ECHO, command, item, request, unit

from rounds_hub.archive.meta import IMPLEMENTATION
from rounds_hub.gateway.conversation import Conversation
from rounds_hub.gateway.messages import decode_command, encode_command
from rounds_hub.gateway.pdus import (
    Accepted,
    PduError,
    Roles,
    abort,
    accept,
    decode_request,
)
from rounds_hub.gateway.services import Context
from rounds_hub.gateway.wire import GoneError, WaitLimits, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTEXTS = {1: Context(1, ECHO, "1.2.840.10008.1.2.1")}


@given(st.binary(max_size=600))
def test_no_request_does_more_than_be_refused(body: bytes) -> None:
    with contextlib.suppress(PduError):
        assert decode_request(body).contexts


@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_an_altered_request_is_read_or_refused(place: int, bytes_: bytes) -> None:
    whole = bytearray(request()[6:])
    whole[place : place + len(bytes_)] = bytes_
    try:
        found = decode_request(bytes(whole))
    except PduError:
        return
    assert len(found.contexts) <= 128
    assert len(found.called) <= 65


@given(st.binary(max_size=200))
def test_no_command_set_does_more_than_be_refused(data: bytes) -> None:
    with contextlib.suppress(PduError):
        assert "CommandField" in decode_command(data)


@given(
    st.dictionaries(
        st.sampled_from(["MessageID", "Status", "Priority"]), st.integers(0, 65535)
    )
)
def test_a_command_set_is_read_as_it_was_written(numbers: dict[str, int]) -> None:
    said = {"CommandField": 1, "AffectedSOPInstanceUID": "1.2.3"} | numbers
    assert decode_command(encode_command(said)) == said


def heard(sent: bytes) -> list[bytes]:
    """Return what a conversation hears of *sent*, to its end."""
    ours, theirs = socket.socketpair()
    feeding = threading.Thread(target=feed, args=(theirs, sent))
    feeding.start()
    wire = Wire(ours, WaitLimits(idle=5))
    talk = Conversation(wire, CONTEXTS, 0)
    found = []
    try:
        while (fragment := talk.next_fragment()) is not None:
            found.append(bytes(fragment.data))
    finally:
        wire.close()
        feeding.join()
    return found


def feed(connection: socket.socket, sent: bytes) -> None:
    with connection:
        try:
            connection.sendall(sent)
        except OSError:
            return


FIND = "1.2.840.10008.5.1.4.1.2.2.1"
RELEASE = struct.pack(">BBLL", 5, 0, 4, 0)


@settings(max_examples=60)
@given(st.binary(max_size=2000))
def test_no_stream_does_more_than_end(sent: bytes) -> None:
    with pytest.raises((PduError, GoneError)):
        heard(sent)


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=70_000), max_size=5))
def test_values_are_given_as_they_were_sent(values: list[bytes]) -> None:
    sent = b"".join(unit(1, 0, value) for value in values)
    assert heard(sent + RELEASE) == values


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        pytest.param(struct.pack(">BBL", 9, 0, 4), "kind 9", id="unknown kind"),
        pytest.param(struct.pack(">BBL", 4, 0, 2**31), "is said to", id="too long"),
        pytest.param(unit(3, 3, b""), "not accepted", id="no such context"),
        pytest.param(struct.pack(">BBLLBB", 4, 0, 6, 99, 1, 0), "leads", id="value"),
        pytest.param(request()[:6], "is said to", id="a second request"),
        pytest.param(struct.pack(">BBLL", 6, 0, 4, 0), "kind 6", id="a response"),
    ],
)
def test_what_breaks_the_rules_is_named(sent: bytes, why: str) -> None:
    with pytest.raises(PduError, match=why):
        heard(sent)


@pytest.fixture
def pair() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    wire = Wire(ours, WaitLimits(idle=0.1, rate=1000, grace=0.1))
    yield wire, theirs
    wire.close()
    theirs.close()


def test_who_says_nothing_is_given_up(pair: tuple[Wire, socket.socket]) -> None:
    wire, _ = pair
    with pytest.raises(GoneError, match="Nothing moved"):
        wire.read_unit()


def test_who_has_to_give_way_is_told_at_once(pair: tuple[Wire, socket.socket]) -> None:
    wire, theirs = pair
    threading.Timer(0.02, wire.give_way, ["make room"]).start()
    with pytest.raises(GoneError, match="make room"):
        wire.read_unit()
    wire.close(abort(0))
    assert theirs.recv(10) == abort(0)


def test_a_command_that_has_come_is_seen_without_waiting(
    pair: tuple[Wire, socket.socket],
) -> None:
    wire, theirs = pair
    assert not wire.has_unit()
    theirs.sendall(command(0x30))
    assert wire.has_unit()


def test_an_acceptance_says_what_was_agreed() -> None:
    asked = decode_request(request()[6:])
    answers = [Accepted(1, 0), Accepted(3, 3)]
    roles = {ECHO: Roles(scu=True, scp=False)}
    said = accept(asked, answers, roles, {FIND: b"\1\1"}, (IMPLEMENTATION, "R"))
    assert said[0] == 2
    assert item(0x21, bytes((3, 0, 3, 0)) + item(0x40, b"1.2.840.10008.1.2.1")) in said
    assert struct.pack(">H", len(ECHO)) + ECHO.encode() + b"\1\0" in said
    extended = struct.pack(">H", len(FIND)) + FIND.encode() + b"\1\1"
    assert item(0x56, extended) in said
