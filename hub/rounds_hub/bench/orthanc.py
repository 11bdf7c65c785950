"""Debian's Orthanc as a peer, in a network namespace of its own.

Orthanc listens on every address of the machine. In its own namespace it is reached by
one pair of virtual interfaces alone, which is gone with it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from rounds_hub.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["AE_TITLE", "DICOM_PORT", "Orthanc", "network", "orthanc"]

AE_TITLE = "ORTHANC"
DICOM_PORT, HTTP_PORT = 4242, 8042
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Orthanc:
    """An Orthanc that runs: where it is, where we are for it, and what it is."""

    host: str
    our_host: str
    version: str
    dicom_port: int = DICOM_PORT

    @property
    def url(self) -> str:
        """Where its REST API is."""
        return f"http://{self.host}:{HTTP_PORT}/"

    @property
    def dicomweb(self) -> str:
        """Where its DICOMweb is."""
        return f"{self.url}dicom-web/"

    def instances(self) -> int:
        """Return how many instances it has."""
        found = httpx.get(f"{self.url}statistics", timeout=SECONDS).json()
        return int(found["CountInstances"])

    def clear(self) -> None:
        """Remove everything that it holds."""
        with httpx.Client(base_url=self.url, timeout=10 * SECONDS) as client:
            for name in client.get("patients").json():
                client.delete(f"patients/{name}").raise_for_status()


@contextmanager
def orthanc(
    modalities: dict[str, tuple[str, int]] | None = None,
    fill: Callable[[Path], None] | None = None,
) -> Iterator[Orthanc]:
    """Run an Orthanc with nothing in it, and end it and its network afterwards.

    Parameters
    ----------
    modalities
        The AE titles that it can send to, each with host and port as it sees them.
    fill
        Puts rows and files into the folder of its storage while it does not run; its
        tables are there.

    Raises
    ------
    BusyError
        If it is not installed, or this user may not make a network for it.
    """
    _refuse_missing()
    with network() as (name, theirs, ours), tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        settings = folder / "orthanc.json"
        settings.write_text(json.dumps(_settings(folder, modalities or {})), "utf-8")
        if fill is not None:
            with _process(name, settings) as first:
                _version(theirs, first)
            fill(folder / "storage")
        with _process(name, settings) as process:
            yield Orthanc(theirs, ours, _version(theirs, process))


@contextmanager
def _process(network: str, settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the program in a *network*; end it at once afterwards."""
    command = ["ip", "netns", "exec", network, "Orthanc", str(settings)]
    process = subprocess.Popen(  # noqa: S603 (our own words)
        command,
        env=os.environ | {"TCP_NODELAY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _settings(folder: Path, modalities: dict[str, tuple[str, int]]) -> dict[str, Any]:
    """Return what Orthanc is told: its defaults, but for where and for whom it is."""
    known = {title: [title, host, port] for title, (host, port) in modalities.items()}
    return {
        "Name": "peer",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": HTTP_PORT,
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
        "DicomAet": AE_TITLE,
        "DicomPort": DICOM_PORT,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": known,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _refuse_missing() -> None:
    """Say what is not here."""
    if not (shutil.which("Orthanc") and PLUGIN.exists()):
        msg = "Orthanc is not here: install the packages orthanc and orthanc-dicomweb."
        raise BusyError(msg)
    if shutil.which("ip") is None or os.geteuid() != 0:
        msg = "Orthanc needs a network of its own: run this as root, with iproute2."
        raise BusyError(msg)


@contextmanager
def network() -> Iterator[tuple[str, str, str]]:
    """Give a namespace, its address and ours, on a link that nobody else is on.

    Raises
    ------
    BusyError
        If this user may not make one here.
    """
    mark = secrets.token_hex(3)
    name, outside, inside = f"rounds-{mark}", f"ro-{mark}", f"ri-{mark}"
    # 198.18.0.0/15 is for measuring alone (RFC 2544).
    net = f"198.18.{secrets.randbelow(256)}.{4 * secrets.randbelow(64)}"
    base, _, last = net.rpartition(".")
    ours, theirs = f"{base}.{int(last) + 1}", f"{base}.{int(last) + 2}"
    _ip("netns", "add", name)
    try:
        link = ("link", "add", outside, "type", "veth", "peer", "name", inside)
        _ip(*link, "netns", name)
        _ip("addr", "add", f"{ours}/30", "dev", outside)
        _ip("link", "set", outside, "up")
        _ip("-n", name, "addr", "add", f"{theirs}/30", "dev", inside)
        _ip("-n", name, "link", "set", inside, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield name, theirs, ours
    finally:
        with suppress(BusyError):  # the other end took it along
            _ip("link", "del", outside)
        _ip("netns", "del", name)


def _ip(*arguments: str) -> None:
    """Run ``ip``."""
    try:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)  # noqa: S603, S607 (our own words)
    except subprocess.CalledProcessError as error:
        msg = "This machine does not let a network be made for Orthanc."
        raise BusyError(msg) from error


def _version(host: str, process: subprocess.Popen[bytes]) -> str:
    """Return Orthanc's version as soon as it answers."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            found = httpx.get(f"http://{host}:{HTTP_PORT}/system", timeout=SECONDS)
            return f"{found.json()['Version']}, DICOMweb {_plugin_version(host)}"
        except httpx.TransportError:
            time.sleep(0.1)
    msg = "Orthanc does not start here."
    raise BusyError(msg)


def _plugin_version(host: str) -> str:
    """Return the version of its plugin for DICOMweb."""
    where = f"http://{host}:{HTTP_PORT}/plugins/dicom-web"
    return str(httpx.get(where, timeout=SECONDS).json()["Version"])
