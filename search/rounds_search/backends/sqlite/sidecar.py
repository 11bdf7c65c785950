"""The vectors of a generation on disk, and short codes that make scans quick.

::

    <encoder>.f32      (rows, d) float32 of unit length: what was written, the truth
    <encoder>.at       (rows, 1) float32, where each lies along its stack
    <encoder>.i8       (coded, d) int8 codes, and
    <encoder>.steps    (coded, 2) float32, what ``codes.quantized`` says of each
    <encoder>.N.lead   (coded, LEAD) int8 in the basis of training N, and
    <encoder>.N.left   (coded, 3) float32, what ``codes.turned`` says of each
    <encoder>.N.basis  (d, LEAD) float32

SQLite says how much of each counts (``Stand``): files are appended to and synced before
the transaction that says so, so that a killed writer leaves nothing that anyone reads.
Codes come in blocks, some time after their rows; what has none yet is compared as it
is. They can be made again from the rows: a torn file of codes costs time, no answers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.backends.sqlite.codes import LEAD, basis, quantized, turned
from rounds_search.backends.sqlite.place import sync_folder
from rounds_search.errors import DamagedIndexError
from rounds_search.interaction import Slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["Pace", "Stand", "append", "coded", "mapped", "slices"]

# A basis is looked for again when there are four times more rows.
TURN_AGAIN: Final = 4
AT_ONCE: Final = 32_768


@dataclass(frozen=True, slots=True)
class Pace:
    """From how many rows on the files of vectors are worked on.

    Rows get their codes when ``block`` have come since, a basis is looked for among
    ``turn``, and files are compacted when ``unused`` are out of use, and more than are
    in use.
    """

    block: int = 1_024
    turn: int = 16_384
    unused: int = 16_384


@dataclass(frozen=True, slots=True)
class Stand:
    """How much of an encoder's files counts.

    ``rows`` are there, ``live`` of them in use; ``coded`` have codes. ``file`` counts
    compactions, ``turn`` is the training of the basis (0: none yet; below 0: looked for
    among so many rows, and not worth it).
    """

    name: str
    dimension: int
    rows: int = 0
    live: int = 0
    file: int = 0
    coded: int = 0
    turn: int = 0

    @property
    def stem(self) -> str:
        """What its files' names begin with."""
        return f"{self.name}~{self.file}" if self.file else self.name

    @property
    def turned(self) -> str:
        """What the names of its files of leading coordinates begin with."""
        return f"{self.stem}.{self.turn}"


def mapped(file: Path, shape: tuple[int, int], kind: str = "<f4") -> npt.NDArray[Any]:
    """Return the first *shape* ``(rows, d)`` numbers of *file*, mapped read-only.

    Raises
    ------
    DamagedIndexError
        The file is missing or shorter than that.
    """
    if not shape[0]:
        return np.empty(shape, kind)
    try:
        rows = np.memmap(file, kind, "r", shape=shape)
    except (FileNotFoundError, ValueError):
        msg = f"The vectors of {file.stem!r} are cut short."
        raise DamagedIndexError(msg) from None
    return np.asarray(rows)


def slices(folder: Path, stand: Stand) -> Slices:
    """Return the vectors of an encoder and their positions.

    Raises
    ------
    DamagedIndexError
        A file is missing or shorter than *stand* says.
    """
    vectors = mapped(folder / f"{stand.stem}.f32", (stand.rows, stand.dimension))
    placed = mapped(folder / f"{stand.stem}.at", (stand.rows, 1))
    return Slices(vectors, placed[:, 0])


def append(path: Path, first: int, blocks: Iterable[npt.NDArray[Any]]) -> None:
    """Write *blocks* of rows from row *first* on, over what an unfinished write left.

    Raises
    ------
    DamagedIndexError
        The file is shorter than the index says.
    """
    if not path.exists():
        path.touch()
        sync_folder(path.parent)
    with path.open("r+b") as file:
        for number, block in enumerate(blocks):
            if not number:
                _seek(file, path, first * block.shape[1] * block.dtype.itemsize)
            file.write(np.ascontiguousarray(block).tobytes())
        file.flush()
        os.fsync(file.fileno())


def _seek(file: Any, path: Path, at: int) -> None:  # noqa: ANN401 - a binary file
    if file.seek(0, os.SEEK_END) < at:
        msg = f"The vectors of {path.stem!r} are cut short."
        raise DamagedIndexError(msg)
    file.seek(at)


def coded(folder: Path, stand: Stand, pace: Pace) -> Stand:
    """Give the rows of *stand* codes where enough came since, and return how it stands.

    What is torn is made again from the rows.
    """
    if stand.rows - stand.coded < pace.block:
        return stand
    known = slices(folder, stand)
    if not _whole(folder, stand):
        stand = replace(stand, coded=0, turn=0)
    _code(folder, stand, known)
    if stand.rows >= max(pace.turn, TURN_AGAIN * abs(stand.turn)):
        return _trained(folder, stand, known)
    if stand.turn > 0:
        directions = mapped(folder / f"{stand.turned}.basis", (stand.dimension, LEAD))
        _turn(folder, stand, known, directions)
    return replace(stand, coded=stand.rows)


def sizes(stand: Stand) -> dict[str, int]:
    """Return how many bytes each file of codes has at least, by its name."""
    named = {
        f"{stand.stem}.i8": stand.coded * stand.dimension,
        f"{stand.stem}.steps": stand.coded * 8,
    }
    if stand.turn > 0:
        named |= {
            f"{stand.turned}.lead": stand.coded * LEAD,
            f"{stand.turned}.left": stand.coded * 12,
            f"{stand.turned}.basis": stand.dimension * LEAD * 4,
        }
    return named


def _whole(folder: Path, stand: Stand) -> bool:
    return all(
        (folder / name).exists() and (folder / name).stat().st_size >= size
        for name, size in sizes(stand).items()
        if size
    )


def _blocks(stand: Stand, known: Slices, first: int) -> Iterator[Slices]:
    for at in range(first, stand.rows, AT_ONCE):
        yield known.part(at, min(at + AT_ONCE, stand.rows))


def _code(folder: Path, stand: Stand, known: Slices) -> None:
    first = stand.coded
    for part in _blocks(stand, known, stand.coded):
        codes, steps = quantized(part.vectors)
        append(folder / f"{stand.stem}.i8", first, [codes])
        append(folder / f"{stand.stem}.steps", first, [steps])
        first += len(codes)


def _turn(
    folder: Path, stand: Stand, known: Slices, directions: npt.NDArray[np.float32]
) -> None:
    first = stand.coded
    for part in _blocks(stand, known, stand.coded):
        codes, left = turned(part.vectors, directions)
        append(folder / f"{stand.turned}.lead", first, [codes])
        append(folder / f"{stand.turned}.left", first, [left])
        first += len(codes)


def _trained(folder: Path, stand: Stand, known: Slices) -> Stand:
    """Return *stand* with a basis for all its rows, or without one that is worth it."""
    directions = basis(known.vectors)
    if directions is None:
        return replace(stand, coded=stand.rows, turn=-stand.rows)
    made = replace(stand, coded=0, turn=stand.rows)
    append(folder / f"{made.turned}.basis", 0, [directions])
    _turn(folder, made, known, directions)
    return replace(made, coded=stand.rows)
