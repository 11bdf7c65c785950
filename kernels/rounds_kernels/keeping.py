"""Arrays on a disk as Zarr, mapped whole or read in part, at several resolutions.

A kept volume is the folder ``volume.zarr``, a group of Zarr 3 with an array for each
level: ``0`` as it was acquired, ``1`` of joined voxels, and so on to the coarsest. Each
array is one shard whose inner chunks are its slices, uncompressed and in order, the
index behind them. So any reader of Zarr can read a slice by a range of bytes, and we
map the same file as an array: nothing is kept twice, and a part costs what it reads.

What :class:`rounds_kernels.volumes.Volume` calls its header is in the group's attribute
``rounds``; ``ome`` says the same of the levels in the words of OME-NGFF 0.5.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_kernels.errors import VolumeFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

__all__ = [
    "GROUP",
    "Level",
    "array_metadata",
    "header_at",
    "joined",
    "keep",
    "levels_of",
    "mapped",
]

GROUP: Final = "volume.zarr"
SMALLEST: Final = 64
"""Voxels along the longest axis of the coarsest level, at most."""

KINDS: Final = frozenset({"int16", "uint8", "uint16", "float32", "float64"})
_AXES: Final = ("z", "y", "x")
_NAMES: Final = (*_AXES, "c")
_MOST_LEVELS: Final = 32
_MOST_BYTES: Final = 1 << 26
"""Of a group's description, which names the source of each slice in some 100 bytes."""


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution: its array's shape, and how many voxels were joined into one.

    *steps* counts them along z, y, x.
    """

    steps: tuple[int, int, int]
    shape: tuple[int, ...]


def levels_of(shape: Sequence[int], spacing: Sequence[float]) -> tuple[Level, ...]:
    """Return the levels of an array, the finest first.

    Axes are halved where their voxels are not much longer than the shortest ones, so
    that coarse voxels are as near to cubes as the series allows.

    Raises
    ------
    ValueError
        If there are no voxels, or none of any length.

    Examples
    --------
    >>> [level.shape for level in levels_of((40, 256, 256), (5.0, 1.0, 1.0))]
    [(40, 256, 256), (40, 128, 128), (40, 64, 64)]
    """
    if len(shape) not in {3, 4} or min(shape) < 1 or not min(spacing) > 0:
        msg = (
            f"Voxels of {list(spacing)} mm in a shape of {list(shape)} make no volume."
        )
        raise ValueError(msg)
    levels = [Level((1, 1, 1), tuple(int(size) for size in shape))]
    while max(levels[-1].shape[:3]) > SMALLEST and len(levels) < _MOST_LEVELS:
        levels.append(_coarser(levels[-1], spacing))
    return tuple(levels)


def _coarser(last: Level, spacing: Sequence[float]) -> Level:
    """Return the level after *last*: halved where voxels are shortest."""
    mm = [length * step for length, step in zip(spacing, last.steps, strict=True)]
    axes = list(zip(mm, last.shape[:3], strict=True))
    shortest = min(length for length, size in axes if size > 1)
    by = [2 if size > 1 and length < 2 * shortest else 1 for length, size in axes]
    z, y, x = (step * b for step, b in zip(last.steps, by, strict=True))
    sizes = [-(-size // b) for size, b in zip(last.shape[:3], by, strict=True)]
    return Level((z, y, x), (*sizes, *last.shape[3:]))


def joined(array: npt.NDArray[Any], by: Sequence[int]) -> Iterator[npt.NDArray[Any]]:
    """Return slice after slice of *array* with ``by`` (z, y, x) voxels joined into one.

    A voxel is the mean of those that it was joined of, rounded half up in whole
    numbers; at an odd end the last voxel counts for what is missing.

    Examples
    --------
    >>> import numpy as np
    >>> next(joined(np.array([[[1, 2], [3, 5]]], np.int16), (1, 2, 2))).tolist()
    [[3]]
    """
    whole = array.dtype.kind in "iu"
    wide = np.int32 if whole else np.float64
    deep, count = by[0], math.prod(by)
    for start in range(0, len(array), deep):
        total: npt.NDArray[Any] | None = None
        for offset in range(deep):
            flat = array[min(start + offset, len(array) - 1)]
            for down in range(by[1]):
                for across in range(by[2]):
                    part = _every(flat, (by[1], by[2]), (down, across))
                    if total is None:
                        total = part.astype(wide)
                    else:
                        total += part
        if total is not None:
            mean = (total * 2 + count) // (2 * count) if whole else total / count
            yield mean.astype(array.dtype)


def _every(
    flat: npt.NDArray[Any], by: tuple[int, int], at: tuple[int, int]
) -> npt.NDArray[Any]:
    """Return every ``by``-th voxel of a slice from *at*, the last one said again."""
    for axis in (0, 1):
        size = -(-flat.shape[axis] // by[axis])
        part = flat[(slice(None),) * axis + (slice(at[axis], None, by[axis]),)]
        if part.shape[axis] < size:
            last = flat[(slice(None),) * axis + (slice(-1, None),)]
            part = np.concatenate([part, last], axis=axis)
        flat = part
    return flat


def keep(array: npt.NDArray[Any], header: Mapping[str, Any], folder: Path) -> None:
    """Write *array* and its coarser levels into *folder*, its *header* last of all.

    A folder whose group has no description holds no volume.
    """
    group = folder / GROUP
    group.mkdir(parents=True, exist_ok=True)
    (group / "zarr.json").unlink(missing_ok=True)
    levels = levels_of(array.shape, header["spacing"])
    finer, before = np.ascontiguousarray(array), levels[0]
    _write(group / "0", finer, levels[0])
    for number, level in enumerate(levels[1:], 1):
        by = [new // old for new, old in zip(level.steps, before.steps, strict=True)]
        _write(group / str(number), joined(finer, by), level, finer.dtype)
        finer, before = _map(group / str(number), level.shape, finer.dtype), level
    told = json.dumps(_described(header, levels))
    (group / "zarr.json").write_text(told, encoding="utf-8")


def _write(
    folder: Path,
    slices: npt.NDArray[Any] | Iterator[npt.NDArray[Any]],
    level: Level,
    dtype: np.dtype[Any] | None = None,
) -> None:
    """Write the array of one level: its slices, then the index of the shard."""
    kind = slices.dtype if isinstance(slices, np.ndarray) else dtype
    file = _shard(folder, level.shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    little = np.dtype(kind).newbyteorder("<")
    with file.open("wb") as written:
        for flat in slices:
            written.write(np.ascontiguousarray(flat, little).data)
        written.write(_index(level.shape, little.itemsize))
    told = array_metadata(level.shape, np.dtype(kind).name)
    (folder / "zarr.json").write_text(json.dumps(told), encoding="utf-8")


def mapped(folder: Path, level: int = 0) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Return a level's array, mapped and not read, and the header of the volume.

    The header says shape and geometry of that level; ``levels`` in it are all of them.

    Raises
    ------
    VolumeFormatError
        If there is no whole volume, or no such level.
    """
    try:
        with (folder / GROUP / "zarr.json").open("rb") as file:
            told = json.loads(file.read(_MOST_BYTES))
        header = dict(told["attributes"]["rounds"])
        dtype = np.dtype(_kind(header["dtype"]))
        every = levels_of([int(n) for n in header["shape"]], header["spacing"])
        if not 0 <= level < len(every):
            msg = f"There are levels 0 to {len(every) - 1}, not {level}."
            raise VolumeFormatError(msg)
        array = _map(folder / GROUP / str(level), every[level].shape, dtype)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = (
            f"There is no whole volume ({type(error).__name__}); read the series again."
        )
        raise VolumeFormatError(msg) from error
    shapes = [list(one.shape) for one in every]
    return array, header_at(header, every[level]) | {"levels": shapes}


def _kind(name: str) -> str:
    """Return *name* if it is a type that voxels have here."""
    if name not in KINDS:
        msg = f"{name} is no type of voxels"
        raise ValueError(msg)
    return name


def _map(
    folder: Path, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """Return the array in a shard of ours, mapped, after a look at its index."""
    file = _shard(folder, shape)
    little = dtype.newbyteorder("<")
    size = math.prod(shape) * dtype.itemsize
    with file.open("rb") as opened:
        if opened.seek(0, 2) != size + 16 * shape[0]:
            msg = "its array was cut short"
            raise ValueError(msg)
        opened.seek(size)
        if opened.read() != _index(shape, dtype.itemsize):
            msg = "its index is damaged"
            raise ValueError(msg)
    return np.memmap(file, little, "r", shape=shape)


def _shard(folder: Path, shape: Sequence[int]) -> Path:
    """Return the file of an array's one shard."""
    return folder.joinpath("c", *("0" for _ in shape))


def _index(shape: Sequence[int], itemsize: int) -> bytes:
    """Return where each slice lies in its shard: offset and bytes, in turns."""
    each = math.prod(shape[1:]) * itemsize
    places = np.empty((shape[0], 2), "<u8")
    places[:, 0] = np.arange(shape[0], dtype=np.uint64) * np.uint64(each)
    places[:, 1] = each
    return places.tobytes()


def array_metadata(
    shape: Sequence[int], dtype: str, chunks: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the description of an array (Zarr 3), as it lies on the disk.

    With *chunks* it is that of an array in plain chunks, packed by Zstandard, as it
    goes over the wire.
    """
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    sharded = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [1, *shape[1:]],
            "codecs": [little],
            "index_codecs": [little],
            "index_location": "end",
        },
    }
    packed = {"name": "zstd", "configuration": {"level": 1, "checksum": False}}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": list(chunks or shape)},
        },
        "chunk_key_encoding": {
            "name": "default",
            "configuration": {"separator": "/"},
        },
        "fill_value": 0,
        "codecs": [little, packed] if chunks else [sharded],
        "attributes": {},
        "dimension_names": list(_NAMES[: len(shape)]),
    }


def _described(header: Mapping[str, Any], levels: Sequence[Level]) -> dict[str, Any]:
    """Return the description of the group."""
    attributes: dict[str, Any] = {"rounds": dict(header)}
    if len(levels[0].shape) == len(_AXES):  # in colour, axes are not in NGFF's order
        attributes["ome"] = {"version": "0.5", "multiscales": [_scales(header, levels)]}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def _scales(header: Mapping[str, Any], levels: Sequence[Level]) -> dict[str, Any]:
    """Return the levels as OME-NGFF 0.5 says them: millimetres along z, y, x."""
    axes = [{"name": n, "type": "space", "unit": "millimeter"} for n in _AXES]
    return {
        "name": header["series_uid"],
        "axes": axes,
        "datasets": [
            {"path": str(number), "coordinateTransformations": _placed(header, level)}
            for number, level in enumerate(levels)
        ],
    }


def _placed(header: Mapping[str, Any], level: Level) -> list[dict[str, Any]]:
    """Return a level's scale, and the shift of its first voxel's centre."""
    both = list(zip(header["spacing"], level.steps, strict=True))
    return [
        {"type": "scale", "scale": [mm * step for mm, step in both]},
        {"type": "translation", "translation": [mm * (s - 1) / 2 for mm, s in both]},
    ]


def header_at(header: Mapping[str, Any], level: Level) -> dict[str, Any]:
    """Return the header of a *level* from that of the volume.

    Coarse voxels have another spacing, and the first one another centre.
    """
    if level.steps == (1, 1, 1):
        return dict(header)
    direction = np.reshape([float(n) for n in header["direction"]], (3, 3))
    shift = [
        mm * (s - 1) / 2 for mm, s in zip(header["spacing"], level.steps, strict=True)
    ]
    origin = np.asarray(header["origin"], float) + direction @ shift
    z, y, x = level.steps
    return dict(header) | {
        "shape": list(level.shape),
        "spacing": [
            mm * s for mm, s in zip(header["spacing"], level.steps, strict=True)
        ],
        "origin": origin.tolist(),
        "sources": [],
        "remarks": [
            *header["remarks"],
            f"A coarse copy: {z} x {y} x {x} voxels in one.",
        ],
    }
