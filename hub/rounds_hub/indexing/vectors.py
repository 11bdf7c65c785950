"""What the images of a series look like, as numbers: computed once for its content."""

from __future__ import annotations

import os
import re
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog

from rounds_hub.access.principal import SYSTEM
from rounds_hub.archive.volumes import open_stacks
from rounds_hub.cases.content import body_part
from rounds_hub.errors import InvalidError, TooLargeError
from rounds_hub.indexing.looks import Looks, Viewed
from rounds_kernels.modalities import NO_PICTURES
from rounds_search.encoders import ENCODER
from rounds_search.errors import RequestError
from rounds_search.regions import REGIONS

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.archive.models import Series
    from rounds_hub.archive.reading import SeriesRecord
    from rounds_hub.house import House

__all__ = ["looks_of", "places_of"]

Place = tuple[int, tuple[float, float, float, float] | None]

VERSION: Final = "2"
"""Part of every name; changed when other slices or parts are chosen."""
PLACES_KEPT: Final = 2048
_HASH: Final = re.compile(r"[0-9a-f]{16,128}")

log = structlog.get_logger()


def looks_of(
    house: House, series: Series | SeriesRecord, encoder: str = ENCODER
) -> Looks | None:
    """Return what *series* looks like to *encoder*, a row for each slice or part.

    They are kept in the data folder under the hash of the content, so that a change of
    a case costs no decoding. A series that is no picture, or cannot be read as one,
    has none.
    """
    if series.modality in NO_PICTURES or not series.instance_count:
        return None
    path = _path(house, series, encoder)
    if path is not None and path.exists():
        return _read(path)
    try:
        volume = open_stacks(house, SYSTEM, series.uid)[0]
        viewed = Viewed(volume, encoder, body_part(series.body_part))
        made = viewed.tiles() if encoder == REGIONS else viewed.slices(viewed.chosen())
    except (InvalidError, TooLargeError, RequestError) as error:
        log.warning("no images to index", series=series.uid, why=str(error))
        return None
    if path is not None and made is not None:
        _keep(path, made)
    return made


def places_of(house: House, series: Series, encoder: str) -> tuple[Place, ...]:
    """Return of which slice and part each row of *series* in the index is.

    A whole slice has None for its part. There are none where that was not kept here.
    """
    path = _path(house, series, encoder)
    if path is None or not path.exists():
        return ()
    return _places(path)


@lru_cache(maxsize=PLACES_KEPT)
def _places(path: Path) -> tuple[Place, ...]:
    """Return slices and parts from a file; what has its name never changes."""
    looks = _read(path)
    return tuple(zip(looks.indices, looks.regions, strict=True))


def _path(house: House, series: Series | SeriesRecord, encoder: str) -> Path | None:
    """Return where the vectors of this content are kept."""
    if not _HASH.fullmatch(series.content_hash):
        return None
    folder = house.settings.data / "vectors" / encoder
    return folder / f"{series.content_hash}-{VERSION}.npz"


def _read(path: Path) -> Looks:
    """Return what was kept at *path*."""
    with np.load(path, allow_pickle=False) as kept:
        return Looks(kept["vectors"], kept["slices"], kept["positions"], kept["boxes"])


def _keep(path: Path, made: Looks) -> None:
    """Write the vectors under another name first; what has the name is whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    with temporary.open("wb") as file:
        np.savez(
            file,
            vectors=made.vectors,
            slices=made.slices,
            positions=made.positions,
            boxes=made.boxes,
        )
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
