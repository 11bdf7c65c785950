"""DCMTK's own servers as remote nodes, in a network of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.gateway.models import Node
from rounds_hub.gateway.nodes import NodeRecord
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from pydicom import Dataset

    from rounds_hub.house import House

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


def dcmtk(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of DCMTK and return what it said."""
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
    network: Any
    program: subprocess.Popen[bytes]

    def files(self) -> list[Path]:
        """Return what it has received."""
        return sorted(one for one in self.folder.iterdir() if one.name != "index.dat")

    def received(self) -> int:
        """Return how many C-STORE requests it has received."""
        return self.log.read_text(errors="replace").count("Received Store Request")

    def known_to(self, house: House, **fields: Any) -> str:
        """Put its record into *house* and return its name."""
        own = {"ae_title": self.record.ae_title, "host": "127.0.0.1"}
        own |= {"name": self.record.name, "port": self.record.port} | fields
        with house.sessions.begin() as session:
            session.add(Node(**own))
        return str(own["name"])


def storescp(network: Any, folder: Path, *options: str, port: int = IN_THERE) -> Remote:
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
    network: Any, folder: Path, *options: str, has: list[Dataset] | None = None
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
