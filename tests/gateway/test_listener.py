"""The DICOM listener, asked by pynetdicom's and dcmtk's own callers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import CTImageStorage
from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    Verification,
)

from rounds_hub.errors import BusyError, SettingsError
from rounds_hub.gateway.listener import Listener
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pynetdicom.association import Association

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Listen on a free port."""
    with Listener(load_settings(gateway_port=0)) as opened:
        yield opened


def associated(port: int, context: str, called: str = "ROUNDS") -> Association:
    entity = AE(ae_title="TESTER")
    entity.add_requested_context(context)
    entity.connection_timeout = entity.acse_timeout = 5
    return entity.associate("127.0.0.1", port, ae_title=called)


def echoes(port: int, called: str = "ROUNDS") -> bool:
    association = associated(port, Verification, called)
    if not association.is_established:
        return False
    status = association.send_c_echo()
    association.release()
    return bool(status and status.Status == 0)


def test_verification_is_answered(listener: Listener) -> None:
    assert echoes(listener.port)


def test_another_title_is_turned_away(listener: Listener) -> None:
    association = associated(listener.port, Verification, "SOMEBODY")
    assert association.is_rejected


def test_nothing_else_is_taken(listener: Listener) -> None:
    assert not associated(listener.port, CTImageStorage).is_established


@pytest.mark.parametrize(
    ("called", "code"),
    [pytest.param("ROUNDS", 0, id="ours"), pytest.param("OTHER", 1, id="another")],
)
def test_dcmtk_agrees(called: str, code: int, listener: Listener) -> None:
    echoscu = shutil.which("echoscu")
    if echoscu is None:
        pytest.skip("dcmtk is not here: install the package dcmtk")
    command = [echoscu, "-aec", called, "127.0.0.1", str(listener.port)]
    assert subprocess.run(command, check=False, timeout=20).returncode == code


def test_callers_who_say_nothing_do_not_shut_others_out(listener: Listener) -> None:
    silent = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(12)]
    end = time.monotonic() + 20
    while not echoes(listener.port) and time.monotonic() < end:
        time.sleep(0.5)
    assert time.monotonic() < end
    for caller in silent:
        caller.close()


def test_garbage_does_not_end_it(listener: Listener) -> None:
    with socket.create_connection(("127.0.0.1", listener.port)) as caller:
        caller.sendall(os.urandom(4096))
    assert echoes(listener.port)


def test_a_port_that_is_taken_is_said(listener: Listener) -> None:
    with pytest.raises(BusyError, match=f"port {listener.port} is taken"):
        Listener(load_settings(gateway_port=listener.port))


@pytest.mark.parametrize("title", ["", "A" * 17, "ÄRZTE", "A\\B", "A\nB"])
def test_a_title_that_cannot_be_is_refused(title: str) -> None:
    with pytest.raises(SettingsError, match="1 to 16 letters"):
        Listener(load_settings(gateway_port=0, ae_title=title))


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"gateway_host"):
        Listener(load_settings(gateway_port=0, gateway_host="192.0.2.1"))


PARENT = """
    import subprocess, sys, time
    started = subprocess.Popen([sys.executable, "-m", "rounds_hub.gateway.listener"])
    print(started.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """Start a process that starts the listener; return it, its child and the port."""
    port = free_port()
    config = tmp_path / "config.py"
    config.write_text(f"c.Rounds.gateway_port = {port}\n")
    environment = os.environ | {
        "ROUNDS_CONFIG": str(config),
        "PYTHONPATH": str(ROOT / "hub"),
    }
    started = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT)],
        env=environment,
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    child = int(started.stdout.readline())
    wait_until(lambda: not gone(port))
    yield started, child, port
    started.kill()
    started.wait()
    started.stdout.close()


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def gone(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_answers_until_its_parent_is_killed(
    parent: tuple[subprocess.Popen[bytes], int, int],
) -> None:
    started, _, port = parent
    assert echoes(port)
    started.kill()
    wait_until(lambda: gone(port))


def test_it_ends_cleanly_when_told(
    parent: tuple[subprocess.Popen[bytes], int, int],
) -> None:
    _, child, port = parent
    os.kill(child, signal.SIGTERM)
    wait_until(lambda: gone(port))
