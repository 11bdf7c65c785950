"""A small library of made instances, and queries answered in plain Python."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Series
from rounds_hub.archive.service import Offer, store

if TYPE_CHECKING:
    from random import Random

    from rounds_hub.house import House

ROOT = "1.2.826.0.1.3680043.10.1338.77"
DOCTOR = Principal("dora", frozenset({Role.DOCTOR}))
ADMIN = Principal("ann", frozenset({Role.ADMIN}))
OWNER = Principal("tess", frozenset({Role.TEACHER}))

NAMES = [
    "Müller^Hans",
    "MULLER^HANS^^DR",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "O'Neil^[x]^50%",
    "Smith^Ann Mary",
    "",
]
TEXTS = ["Thorax", "thorax native", "50% [dose] _x", "Schädel", "", "a\\b"]
PATIENTS = ["P-1", "P-2", "P_3", "p-1", ""]
DATES = ["20191231", "20200101", "20200229", "20210704", ""]
TIMES = ["0930", "103000.5", "235959.999999", "00", ""]
NUMBERS = ["1", "2", "10", "-3"]
ZONES = ["+0200", "-0530", ""]
KEYS = {
    "PatientName": ("STUDY", NAMES),
    "PatientID": ("STUDY", PATIENTS),
    "StudyDate": ("STUDY", DATES),
    "StudyTime": ("STUDY", TIMES),
    "StudyDescription": ("STUDY", TEXTS[:5]),
    "ReferringPhysicianName": ("STUDY", NAMES),
    "OtherPatientIDs": ("STUDY", ["X-1\\Y_2", "Y_2", ""]),
    "Modality": ("SERIES", ["CT", "MR"]),
    "SeriesDescription": ("SERIES", TEXTS[:5]),
    "SeriesNumber": ("SERIES", NUMBERS),
    "SeriesDate": ("SERIES", DATES),
    "SeriesTime": ("SERIES", TIMES),
    "OperatorsName": ("SERIES", [r"Smith^Ann\Müller^Hans", "Who^Doc", ""]),
    "InstanceNumber": ("IMAGE", NUMBERS),
    "ContentDate": ("IMAGE", DATES),
    "ImageType": ("IMAGE", ["ORIGINAL\\PRIMARY", "DERIVED\\SECONDARY\\MPR"]),
}
NAMED = {"PatientName", "ReferringPhysicianName", "OperatorsName"}
WHOLE = {"SeriesNumber", "InstanceNumber"}


@dataclass
class Library:
    """What was stored: each instance's attributes as they were written."""

    house: House
    instances: list[dict[str, str]] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)

    def seen_by(self, principal: Principal) -> list[dict[str, str]]:
        """Return the instances that *principal* may see."""
        everything = principal.has(Role.ADMIN)
        return [
            one
            for one in self.instances
            if everything or one["SeriesInstanceUID"] not in self.hidden
        ]


def made_library(house: House, chance: Random, studies: int = 12) -> Library:
    """Store some studies made by chance, every third series hidden from doctors."""
    library = Library(house)
    offers = []
    for number in range(studies):
        study = drawn(chance, "STUDY") | {"StudyInstanceUID": f"{ROOT}.{number}"}
        for place in range(chance.randint(1, 3)):
            series = study | drawn(chance, "SERIES")
            series["SeriesInstanceUID"] = f"{ROOT}.{number}.{place}"
            if (number + place) % 3 == 0:
                library.hidden.add(series["SeriesInstanceUID"])
            for index in range(chance.randint(1, 2)):
                one = series | drawn(chance, "IMAGE")
                one["SOPInstanceUID"] = f"{ROOT}.{number}.{place}.{index}"
                library.instances.append(one)
                offers.append(Offer("made", as_bytes(one)))
    assert {outcome.status for outcome in store(house, OWNER, offers)} == {"taken"}
    with house.sessions.begin() as session:
        for uid in library.hidden:
            session.get_one(Series, uid).audience = ["user:nobody"]
    return library


def drawn(chance: Random, level: str) -> dict[str, str]:
    """Return attributes of *level* by chance."""
    return {
        name: chance.choice(pool) for name, (at, pool) in KEYS.items() if at == level
    }


def as_bytes(one: dict[str, str]) -> bytes:
    """Return an instance with these attributes as a Part 10 file."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    for name, value in one.items():
        setattr(made, name, value.split("\\") if "\\" in value else value)
    ct = one.get("Modality") == "CT"
    made.SOPClassUID = CTImageStorage if ct else MRImageStorage
    made.Rows, made.Columns = 2, 2
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation, made.SamplesPerPixel = 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = bytes(8)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = io.BytesIO()
    dcmwrite(written, made, enforce_file_format=True)
    return written.getvalue()


def expected(seen: list[dict[str, str]], level: str, asked: dict[str, str]) -> set[str]:
    """Return the UIDs of *level* that match, by looking at every instance."""
    unique = {
        "STUDY": "StudyInstanceUID",
        "SERIES": "SeriesInstanceUID",
        "IMAGE": "SOPInstanceUID",
    }[level]
    return {
        one[unique]
        for one in seen
        if all(holds(one, name, value) for name, value in asked.items())
    }


def holds(one: dict[str, str], name: str, asked: str) -> bool:
    """Return whether an instance's attribute matches one of the values asked for."""
    if not asked.strip("*"):
        return True
    if name.endswith(("Date", "Time")):
        return in_range(one[name], asked, time=name.endswith("Time"))
    several = name in {"OtherPatientIDs", "OperatorsName", "ImageType"}
    values = one[name].split("\\") if several else [one[name]]
    return any(
        same(name, value, wanted) for value in values for wanted in asked.split("\\")
    )


def same(name: str, value: str, asked: str) -> bool:
    """Return whether one value matches what was asked for."""
    if name in WHOLE:
        return int(value) == int(asked)
    if name not in NAMED:
        return bool(value) and like(asked, value)
    groups = [plain(group) for group in value.split("=")]
    return any(group and like(plain(asked), group) for group in groups)


def like(pattern: str, value: str) -> bool:
    """Return whether *value* is like *pattern* (PS3.4, C.2.2.2.4)."""
    parts = (
        ".*" if sign == "*" else "." if sign == "?" else re.escape(sign)
        for sign in pattern
    )
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def plain(name: str) -> str:
    """Return a name without case, accents and empty ends."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    kept = "".join(one for one in letters if not unicodedata.combining(one))
    return unicodedata.normalize("NFC", kept).rstrip("^ ")


def in_range(value: str, asked: str, *, time: bool) -> bool:
    """Return whether a date or a time lies within what was asked for."""
    if not value:
        return False
    first, dash, last = asked.partition("-")
    last = last if dash else first
    low, high = (filled(first, "0"), filled(last, "9")) if time else (first, last)
    at = filled(value, "0") if time else value
    return (not low or low <= at) and (not high or at <= high)


def filled(time: str, sign: str) -> str:
    """Return a time with all its places, so that it can be compared."""
    if not time:
        return ""
    whole, _, fraction = time.partition(".")
    return f"{whole:{sign}<6}.{fraction:{sign}<6}"


def a_query(chance: Random) -> tuple[str, dict[str, str]]:
    """Return a level and some keys by chance."""
    level = chance.choice(["STUDY", "SERIES", "IMAGE"])
    names = chance.sample(sorted(KEYS), chance.randint(1, 3))
    return level, {name: a_value(chance, name) for name in names}


def a_value(chance: Random, name: str) -> str:
    """Return a value, a pattern, a range or a list for the key *name*."""
    pool: list[Any] = [one for one in KEYS[name][1] if one]
    value = str(chance.choice(pool)).split("\\")[0].split("=")[chance.randint(0, 2) :]
    one = value[0] if value else str(pool[0]).split("\\")[0].split("=")[0]
    if name.endswith(("Date", "Time")):
        return chance.choice([one, f"{one}-", f"-{one}", f"{min(pool)}-{max(pool)}"])
    if name in WHOLE:
        return chance.choice([one, rf"{one}\10"])
    start = chance.randint(0, len(one) - 1)
    bitten = one[:start] + "?" + one[start + 1 :]
    return chance.choice(
        [one, f"{one[:start]}*", f"*{one[start:]}", bitten, rf"{one}\CT", "*"]
    )
