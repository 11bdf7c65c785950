"""Speak with the gateway: by DCMTK, and byte by byte where a peer is to lie."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from rounds_hub.gateway.messages import encode_command
from rounds_hub.gateway.models import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rounds_hub.house import House

ROOT = Path(__file__).parents[2]
UID = "1.2.826.0.1.3680043.10.1338.7"
ECHO = "1.2.840.10008.1.1"
APPLICATION = b"1.2.840.10008.3.1.1.1"
TITLES = ("ECHOSCU", "STORESCU", "DCMSEND", "TESTER")


def know(house: House, *titles: str, **fields: object) -> None:
    """Let nodes with *titles* call from anywhere."""
    with house.sessions.begin() as session:
        for title in titles or TITLES:
            session.add(Node(name=title.lower(), ae_title=title, **fields))


def dcmtk(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of DCMTK and return what it said."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here: install the package dcmtk")
    return subprocess.run(
        [program, *arguments],
        env={**os.environ, "TCP_NODELAY": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
    )


def storescu(port: int, *paths: Path | str, title: str = "STORESCU") -> str:
    """Send files and return what storescu said."""
    asked = ["-v", "-aet", title, "-aec", "ROUNDS", "127.0.0.1", str(port)]
    return dcmtk("storescu", *asked, *map(str, paths)).stdout


def slice_of(number: int, *, series: int = 1, size: int = 16) -> Dataset:
    """Return a CT instance."""
    made = Dataset()
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{UID}.{series}.{100_000 + number}"
    made.StudyInstanceUID = f"{UID}.{series}"
    made.SeriesInstanceUID = f"{UID}.{series}.1"
    made.Modality, made.PatientID = "CT", "phantom"
    made.SeriesNumber, made.InstanceNumber = series, number
    made.Rows = made.Columns = size
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation, made.SamplesPerPixel = 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    chance = np.random.default_rng(number)
    made.PixelData = chance.integers(0, 4096, (size, size), np.uint16).tobytes()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def write_slices(
    folder: Path, numbers: Sequence[int], *, series: int = 1, size: int = 16
) -> list[Path]:
    """Write CT instances into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:06}.dcm" for number in numbers]
    for number, path in zip(numbers, paths, strict=True):
        made = slice_of(number, series=series, size=size)
        dcmwrite(path, made, enforce_file_format=True)
    return paths


def data_set_of(path: Path) -> bytes:
    """Return the bytes of a file behind its meta information."""
    # The length of the meta information stands first (PS3.10, 7.1).
    content = path.read_bytes()
    return content[144 + int.from_bytes(content[140:144], "little") :]


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def request(
    called: str = "ROUNDS",
    calling: str = "TESTER",
    classes: Sequence[str] = (ECHO, CTImageStorage),
    syntaxes: Sequence[str] = (ExplicitVRLittleEndian,),
) -> bytes:
    """Return an A-ASSOCIATE-RQ; its contexts are 1, 3, 5 … in order."""
    contexts = b""
    for number, name in enumerate(classes):
        inside = item(0x30, name.encode())
        inside += b"".join(item(0x40, one.encode()) for one in syntaxes)
        contexts += item(0x20, bytes((2 * number + 1, 0, 0, 0)) + inside)
    user = item(0x50, item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3"))
    titles = f"{called:16}{calling:16}".encode()
    body = struct.pack(">HH", 1, 0) + titles + bytes(32)
    body += item(0x10, APPLICATION) + contexts + user
    return struct.pack(">BBL", 1, 0, len(body)) + body


def unit(context: int, flags: int, value: bytes) -> bytes:
    """Return a P-DATA-TF with one value."""
    length = len(value) + 2
    return struct.pack(">BBLLBB", 4, 0, length + 4, length, context, flags) + value


def command(field: int, *, context: int = 1, **elements: int | str) -> bytes:
    """Return the unit of a command set."""
    said = {"CommandField": field, "MessageID": 1, "CommandDataSetType": 0x0101}
    return unit(context, 3, encode_command(said | elements))


def store_command(uid: str, context: int = 3) -> bytes:
    """Return the command set of a C-STORE-RQ of a CT instance."""
    return command(
        1,
        context=context,
        AffectedSOPClassUID=CTImageStorage,
        AffectedSOPInstanceUID=uid,
        Priority=0,
        CommandDataSetType=1,
    )


def connected(port: int, seconds: float = 20) -> socket.socket:
    """Return a connection to the gateway."""
    return socket.create_connection(("127.0.0.1", port), seconds)


def associated(port: int, **asked: object) -> socket.socket:
    """Return a connection on which an association was accepted."""
    connection = connected(port)
    connection.sendall(request(**asked))  # type: ignore[arg-type]
    kind, _ = answer(connection)
    assert kind == 2, kind
    return connection


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Return the next unit, kind 0 when the connection is at its end."""
    try:
        head = read(connection, 6)
        return head[0], read(connection, int.from_bytes(head[2:]))
    except (ConnectionError, EOFError):
        return 0, b""


def read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


@dataclass
class GatewayProcess:
    """A gateway in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def memory(self) -> int:
        """Return the resident bytes of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(one for one in status.splitlines() if one.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@contextmanager
def gateway_process(
    folder: Path, port: int, *wrapper: str, settings: str = ""
) -> Iterator[GatewayProcess]:
    """Run the gateway on *port* with its house in *folder* until the end."""
    folder.mkdir(exist_ok=True)
    nodes = [
        {"name": title.lower(), "ae_title": title, "associations": 8}
        for title in (*TITLES, "HONEST")
    ]
    config = folder / "config.py"
    said = f"c.Rounds.gateway_port = {port}\nc.Rounds.nodes = {nodes!r}\n{settings}"
    config.write_text(said)
    environment = os.environ | {
        "ROUNDS_CONFIG": str(config),
        "ROUNDS_DATA": str(folder / "data"),
        "PYTHONPATH": str(ROOT / "hub"),
    }
    log = folder / "gateway.log"
    module = [sys.executable, "-m", "rounds_hub.gateway.listener"]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [*wrapper, *module], env=environment, stdout=errors, stderr=errors
        )
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield GatewayProcess(process, port, log)
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait until *true* returns something true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
