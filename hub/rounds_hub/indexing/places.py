"""Which slice, and which part of it, each row of a series in the index is of.

They follow from the volume, so they are counted again where the cache of volumes has
it, and kept under the hash of the content.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rounds_hub.archive.volumes import cached
from rounds_hub.indexing.looks import Looks, Viewed
from rounds_kernels.errors import KernelError
from rounds_kernels.volumes import open_volume

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.archive.models import Series
    from rounds_hub.archive.reading import SeriesRecord
    from rounds_hub.house import House

__all__ = ["keep_places", "places_of"]

Place = tuple[int, tuple[float, float, float, float] | None]

VERSION: Final = "1"
"""Part of every name; changed when other slices or parts are chosen."""
_HASH: Final = re.compile(r"[0-9a-f]{16,128}")


def places_of(
    house: House, series: Series | SeriesRecord, *, parts: bool
) -> list[Place]:
    """Return slice and edges of each row of *series*; none where that is not known.

    With *parts* of its tiles, else of the whole slices, whose edges are None.
    """
    path = _path(house, series.content_hash, parts=parts)
    if path is None:
        return []
    if path.exists():
        return _read(path)
    folder = cached(house, series)
    if folder is None:
        return []
    try:
        viewed = Viewed(open_volume(folder))
    except KernelError:
        return []  # of another version: it is built anew when it is opened
    looks = viewed.tile_places() if parts else viewed.chosen_places()
    _keep(path, looks)
    return looks


def keep_places(house: House, content_hash: str, looks: Looks, *, parts: bool) -> None:
    """Keep of what the rows of *looks* are, which are about to be indexed."""
    path = _path(house, content_hash, parts=parts)
    if path is not None and not path.exists():
        _keep(path, list(zip(looks.indices, looks.regions, strict=True)))


@lru_cache(maxsize=1024)
def _read(path: Path) -> list[Place]:
    """Return what was kept; what has the name never changes."""
    return [
        (int(index), None if box is None else (box[0], box[1], box[2], box[3]))
        for index, box in json.loads(path.read_bytes())
    ]


def _path(house: House, content_hash: str, *, parts: bool) -> Path | None:
    """Return where the places of this content are kept."""
    if not _HASH.fullmatch(content_hash):
        return None
    kind = "parts" if parts else "slices"
    folder = house.settings.data / "vectors" / "places"
    return folder / f"{content_hash}-{kind}-{VERSION}.json"


def _keep(path: Path, places: list[Place]) -> None:
    """Write the places under another name first; what has the name is whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    with temporary.open("w") as file:
        json.dump(places, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
