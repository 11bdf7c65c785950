"""Lay a segmentation over the series that it was made of, as colours."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rounds_hub.archive import decoding
from rounds_hub.archive.reading import get_series, instances_of
from rounds_hub.archive.volumes import stacks_of, volume_folder
from rounds_hub.errors import HubError, InvalidError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.reading import SeriesRecord, StoredInstance
    from rounds_hub.house import House
    from rounds_kernels.volumes import Volume

__all__ = ["COLOURS", "Laid", "laid_on", "over", "scaled", "source_of"]

COLOURS: npt.NDArray[np.uint8] = np.array(
    [
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    np.uint8,
)
"""The colours of segments 1, 2, …, told apart by colour-blind people (Okabe, Ito)."""

OPACITY = 0.45
REFERENCED_SERIES, SERIES = "00081115", "0020000E"
KEPT = 2
_KEPT: OrderedDict[tuple[str, str], npt.NDArray[np.uint8]] = OrderedDict()
_KEEPING = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """A volume and, on its grid, the number of the segment of each voxel.

    *key* names the content of the volume.
    """

    volume: Volume
    labels: npt.NDArray[np.uint8]
    key: str


def source_of(
    house: House, principal: Principal, series: SeriesRecord
) -> SeriesRecord | None:
    """Return the series that a segmentation was made of.

    None where it names none, or none that is here and that *principal* may see.
    """
    path = instances_of(house, principal, series.uid)[0].path
    try:
        said = json.loads(decoding.metadata(path))
        referenced = said[REFERENCED_SERIES]["Value"][0]
        return get_series(house, principal, str(referenced[SERIES]["Value"][0]))
    except (KeyError, IndexError, TypeError, HubError):
        return None  # the segmentation is shown by itself then


def laid_on(
    house: House, principal: Principal, series: SeriesRecord, source: SeriesRecord
) -> Laid | None:
    """Return a segmentation on its *source*; None where it cannot be laid on it."""
    _refuse_large(house, series)
    instance = instances_of(house, principal, series.uid)[0]
    try:
        volume = stacks_of(house, principal, source)[0]
    except HubError:
        return None  # the source cannot be read; the segmentation is shown by itself
    folder = volume_folder(house, principal, source.uid)
    labels = _labels(instance, folder, source.content_hash)
    return None if labels is None else Laid(volume, labels, source.content_hash)


def _refuse_large(house: House, series: SeriesRecord) -> None:
    """Refuse a segmentation that would take too much memory."""
    size = series.rows * series.columns * series.frame_count
    if size > house.settings.max_volume_bytes:
        msg = f"The segmentation has {size} pixels, more than are shown."
        raise InvalidError(msg)


def _labels(
    instance: StoredInstance, volume: Path, source_hash: str
) -> npt.NDArray[np.uint8] | None:
    """Return the segments' numbers on the grid of a volume; the last few are kept."""
    key = (instance.sha256, source_hash)
    with _KEEPING:
        if key not in _KEPT:
            try:
                _KEPT[key] = decoding.labels(instance.path, volume)
            except InvalidError:
                return None  # it is shown by itself then
        _KEPT.move_to_end(key)
        while len(_KEPT) > KEPT:
            _KEPT.popitem(last=False)
        return _KEPT[key]


def scaled(
    picture: npt.NDArray[np.uint8], shape: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Return *picture* in another size: means where it shrinks, linear where it grows.

    Examples
    --------
    >>> scaled(np.array([[0, 100], [100, 200]], np.uint8), (1, 1)).tolist()
    [[100]]
    """
    if picture.shape[:2] == shape[:2]:
        return picture
    rows, columns = shape[:2]
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR))


def over(
    picture: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Return *picture* with the segments in colour.

    Parameters
    ----------
    picture
        (rows, columns) or (rows, columns, 3).
    labels
        (rows, columns) of the same view, in any size; 0 is none.

    Examples
    --------
    >>> over(np.zeros((1, 2), np.uint8), np.array([[0, 1]], np.uint8))[0, 0].tolist()
    [0, 0, 0]
    """
    coloured = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture  # noqa: PLR2004
    shown = coloured.astype(np.float32)
    for number in np.unique(labels[labels > 0]):
        mask = scaled((labels == number).astype(np.uint8) * 255, picture.shape[:2])
        weight = (mask[..., None] / np.float32(255)) * OPACITY
        colour = COLOURS[(int(number) - 1) % len(COLOURS)].astype(np.float32)
        shown = shown * (1 - weight) + colour * weight
    return np.rint(shown).astype(np.uint8)
