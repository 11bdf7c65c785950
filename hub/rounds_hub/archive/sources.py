"""Find the files in what a person names: folders, zips, tars; bounded, never unpacked.

Names inside an archive are for messages alone; no path is ever made of one.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rounds_hub.archive.store import CHUNK
from rounds_hub.archive.texts import clean
from rounds_hub.errors import InvalidError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rounds_hub.archive.store import Store

__all__ = ["Bounds", "Found", "Listing", "is_archive", "look", "opened", "unpacked"]

LITTER = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx"})
ZIPS = (".zip",)
TARS = (".tar", ".tar.gz", ".tgz")
LONGEST_NAME = 400
MOST_NAMES_BYTES = 16 * 2**20
MOST_TAR_HEADER = 2**20
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    ValueError,
)
"""What the libraries raise for an archive that is cut short or altered."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one archive may hold."""

    entries: int = 100_000
    size: int = 4 * 2**30
    ratio: int = 200
    free: int = 64 * 2**20
    """What may always be unpacked, whatever the ratio."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file by the name it was given, and where its bytes are.

    *why* is set where it is already known that it will not be taken, *skipped* where
    that is no fault of the file.
    """

    name: str
    source: Path | Callable[[], Iterator[bytes]]
    size: int = 0
    why: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found: single files, and archives still closed.

    *total* is how many single files there are. Both can be gone over once.
    """

    files: Iterable[Found]
    archives: Iterable[Found]
    total: int


def is_archive(name: str) -> bool:
    """Return whether *name* is that of a zip or tar.

    Examples
    --------
    >>> is_archive("Study.ZIP"), is_archive("brain.nii.gz")
    (True, False)
    """
    return name.lower().endswith(ZIPS + TARS)


def look(paths: Iterable[Path]) -> Listing:
    """Return the files below *paths*, in order; symbolic links are not followed.

    Each is named from the last part of the path that was given. Folders are gone over
    again instead of being remembered, so that a million files take no memory.
    """
    given = list(paths)
    return Listing(
        (found for found in _every(given) if not _opens(found)),
        (found for found in _every(given) if _opens(found)),
        sum(not _opens(found) for found in _every(given)),
    )


def _every(paths: list[Path]) -> Iterator[Found]:
    """Return every file at and below *paths*."""
    for path in paths:
        yield from _below(path, path.absolute().name)


def _opens(found: Found) -> bool:
    """Return whether *found* is an archive to look into."""
    return not found.why and is_archive(found.name)


def _below(path: Path, name: str) -> Iterator[Found]:
    """Return the files at and below *path*, which a person named."""
    try:
        if path.is_dir():
            yield from _in_folder(path, name)
        elif path.is_file():
            yield Found(_shown(name), path, path.stat().st_size)
        else:
            exists = os.path.lexists(path)
            why = "It is no regular file." if exists else "There is no such file."
            yield Found(_shown(name), path, why=why)
    except OSError as error:
        yield Found(_shown(name), path, why=f"It cannot be read: {error.strerror}.")


def _in_folder(folder: Path, name: str) -> Iterator[Found]:
    """Return the files below *folder*, folder by folder."""
    waiting = [(folder, name)]
    while waiting:
        here, called = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            why = f"It cannot be read: {error.strerror}."
            yield Found(_shown(called), here, why=why)
            continue
        for entry in entries:
            inside = f"{called}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if entry.name.lower() not in LITTER:
                    waiting.append((Path(entry.path), inside))
            else:
                yield _in_entry(entry, _shown(inside))


def _in_entry(entry: os.DirEntry[str], name: str) -> Found:
    """Return one entry of a folder that is no folder."""
    path = Path(entry.path)
    if entry.is_symlink():
        why = "It is a symbolic link, which is not followed."
        return Found(name, path, why=why, skipped=True)
    if not entry.is_file(follow_symlinks=False):
        return Found(name, path, why="It is no regular file.")
    why = why_skipped(name)
    if why:
        return Found(name, path, why=why, skipped=True)
    return Found(name, path, entry.stat(follow_symlinks=False).st_size)


def why_skipped(name: str) -> str:
    """Return why a file with this *name* is passed over, empty if it is not.

    Examples
    --------
    >>> why_skipped("DISC/DICOMDIR")
    'It is the directory of a medium, not an instance.'
    """
    parts = name.lower().split("/")
    if parts[-1] == "dicomdir":
        return "It is the directory of a medium, not an instance."
    if not LITTER.isdisjoint(parts) or parts[-1].startswith("._"):
        return "It is what a file manager leaves behind."
    return ""


@contextlib.contextmanager
def opened(archive: Found, store: Store, bounds: Bounds) -> Iterator[Iterator[Found]]:
    """Give the files in *archive*, each read only when its turn comes.

    Raises
    ------
    InvalidError
        If the archive is broken, has too many entries, or would unpack to too much.
    """
    with contextlib.ExitStack() as stack:
        path = archive.source
        if not isinstance(path, Path):
            msg = "It is an archive inside an archive; unpack it first."
            raise InvalidError(msg)
        try:
            if archive.name.lower().endswith(ZIPS):
                entries = _zipped(stack, path, archive, bounds)
            else:
                plain = path
                if not archive.name.lower().endswith(".tar"):
                    plain = store.scratch()
                    stack.callback(plain.unlink, missing_ok=True)
                    unpacked(path, plain, store, bounds)
                entries = _tarred(stack, plain, archive, bounds)
        except _BROKEN as error:
            raise _broken() from error
        yield entries


def _zipped(
    stack: contextlib.ExitStack, path: Path, archive: Found, bounds: Bounds
) -> Iterator[Found]:
    """Return the entries of a zip, its directory checked before it is read."""
    file = stack.enter_context(path.open("rb"))
    if _directory_size(file) > MOST_NAMES_BYTES:
        msg = f"Its list of names has more than {MOST_NAMES_BYTES // 2**20} MiB."
        raise InvalidError(msg)
    opened_zip = stack.enter_context(zipfile.ZipFile(file))
    entries = [entry for entry in opened_zip.infolist() if not entry.is_dir()]
    packed = sum(entry.compress_size for entry in entries)
    _check_bounds(bounds, len(entries), sum(e.file_size for e in entries), packed)
    return (_zip_entry(opened_zip, entry, archive, bounds) for entry in entries)


def _zip_entry(
    opened_zip: zipfile.ZipFile, entry: zipfile.ZipInfo, archive: Found, bounds: Bounds
) -> Found:
    """Return one entry of a zip."""

    def pieces() -> Iterator[bytes]:
        return _pieces(lambda: opened_zip.open(entry))

    why, skipped = _why_not(entry.filename)
    if entry.flag_bits & 1:
        why = "It is encrypted."
    elif entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        why = "It is packed by a method that is not taken; use plain zip."
    elif entry.file_size > max(bounds.free, entry.compress_size * bounds.ratio):
        why = f"It would unpack to more than {bounds.ratio} times its size."
    name = _shown(f"{archive.name}/{entry.filename}")
    return Found(name, pieces, entry.file_size, why, skipped)


def _directory_size(file: IO[bytes]) -> int:
    """Return how long a zip's list of names says it is (APPNOTE 4.3.16, 4.3.14)."""
    end = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, end - 2**16 - 22))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 16:
        raise _broken()
    (size,) = struct.unpack_from("<L", tail, at + 12)
    locator = tail[max(0, at - 20) : at]
    if locator.startswith(b"PK\x06\x07"):
        (offset,) = struct.unpack_from("<Q", locator, 8)
        file.seek(min(offset, start + at))
        size = max(size, struct.unpack_from("<Q", file.read(56), 40)[0])
    file.seek(0)
    return int(size)


class _BoundedTarInfo(tarfile.TarInfo):
    """A member of a tar whose own headers stay small."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """Refuse a header, which would be read into memory whole, that is too long."""
        if self.type not in tarfile.SUPPORTED_TYPES or (
            self.type not in tarfile.REGULAR_TYPES and self.size > MOST_TAR_HEADER
        ):
            msg = "a header is too long"
            raise tarfile.ReadError(msg)
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return] # private


def _tarred(
    stack: contextlib.ExitStack, path: Path, archive: Found, bounds: Bounds
) -> Iterator[Found]:
    """Return the regular files of a tar."""
    opened_tar = stack.enter_context(tarfile.TarFile(path, tarinfo=_BoundedTarInfo))
    return _members(opened_tar, archive, bounds)


def _members(
    opened_tar: tarfile.TarFile, archive: Found, bounds: Bounds
) -> Iterator[Found]:
    """Return the regular files of a tar, reading header after header."""
    count = size = 0
    try:
        while member := opened_tar.next():
            opened_tar.members = []  # type: ignore[attr-defined] # headers stay else
            count, size = count + 1, size + member.size
            _check_bounds(bounds, count, size, size)
            if member.isreg():
                yield _tar_member(opened_tar, member, archive)
    except _BROKEN as error:
        raise _broken() from error


def _tar_member(
    opened_tar: tarfile.TarFile, member: tarfile.TarInfo, archive: Found
) -> Found:
    """Return one file of a tar."""

    def pieces() -> Iterator[bytes]:
        return _pieces(lambda: opened_tar.extractfile(member))

    why, skipped = _why_not(member.name)
    name = _shown(f"{archive.name}/{member.name}")
    return Found(name, pieces, member.size, why, skipped)


def _why_not(name: str) -> tuple[str, bool]:
    """Return why an entry is not looked at, and whether that is no fault of it."""
    why = why_skipped(name)
    if why:
        return why, True
    if is_archive(name):
        return "It is an archive inside an archive; unpack it first.", False
    return "", False


def unpacked(source: Path, target: Path, store: Store, bounds: Bounds) -> None:
    """Write what the gzip *source* holds to *target*.

    Raises
    ------
    InvalidError
        If it is broken.
    TooLargeError
        If it would unpack to too much.
    """
    most = min(bounds.size, max(bounds.free, source.stat().st_size * bounds.ratio))
    staged = store.stage(_pieces(lambda: gzip.GzipFile(source)), most)
    staged.path.replace(target)


def _pieces(opening: Callable[[], IO[bytes] | gzip.GzipFile | None]) -> Iterator[bytes]:
    """Return what is read from what *opening* opens, piece by piece."""
    try:
        file = opening()
        if file is None:
            raise _broken()
        with file:
            while piece := file.read(CHUNK):
                yield piece
    except _BROKEN as error:
        raise _broken() from error


def _check_bounds(bounds: Bounds, entries: int, size: int, packed: int) -> None:
    """Refuse an archive that holds too much."""
    if entries > bounds.entries:
        msg = f"It has more than {bounds.entries} entries."
        raise InvalidError(msg)
    if size > bounds.size:
        msg = f"It would unpack to more than {bounds.size // 2**20} MiB."
        raise TooLargeError(msg)
    if size > max(bounds.free, packed * bounds.ratio):
        msg = f"It would unpack to more than {bounds.ratio} times its size."
        raise TooLargeError(msg)


def _broken() -> InvalidError:
    """Return the error for what cannot be unpacked."""
    return InvalidError("It cannot be unpacked: it is cut short or was altered.")


def _shown(name: str) -> str:
    """Return *name* as it may stand in a message, a log or a page."""
    return clean(name.encode("utf-8", "replace").decode())[:LONGEST_NAME]
