"""Peers that are silent, slow, endless, lie or talk garbage shut nobody out.

The gateway runs in a process of its own, so that what it costs can be seen.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from tests.gateway.speaking import (
    GatewayProcess,
    answer,
    associated,
    connected,
    free_port,
    gateway_process,
    request,
    store_command,
    storescu,
    unit,
    wait_until,
    write_slices,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("abused_door")]

MOST_MEMORY = 256 * 2**20
SETTINGS = "c.Rounds.max_instance_bytes = 64 * 2**20\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Run a gateway for all tests of this module."""
    folder = tmp_path_factory.mktemp("abused")
    with gateway_process(folder, free_port(), settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def honest(gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an instance that is sent by an honest node, and was sent once."""
    (path,) = write_slices(tmp_path_factory.mktemp("honest"), [1])
    assert "(Success)" in storescu(gateway.port, path, title="HONEST")
    return path


def served_in(gateway: GatewayProcess, path: Path) -> float:
    """Return in how many seconds DCMTK's storescu has success."""
    began = time.monotonic()
    said = storescu(gateway.port, path, title="HONEST")
    assert "(Success)" in said, said
    return time.monotonic() - began


def silent(gateway: GatewayProcess, stack: ExitStack) -> None:
    for _ in range(150):
        stack.enter_context(connected(gateway.port))


def idle(gateway: GatewayProcess, stack: ExitStack) -> None:
    for number in range(60):
        title = ("TESTER", "STORESCU", "HONEST")[number % 3]
        connection = stack.enter_context(connected(gateway.port))
        connection.sendall(request(calling=title))


def slow_associate(gateway: GatewayProcess, stack: ExitStack) -> None:
    dripping = [stack.enter_context(connected(gateway.port)) for _ in range(40)]
    drip(stack, dripping, request())


def slow_data_set(gateway: GatewayProcess, stack: ExitStack) -> None:
    dripping = []
    for number in range(24):
        title = ("TESTER", "STORESCU", "HONEST")[number % 3]
        connection = stack.enter_context(connected(gateway.port))
        connection.sendall(request(calling=title))
        dripping.append(connection)
    for connection in dripping:
        if answer(connection)[0] == 2:
            connection.sendall(store_command("1.2.3"))
    drip(stack, dripping, unit(3, 0, bytes(2**14)))


def drip(stack: ExitStack, connections: list[socket.socket], data: bytes) -> None:
    """Send *data* on each connection, byte by byte, until the stack is left."""
    ended = threading.Event()

    def work() -> None:
        for byte in data:
            for connection in list(connections):
                try:
                    connection.sendall(bytes((byte,)))
                except OSError:
                    connections.remove(connection)
            if ended.wait(0.05):
                return

    thread = threading.Thread(target=work)
    thread.start()
    stack.callback(thread.join)
    stack.callback(ended.set)


def endless_data_set(gateway: GatewayProcess, stack: ExitStack) -> None:
    connection = stack.enter_context(associated(gateway.port))
    connection.sendall(store_command("1.2.3"))
    piece = unit(3, 0, os.urandom(2**17 - 12))

    def work() -> None:
        while True:
            try:
                connection.sendall(piece)
            except OSError:
                return

    thread = threading.Thread(target=work)
    thread.start()
    stack.callback(thread.join)
    stack.callback(hang_up, connection)


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the gateway was faster
        connection.shutdown(2)


def lying_lengths(gateway: GatewayProcess, stack: ExitStack) -> None:
    for first in (
        struct.pack(">BBL", 1, 0, 2**32 - 1),
        request()[:2] + struct.pack(">L", 2**18) + request()[6:],
        struct.pack(">BBL", 4, 0, 2**31),
    ):
        stack.enter_context(connected(gateway.port)).sendall(first)
    for lie in (
        struct.pack(">BBL", 4, 0, 2**32 - 1),
        struct.pack(">BBLLBB", 4, 0, 100, 2**31, 3, 0),
        struct.pack(">BBLLBB", 4, 0, 2**17, 2**17 - 4, 3, 0),
        store_command("1.2.3") + struct.pack(">BBLLBB", 4, 0, 6, 0, 3, 0),
    ):
        stack.enter_context(associated(gateway.port)).sendall(lie)


def garbage(gateway: GatewayProcess, stack: ExitStack) -> None:
    for _ in range(20):
        connection = stack.enter_context(connected(gateway.port))
        connection.sendall(os.urandom(4096))
    for _ in range(8):
        stack.enter_context(associated(gateway.port)).sendall(os.urandom(4096))


ABUSES = [
    silent,
    idle,
    slow_associate,
    slow_data_set,
    endless_data_set,
    lying_lengths,
    garbage,
]


@contextmanager
def abused(
    gateway: GatewayProcess, abuse: Callable[[GatewayProcess, ExitStack], None]
) -> Iterator[None]:
    """Let *abuse* go on."""
    with ExitStack() as stack:
        abuse(gateway, stack)
        yield


@pytest.mark.parametrize("abuse", ABUSES, ids=lambda abuse: abuse.__name__)
def test_an_honest_sender_is_served(
    gateway: GatewayProcess,
    honest: Path,
    abuse: Callable[[GatewayProcess, ExitStack], None],
) -> None:
    before = gateway.memory()
    with abused(gateway, abuse):
        during = [served_in(gateway, honest) for _ in range(2)]
        assert gateway.memory() - before < MOST_MEMORY
    after = served_in(gateway, honest)
    assert max(during) < 5
    assert after < 2


def test_nothing_is_left_when_all_are_gone(
    gateway: GatewayProcess, honest: Path
) -> None:
    assert served_in(gateway, honest) < 5
    wait_until(lambda: gateway.threads() <= 6 and gateway.descriptors() <= 24)
