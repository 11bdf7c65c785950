"""Row ``import``: 1,000 instances into the archive, from files to rows.

The peer is what a careful script does: read each file with pydicom, copy it under its
hash, sync the file and its folder, write a row. Equal means: the same instances with
the same bytes. Ours also refuses what is hostile, groups its syncs, and writes series,
counts and events.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pydicom
from pydicom import Dataset, FileMetaDataset, dcmread, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import select

from rounds_hub.access.principal import SYSTEM
from rounds_hub.archive.importing import import_paths
from rounds_hub.archive.models import Instance
from rounds_hub.bench.base import Contestant, Race
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["races"]

INSTANCES: Final = 1000
QUICK_INSTANCES: Final = 40
OF_A_SERIES: Final = 250
SIZE: Final = 256
ROOT: Final = "1.2.826.0.1.3680043.10.1338.5"

Found = frozenset[tuple[str, str]]


def races(*, quick: bool) -> Iterator[Race]:
    """Yield the import of a folder against a careful script."""
    count = QUICK_INSTANCES if quick else INSTANCES
    with tempfile.TemporaryDirectory() as made:
        source, ours, peer = (Path(made) / name for name in ("in", "ours", "peer"))
        _write(source, count)
        yield Race(
            "import",
            "check, keep, sync, record",
            f"{count} CT instances of {SIZE} x {SIZE}",
            Contestant(
                "rounds", "local", lambda: _ours(source, ours), lambda: _clear(ours)
            ),
            Contestant(
                "pydicom, copy, fsync, sqlite3",
                pydicom.__version__,
                lambda: _script(source, peer),
                lambda: _clear(peer),
            ),
            lambda one, other: bool(one == other),
            waits=True,
        )


def _write(folder: Path, count: int) -> None:
    """Write a folder of CT instances, of the size that scanners send."""
    folder.mkdir()
    chance = np.random.default_rng(1)
    for number in range(count):
        series = number // OF_A_SERIES
        made = Dataset()
        made.SOPClassUID = CTImageStorage
        made.SOPInstanceUID = f"{ROOT}.{series}.{number}"
        made.StudyInstanceUID = f"{ROOT}"
        made.SeriesInstanceUID = f"{ROOT}.{series}"
        made.Modality, made.PatientID = "CT", "bench"
        made.SeriesNumber, made.InstanceNumber = series, number
        made.ImagePositionPatient = [0, 0, number]
        made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        made.PixelSpacing = [1, 1]
        made.Rows = made.Columns = SIZE
        made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
        made.PixelRepresentation, made.SamplesPerPixel = 0, 1
        made.PhotometricInterpretation = "MONOCHROME2"
        pixels = chance.integers(0, 4096, (SIZE, SIZE), np.uint16)
        made.PixelData = pixels.tobytes()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dcmwrite(folder / f"{number:05}.dcm", made, enforce_file_format=True)


def _clear(folder: Path) -> None:
    """Begin with nothing, and with nothing that still waits for the disk."""
    shutil.rmtree(folder, ignore_errors=True)
    os.sync()


def _ours(source: Path, folder: Path) -> Found:
    house = House.open(load_settings(data_dir=str(folder)))
    try:
        import_paths(house, SYSTEM, [source])
        with house.sessions.begin(write=False) as session:
            rows = session.execute(select(Instance.uid, Instance.sha256)).all()
    finally:
        house.close()
    return frozenset((uid, sha256) for uid, sha256 in rows)


def _script(source: Path, folder: Path) -> Found:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "rows.sqlite")) as connection:
        connection.execute("CREATE TABLE instance (uid TEXT PRIMARY KEY, sha256 TEXT)")
        for path in sorted(source.iterdir()):
            uid = str(dcmread(path).SOPInstanceUID)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            target = folder / sha256[:2] / sha256
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
            _sync(target)
            _sync(target.parent)
            connection.execute("INSERT INTO instance VALUES (?, ?)", (uid, sha256))
        connection.commit()
        rows = connection.execute("SELECT uid, sha256 FROM instance").fetchall()
    return frozenset(rows)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
