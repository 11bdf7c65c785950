"""Row ``stow``: 300 CT slices by STOW-RS, until they are durable and found by QIDO-RS.

The peer is Debian's Orthanc with its DICOMweb, which syncs nothing. Equal means: both
find the same instances of the study by QIDO-RS.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from rounds_hub import __version__
from rounds_hub.bench.base import Contestant, Race
from rounds_hub.bench.orthanc import orthanc
from rounds_hub.bench.web_service import web_service

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["make_slice", "races", "write_series"]

SLICES: Final = 300
QUICK_SLICES: Final = 10
SIZE: Final = 512
ROOT: Final = "1.2.826.0.1.3680043.10.1338.7"
BOUNDARY: Final = "rounds-race"
SECONDS: Final = 600.0


@dataclass(slots=True)
class _Server:
    """Somebody who takes a body, and is empty before each turn."""

    client: httpx.Client
    base: str

    def work(self, body: Path) -> frozenset[str]:
        """Send the *body*; return what is found then."""
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        headers = {"content-type": kind, "accept": "application/dicom+json"}
        with body.open("rb") as content:
            sent = self.client.post(
                f"{self.base}/studies",
                content=iter(lambda: content.read(2**18), b""),
                headers=headers,
            )
        sent.raise_for_status()
        where = f"{self.base}/studies/{ROOT}/instances"
        asked = {"accept": "application/dicom+json"}
        found = self.client.get(where, params={"limit": 1000}, headers=asked)
        found.raise_for_status()
        return frozenset(one["00080018"]["Value"][0] for one in found.json())


def races(*, quick: bool) -> Iterator[Race]:
    """Yield the storing of a series against Orthanc."""
    count = QUICK_SLICES if quick else SLICES
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        write_series(folder / "slices", count)
        body = _write_body(folder)
        peer = stack.enter_context(orthanc())
        theirs = _Server(
            stack.enter_context(httpx.Client(timeout=SECONDS)),
            peer.dicomweb.rstrip("/"),
        )
        ours = _Ours(folder / "data", body)
        stack.callback(ours.stop)
        yield Race(
            "stow",
            "store by STOW-RS, then find",
            f"{count} CT slices of {SIZE} x {SIZE}",
            Contestant("rounds", __version__, ours.work, ours.begin),
            Contestant("Orthanc", peer.version, lambda: theirs.work(body), peer.clear),
            lambda one, other: len(one) == count and bool(one == other),
            waits=True,
        )


class _Ours:
    """Our service, started anew with an empty house before each turn."""

    def __init__(self, data: Path, body: Path) -> None:
        """Start nothing yet."""
        self._data, self._body = data, body
        self._running = ExitStack()
        self._server: _Server | None = None

    def begin(self) -> None:
        """Start with nothing stored."""
        self.stop()
        shutil.rmtree(self._data, ignore_errors=True)
        client = self._running.enter_context(web_service(self._data))
        client.timeout = httpx.Timeout(SECONDS)
        self._server = _Server(client, "dicomweb")
        self._warm_up(client)

    def _warm_up(self, client: httpx.Client) -> None:
        """Let it load what Orthanc has loaded since its first turn: something else."""
        other = make_slice(1, f"{ROOT}.2")
        written = io.BytesIO()
        dcmwrite(written, other, enforce_file_format=True)
        kind = {"content-type": "application/dicom"}
        client.post("dicomweb/studies", content=written.getvalue(), headers=kind)
        client.get(f"dicomweb/studies/{ROOT}.2/instances")

    def work(self) -> frozenset[str]:
        """Store the body."""
        if self._server is None:
            msg = "begin comes first"
            raise RuntimeError(msg)
        return self._server.work(self._body)

    def stop(self) -> None:
        """End the service; a second time changes nothing."""
        self._running.close()


def write_series(folder: Path, count: int) -> None:
    """Write a thin CT series of *count* slices, as scanners send it, into *folder*."""
    folder.mkdir()
    for number in range(1, count + 1):
        path = folder / f"{number:05}.dcm"
        dcmwrite(path, make_slice(number), enforce_file_format=True)


def make_slice(number: int, study: str = ROOT) -> Dataset:
    """Return slice *number*, from 1, of a thin CT series."""
    made = Dataset()
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{study}.1.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = study, f"{study}.1"
    made.StudyDate, made.StudyTime, made.StudyID = "20260101", "120000", "1"
    made.AccessionNumber, made.Modality = "A1", "CT"
    made.PatientID, made.PatientName = "bench", "Phantom^One"
    made.SeriesNumber, made.InstanceNumber = 1, number
    made.ImagePositionPatient = [0, 0, number]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.PixelSpacing, made.SliceThickness = [0.7, 0.7], 1
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.Rows = made.Columns = SIZE
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation, made.SamplesPerPixel = 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    chance = np.random.default_rng(number)
    made.PixelData = chance.integers(0, 4096, (SIZE, SIZE), np.uint16).tobytes()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def _write_body(folder: Path) -> Path:
    """Write the slices as one multipart body."""
    path = folder / "body"
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    with path.open("wb") as out:
        for one in sorted((folder / "slices").iterdir()):
            out.write(head + one.read_bytes() + b"\r\n")
        out.write(f"--{BOUNDARY}--\r\n".encode())
    return path
