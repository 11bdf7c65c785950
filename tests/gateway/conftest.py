"""DCMTK's own servers as remote nodes, in a network of their own, and who asks."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from pydicom import dcmread

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive import service as archive
from rounds_hub.gateway.listener import Listener
from rounds_hub.gateway.models import Node
from rounds_hub.gateway.nodes import NodeRecord
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydicom import Dataset

    from rounds_hub.house import House

Network: TypeAlias = Any  # tests/gateway/netns.py
IN_THERE = 11113
OURS_IN_THERE = 11112
CONFIG = """
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
us = (ROUNDS, 127.0.0.1, {ours})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
REMOTE {folder} RW (200, 1024mb) ANY
AETable END
"""


def needs(program: str) -> None:
    """Skip by name where DCMTK is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here: install the package dcmtk")


def slices(seed: int = 1, count: int = 4) -> list[Dataset]:
    """Return a small CT series."""
    made = phantoms.sphere(Grid((count, 16, 16), (5.0, 2.0, 2.0)), seed=seed)
    return list(phantoms.to_dicom(made))


def run_dcmtk(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of DCMTK and return what it said."""
    needs(command[0])
    return subprocess.run(
        command,
        check=False,
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )


@dataclass
class Remote:
    """A node that is really there."""

    record: NodeRecord
    folder: Path
    log: Path
    network: Network
    program: subprocess.Popen[bytes]

    def files(self) -> list[Path]:
        """Return what it has received."""
        return sorted(one for one in self.folder.iterdir() if one.name != "index.dat")

    def study_uid(self) -> str:
        """Return the UID of one of the studies that it has."""
        return str(dcmread(self.folder / "0.dcm").StudyInstanceUID)

    def received(self) -> int:
        """Return how many C-STORE requests it has received."""
        return self.log.read_text(errors="replace").count("Received Store Request")

    def known_to(self, house: House, **fields: object) -> str:
        """Put its record into *house* and return its name."""
        own: dict[str, Any] = {"ae_title": self.record.ae_title, "host": "127.0.0.1"}
        own |= {"name": self.record.name, "port": self.record.port} | fields
        with house.sessions.begin() as session:
            session.add(Node(**own))
        return str(own["name"])


@pytest.fixture
def doctor() -> Principal:
    return Principal("doctor", frozenset({Role.DOCTOR}))


@pytest.fixture
def admin() -> Principal:
    return Principal("admin", frozenset({Role.ADMIN}))


@pytest.fixture
def kept(house: House, doctor: Principal) -> Callable[..., archive.Outcome]:
    """Return a function that keeps a small CT series and says which it is."""

    def keep(seed: int = 1, count: int = 4) -> archive.Outcome:
        offers = [archive.Offer(str(n), d) for n, d in enumerate(slices(seed, count))]
        return archive.store(house, doctor, offers)[0]

    return keep


@pytest.fixture
def dcmtk() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a program of DCMTK."""
    return run_dcmtk


@pytest.fixture
def gateway(house: House) -> Iterator[Listener]:
    """Serve DIMSE for *house* on a free port of loopback."""
    house.settings.gateway_port = 0
    with Listener(house) as listening:
        yield listening


@pytest.fixture
def receiver(inside: Network, tmp_path: Path) -> Callable[..., Remote]:
    """Return a function that starts a storescp called DESK with some options."""
    return lambda *options: storescp(inside, tmp_path / "desk", *options)


@pytest.fixture
def second(inside: Network, tmp_path: Path) -> Callable[..., Remote]:
    """Return a function that starts a storescp beside another node."""
    return lambda *options: storescp(inside, tmp_path / "desk", *options, port=11999)


@pytest.fixture
def remote(inside: Network, tmp_path: Path) -> Callable[..., Remote]:
    """Return a function that starts a dcmqrscp with two studies of four slices."""
    has = [*slices(1), *slices(2)]
    return lambda *options: dcmqrscp(inside, tmp_path / "far", *options, has=has)


def storescp(
    network: Network, folder: Path, *options: str, port: int = IN_THERE
) -> Remote:
    """Start a receiver of instances."""
    needs("storescp")
    kept = folder / "received"
    kept.mkdir(parents=True)
    log = folder / "storescp.log"
    command = ["storescp", "-v", "-od", str(kept), "-aet", "DESK", *options, str(port)]
    program = network.start(*command, log=log)
    way_in = network.way_in(port)
    record = NodeRecord("desk", "DESK", host="127.0.0.1", port=way_in)
    return Remote(record, kept, log, network, program)


def dcmqrscp(
    network: Network, folder: Path, *options: str, has: list[Dataset] | None = None
) -> Remote:
    """Start an archive with some instances."""
    needs("dcmqrscp")
    kept = folder / "remote"
    kept.mkdir(parents=True)
    config = folder / "dcmqrscp.cfg"
    config.write_text(CONFIG.format(port=IN_THERE, ours=OURS_IN_THERE, folder=kept))
    for number, dataset in enumerate(has or []):
        dataset.save_as(kept / f"{number}.dcm", enforce_file_format=True)
    if has:
        index = ["dcmqridx", str(kept), *map(str, sorted(kept.glob("*.dcm")))]
        subprocess.run(index, check=True, capture_output=True)
    log = folder / "dcmqrscp.log"
    program = network.start("dcmqrscp", "-v", "-c", str(config), *options, log=log)
    way_in = network.way_in(IN_THERE)
    record = NodeRecord("remote", "REMOTE", host="127.0.0.1", port=way_in)
    return Remote(record, kept, log, network, program)
