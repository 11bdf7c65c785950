"""Turn what a person searches with into one request: words, facets, pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds.cases import Case, Series
from rounds.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

__all__ = ["FACETS", "example_of", "filters_of", "png_of", "sent_example"]

FACETS = ("modality", "body_part", "level", "language", "kind", "code", "case")
LARGEST = 16 << 20
_EDGES = 4
_GREY, _COLOUR = 2, 3


def filters_of(facets: Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    """Return *facets* as the house takes them.

    Raises
    ------
    TypeError
        If there is no such facet; those that there are are named.

    Examples
    --------
    >>> filters_of({"modality": "CT"})
    {'modality': ['CT']}
    """
    if unknown := sorted(set(facets) - set(FACETS)):
        msg = f"No facet {unknown[0]!r}. Known: {', '.join(FACETS)}."
        raise TypeError(msg)
    return {
        name: [one] if isinstance(one, str) else list(one)
        for name, one in facets.items()
    }


def example_of(
    like: Case | Series | str,
    slice: int | None = None,  # noqa: A002 (what it is)
    region: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """Return what is like *like*: a case, a series, a slice of it, a region of that.

    A case with a slice means its first series with pictures. A string is the id of a
    case, or the UID of a series.

    Raises
    ------
    RefusedError
        If a region has no slice.

    Examples
    --------
    >>> example_of("1.2.840.1", 40)
    {'kind': 'slice', 'series_uid': '1.2.840.1', 'slice': 40}
    """
    if region is not None and slice is None:
        msg = "A region needs the slice that it is on: slice=40, counted from 0."
        raise RefusedError(msg)
    if isinstance(like, Case) and slice is not None:
        like = like.picture_series
    if isinstance(like, Case):
        return {"kind": "case", "case_id": like.id}
    uid = like.uid if isinstance(like, Series) else str(like)
    if not isinstance(like, Series) and not _is_uid(uid):
        if slice is not None:
            msg = (
                f"{uid!r} is no series; open the case, and ask with one of its series."
            )
            raise RefusedError(msg)
        return {"kind": "case", "case_id": uid}
    told: dict[str, Any] = {"kind": "series", "series_uid": uid}
    if slice is not None:
        told |= {"kind": "slice", "slice": int(slice)}
    if region is not None:
        told |= {"kind": "region"} | _region(region)
    return told


def sent_example(region: Sequence[Any] | None) -> dict[str, Any]:
    """Return what is like the picture that is sent, or like a region of it."""
    return {"kind": "upload"} | (_region(region) if region is not None else {})


def png_of(picture: npt.NDArray[Any] | bytes | str | Path) -> bytes:
    """Return the bytes of *picture*, an array as PNG: grey or colour, least is black.

    Parameters
    ----------
    picture
        ``(rows, columns)`` or ``(rows, columns, 3)`` of any numbers, the bytes of a
        PNG, JPEG or DICOM file, or the path of one.

    Raises
    ------
    RefusedError
        If it is no picture, or a file of more than 16 MiB.
    """
    if isinstance(picture, bytes):
        return _bounded(picture)
    if isinstance(picture, str | Path):
        path = Path(picture).expanduser()
        if not path.is_file():
            msg = f"There is no file {path.name!r} here."
            raise RefusedError(msg)
        with path.open("rb") as file:
            return _bounded(file.read(LARGEST + 1))
    return _encoded(np.asarray(picture))


def _encoded(array: npt.NDArray[Any]) -> bytes:
    """Return *array* as PNG, its range spread over black to white."""
    from PIL import Image  # noqa: PLC0415 - only a picture needs it

    coloured = array.ndim == _COLOUR and array.shape[2] == _COLOUR
    if not (array.ndim == _GREY or coloured) or array.dtype.kind not in "buif":
        msg = (
            f"A picture has (rows, columns) or (rows, columns, 3), got {array.shape} "
            f"of {array.dtype}. Of a volume take a slice: volume.array[40]."
        )
        raise RefusedError(msg)
    values = array.astype(np.float64)
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    if not high > low:
        msg = "The picture is of one grey all over: nothing is like it."
        raise RefusedError(msg)
    spread = np.nan_to_num((values - low) / (high - low), nan=0.0, posinf=1.0, neginf=0)
    written = io.BytesIO()
    Image.fromarray((spread.clip(0, 1) * 255).astype(np.uint8)).save(written, "PNG")
    return _bounded(written.getvalue())


def _bounded(data: bytes) -> bytes:
    """Refuse what the house would not take."""
    if len(data) > LARGEST:
        msg = f"A picture has at most {LARGEST >> 20} MiB."
        raise RefusedError(msg)
    return data


def _region(region: Sequence[Any]) -> dict[str, Any]:
    """Return a region as the house takes it: edges, or the corners of a polygon."""
    parts = list(region)
    if len(parts) == _EDGES and not any(isinstance(one, list | tuple) for one in parts):
        names = ("left", "top", "right", "bottom")
        return {"rectangle": dict(zip(names, map(float, parts), strict=True))}
    return {"polygon": [[float(x), float(y)] for x, y in parts]}


def _is_uid(text: str) -> bool:
    """Return whether *text* can only be a UID: digits and at least one dot."""
    return "." in text and text.replace(".", "").isdigit()
