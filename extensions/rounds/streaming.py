"""Bring a volume from the house straight into memory; nothing touches the disk."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds.errors import VolumeStreamError
from rounds.progress import bytes_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from rounds.client import Service
    from rounds.progress import Bytes
    from rounds_kernels.volumes import Volume

__all__ = ["KEPT", "VolumeShelf", "fetch_volume", "kept", "read_npy"]

LARGEST_HEADER = 4096
"""Bytes of an .npy header that are read at most; a real one has 128."""

PIECE = 1 << 20
"""Bytes taken from the connection at a time."""


class VolumeShelf:
    """Keeps the volumes of this process that were used last, within *limit* bytes.

    Examples
    --------
    >>> VolumeShelf(limit=0).get("1.2.3") is None
    True
    """

    def __init__(self, limit: int) -> None:
        """Begin empty."""
        self.limit = limit
        self._volumes: OrderedDict[str, Volume] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Volume | None:
        """Return the volume under *key*, and remember that it was used."""
        with self._lock:
            if key in self._volumes:
                self._volumes.move_to_end(key)
            return self._volumes.get(key)

    def put(self, key: str, volume: Volume) -> None:
        """Keep *volume* under *key*; what was used longest ago makes room."""
        with self._lock:
            self._volumes[key] = volume
            self._volumes.move_to_end(key)
            while self._volumes and self._bytes() > self.limit:
                self._volumes.popitem(last=False)

    def clear(self) -> None:
        """Forget every volume."""
        with self._lock:
            self._volumes.clear()

    def _bytes(self) -> int:
        return sum(volume.array.nbytes for volume in self._volumes.values())


KEPT = VolumeShelf(limit=2 << 30)
"""The volumes of this process: asking twice for a series streams it once."""


def kept(service: Service, series_uid: str) -> Volume | None:
    """Return the volume of a series if this process has it, without asking anybody."""
    return KEPT.get(_key(service, series_uid))


def _key(service: Service, series_uid: str) -> str:
    return f"{service.url} {series_uid}"


def fetch_volume(service: Service, series_uid: str) -> Volume:
    """Return the series *series_uid* as a volume, streamed from the house.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that this person may see.
    VolumeStreamError
        If the pixels do not fit their description; nothing half read is returned.
    """
    # Reading DICOM costs an import; only who streams a volume pays for it.
    from rounds_kernels.errors import VolumeFormatError  # noqa: PLC0415
    from rounds_kernels.volumes import Volume  # noqa: PLC0415

    if (known := kept(service, series_uid)) is not None:
        return known
    header = service.get(f"api/series/{series_uid}/volume.json")
    with service.stream(f"api/series/{series_uid}/volume.npy") as answer:
        length = answer.headers.get("content-length")
        with bytes_progress("Volume", int(length) if length else None) as arrived:
            array = read_npy(answer.iter_bytes(PIECE), length, arrived)
    try:
        volume = Volume.from_parts(array, header)
    except VolumeFormatError as damage:
        raise VolumeStreamError(str(damage)) from None
    KEPT.put(_key(service, series_uid), volume)
    return volume


def read_npy(
    pieces: Iterator[bytes], length: str | None = None, arrived: Bytes | None = None
) -> npt.NDArray[Any]:
    """Return the array whose .npy file comes in *pieces*, filled in place.

    The header is checked before any memory is taken: plain numbers only, in C order,
    and of exactly the size that *length* (the Content-Length) announced.

    Raises
    ------
    VolumeStreamError
        If the header is none, or fewer or more bytes come than it says.
    """
    begun = bytearray()
    for piece in pieces:
        begun += piece
        if len(begun) >= LARGEST_HEADER:
            break
    array, used = _empty_array(bytes(begun))
    if length is not None and int(length) != used + array.nbytes:
        expected = used + array.nbytes
        msg = f"The volume has {expected} bytes, the house announces {length}."
        raise VolumeStreamError(msg)
    _fill(array, _rest(bytes(begun[used:]), pieces), arrived)
    return array


def _rest(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _empty_array(begun: bytes) -> tuple[npt.NDArray[Any], int]:
    """Return an array as the .npy header in *begun* says, and the header's length."""
    stream = io.BytesIO(begun)
    try:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran_order, dtype = read(stream, max_header_size=LARGEST_HEADER)
    except ValueError:
        msg = "The house did not send a volume: the answer is no .npy file."
        raise VolumeStreamError(msg) from None
    if fortran_order or dtype.kind not in "iufb":
        msg = f"The volume comes as {dtype}; plain numbers in C order are read."
        raise VolumeStreamError(msg)
    return np.empty(shape, dtype), stream.tell()


def _fill(
    array: npt.NDArray[Any], pieces: Iterator[bytes], arrived: Bytes | None
) -> None:
    """Write *pieces* one after the other into the memory of *array*."""
    target = array.reshape(-1).view(np.uint8).data
    at = 0
    for piece in pieces:
        if at + len(piece) > array.nbytes:
            msg = f"More than the {array.nbytes} bytes of the volume came."
            raise VolumeStreamError(msg)
        target[at : at + len(piece)] = piece
        at += len(piece)
        if arrived is not None:
            arrived(at)
    if at != array.nbytes:
        msg = f"Only {at} of the {array.nbytes} bytes of the volume came. Ask again."
        raise VolumeStreamError(msg)
