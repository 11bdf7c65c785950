"""The DICOM listener, asked by pynetdicom's and dcmtk's own callers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.uid import CTImageStorage
from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    Verification,
)
from tests.gateway.speaking import dcmtk, free_port, know, listens, wait_until

from rounds_hub.errors import BusyError, SettingsError
from rounds_hub.gateway.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pynetdicom.association import Association

    from rounds_hub.house import House

ROOT = Path(__file__).parents[2]


@pytest.fixture
def listener(house: House) -> Iterator[Listener]:
    """Listen on a free port to some nodes."""
    house.settings.gateway_port = 0
    know(house, "ECHOSCU")
    know(house, "TESTER", may_store=False)
    with Listener(house) as opened:
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


def test_who_may_only_ask_is_not_let_in_to_store(listener: Listener) -> None:
    assert not associated(listener.port, CTImageStorage).is_established


def test_a_stranger_is_turned_away(listener: Listener) -> None:
    said = dcmtk("echoscu", "-aet", "NOBODY", "-aec", "ROUNDS", *at(listener)).stdout
    assert "Calling AE Title Not Recognized" in said


def at(listener: Listener) -> list[str]:
    return ["127.0.0.1", str(listener.port)]


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


def test_a_port_that_is_taken_is_said(house: House, listener: Listener) -> None:
    house.settings.gateway_port = listener.port
    with pytest.raises(BusyError, match=f"port {listener.port} is taken"):
        Listener(house)


@pytest.mark.parametrize("title", ["", "A" * 17, "ÄRZTE", "A\\B", "A\nB"])
def test_a_title_that_cannot_be_is_refused(house: House, title: str) -> None:
    house.settings.ae_title = title
    with pytest.raises(SettingsError, match="1 to 16 letters"):
        Listener(house)


def test_an_address_that_is_not_ours_is_refused(house: House) -> None:
    house.settings.gateway_host, house.settings.gateway_port = "192.0.2.1", 0
    with pytest.raises(SettingsError, match=r"gateway_host"):
        Listener(house)


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
    node = {"name": "tester", "ae_title": "TESTER"}
    config.write_text(f"c.Rounds.gateway_port = {port}\nc.Rounds.nodes = [{node!r}]\n")
    environment = os.environ | {
        "ROUNDS_CONFIG": str(config),
        "ROUNDS_DATA": str(tmp_path / "data"),
        "PYTHONPATH": str(ROOT / "hub"),
    }
    started = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT)],
        env=environment,
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    child = int(started.stdout.readline())
    wait_until(lambda: listens(port))
    yield started, child, port
    started.kill()
    started.wait()
    started.stdout.close()


def test_it_answers_until_its_parent_is_killed(
    parent: tuple[subprocess.Popen[bytes], int, int],
) -> None:
    started, _, port = parent
    assert echoes(port)
    started.kill()
    wait_until(lambda: not listens(port))


def test_it_ends_cleanly_when_told(
    parent: tuple[subprocess.Popen[bytes], int, int],
) -> None:
    _, child, port = parent
    os.kill(child, signal.SIGTERM)
    wait_until(lambda: not listens(port))
