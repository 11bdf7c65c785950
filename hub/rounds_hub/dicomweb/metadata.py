"""Metadata of whole series, made once and kept in the cache (PS3.18, 10.4.1.1.2)."""

from __future__ import annotations

import json
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.archive import decoding
from rounds_hub.archive.intake import content_hash
from rounds_hub.archive.jsonmodel import BULK
from rounds_hub.archive.reading import instances_of
from rounds_hub.dicomweb.selecting import instance_at, path_of, series_at
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rounds_hub.archive.reading import StoredInstance
    from rounds_hub.dicomweb.selecting import Place
    from rounds_hub.house import House

__all__ = ["Metadata", "metadata_of"]

VERSION = "1"
"""Part of every name in the cache; changed when the same bytes are said otherwise."""

MOST_KEPT = 2**30
AT_ONCE = 2
_QUOTED = f'"BulkDataURI":"{BULK}'.encode()


@dataclass(frozen=True, slots=True)
class Metadata:
    """Lines of JSON, an instance each, and where its bulk data are.

    *sources* gives for each series its instances' addresses and lines.
    """

    hashes: tuple[str, ...]
    sources: tuple[tuple[tuple[str, ...], Path | bytes], ...]

    def pieces(self) -> Iterator[bytes]:
        """Give one JSON array of all of it."""
        before = b"["
        for addresses, lines in self.sources:
            for address, line in zip(addresses, _lines(lines), strict=True):
                named = f'"BulkDataURI":"{address}/bulkdata/'.encode()
                yield before + line.rstrip(b"\n").replace(_QUOTED, named)
                before = b","
        yield b"[]" if before == b"[" else b"]"


def metadata_of(place: Place, base: str) -> Metadata:
    """Return the metadata of what is at *place*; *base* is the address of DICOMweb.

    Raises
    ------
    NotFoundError
        If there is nothing there that the principal may see.
    InvalidError
        If an instance cannot be read.
    """
    if place.instance:
        one = instance_at(place)
        line = decoding.metadata(path_of(place.house, one))
        return Metadata((one.sha256,), (((f"{base}{place.at(one)}",), line),))
    hashes: list[str] = []
    sources: list[tuple[tuple[str, ...], Path | bytes]] = []
    for series in series_at(place):
        every = instances_of(place.house, place.principal, series.uid)
        # What is there now, which may be more than the series said a moment ago.
        now = content_hash(one.sha256 for one in every)
        hashes.append(now)
        addresses = tuple(f"{base}{place.at(one)}" for one in every)
        sources.append((addresses, _kept(place.house, now, every)))
    return Metadata(tuple(hashes), tuple(sources))


def _lines(source: Path | bytes) -> Iterator[bytes]:
    """Give the lines of a file of the cache, or the one that there is."""
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        yield from file


def _kept(house: House, key: str, every: Sequence[StoredInstance]) -> Path:
    """Return the file with the lines of a series, made if need be."""
    folder = house.settings.data / "cache" / "metadata"
    path = folder / f"{key}-{VERSION}.jsonl"
    if path.is_file():
        os.utime(path)
        return path
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = folder / f"{uuid.uuid4().hex}.part"
    try:
        with (
            temporary.open("wb") as out,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            for line in pool.map(lambda one: _line(house, one), every):
                out.write(line + b"\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _make_room(folder, path)
    return path


def _line(house: House, one: StoredInstance) -> bytes:
    """Return the line of an instance; of one that cannot be read, which it is."""
    try:
        return decoding.metadata(path_of(house, one))
    except InvalidError:
        known = {"00080016": one.sop_class, "00080018": one.uid}
        said = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in known.items()}
        return json.dumps(said).encode()


def _make_room(folder: Path, keep: Path) -> None:
    """Remove what was not asked for longest, until the cache is small enough."""
    found = [(one.stat(), one) for one in folder.iterdir()]
    total = sum(stat.st_size for stat, _ in found)
    for stat, path in sorted(found, key=lambda one: one[0].st_mtime):
        if total <= MOST_KEPT:
            return
        if path != keep:
            path.unlink(missing_ok=True)
            total -= stat.st_size
