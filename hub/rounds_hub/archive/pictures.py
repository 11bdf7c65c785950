"""Pictures of series for a page: frames in a window, cuts, thumbnails, overlays."""

from __future__ import annotations

import hashlib
import io
import os
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from rounds_hub.archive import decoding, overlays
from rounds_hub.archive.reading import get_series, instances_of
from rounds_hub.archive.volumes import cached, stacks_of
from rounds_hub.errors import InvalidError, NotFoundError
from rounds_kernels import pictures
from rounds_kernels.errors import KernelError
from rounds_kernels.volumes import open_volume

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.reading import SeriesRecord
    from rounds_hub.house import House
    from rounds_kernels.volumes import Volume

__all__ = ["AXES", "Asked", "axis_of", "frame_picture", "frame_tag", "thumbnail"]

AXES = {"stack": 0, "0": 0, "1": 1, "2": 2}
PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""The anatomical planes by the LPS axis that they are across."""

THUMBNAIL = 256
SMALLEST, LARGEST = 16, 2048
VERSION = "1"
"""Part of every name in the cache; changed when pictures are drawn differently."""

WINDOWS_KEPT = 256
_WINDOWS: dict[str, tuple[float, float]] = {}


@dataclass(frozen=True, slots=True)
class Asked:
    """How a frame is wanted: window, longest side in pixels, what it is cut across.

    Examples
    --------
    >>> Asked(center=40, width=400).window
    (40, 400)
    """

    center: float | None = None
    width: float | None = None
    size: int = 512
    axis: str = "stack"

    def __post_init__(self) -> None:
        """Refuse what shows nothing."""
        if (self.center is None) != (self.width is None):
            msg = "A window needs both a center and a width."
            raise InvalidError(msg)
        if self.width is not None and not self.width > 0:
            msg = f"A window must be wider than 0, got {self.width:g}."
            raise InvalidError(msg, {"width": msg})
        if not SMALLEST <= self.size <= LARGEST:
            msg = f"A picture has {SMALLEST} to {LARGEST} pixels, got {self.size}."
            raise InvalidError(msg, {"size": msg})
        if self.axis not in AXES | PLANES:
            known = ", ".join(sorted(AXES | PLANES))
            msg = f"No axis {self.axis[:40]!r}. Known: {known}."
            raise InvalidError(msg, {"axis": msg})

    @property
    def window(self) -> tuple[float, float] | None:
        """The window that was asked for, None for the series' own."""
        if self.center is None or self.width is None:
            return None
        return self.center, self.width


def frame_tag(series: SeriesRecord, number: int, asked: Asked) -> str:
    """Return the entity tag of a frame: it changes when the picture would."""
    said = f"{VERSION} {series.content_hash} {number} {asked!r}"
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'


def frame_picture(
    house: House, principal: Principal, series_uid: str, number: int, asked: Asked
) -> bytes:
    """Return slice *number* (from 0) of a series as a PNG.

    A segmentation is shown over the series that it was made of.

    Raises
    ------
    NotFoundError
        If there is no such series, none that *principal* may see, or no such slice.
    InvalidError
        If the series has no pictures.
    """
    series = get_series(house, principal, series_uid)
    source = _source_of(house, principal, series)
    laid = overlays.laid_on(house, principal, series, source) if source else None
    if laid is not None:
        return _png(_overlaid(laid, number, asked))
    stacks = stacks_of(house, principal, series)
    stack, left = _place(stacks, number, asked)
    key = f"{series.content_hash} {stack}"
    return _png(_drawn(stacks[stack], left, asked, key))


def thumbnail(house: House, principal: Principal, series_uid: str) -> bytes:
    """Return the middle of a series as a small PNG, or a tile with its kind.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that *principal* may see.
    """
    series = get_series(house, principal, series_uid)
    source = _source_of(house, principal, series)
    # Who may see a segmentation and not its source gets another picture.
    shown = "-".join(one.content_hash for one in (series, source) if one)
    folder = house.settings.data / "cache" / "thumbnails" / shown[:2]
    path = folder / f"{shown}-{VERSION}.png"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        made = _png(_small(house, principal, series, source))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _keep(path, made)
    return made


def _source_of(
    house: House, principal: Principal, series: SeriesRecord
) -> SeriesRecord | None:
    """Return what a segmentation was made of, None for what is none."""
    if series.modality != "SEG":
        return None
    return overlays.source_of(house, principal, series)


def axis_of(volume: Volume, name: str) -> int:
    """Return the array axis that *name* cuts across.

    Anatomical planes are found by direction: a sagittal acquisition has its sagittal
    plane across axis 0.
    """
    if name in AXES:
        return AXES[name]
    across = PLANES[name]
    return int(np.argmax(np.abs(volume.direction[3 * across : 3 * across + 3])))


def _small(
    house: House,
    principal: Principal,
    series: SeriesRecord,
    source: SeriesRecord | None,
) -> npt.NDArray[np.uint8]:
    """Return the picture of a thumbnail, reading no more than one instance for it."""
    if not series.rows:
        return _tile(series.modality)
    try:
        laid = overlays.laid_on(house, principal, series, source) if source else None
        if laid is not None:
            most = int(np.argmax(np.count_nonzero(laid.labels, axis=(1, 2))))
            return _overlaid(laid, most, Asked(size=THUMBNAIL))
        folder = cached(house, series)
        if folder is not None:
            return pictures.thumbnail(open_volume(folder), THUMBNAIL)
        every = instances_of(house, principal, series.uid)
        limit = house.settings.max_volume_bytes
        return decoding.thumbnail(every[len(every) // 2].path, THUMBNAIL, limit)
    except (KernelError, InvalidError):
        # Whoever opens the series is told why it cannot be shown.
        return _tile(series.modality)


def _overlaid(laid: overlays.Laid, number: int, asked: Asked) -> npt.NDArray[np.uint8]:
    """Return slice *number* of a volume with the segments over it."""
    picture = _drawn(laid.volume, number, asked, f"{laid.key} 0")
    labels = replace(laid.volume, array=laid.labels)
    cut = pictures.plane(labels, number, axis_of(laid.volume, asked.axis))
    return overlays.over(picture, cut)


def _place(stacks: tuple[Volume, ...], number: int, asked: Asked) -> tuple[int, int]:
    """Return which stack has slice *number* of the series, and which it is there."""
    left = number
    if asked.axis in {"stack", "0"}:
        for index, volume in enumerate(stacks):
            if 0 <= left < len(volume.array):
                return index, left
            left -= len(volume.array)
    return 0, number


def _drawn(
    volume: Volume, number: int, asked: Asked, key: str
) -> npt.NDArray[np.uint8]:
    """Return slice *number* of *volume*, windowed, in right proportions."""
    axis = axis_of(volume, asked.axis)
    try:
        cut = pictures.plane(volume, number, axis)
    except IndexError as error:
        kind = "frame"
        raise NotFoundError(kind, str(number)) from error
    window = asked.window or _own_window(key, volume)
    drawn = pictures.to_picture(cut, *window, inverted=volume.inverted)
    down, across = (step for at, step in enumerate(volume.spacing) if at != axis)
    high, wide = drawn.shape[0] * down, drawn.shape[1] * across
    scale = asked.size / max(high, wide)
    shape = (max(1, round(high * scale)), max(1, round(wide * scale)))
    return overlays.scaled(drawn, shape)


def _own_window(key: str, volume: Volume) -> tuple[float, float]:
    """Return the window of a volume, which costs a look at all of it, once."""
    if key not in _WINDOWS:
        if len(_WINDOWS) >= WINDOWS_KEPT:
            _WINDOWS.clear()
        _WINDOWS[key] = pictures.default_window(volume)
    return _WINDOWS[key]


def _tile(modality: str) -> npt.NDArray[np.uint8]:
    """Return a dark tile with the kind of object, for what has no picture."""
    tile = Image.new("L", (THUMBNAIL, THUMBNAIL), 24)
    said = modality or "DICOM"
    middle = (THUMBNAIL / 2, THUMBNAIL / 2)
    letters = min(THUMBNAIL / 5, 1.3 * THUMBNAIL / len(said))
    ImageDraw.Draw(tile).text(middle, said, fill=150, anchor="mm", font_size=letters)
    return np.asarray(tile)


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Return *picture* as a PNG, packed fast rather than small."""
    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(
        written, "PNG", compress_level=1
    )
    return written.getvalue()


def _keep(path: Path, content: bytes) -> None:
    """Write a file of the cache; what has the name is whole."""
    temporary = path.with_name(f"{uuid.uuid4().hex}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
