"""Folders of labelled pictures: ``manifest.csv`` and ``images/<id>.png``.

The manifest has a row a picture: ``id``, ``dataset``, ``group`` (its case, patient or
video) and labels; an empty label is not known.
"""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.errors import RequestError, require

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from rounds_search.encoders import Encoder

__all__ = ["LABELS", "Labelled", "picture_of", "read_labelled", "vectors_of"]

LABELS: Final = ("modality", "region", "location", "plane", "detail", "pathology")
ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
MOST: Final = 100_000
LONGEST_FIELD: Final = 1_000_000
MAX_BYTES: Final = 50_000_000
MAX_SIDE: Final = 8_192


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture: where it is, of which case, and what it is known to show.

    *labels* has the names of ``LABELS``, ``""`` where that is not known.
    """

    id: str
    dataset: str
    case: str
    path: Path
    labels: Mapping[str, str]


def read_labelled(folder: Path) -> list[Labelled]:
    """Return what the manifest of *folder* names, in its order.

    Raises
    ------
    RequestError
        There is no manifest, it has no ids, an id twice, or one that is no file name.
    """
    try:
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        msg = "The folder has no manifest.csv that can be read."
        raise RequestError(msg) from None
    require(0 < len(rows) <= MOST, "The number of pictures", len(rows), f"1 to {MOST}")
    found = [_row(folder, row) for row in rows]
    if len({one.id for one in found}) != len(found):
        msg = "Each id of manifest.csv must be there once."
        raise RequestError(msg)
    return found


def _row(folder: Path, row: Mapping[str, str | None]) -> Labelled:
    name = row.get("id") or ""
    fits = ID.fullmatch(name) is not None
    require(fits, "An id of manifest.csv", name, "a file name without its ending")
    dataset = row.get("dataset") or ""
    case = row.get("group") or name
    return Labelled(
        id=name,
        dataset=dataset,
        case=f"{dataset}/{case}",
        path=folder / "images" / f"{name}.png",
        labels={label: row.get(label) or "" for label in LABELS},
    )


def picture_of(one: Labelled) -> npt.NDArray[np.uint8]:
    """Return the grey levels of a picture.

    Raises
    ------
    RequestError
        It is missing, damaged or too large.
    """
    from PIL import Image  # noqa: PLC0415 - an extra that only measuring needs

    try:
        require(one.path.stat().st_size <= MAX_BYTES, "A picture", one.id, "50 MB")
        with Image.open(one.path) as image:
            require(max(image.size) <= MAX_SIDE, "The side of", one.id, "8192 pixels")
            return np.asarray(image.convert("L"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        msg = f"The picture {one.id!r} cannot be read."
        raise RequestError(msg) from None


def vectors_of(
    rows: Sequence[Labelled],
    encoder: Encoder,
    kept: Path | None = None,
    told: Callable[[int], object] = lambda _: None,
) -> npt.NDArray[np.float32]:
    """Return ``(n, d)`` vectors of pictures.

    Parameters
    ----------
    kept
        A folder where vectors are kept, by the hash of the picture; None: nowhere.
    told
        Is told how many are done.
    """
    store = _Kept(kept, encoder) if kept is not None else None
    made = []
    for count, row in enumerate(rows, start=1):
        made.append(store.vector(row) if store else encoder.encode(picture_of(row)))
        told(count)
    if store:
        store.write()
    return np.stack(made).astype(np.float32)


class _Kept:
    """Vectors of one encoder in one file, by the hash of their pictures."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self._path = folder / f"{encoder.name}.npz"
        self._encoder = encoder
        self._vectors: dict[str, npt.NDArray[Any]] = {}
        self._grown = False
        if self._path.is_file():
            with np.load(self._path, allow_pickle=False) as there:
                names, rows = there["names"], there["vectors"]
            self._vectors = dict(zip(names.tolist(), rows, strict=True))

    def vector(self, row: Labelled) -> npt.NDArray[np.float32]:
        """Return the vector of a picture, made where it is not there yet."""
        try:
            name = hashlib.sha256(row.path.read_bytes()).hexdigest()
        except OSError:
            name = ""
        if name not in self._vectors:
            self._vectors[name] = self._encoder.encode(picture_of(row))
            self._grown = True
        return self._vectors[name]

    def write(self) -> None:
        """Write the file anew where something came."""
        if not self._grown:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        names = np.array(list(self._vectors))
        temporary = self._path.with_suffix(".part.npz")
        np.savez(temporary, names=names, vectors=np.stack(list(self._vectors.values())))
        temporary.replace(self._path)
