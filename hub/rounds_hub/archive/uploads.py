"""Take in what a browser or program uploads: streamed to the disk, never in memory."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.sources import Found, Listing, is_archive, why_skipped
from rounds_hub.archive.store import free_space, sync_all
from rounds_hub.archive.texts import clean
from rounds_hub.errors import InvalidError, NoSpaceError, NotFoundError, TooLargeError

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.house import House

__all__ = ["Spool", "open_spool", "spool_folder", "sweep_spools"]

MOST_FILES = 100_000
MOST_HEADER = 8192
MOST_FIELD = 1024
LONGEST_NAME = 400
MANIFEST = "manifest.json"
ABANDONED_SECONDS = 24 * 3600


def spool_folder(house: House, import_id: str) -> Path:
    """Return the folder in which the files of an upload wait."""
    return house.settings.data / "uploads" / import_id


@dataclass(slots=True)
class _Part:
    """One part of a multipart body while it comes."""

    header_name: bytearray = field(default_factory=bytearray)
    header_value: bytearray = field(default_factory=bytearray)
    headers: dict[str, str] = field(default_factory=dict)
    file: IO[bytes] | None = None
    name: str = ""
    value: bytearray = field(default_factory=bytearray)


class Spool:
    """Writes a multipart body (RFC 7578) to a folder while it comes.

    Parameters
    ----------
    house
        The opened house.
    content_type
        The header of the request, with its boundary.

    Raises
    ------
    InvalidError
        If the body is no multipart form.
    TooLargeError
        If more comes than one upload may bring.
    NoSpaceError
        If the disk would be filled.
    """

    def __init__(self, house: House, content_type: str) -> None:
        """Make the folder."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            msg = (
                "Send the files as multipart/form-data, each in a part called 'files'."
            )
            raise InvalidError(msg)
        self.house = house
        self.id = uuid.uuid4().hex
        self.folder = spool_folder(house, self.id)
        self.names: list[str] = []
        self.fields: dict[str, str] = {}
        self._received = 0
        self._part = _Part()
        self._parser = MultipartParser(options[b"boundary"], self._callbacks())
        self.folder.mkdir(parents=True, mode=0o700)

    def write(self, piece: bytes) -> None:
        """Take the next *piece* of the body."""
        settings = self.house.settings
        self._received += len(piece)
        if self._received > settings.max_upload_bytes:
            msg = (
                f"One upload may bring {settings.max_upload_bytes // 2**20} MiB. "
                f"Send it in parts."
            )
            raise TooLargeError(msg)
        if free_space(self.folder) - len(piece) < settings.free_space_bytes:
            msg = "The disk for uploads is full. Make room, then send it again."
            raise NoSpaceError(msg)
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            msg = "The upload is no multipart form, or was altered on its way."
            raise InvalidError(msg) from error

    def finish(self, principal: Principal) -> None:
        """Sync everything to the disk, with who sent it and how it was called.

        Raises
        ------
        InvalidError
            If the body was cut short or has no file.
        """
        try:
            self._parser.finalize()
        except MultipartParseError as error:
            msg = "The upload was cut short. Send it again."
            raise InvalidError(msg) from error
        if self._part.file is not None:
            msg = "The upload was cut short. Send it again."
            raise InvalidError(msg)
        if not self.names:
            msg = "There is no file in the upload. Send each in a part called 'files'."
            raise InvalidError(msg, {"files": msg})
        manifest = {
            "principal": principal.name,
            "roles": sorted(role.value for role in principal.roles),
            "groups": sorted(principal.groups),
            "names": self.names,
        }
        with (self.folder / MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        sync_all(self.folder / str(number) for number in range(len(self.names)))
        sync_all([self.folder, self.folder.parent])

    def discard(self) -> None:
        """Remove everything; a second time changes nothing."""
        if self._part.file is not None:
            self._part.file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _callbacks(self) -> Any:  # noqa: ANN401 (the parser's own typed dict)
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        _grow(self._part.header_name, data[start:end], MOST_HEADER)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        _grow(self._part.header_value, data[start:end], MOST_HEADER)

    def _header_end(self) -> None:
        part = self._part
        name = part.header_name.decode("latin-1").lower()
        part.headers[name] = part.header_value.decode("utf-8", "replace")
        part.header_name, part.header_value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        said = self._part.headers.get("content-disposition", "")
        _, options = parse_options_header(said.encode("utf-8", "surrogateescape"))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            self._begin_file(options[b"filename"].decode("utf-8", "replace"))

    def _begin_file(self, name: str) -> None:
        """Begin a file; it gets a number, its name is for messages alone."""
        if len(self.names) >= MOST_FILES:
            msg = f"One upload may bring {MOST_FILES} files. Send them as a zip."
            raise TooLargeError(msg)
        path = self.folder / str(len(self.names))
        self._part.file = path.open("xb")
        self.names.append(clean(name)[:LONGEST_NAME] or "without a name")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file is not None:
            self._part.file.write(data[start:end])
        else:
            _grow(self._part.value, data[start:end], MOST_FIELD)

    def _end(self) -> None:
        part = self._part
        if part.file is not None:
            part.file.close()
            part.file = None
        else:
            self.fields[part.name] = part.value.decode("utf-8", "replace").strip()


def open_spool(house: House, import_id: str) -> tuple[Principal, Listing]:
    """Return who sent an upload, and its files by the names they had.

    Raises
    ------
    NotFoundError
        If its files are not here any more.
    """
    folder = spool_folder(house, import_id)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        kind = "upload"
        raise NotFoundError(kind, import_id) from error
    principal = Principal(
        manifest["principal"],
        frozenset(map(Role, manifest["roles"])),
        frozenset(manifest["groups"]),
    )
    files: list[Found] = []
    archives: list[Found] = []
    for number, name in enumerate(manifest["names"]):
        path = folder / str(number)
        why = why_skipped(name)
        found = Found(name, path, path.stat().st_size, why, skipped=bool(why))
        (archives if is_archive(name) and not why else files).append(found)
    return principal, Listing(files, archives, len(files))


def sweep_spools(house: House, wanted: set[str]) -> int:
    """Remove the uploads that were never finished; return how many.

    *wanted* are those that still have to be imported.
    """
    swept = 0
    for folder in (house.settings.data / "uploads").glob("*"):
        old = time.time() - folder.stat().st_mtime > ABANDONED_SECONDS
        if old and folder.name not in wanted:
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
    return swept


def _grow(buffer: bytearray, more: bytes, most: int) -> None:
    """Add *more* to *buffer*, up to *most* bytes."""
    if len(buffer) + len(more) > most:
        msg = f"A field of the upload has more than {most} bytes."
        raise TooLargeError(msg)
    buffer += more
