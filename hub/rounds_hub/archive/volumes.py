"""The cache of volumes: each series' array is built once and mapped from then on.

A volume lies in ``cache/volumes/<content hash>/`` as ``volume.zarr``, with coarser
copies of it; further stacks of the same series in ``stacks/<n>/`` below it. What has
its final name is whole; the least recently used ones make room. All of it can go at
any time: it is built again from the instances.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
import time
import uuid
from typing import TYPE_CHECKING

from rounds_hub.archive import decoding
from rounds_hub.archive.intake import content_hash
from rounds_hub.archive.reading import SeriesRecord, get_series, instances_of
from rounds_hub.archive.store import free_space
from rounds_hub.errors import (
    BusyError,
    HubError,
    InvalidError,
    NoSpaceError,
)
from rounds_kernels.errors import VolumeFormatError
from rounds_kernels.keeping import GROUP
from rounds_kernels.volumes import open_volume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.models import Series
    from rounds_hub.house import House
    from rounds_kernels.volumes import Volume

__all__ = ["cached", "open_stacks", "stack_folders", "stacks_of", "volume_folder"]

STACKS = "stacks"
BYTES_OF_A_VOXEL = 5
"""The widest type has four, and all coarser copies together a seventh of that."""
AT_ONCE = 2
LEFT, LEFT_SECONDS = frozenset({".building", ".gone"}), 3600
"""What a process that was killed leaves half done, and when it surely was."""
_BUILDING = threading.BoundedSemaphore(AT_ONCE)
"""So many volumes are built at the same time in one process: each takes memory."""


def volume_folder(house: House, principal: Principal, series_uid: str) -> Path:
    """Return the folder that holds the volume of a series, built if need be.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that *principal* may see.
    InvalidError
        If its instances make no volume; the sentence says why.
    BusyError
        If instances are being added to it this moment.
    TooLargeError
        If the volume would have more than ``max_volume_bytes``.
    NoSpaceError
        If the disk would be filled.
    """
    return _folder(house, principal, get_series(house, principal, series_uid))


def _folder(house: House, principal: Principal, series: SeriesRecord) -> Path:
    """Return the folder of the volume of a series that *principal* was shown."""
    folder = _root(house) / series.content_hash
    with _lock(folder):
        if _whole(folder):
            os.utime(folder)
            return folder
        if not series.rows:
            msg = f"A series of {series.modality or 'this kind'} has no pictures."
            raise InvalidError(msg)
        every = instances_of(house, principal, series.uid)
        if content_hash(one.sha256 for one in every) != series.content_hash:
            msg = "The series is just growing. Ask again in a moment."
            raise BusyError(msg)
        paths = house.store.paths([one.sha256 for one in every])
        with _BUILDING:
            _build(house, series, paths, folder)
    _make_room(house, keep=folder)
    return folder


def cached(house: House, series: SeriesRecord | Series) -> Path | None:
    """Return the folder of a volume that was built before, None where there is none."""
    folder = _root(house) / series.content_hash
    return folder if _whole(folder) else None


def open_stacks(
    house: House, principal: Principal, series_uid: str
) -> tuple[Volume, ...]:
    """Return the volumes of a series, the one with most slices first, mapped.

    Errors are those of :func:`volume_folder`.
    """
    return stacks_of(house, principal, get_series(house, principal, series_uid))


def stacks_of(
    house: House, principal: Principal, series: SeriesRecord
) -> tuple[Volume, ...]:
    """Return the volumes of a series that *principal* was shown a moment ago.

    Errors are those of :func:`volume_folder`.
    """
    for _ in range(2):
        folder = _folder(house, principal, series)
        try:
            return tuple(open_volume(one) for one in _with_further(folder))
        except VolumeFormatError:  # of another version, damaged, or just evicted
            with _lock(folder):
                shutil.rmtree(folder, ignore_errors=True)
    msg = "The volume cannot be kept: the cache of volumes is too small or damaged."
    raise HubError(msg)


def stack_folders(house: House, principal: Principal, series_uid: str) -> list[Path]:
    """Return the folders of a series' volumes, the one with most slices first.

    Errors are those of :func:`volume_folder`.
    """
    return _with_further(volume_folder(house, principal, series_uid))


def _with_further(folder: Path) -> list[Path]:
    """Return *folder* and the folders of the further stacks, in order."""
    further = (folder / STACKS).glob("*") if (folder / STACKS).is_dir() else ()
    return [folder, *sorted(further, key=lambda path: int(path.name))]


def _root(house: House) -> Path:
    """Return the folder of the cache."""
    return house.settings.data / "cache" / "volumes"


def _whole(folder: Path) -> bool:
    """Return whether *folder* is a volume of the cache: only whole ones get a name."""
    return (folder / GROUP / "zarr.json").is_file()


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the lock on one volume against other threads and processes."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _build(house: House, series: SeriesRecord, paths: list[Path], folder: Path) -> None:
    """Read a series and put its volume at *folder* in one step."""
    _refuse_full(house, series)
    building = folder.with_name(f"{uuid.uuid4().hex}.building")
    try:
        decoding.volumes(paths, building, house.settings.max_volume_bytes)
        for path in building.rglob("*"):
            if path.is_file():
                _sync(path)
        shutil.rmtree(folder, ignore_errors=True)  # of a version before this one
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _refuse_full(house: House, series: SeriesRecord) -> None:
    """Refuse to build a volume that would fill the disk."""
    voxels = series.rows * series.columns * series.frame_count
    free = free_space(_root(house)) - voxels * BYTES_OF_A_VOXEL
    if free < house.settings.free_space_bytes:
        _make_room(house, more=voxels * BYTES_OF_A_VOXEL)
        free = free_space(_root(house)) - voxels * BYTES_OF_A_VOXEL
    if free < house.settings.free_space_bytes:
        msg = "The disk of the volumes is full. Make room, then ask again."
        raise NoSpaceError(msg)


def _make_room(house: House, keep: Path | None = None, more: int = 0) -> None:
    """Remove volumes until they fit the setting with *more*, the oldest used first."""
    used: list[tuple[float, int, Path]] = []
    for folder in _root(house).iterdir():
        with contextlib.suppress(FileNotFoundError):
            at = folder.stat().st_mtime
            half = folder.suffix in LEFT or (folder.is_dir() and not _whole(folder))
            if half and time.time() - at > LEFT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
            elif not folder.suffix and _whole(folder):
                used.append((at, _size(folder), folder))
    total = sum(size for _, size, _ in used) + more
    for _, size, folder in sorted(used):
        if total <= house.settings.volume_cache_bytes:
            return
        if folder != keep:
            _evict(folder)
            total -= size


def _evict(folder: Path) -> None:
    """Take a volume away; who has it mapped keeps it."""
    gone = folder.with_name(f"{uuid.uuid4().hex}.gone")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _size(folder: Path) -> int:
    """Return how many bytes the files below *folder* have."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _sync(path: Path) -> None:
    """Wait until the file at *path* is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
