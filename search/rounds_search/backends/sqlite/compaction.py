"""Write the vectors in use into new files where most rows are used no more."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.backends.sqlite.sidecar import Pace, Stand, append, coded, slices
from rounds_search.backends.sqlite.vectors import Ranges
from rounds_search.backends.sqlite.writing import put_stand

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from rounds_search.interaction import Slices

__all__ = ["compact"]

AT_ONCE: Final = 32_768
# What follows the name of an encoder in the names of its files.
REST: Final = re.compile(r"(~(\d+))?(\.(f32|at|i8|steps)|\.\d+\.(lead|left|basis))")


def compact(connection: sqlite3.Connection, folder: Path, pace: Pace) -> int:
    """Compact each encoder with more rows out of use than in use, and enough of them.

    Searches go on in the files before, which stay until the next compaction. A killed
    one leaves files that nothing names, which the next one writes over.

    Returns
    -------
    int
        How many rows were left behind.
    """
    left = 0
    for row in connection.execute("SELECT * FROM encoders").fetchall():
        stand = Stand(*row)
        unused = stand.rows - stand.live
        if unused > stand.live and unused >= pace.unused:
            _compact(connection, folder, stand, pace)
            left += unused
    return left


def _compact(
    connection: sqlite3.Connection, folder: Path, stand: Stand, pace: Pace
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        made = _moved(connection, folder, stand)
        put_stand(connection, coded(folder, made, pace))
        connection.execute("COMMIT")
    except BaseException:
        # Whoever called hears of it; the files before are still the ones in use.
        connection.execute("ROLLBACK")
        raise
    _forget(folder, made)


def _moved(connection: sqlite3.Connection, folder: Path, stand: Stand) -> Stand:
    """Copy the rows in use to new files, and tell the pictures where they are now."""
    found = connection.execute(
        "SELECT slot, start, count FROM pictures"
        " WHERE encoder = ? AND keys IS NOT NULL ORDER BY start",
        (stand.name,),
    ).fetchall()
    slots, start, count = np.array(found, np.int64).reshape(-1, 3).T
    ranges = Ranges(start, count)
    made = Stand(stand.name, stand.dimension, file=stand.file + 1)
    known = slices(folder, stand)
    for suffix, part in ((".f32", _vectors), (".at", _places)):
        (folder / f"{made.stem}{suffix}").unlink(missing_ok=True)
        blocks = (part(known, block.rows()) for block in ranges.blocks(AT_ONCE))
        append(folder / f"{made.stem}{suffix}", 0, blocks)
    (seq,) = connection.execute(
        "UPDATE meta SET value = value + 1 WHERE name = 'seq' RETURNING value"
    ).fetchone()
    moved: Iterator[Any] = zip(ranges.offsets.tolist(), slots.tolist(), strict=True)
    connection.executemany(
        "UPDATE pictures SET start = ?, seq = ? WHERE slot = ?",
        ((first, seq, slot) for first, slot in moved),
    )
    return replace(made, rows=ranges.total, live=ranges.total)


def _vectors(known: Slices, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    return known.vectors[rows]


def _places(known: Slices, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    placed = known.positions
    if placed is None:
        return np.full((len(rows), 1), np.nan, np.float32)
    return placed[rows, np.newaxis]


def _forget(folder: Path, stand: Stand) -> None:
    """Take away files from before the last compaction: no search reads them now."""
    for path in folder.glob(f"{stand.name}*"):
        found = REST.fullmatch(path.name.removeprefix(stand.name))
        if found is not None and int(found[2] or 0) < stand.file - 1:
            path.unlink(missing_ok=True)
