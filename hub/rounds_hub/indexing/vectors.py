"""What the images of a series look like, as numbers: computed once for its content."""

from __future__ import annotations

import os
import re
import uuid
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog

from rounds_hub.access.principal import SYSTEM
from rounds_hub.archive.volumes import open_stacks
from rounds_hub.cases.views import NO_PICTURES
from rounds_hub.errors import InvalidError, TooLargeError
from rounds_kernels.pictures import default_window, to_picture
from rounds_search.encoders import ENCODER, encode_volume, representative
from rounds_search.errors import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.archive.models import Series
    from rounds_hub.house import House
    from rounds_kernels.volumes import Volume

__all__ = ["vectors_of"]

_HASH: Final = re.compile(r"[0-9a-f]{16,128}")

log = structlog.get_logger()


def vectors_of(house: House, series: Series) -> npt.NDArray[np.float32] | None:
    """Return one row for each chosen slice of *series*, (slices, d) float32.

    They are kept in the data folder under the hash of the content, so that a change of
    a case costs no decoding. A series that is no picture, or cannot be read as one,
    has none.
    """
    if series.modality in NO_PICTURES or not series.instance_count:
        return None
    path = _path(house, series)
    if path is not None and path.exists():
        kept: npt.NDArray[np.float32] = np.load(path)
        return kept
    try:
        made = _encoded(open_stacks(house, SYSTEM, series.uid)[0])
    except (InvalidError, TooLargeError, RequestError) as error:
        log.warning("no images to index", series=series.uid, why=str(error))
        return None
    if path is not None:
        _keep(path, made)
    return made


def _encoded(volume: Volume) -> npt.NDArray[np.float32]:
    """Return the vectors of some slices, windowed as a person sees them first."""
    center, width = default_window(volume)
    shown = [
        to_picture(volume.array[index], center, width, inverted=volume.inverted)
        for index in representative(volume.array)
    ]
    return encode_volume(np.stack(shown), volume.spacing)


def _path(house: House, series: Series) -> Path | None:
    """Return where the vectors of this content are kept."""
    if not _HASH.fullmatch(series.content_hash):
        return None
    folder = house.settings.data / "vectors" / ENCODER
    return folder / f"{series.content_hash}.npy"


def _keep(path: Path, made: npt.NDArray[np.float32]) -> None:
    """Write the vectors under another name first; what has the name is whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    with temporary.open("wb") as file:
        np.save(file, made)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
