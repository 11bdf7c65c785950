"""A series as one array with its geometry: reading it, keeping it, opening it again.

>>> from rounds_kernels import phantoms
>>> volume = read_series(phantoms.to_dicom(phantoms.sphere()))
>>> volume.modality, volume.units, volume.array.dtype.name
('CT', 'HU', 'int16')
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_kernels.assembly import grid_of, pixels_of
from rounds_kernels.attributes import number, text
from rounds_kernels.errors import (
    EmptySeriesError,
    NoPixelsError,
    SeriesError,
    SeveralSeriesError,
    VolumeFormatError,
)
from rounds_kernels.geometry import Direction, lps_affine, ras_from_lps
from rounds_kernels.grouping import Group, part
from rounds_kernels.instances import Source, open_instance
from rounds_kernels.keeping import keep, mapped
from rounds_kernels.pixels import LIMIT
from rounds_kernels.planes import Plane, planes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt

__all__ = [
    "SliceSource",
    "Volume",
    "open_volume",
    "read_series",
    "read_stacks",
    "write_volume",
]

_FORMAT: Final = 1
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class SliceSource:
    """The picture that one slice of a volume was made of.

    Attributes
    ----------
    sop_instance_uid
        Of the instance.
    frame
        Its number in a multi-frame instance from 1, or 0.
    position
        Millimetres along the normal from the first slice: the true place, also where
        slices lie unevenly.
    """

    sop_instance_uid: str
    frame: int = 0
    position: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A series as one array with its geometry.

    Attributes
    ----------
    array
        (slices, rows, columns), or (slices, rows, columns, 3) in colour; axis order z,
        y, x; grey values are int16 or float32 in `units`.
    spacing
        Millimetres from voxel to voxel along z, y, x.
    origin
        LPS mm (x, y, z) of the centre of voxel [0, 0, 0].
    direction
        3x3, row by row; column k is the LPS direction of array axis k. The first column
        leans where a gantry was tilted.
    units
        "HU", "SUV", "BQML", ... or "" where none is stated.
    modality, series_uid
        As in DICOM.
    sources
        What each slice was made of.
    remarks
        Irregularities that were noticed, one sentence each.
    frame_of_reference_uid, description
        As in DICOM; "" where not stated.
    inverted
        Whether low values are to be shown bright (MONOCHROME1).
    window
        Centre and width in `units` that the series asks to be shown with, or None.

    Examples
    --------
    >>> import numpy as np
    >>> axes = (0, 0, 1, 0, 1, 0, 1, 0, 0)
    >>> array = np.zeros((2, 3, 4), np.int16)
    >>> block = Volume(array, (5, 1, 1), (0, 0, 0), axes, "HU", "CT", "1.2")
    >>> round(block.voxel_volume, 3)
    5.0
    """

    array: npt.NDArray[Any]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: Direction
    units: str
    modality: str
    series_uid: str
    sources: tuple[SliceSource, ...] = ()
    remarks: tuple[str, ...] = ()
    frame_of_reference_uid: str = ""
    description: str = ""
    inverted: bool = False
    window: tuple[float, float] | None = None

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Return the 4x4 matrix from an array index (z, y, x) to LPS mm."""
        return lps_affine(self.spacing, self.origin, self.direction)

    @property
    def ras_affine(self) -> npt.NDArray[np.float64]:
        """Return the 4x4 matrix from (x, y, z) to RAS mm, as NIfTI has it."""
        return ras_from_lps(self.affine)

    @property
    def voxel_volume(self) -> float:
        """Return the mm3 of one voxel, right also under a tilted gantry."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def is_colour(self) -> bool:
        """Tell whether voxels are RGB."""
        return self.array.ndim == 4  # noqa: PLR2004 - z, y, x and colour

    def header(self) -> dict[str, Any]:
        """Return all but the array, as JSON can hold it."""
        return {
            "format": _FORMAT,
            "shape": list(self.array.shape),
            "dtype": self.array.dtype.name,
            "spacing": list(self.spacing),
            "origin": list(self.origin),
            "direction": list(self.direction),
            "units": self.units,
            "modality": self.modality,
            "series_uid": self.series_uid,
            "sources": [
                [s.sop_instance_uid, s.frame, s.position] for s in self.sources
            ],
            "remarks": list(self.remarks),
            "frame_of_reference_uid": self.frame_of_reference_uid,
            "description": self.description,
            "inverted": self.inverted,
            "window": None if self.window is None else list(self.window),
        }

    @classmethod
    def from_parts(cls, array: npt.NDArray[Any], header: Mapping[str, Any]) -> Volume:
        """Return the volume of an array and what `header` gave.

        Raises
        ------
        VolumeFormatError
            When they do not fit each other.
        """
        try:
            volume = cls(array, **_fields(header))
        except (KeyError, TypeError, ValueError) as error:
            msg = f"The volume's header is damaged ({error}); read the series again."
            raise VolumeFormatError(msg) from error
        claimed = list(header.get("shape", ())), header.get("dtype")
        if claimed != (list(array.shape), array.dtype.name):
            msg = (
                f"The header claims {claimed[1]} of shape {claimed[0]}, the array is "
                f"{array.dtype.name} of shape {list(array.shape)}; read the series "
                "again."
            )
            raise VolumeFormatError(msg)
        return volume


def _fields(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a volume from its header, checked."""
    if header["format"] != _FORMAT:
        msg = f"format {header['format']!r} is not {_FORMAT}"
        raise ValueError(msg)
    window = header["window"]
    return {
        "spacing": _numbers(header["spacing"], 3),
        "origin": _numbers(header["origin"], 3),
        "direction": _numbers(header["direction"], 9),
        "sources": tuple(
            SliceSource(str(u), int(f), float(p)) for u, f, p in header["sources"]
        ),
        "remarks": tuple(map(str, header["remarks"])),
        "inverted": bool(header["inverted"]),
        "window": None if window is None else _numbers(window, 2),
    } | {
        name: str(header[name])
        for name in (
            "units",
            "modality",
            "series_uid",
            "frame_of_reference_uid",
            "description",
        )
    }


def _numbers(listed: Iterable[Any], count: int) -> tuple[float, ...]:
    numbers = tuple(float(item) for item in listed)
    if len(numbers) != count or not np.isfinite(numbers).all():
        msg = f"{count} finite numbers are wanted, not {numbers}"
        raise ValueError(msg)
    return numbers


def read_series(
    source: Iterable[Source], *, strict: bool = False, limit: int = LIMIT
) -> Volume:
    """Return a series as one volume: its greatest stack where it holds several.

    Parameters
    ----------
    source
        The instances: paths, bytes of files, or data sets, in any order.
    strict
        Refuse a series that holds several stacks instead of naming them in a remark.
    limit
        Bytes that the volume may take.

    Raises
    ------
    SeriesError
        When the instances make no volume; its subclasses say why.

    Examples
    --------
    >>> read_series([])
    Traceback (most recent call last):
    rounds_kernels.errors.EmptySeriesError: There are no instances to read.
    """
    groups = _groups(source, limit)
    if strict and len(groups) > 1:
        msg = f"The series holds {_listed(groups)}. Read one of them by read_stacks."
        raise SeveralSeriesError(msg)
    return _named(_volume(groups[0], limit), groups, 0)


def read_stacks(source: Iterable[Source], *, limit: int = LIMIT) -> tuple[Volume, ...]:
    """Return every stack of a series as a volume, the one with most pictures first.

    Parameters and errors are those of `read_series`.
    """
    groups = _groups(source, limit)
    return tuple(
        _named(_volume(group, limit), groups, index)
        for index, group in enumerate(groups)
    )


def _listed(groups: list[Group]) -> str:
    names = "; ".join(
        f"({n}) {group.name}" for n, group in enumerate(groups[:_SHOWN], 1)
    )
    more = f"; and {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
    return f"{len(groups)} stacks that make no one volume: {names}{more}"


def _named(volume: Volume, groups: list[Group], index: int) -> Volume:
    if len(groups) == 1:
        return volume
    remark = f"This is stack {index + 1} of a series that holds {_listed(groups)}."
    return replace(volume, remarks=(remark, *volume.remarks))


def _groups(source: Iterable[Source], limit: int) -> list[Group]:
    """Return the stacks of a series, after every header was read."""
    planes: list[Plane] = []
    without: list[str] = []
    count = 0
    for count, each in enumerate(source, 1):
        try:
            planes += planes_of(open_instance(each, limit))
        except NoPixelsError as error:
            without.append(f"Instance {count}: {error}")
        except SeriesError as error:
            msg = f"Instance {count}: {error}"
            raise type(error)(msg) from error
    if not count:
        msg = "There are no instances to read."
        raise EmptySeriesError(msg)
    if not planes:
        raise NoPixelsError(without[0])
    _one_series(planes)
    groups = part(planes)
    if without:
        remark = (
            f"{len(without)} of {count} instances hold no picture and are left out."
        )
        groups[0] = replace(groups[0], remarks=(*groups[0].remarks, remark))
    return groups


def _one_series(planes: list[Plane]) -> None:
    series = sorted({text(plane.attributes, "SeriesInstanceUID") for plane in planes})
    if len(series) > 1:
        msg = f"The instances belong to {len(series)} series; read each by itself."
        raise SeveralSeriesError(msg)


def _volume(group: Group, limit: int) -> Volume:
    grid = grid_of(group)
    array, noticed = pixels_of(group, limit)
    first = group.planes[0].attributes
    start = 0.0 if group.places is None else float(group.places[0])
    places = (
        [0.0] * len(group.planes) if group.places is None else group.places.tolist()
    )
    return Volume(
        array=array,
        spacing=grid.spacing,
        origin=grid.origin,
        direction=grid.direction,
        units=group.planes[0].units,
        modality=text(first, "Modality"),
        series_uid=text(first, "SeriesInstanceUID"),
        sources=tuple(
            SliceSource(plane.uid, plane.frame, round(place - start, 6))
            for plane, place in zip(group.planes, places, strict=True)
        ),
        remarks=(*grid.remarks, *noticed),
        frame_of_reference_uid=text(first, "FrameOfReferenceUID"),
        description=text(first, "SeriesDescription"),
        inverted=text(first, "PhotometricInterpretation") == "MONOCHROME1",
        window=_window(group.planes[0]),
    )


def _window(plane: Plane) -> tuple[float, float] | None:
    width = number(plane.attributes, "WindowWidth", 0.0)
    centre = number(plane.attributes, "WindowCenter", float("nan"))
    return (centre, width) if width >= 1 and centre == centre else None  # noqa: PLR0124 - not NaN


def write_volume(volume: Volume, folder: Path) -> None:
    """Keep *volume* in *folder* as ``volume.zarr``, with coarser copies of it.

    Its description is written last: a folder without one holds no volume.
    """
    keep(volume.array, volume.header(), folder)


def open_volume(folder: Path, level: int = 0) -> Volume:
    """Return a kept volume; its array is mapped, not read.

    *level* 0 is the volume itself, 1 and more are copies of fewer voxels.

    Raises
    ------
    VolumeFormatError
        When the folder holds none, or a damaged one, or no such level.
    """
    return Volume.from_parts(*mapped(folder, level))
