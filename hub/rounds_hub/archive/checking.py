"""Decide whether bytes are a DICOM instance that the archive takes.

The bytes are walked within limits before any library reads them. What is wrong is said
in one sentence that has no patient data in it.
"""

from __future__ import annotations

import contextlib
import mmap
import re
import tempfile
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined] # its table

from rounds_hub.archive.attributes import SEARCHED, Kept, kept_of
from rounds_hub.archive.meta import part10_head
from rounds_hub.archive.pixels import SHAPING, check_pixels
from rounds_hub.archive.texts import CHARACTER_SET, Texts
from rounds_hub.archive.walking import PIXEL_TAGS, Limits, Syntax, walk, walk_group
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_hub.archive.walking import Bytes, Walk

__all__ = [
    "HEAD",
    "Examined",
    "MismatchError",
    "NotAnInstanceError",
    "data_set_of",
    "examine",
    "examine_file",
    "head_of",
    "sniff",
]

DICOM = "1.2.840.10008.1.2"
NEWER = frozenset(
    {f"{DICOM}.4.110", f"{DICOM}.4.111", f"{DICOM}.4.112", f"{DICOM}.8.1"}
)
"""JPEG XL and deflated frames: in PS3.6, and not yet in pydicom's own table."""

SYNTAXES = NEWER | {
    uid for uid, known in UID_dictionary.items() if known[1] == "Transfer Syntax"
}
"""Every transfer syntax of PS3.6, annex A."""

DIRECTORY = "1.2.840.10008.1.3.10"
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
META_CLASS, META_INSTANCE, META_SYNTAX = 0x00020002, 0x00020003, 0x00020010
SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
STUDY, SERIES = 0x0020000D, 0x0020000E
REQUIRED = {
    SOP_CLASS: "SOPClassUID",
    SOP_INSTANCE: "SOPInstanceUID",
    STUDY: "StudyInstanceUID",
    SERIES: "SeriesInstanceUID",
}
WANTED = frozenset(
    {
        CHARACTER_SET, *REQUIRED, *PIXEL_TAGS, *SHAPING,
        0x00080020, 0x00080050, 0x00080060, 0x00081030, 0x0008103E,
        0x00100010, 0x00100020, 0x00100040, 0x00101010, 0x00180015,
        0x00200011, 0x00200013,
        0x00280004, 0x00280008,
        *SEARCHED,
    }
)  # fmt: skip
KINDS_OF = dict.fromkeys(REQUIRED, b"UI") | dict.fromkeys(SHAPING, b"US")
"""What decides where an instance belongs and how much memory it takes has this VR."""

INFLATE_FREE = 64 * 2**20
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
LONGEST_UID = 64
HEAD = 132
"""The preamble and the four letters after it (PS3.10, 7.1)."""
KINDS = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip"),
    (b"\x1f\x8b", "a gzip"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x89HDF", "an HDF5 file"),
)


class MismatchError(InvalidError):
    """Its meta information and its data set speak of different instances."""


class NotAnInstanceError(InvalidError):
    """It is DICOM and no instance: the directory of a medium."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What the catalogue keeps of an instance that may be taken.

    *prefix* are the bytes that must stand before those of the file so that it is a
    whole Part 10 file; mostly there are none.
    """

    sop_uid: str
    sop_class: str
    study_uid: str
    series_uid: str
    transfer_syntax: str
    modality: str
    body_part: str
    series_description: str
    series_number: int
    instance_number: int
    frames: int
    rows: int
    columns: int
    patient_id: str
    patient_name: str
    patient_sex: str
    patient_age: str
    study_date: str
    study_description: str
    accession: str
    prefix: bytes = b""
    kept: Kept = field(default_factory=Kept)
    """More columns, for those who search."""


@dataclass(frozen=True, slots=True)
class _Head:
    """Where the data set begins, how it is encoded, and what the meta group says."""

    start: int
    syntax: str
    sop_class: str = ""
    sop_uid: str = ""
    preamble: bool = True

    @property
    def encoding(self) -> Syntax:
        """The encoding of the data set."""
        big = self.syntax == EXPLICIT_BIG
        return Syntax(self.syntax != IMPLICIT_LITTLE, ">" if big else "<")


def examine_file(path: Path, limits: Limits) -> Examined:
    """Return what the catalogue keeps of the instance in the file at *path*.

    The file is mapped, not read into memory.

    Raises
    ------
    InvalidError
        If it is not an instance that the archive takes; the sentence says why.
    """
    with path.open("rb") as file:
        sniff(file.read(HEAD))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return examine(data, limits)


def examine(data: Bytes, limits: Limits) -> Examined:
    """Return what the catalogue keeps of the instance in *data*.

    Raises
    ------
    InvalidError
        If it is not an instance that the archive takes; the sentence says why.
    NotAnInstanceError
        If it is the directory of a medium.

    Examples
    --------
    >>> examine(b"a letter", Limits())
    Traceback (most recent call last):
    ...
    rounds_hub.errors.InvalidError: It is not a DICOM file.
    """
    if len(data) > limits.size:
        msg = f"It has {len(data)} bytes; {limits.size} are taken at most."
        raise InvalidError(msg)
    head = head_of(data, limits)
    if head.sop_class == DIRECTORY:
        msg = "It is the directory of a medium, not an instance."
        raise NotAnInstanceError(msg)
    with data_set_of(data, head, limits) as (inside, start):
        found = walk(inside, start, head.encoding, WANTED, limits)
        kept = kept_of(inside, found, head.encoding, limits)
        return replace(_examined(inside, head, found), kept=kept)


def head_of(data: Bytes, limits: Limits) -> _Head:
    """Return where the data set begins and how it is encoded (PS3.10, 7.1)."""
    preamble = data[128:132] == b"DICM"
    start = HEAD if preamble else 0
    if data[start : start + 2] != b"\x02\x00":
        if preamble:
            msg = "It has no file meta information, so its encoding is not known."
            raise InvalidError(msg)
        return _bare_head(data)
    meta, after = walk_group(data, start, 2, limits)
    texts = Texts(meta)
    syntax = texts.code(META_SYNTAX)
    if syntax not in SYNTAXES:
        msg = f"Its transfer syntax {syntax[:LONGEST_UID]!r} is not one of DICOM's."
        raise InvalidError(msg)
    return _Head(
        after, syntax, texts.code(META_CLASS), texts.code(META_INSTANCE), preamble
    )


def sniff(begin: bytes) -> None:
    """Refuse what does not begin as DICOM does, before much of it is read.

    Raises
    ------
    InvalidError
        If *begin*, the first bytes, are not those of a DICOM file.

    Examples
    --------
    >>> sniff(b"%PDF-1.7")
    Traceback (most recent call last):
    ...
    rounds_hub.errors.InvalidError: It is a PDF, not a DICOM file.
    """
    if not begin:
        msg = "It is empty."
        raise InvalidError(msg)
    if begin[128:132] != b"DICM" and begin[:2] != b"\x02\x00":
        _bare_head(begin)


def _bare_head(data: Bytes) -> _Head:
    """Return the head of a data set without meta information, as some writers send.

    It begins with group 8; the encoding shows in its first element.
    """
    first = data[:8]
    explicit = first[4:6].isalpha() and first[4:6].isupper()
    if first[:2] == b"\x08\x00" and first[3:4] == b"\x00":
        return _Head(
            0, EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE, preamble=False
        )
    if first[:3] == b"\x00\x08\x00" and explicit:
        return _Head(0, EXPLICIT_BIG, preamble=False)
    for begins, kind in KINDS:
        if first.startswith(begins):
            msg = f"It is {kind}, not a DICOM file."
            raise InvalidError(msg)
    msg = "It is not a DICOM file."
    raise InvalidError(msg)


@contextlib.contextmanager
def data_set_of(
    data: Bytes, head: _Head, limits: Limits
) -> Iterator[tuple[Bytes, int]]:
    """Give the bytes of the data set, inflated where they are deflated (PS3.5, A.5)."""
    if head.syntax != DEFLATED:
        yield data, head.start
        return
    with tempfile.TemporaryFile() as file:
        packed = len(data) - head.start
        most = min(limits.size, max(INFLATE_FREE, packed * limits.inflate_ratio))
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        size = 0
        for start in range(head.start, len(data), 2**16):
            pending = data[start : start + 2**16]
            while pending and not inflater.eof:
                piece = _inflate(inflater, pending)
                size += len(piece)
                if size > most:
                    msg = f"It would be inflated to more than {most} bytes."
                    raise InvalidError(msg)
                file.write(piece)
                pending = inflater.unconsumed_tail
        if not inflater.eof or not size:
            msg = "Its deflated data set is cut short."
            raise InvalidError(msg)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as inflated:
            yield inflated, 0


def _inflate(inflater: zlib._Decompress, packed: bytes) -> bytes:
    """Return the next megabyte at most."""
    try:
        return inflater.decompress(packed, 2**20)
    except zlib.error as error:
        msg = "Its deflated data set cannot be inflated."
        raise InvalidError(msg) from error


def _examined(data: Bytes, head: _Head, found: Walk) -> Examined:
    """Return what the catalogue keeps, after the last checks."""
    _check_kinds(found)
    texts = Texts(found.values, head.encoding.order)
    uids = {tag: _uid(texts.code(tag), name) for tag, name in REQUIRED.items()}
    _same(head.sop_class, uids[SOP_CLASS], "SOPClassUID")
    _same(head.sop_uid, uids[SOP_INSTANCE], "SOPInstanceUID")
    shape = check_pixels(data, found, texts, head.syntax)
    return Examined(
        sop_uid=uids[SOP_INSTANCE],
        sop_class=uids[SOP_CLASS],
        study_uid=uids[STUDY],
        series_uid=uids[SERIES],
        transfer_syntax=head.syntax,
        modality=texts.code(0x00080060)[:16],
        body_part=texts.code(0x00180015)[:64],
        series_description=texts.text(0x0008103E),
        series_number=texts.integer(0x00200011),
        instance_number=texts.integer(0x00200013),
        frames=shape.frames if shape else 0,
        rows=shape.rows if shape else 0,
        columns=shape.columns if shape else 0,
        patient_id=texts.text(0x00100020),
        patient_name=texts.text(0x00100010).rstrip("=^ "),
        patient_sex=texts.code(0x00100040)[:16],
        patient_age=texts.code(0x00101010)[:16],
        study_date=texts.code(0x00080020)[:16],
        study_description=texts.text(0x00081030),
        accession=texts.text(0x00080050),
        prefix=_prefix(head, uids),
    )


def _check_kinds(found: Walk) -> None:
    """Refuse another VR than PS3.6 has where readers would differ over the value.

    Nothing but ``UN`` may stand for it (PS3.5, 6.2.2), as implicit VR gives it.
    """
    for tag, kind in KINDS_OF.items():
        if (given := found.kinds.get(tag, b"")) not in {b"", b"UN", kind}:
            msg = (
                f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is {given.decode('ascii')}, "
                f"and must be {kind.decode()}."
            )
            raise InvalidError(msg)


def _uid(value: str, name: str) -> str:
    """Return *value* if it is a UID (PS3.5, 9.1; leading zeros are let pass)."""
    if not value:
        msg = f"It has no {name}."
        raise InvalidError(msg)
    if len(value) > LONGEST_UID or not _UID.fullmatch(value):
        msg = f"Its {name} is not a UID: up to 64 digits and dots."
        raise InvalidError(msg)
    return value


def _same(meta: str, value: str, name: str) -> None:
    """Refuse a file whose meta information speaks of another instance."""
    if meta and meta != value:
        msg = f"Its file meta information and its data set differ in {name}."
        raise MismatchError(msg)


def _prefix(head: _Head, uids: dict[int, str]) -> bytes:
    """Return what is missing before the bytes for a Part 10 file."""
    if head.preamble:
        return b""
    if head.start:
        return bytes(128) + b"DICM"
    return part10_head(uids[SOP_CLASS], uids[SOP_INSTANCE], head.syntax)
