"""An encoder's vectors as a process scans them: mapped rows, codes and their bounds."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numkong
import numpy as np

from rounds_search.backends.sqlite.codes import LEAD, SLACK, Asked, dots
from rounds_search.backends.sqlite.sidecar import Stand, mapped, sizes, slices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from rounds_search.interaction import Slices

    Floats = npt.NDArray[np.float32]
    Rows = npt.NDArray[np.int64]

__all__ = ["Sidecar"]

# Rows that one thread scans at once; what fits in a cache beside its results.
PART: Final = 65_536
# From so many numbers on, a scan is spread over the cores.
SPREAD: Final = 8_000_000
MOST_THREADS: Final = 8

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Leading coordinates of up to ``PART`` rows, packed for scanning."""

    packed: Any
    left: Floats

    @classmethod
    def of(cls, codes: npt.NDArray[np.int8], left: Floats) -> Part:
        """Return *codes* packed, *left* in columns one after the other."""
        return cls(numkong.dots_pack(np.asarray(codes)), np.asfortranarray(left))

    def bounds(self, asked: Asked, into: Floats) -> None:
        """Write ``(n, m)`` what each cosine is at most *into* an array."""
        into[:] = np.asarray(numkong.dots_packed(asked.codes, self.packed)).T
        asked.bounds(into, self.left)


@dataclass(frozen=True, slots=True, eq=False)
class Sidecar:
    """What a process has open of an encoder's files.

    Parameters
    ----------
    stand
        How much of them counts.
    known
        The rows themselves.
    codes, steps
        ``(coded, d)`` and ``(coded, 2)``; without rows where the files are torn.
    directions, parts
        The basis and the leading coordinates, None and empty where there is none.
    """

    stand: Stand
    known: Slices
    codes: npt.NDArray[np.int8]
    steps: Floats
    directions: Floats | None
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, folder: Path, stand: Stand, before: Sidecar | None = None) -> Sidecar:
        """Open the files of *stand*; parts that *before* has are taken from it.

        Raises
        ------
        DamagedIndexError
            The rows are missing or cut short.
        """
        known = slices(folder, stand)
        count = stand.coded if _intact(folder, stand) else 0
        codes = mapped(folder / f"{stand.stem}.i8", (count, stand.dimension), "i1")
        steps = mapped(folder / f"{stand.stem}.steps", (count, 2))
        directions: Floats | None = None
        parts: tuple[Part, ...] = ()
        if stand.turn > 0 and count:
            shape = (stand.dimension, LEAD)
            directions = np.array(mapped(folder / f"{stand.turned}.basis", shape))
            parts = _parts(folder, stand, before)
        return cls(stand, known, codes, np.asfortranarray(steps), directions, parts)

    def leading(self, asked: Floats) -> Floats | None:
        """Return ``(rows, m)`` bounds from leading coordinates, None without them."""
        if self.directions is None:
            return None
        question = Asked.of(asked, self.directions)
        shape = (len(asked), len(self.known.vectors))
        found = np.empty(shape, np.float32).T
        parts = zip(self.parts, _ranges(0, len(self.codes)), strict=True)
        _each(
            lambda one: one[0].bounds(question, found[one[1]]),
            list(parts),
            self._spread(LEAD),
        )
        found[len(self.codes) :] = self._exact(asked, slice(len(self.codes), None))
        return found

    def bounds(self, asked: Floats, rows: Rows | slice) -> Floats:
        """Return ``(n, m)`` what the cosines of *rows* and *asked* are at most."""
        question = Asked.of(asked)
        if isinstance(rows, slice):
            parts = _ranges(rows.start, min(rows.stop, len(self.codes)))
            found = _each(
                lambda part: self._part(question, part),
                parts,
                self._spread(self.stand.dimension),
            )
            first = max(rows.start, len(self.codes))
            return np.concatenate([*found, self._exact(asked, slice(first, rows.stop))])
        inside = rows < len(self.codes)
        if inside.all():
            return self._part(question, rows)
        near = np.empty((len(rows), len(asked)), np.float32)
        near[inside] = self._part(question, rows[inside])
        near[~inside] = self._exact(asked, rows[~inside])
        return near

    def _part(self, question: Asked, rows: Rows | slice) -> Floats:
        return question.bounds(dots(self.codes[rows], question.codes), self.steps[rows])

    def _exact(self, asked: Floats, rows: Rows | slice) -> Floats:
        exact: Floats = self.known.vectors[rows] @ asked.T
        exact += np.float32(SLACK)
        return exact

    def _spread(self, dimension: int) -> bool:
        return len(self.codes) * dimension >= SPREAD


def _parts(folder: Path, stand: Stand, before: Sidecar | None) -> tuple[Part, ...]:
    codes = mapped(folder / f"{stand.turned}.lead", (stand.coded, LEAD), "i1")
    left = mapped(folder / f"{stand.turned}.left", (stand.coded, 3))
    same = before is not None and before.stand.turned == stand.turned and before.parts
    kept = before.stand.coded // PART if before is not None and same else 0
    made = [
        Part.of(codes[part], left[part]) for part in _ranges(kept * PART, stand.coded)
    ]
    return (*(before.parts[:kept] if before is not None else ()), *made)


def _intact(folder: Path, stand: Stand) -> bool:
    """Return whether every file of codes has all that *stand* says."""
    files = ((folder / name, size) for name, size in sizes(stand).items() if size)
    return all(file.exists() and file.stat().st_size >= size for file, size in files)


def _ranges(first: int, end: int) -> list[slice]:
    return [slice(at, min(at + PART, end)) for at in range(first, end, PART)]


@lru_cache(maxsize=1)
def _pool(_process: int) -> ThreadPoolExecutor:
    # One a process: threads do not survive a fork.
    workers = min(MOST_THREADS, os.cpu_count() or 1)
    return ThreadPoolExecutor(workers, "rounds-scan")


def _each(work: Callable[[T], R], parts: Sequence[T], spread: bool) -> list[R]:  # noqa: FBT001 - a reading
    if not spread or len(parts) < 2:  # noqa: PLR2004 - nothing to spread
        return [work(part) for part in parts]
    return list(_pool(os.getpid()).map(work, parts))
