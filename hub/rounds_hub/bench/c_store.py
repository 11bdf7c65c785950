"""Row ``c-store``: 300 CT slices by C-STORE, until they are durable and can be found.

DCMTK's ``storescu`` sends, by one association and by four, to our gateway and to its
peers: Debian's Orthanc as it comes; the receiver of pynetdicom's own documentation,
which writes each data set into a file; and DCMTK's ``storescp``, which does neither
sync nor index. Nobody waits for delayed acknowledgements (``TCP_NODELAY=1``). Equal
means: the same instances can be found, or lie there, afterwards.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import pydicom
import pynetdicom
from pydicom import dcmwrite
from sqlalchemy import select

from rounds_hub import __version__
from rounds_hub.archive.models import Instance
from rounds_hub.bench.base import Contestant, Race
from rounds_hub.bench.orthanc import AE_TITLE, DICOM_PORT, network, orthanc
from rounds_hub.bench.stow import ROOT, SIZE, make_slice, write_series
from rounds_hub.catalogue.sessions import Sessions
from rounds_hub.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["races"]

SLICES: Final = 300
QUICK_SLICES: Final = 8
ASSOCIATIONS: Final = (1, 4)
SECONDS: Final = 60.0
LARGEST: Final = "131072"
OTHER: Final = f"{ROOT}.2"

Found = frozenset[str]

_TEXTBOOK: Final = """
import sys
from pynetdicom import AE, AllStoragePresentationContexts, evt
def handle_store(event):
    dataset = event.dataset
    dataset.file_meta = event.file_meta
    name = f"{sys.argv[2]}/{dataset.SOPInstanceUID}"
    dataset.save_as(name, enforce_file_format=True)
    return 0x0000
ae = AE(ae_title="TEXTBOOK")
ae.supported_contexts = AllStoragePresentationContexts
handlers = [(evt.EVT_C_STORE, handle_store)]
ae.start_server(("127.0.0.1", int(sys.argv[1])), evt_handlers=handlers)
"""


def races(*, quick: bool) -> Iterator[Race]:
    """Yield the storing of a series against three receivers."""
    count = QUICK_SLICES if quick else SLICES
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        write_series(folder / "slices", count)
        ours = _Ours(folder / "ours")
        stack.callback(ours.stop)
        for name, begin in _PEERS.items():
            peer = begin(stack, folder / name)
            for associations in ASSOCIATIONS:
                parts = _parts(folder, associations)
                yield _race(ours, peer, parts, count)


def _race(ours: _Receiver, peer: _Receiver, parts: list[Path], count: int) -> Race:
    """Return the race of *ours* against *peer* by as many associations as *parts*."""
    many = f"{len(parts)} association{'s' if len(parts) > 1 else ''}"
    return Race(
        "c-store",
        f"store by C-STORE, {many}, then find",
        f"{count} CT slices of {SIZE} x {SIZE}",
        Contestant("rounds", __version__, lambda: ours.work(parts), ours.begin),
        Contestant(peer.name, peer.version, lambda: peer.work(parts), peer.begin),
        lambda one, other: len(one) == count and bool(one == other),
        waits=True,
    )


def _parts(folder: Path, associations: int) -> list[Path]:
    """Return folders that share the slices, one for each association."""
    paths = sorted((folder / "slices").iterdir())
    parts = [folder / f"{associations}-{number}" for number in range(associations)]
    for number, part in enumerate(parts):
        part.mkdir(exist_ok=True)
        for path in paths[number::associations]:
            if not (part / path.name).exists():
                os.link(path, part / path.name)
    return parts


class _Receiver:
    """Somebody who receives under a title at an address."""

    name, version, title = "", "", "ANY"

    def __init__(self, host: str, port: int) -> None:
        """Be at *host* and *port*."""
        self.address = [host, str(port)]

    def begin(self) -> None:
        """Begin with nothing received."""

    def found(self) -> Found:
        """Return the instances that are there."""
        raise NotImplementedError

    def work(self, parts: list[Path]) -> Found:
        """Send every part by an association of its own, at the same time."""
        sending = [_send(part, self.title, self.address) for part in parts]
        for one in sending:
            if one.wait():
                msg = f"storescu could not send to {self.name}."
                raise BusyError(msg)
        return self.found()


def _send(part: Path, title: str, address: list[str]) -> subprocess.Popen[bytes]:
    """Begin to send the files in *part*."""
    sizes = ["-pdu", LARGEST, "--max-send-pdu", LARGEST]
    return _start(["storescu", *sizes, "-aec", title, "+sd", *address, str(part)])


def _start(command: list[str], **more: str) -> subprocess.Popen[bytes]:
    """Start a program that does not wait to fill its packets."""
    if shutil.which(command[0]) is None:
        msg = f"{command[0]} is not here: install the package dcmtk."
        raise BusyError(msg)
    environment = os.environ | {"TCP_NODELAY": "1"} | more
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)  # noqa: S603 (our own words)


def _answers(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens at *host* and *port*."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    msg = "A receiver does not start here."
    raise BusyError(msg)


def _free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Ours(_Receiver):
    """Our gateway, started anew with an empty house before each turn."""

    name, version, title = "rounds", __version__, "ROUNDS"

    def __init__(self, folder: Path) -> None:
        """Start nothing yet."""
        super().__init__("127.0.0.1", _free_port())
        self._folder = folder
        self._other = folder.with_name("other")
        self._other.mkdir()
        other = make_slice(1, OTHER)
        dcmwrite(self._other / "1.dcm", other, enforce_file_format=True)
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start with nothing stored."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        config = self._folder / "config.py"
        node = {"name": "sender", "ae_title": "STORESCU"}
        port = int(self.address[1])
        config.write_text(
            f"c.Rounds.gateway_port = {port}\nc.Rounds.nodes = [{node!r}]\n"
        )
        self._process = _start(
            [sys.executable, "-m", "rounds_hub.gateway.listener"],
            ROUNDS_CONFIG=str(config),
            ROUNDS_DATA=str(self._folder / "data"),
        )
        _answers(self.address[0], port, self._process)
        # Its peers have loaded what they need since their first turn.
        _send(self._other, self.title, self.address).wait()
        os.sync()

    def found(self) -> Found:
        """Return the instances in the catalogue."""
        sessions = Sessions(f"sqlite:///{self._folder / 'data' / 'catalogue.sqlite'}")
        with sessions.begin(write=False) as session:
            every = select(Instance.uid).where(Instance.uid != f"{OTHER}.1.1")
            found = frozenset(session.scalars(every))
        sessions.close()
        return found

    def stop(self) -> None:
        """End the gateway; a second time changes nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class _Orthanc(_Receiver):
    """Debian's Orthanc, as it comes."""

    name, title = "Orthanc", AE_TITLE

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        """Run one."""
        del folder
        self._peer = stack.enter_context(orthanc())
        self.version = self._peer.version
        super().__init__(self._peer.host, DICOM_PORT)

    def begin(self) -> None:
        """Remove what it holds."""
        self._peer.clear()

    def found(self) -> Found:
        """Return the instances that its index has."""
        where = f"{self._peer.url}instances"
        rows = httpx.get(where, params={"expand": ""}, timeout=SECONDS).json()
        return frozenset(row["MainDicomTags"]["SOPInstanceUID"] for row in rows)


class _Folder(_Receiver):
    """Somebody who writes files into a folder."""

    def __init__(self, host: str, port: int, folder: Path) -> None:
        """Write into *folder*."""
        super().__init__(host, port)
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def begin(self) -> None:
        """Remove what was written."""
        for path in self._folder.iterdir():
            path.unlink()
        os.sync()

    def found(self) -> Found:
        """Return the instances whose files lie there, named by their UID."""
        uids = (path.name.partition(".")[2] for path in self._folder.iterdir())
        return frozenset(uids if self.name == "storescp" else self._names())

    def _names(self) -> Iterator[str]:
        return (path.name for path in self._folder.iterdir())


class _Textbook(_Folder):
    """The receiver of pynetdicom's documentation."""

    name = "pynetdicom, save_as"
    version = f"{pynetdicom.__version__}, pydicom {pydicom.__version__}"

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        """Run one."""
        port = _free_port()
        super().__init__("127.0.0.1", port, folder)
        process = _start([sys.executable, "-c", _TEXTBOOK, str(port), str(folder)])
        stack.callback(process.kill)
        _answers("127.0.0.1", port, process)


class _Storescp(_Folder):
    """DCMTK's receiver, a process for each association, in a network of its own."""

    name = "storescp"

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        """Run one."""
        space, host, _ = stack.enter_context(network())
        super().__init__(host, DICOM_PORT, folder)
        said = subprocess.run(["storescp", "--version"], capture_output=True, text=True)  # noqa: S607, PLW1510 (where it is missing, it is said below)
        self.version = said.stdout.split()[2].lstrip("v")
        command = ["storescp", "--fork", "-od", str(folder), str(DICOM_PORT)]
        process = _start(["ip", "netns", "exec", space, *command])
        stack.callback(process.kill)
        _answers(host, DICOM_PORT, process)


_PEERS: Final[dict[str, Callable[[ExitStack, Path], _Receiver]]] = {
    "orthanc": _Orthanc,
    "textbook": _Textbook,
    "storescp": _Storescp,
}
