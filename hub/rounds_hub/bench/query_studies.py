"""Row ``qido``: pages of 50 studies out of 100,000, by three filters, over HTTP.

Both hold the same studies, of one instance each, and are asked by the same client for
the same pages: those of one name, one year and one modality. The rows are written into
both catalogues directly, which is not measured; Orthanc has the files too, since it
reads some of them for an answer. Ours asks as a doctor, so the policy is in each query.
Equal means: the same studies on each page.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
import tempfile
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from sqlalchemy import insert, select

from rounds_hub import __version__
from rounds_hub.access.principal import SYSTEM
from rounds_hub.archive.attributes import KEYS_VERSION
from rounds_hub.archive.models import Instance, Series, Study
from rounds_hub.archive.names import groups_of, words_of
from rounds_hub.archive.service import Offer, store
from rounds_hub.bench.base import Contestant, Race
from rounds_hub.bench.orthanc import orthanc
from rounds_hub.bench.web_service import web_service
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["races"]

STUDIES: Final = 100_000
QUICK_STUDIES: Final = 400
PAGES: Final = 20
PAGE: Final = 50
NAMES: Final = 200
YEARS: Final = 10
AT_ONCE: Final = 5000
ROOT: Final = "1.2.826.0.1.3680043.10.1338.6"
PATIENT, STUDY, SERIES, INSTANCE = 1, 2, 3, 4
"""What Orthanc calls its levels."""

Pages = list[frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Made:
    """The study with a *number*: every value has the same length for all."""

    number: int

    @property
    def study(self) -> str:
        """Its UID; those of its series and instance follow it."""
        return f"{ROOT}.{1_000_000 + self.number}"

    @property
    def name(self) -> str:
        """The patient's name."""
        return f"NAME{self.number % NAMES:03}^GIVEN{self.number % 7:03}"

    @property
    def patient(self) -> str:
        """The patient's number."""
        return f"P{self.number:07}"

    @property
    def date(self) -> str:
        """The date of the study."""
        place = self.number // NAMES
        return f"{2010 + place % YEARS}{1 + place % 12:02}{1 + place % 28:02}"

    @property
    def modality(self) -> str:
        """CT, or each third MR."""
        return "MR" if self.number % 3 == 0 else "CT"

    @property
    def uuid(self) -> str:
        """The name of its file in Orthanc, of which few begin differently."""
        name = uuid.uuid5(uuid.NAMESPACE_OID, self.study).hex
        return str(uuid.UUID(f"00{self.number % 256:02x}{name[4:]}"))


def races(*, quick: bool) -> Iterator[Race]:
    """Yield the search against Orthanc's."""
    made = [_Made(number) for number in range(QUICK_STUDIES if quick else STUDIES)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        data = Path(folder)
        _fill_ours(data, made)
        ours = running.enter_context(web_service(data, "doctor"))
        peer = running.enter_context(orthanc(fill=lambda into: _fill_peer(into, made)))
        theirs = running.enter_context(httpx.Client(base_url=peer.url, timeout=300))
        yield Race(
            "qido",
            "search studies",
            f"{PAGES} pages of {PAGE} by name, year and modality of {len(made)}",
            Contestant("rounds", __version__, lambda: _ask(ours, "dicomweb/studies")),
            Contestant(
                "Orthanc", peer.version, lambda: _ask(theirs, "dicom-web/studies")
            ),
            lambda one, other: bool(one == other and any(one)),
            waits=True,
        )


def _ask(client: httpx.Client, address: str) -> Pages:
    """Return the studies on each page."""
    pages = []
    for number in range(PAGES):
        year = 2010 + number % YEARS
        # Put together here: Orthanc does not understand a star that is escaped.
        filters = (
            f"PatientName=NAME{number * 7 % NAMES:03}*"
            f"&StudyDate={year}0101-{year}1231&ModalitiesInStudy=CT&limit={PAGE}"
        )
        answer = client.get(f"{address}?{filters}")
        answer.raise_for_status()
        found = answer.json() if answer.content else []
        pages.append(frozenset(one["0020000D"]["Value"][0] for one in found))
    return pages


def _fill_ours(data: Path, made: Sequence[_Made]) -> None:
    """Put the rows into a house of ours."""
    house = House.open(load_settings(data_dir=str(data)))
    first = store(house, SYSTEM, [Offer("first", _template())])[0]
    with house.sessions.begin(write=False) as session:
        series = session.get_one(Series, first.series_uid)
        audience, sight = series.audience, series.sight
    same = {"audience": audience, "sight": sight, "owner": SYSTEM.name}
    with house.sessions.engine.begin() as connection:
        for start in range(0, len(made), AT_ONCE):
            some = made[start : start + AT_ONCE]
            connection.execute(insert(Study), [_study(one) for one in some])
            rows = [_series(one) | same for one in some]
            connection.execute(insert(Series), rows)
            connection.execute(insert(Instance), [_instance(one) for one in some])
        assert connection.scalar(select(Study.uid)) is not None  # noqa: S101 (filled)
    house.close()


def _study(one: _Made) -> dict[str, Any]:
    """Return the row of a study of ours."""
    alphabetic, ideographic, phonetic = groups_of(one.name)
    return {
        "uid": one.study,
        "patient_id": one.patient,
        "patient_name": one.name,
        "date": one.date,
        "moment": f"{one.date}000000.000000",
        "name_alphabetic": alphabetic,
        "name_ideographic": ideographic,
        "name_phonetic": phonetic,
        "name_words": words_of(one.name),
    }


def _series(one: _Made) -> dict[str, Any]:
    """Return the row of its series."""
    return {
        "uid": f"{one.study}.1",
        "study_uid": one.study,
        "modality": one.modality,
        "sop_class": CTImageStorage,
        "instance_count": 1,
    }


def _instance(one: _Made) -> dict[str, Any]:
    """Return the row of its instance."""
    return {
        "uid": f"{one.study}.1.1",
        "series_uid": f"{one.study}.1",
        "sop_class": CTImageStorage,
        "transfer_syntax": ExplicitVRLittleEndian,
        "sha256": hashlib.sha256(one.study.encode()).hexdigest(),
        "size": 1,
        "keys_version": KEYS_VERSION,
    }


def _template() -> bytes:
    """Return the instance of a study that is not one of those made."""
    first, made = _Made(999_999), Dataset()
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{first.study}.1.1"
    made.StudyInstanceUID, made.SeriesInstanceUID = first.study, f"{first.study}.1"
    made.StudyDate, made.Modality = first.date, first.modality
    made.PatientName, made.PatientID = first.name, first.patient
    made.Rows = made.Columns = 2
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation, made.SamplesPerPixel = 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = bytes(8)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = io.BytesIO()
    dcmwrite(written, made, enforce_file_format=True)
    return written.getvalue()


def _fill_peer(folder: Path, made: Sequence[_Made]) -> None:
    """Put the rows into Orthanc's index, as it writes them, and the files beside it."""
    template, first = _template(), _Made(999_999)
    names = ("study", "name", "patient", "date")
    with closing(sqlite3.connect(folder / "index")) as connection, connection:
        for one in made:
            content = template
            for name in names:
                before, after = getattr(first, name), getattr(one, name)
                content = content.replace(before.encode(), after.encode())
            content = content.replace(
                b"CS\x02\x00MR", f"CS\x02\x00{one.modality}".encode()
            )
            path = folder / one.uuid[:2] / one.uuid[2:4] / one.uuid
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            _rows_of_peer(connection, one, content)


def _rows_of_peer(connection: sqlite3.Connection, one: _Made, content: bytes) -> None:
    """Write the rows that Orthanc 1.10 writes for an instance that it receives."""
    uids = [one.patient, one.study, f"{one.study}.1", f"{one.study}.1.1"]
    base = 4 * one.number
    who = [(0x10, 0x10, one.name), (0x10, 0x20, one.patient)]
    day, uid = (0x08, 0x20, one.date), (0x20, 0x0D, one.study)
    tags = {
        PATIENT: who,
        STUDY: [*who, day, uid],
        SERIES: [(0x08, 0x60, one.modality), (0x20, 0x0E, uids[2])],
        INSTANCE: [(0x08, 0x18, uids[3])],
    }
    for level in (PATIENT, STUDY, SERIES, INSTANCE):
        place, public = base + level, _public("|".join(uids[:level]))
        parent = None if level == PATIENT else place - 1
        row = (place, level, public, parent)
        connection.execute("INSERT INTO Resources VALUES (?, ?, ?, ?)", row)
        every = [(place, *tag) for tag in tags[level]]
        kept = [tag for tag in every if tag[1:3] != (0x08, 0x60)]
        connection.executemany("INSERT INTO MainDicomTags VALUES (?, ?, ?, ?)", every)
        connection.executemany("INSERT INTO DicomIdentifiers VALUES (?, ?, ?, ?)", kept)
    told = {9: ExplicitVRLittleEndian, 10: CTImageStorage}
    for kind, value in told.items():
        row_of = (base + INSTANCE, kind, value)
        connection.execute("INSERT INTO Metadata VALUES (?, ?, ?)", row_of)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    file = (base + INSTANCE, 1, one.uuid, len(content), len(content), 1, digest, digest)
    connection.execute("INSERT INTO AttachedFiles VALUES (?,?,?,?,?,?,?,?)", file)


def _public(said: str) -> str:
    """Return what Orthanc calls a resource: a SHA-1 in five groups."""
    digest = hashlib.sha1(said.encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[at : at + 8] for at in range(0, 40, 8))
