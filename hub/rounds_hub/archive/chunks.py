"""A volume as Zarr goes over the wire: small chunks, cut and packed when asked for.

On the disk a level is one file of whole slices (:mod:`rounds_kernels.keeping`). Whoever
reads over HTTP sees the same group in chunks of 32 x 64 x 64 voxels, coarse levels in
one, packed by Zstandard: a box of voxels, a plane across any axis or a coarse copy cost
what they are, and nothing is kept twice.
"""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_hub.errors import NotFoundError
from rounds_kernels.keeping import GROUP, array_metadata, mapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["CHUNK", "npy_of", "part_of"]

CHUNK: Final = (32, 64, 64)
"""Voxels of a chunk along z, y, x."""

SMALL: Final = 1 << 21
"""Voxels of a level that goes in one chunk, at most."""

PIECE: Final = 1 << 22
DESCRIPTION: Final = "zarr.json"
_PART = re.compile(r"(\d{1,2})/(?:zarr\.json|c((?:/\d{1,6}){3,4}))")


def part_of(folder: Path, path: str) -> bytes:
    """Return what a reader of Zarr 3 finds under *path* in a kept volume.

    Parameters
    ----------
    folder
        The folder of the volume.
    path
        ``zarr.json``, ``<level>/zarr.json`` or ``<level>/c/<z>/<y>/<x>``.

    Raises
    ------
    NotFoundError
        If there is no such level or chunk.
    VolumeFormatError
        If the volume is not there any more, or damaged.
    """
    if path == DESCRIPTION:
        return _group(folder)
    found = _PART.fullmatch(path)
    if found is None:
        raise _no_part(path)
    level = int(found[1])
    _, header = mapped(folder)
    if level >= len(header["levels"]):
        raise _no_part(path)
    array, _ = mapped(folder, level)
    if found[2] is None:
        return json.dumps(_described(array)).encode()
    at = [int(number) for number in found[2].split("/")[1:]]
    return _packed(_chunk(array, at, path))


def npy_of(array: npt.NDArray[Any]) -> tuple[bytes, Iterator[memoryview]]:
    r"""Return the header of a NumPy file (version 1.0) and, in pieces, the array.

    Examples
    --------
    >>> import numpy as np
    >>> begin, pieces = npy_of(np.zeros((2, 3), np.int16))
    >>> begin[:6], sum(len(piece) for piece in pieces)
    (b'\x93NUMPY', 12)
    """
    begin = io.BytesIO()
    told = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(begin, told)
    whole = array.reshape(-1).view(np.uint8).data
    pieces = (whole[at : at + PIECE] for at in range(0, len(whole), PIECE))
    return begin.getvalue(), pieces


def _group(folder: Path) -> bytes:
    """Return the description of the group, with those of its arrays in it."""
    _, header = mapped(folder)
    told: dict[str, Any] = json.loads((folder / GROUP / DESCRIPTION).read_bytes())
    arrays = {
        str(level): _described(mapped(folder, level)[0])
        for level in range(len(header["levels"]))
    }
    told["consolidated_metadata"] = {
        "kind": "inline",
        "must_understand": False,
        "metadata": arrays,
    }
    return json.dumps(told).encode()


def _described(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Return the description of a level in chunks."""
    return array_metadata(array.shape, array.dtype.name, _size(array))


def _size(array: npt.NDArray[Any]) -> tuple[int, ...]:
    """Return the size of a chunk: all colours of a voxel are in one."""
    return array.shape if array.size <= SMALL else (*CHUNK, *array.shape[3:])


def _chunk(array: npt.NDArray[Any], at: list[int], path: str) -> npt.NDArray[Any]:
    """Return one chunk, filled with 0 where it reaches over the end."""
    size = _size(array)
    if len(at) != array.ndim or any(
        number * step >= end
        for number, step, end in zip(at, size, array.shape, strict=True)
    ):
        raise _no_part(path)
    box = array[
        tuple(slice(n * step, (n + 1) * step) for n, step in zip(at, size, strict=True))
    ]
    whole = np.zeros(size, array.dtype)
    whole[tuple(slice(length) for length in box.shape)] = box
    return whole


def _packed(chunk: npt.NDArray[Any]) -> bytes:
    """Return the bytes of a chunk, packed."""
    from numcodecs.zstd import Zstd  # noqa: PLC0415 (only who reads in part waits for it)

    return bytes(Zstd(level=1).encode(chunk))


def _no_part(path: str) -> NotFoundError:
    """Return that there is no such level or chunk."""
    kind = "part of the volume"
    return NotFoundError(kind, re.sub(r"[^A-Za-z0-9./_-]", "?", path)[:80])
