"""Write batches into an index until killed; run by path, in a process of its own.

``python writer_process.py FOLDER BATCH`` prints a number for each acknowledged batch.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

from rounds_search import Document, ImageDocument, SqliteBackend
from rounds_search.backends.sqlite.sidecar import Pace

EVERYONE = frozenset({"everyone"})


def batch(number: int, size: int) -> list[Document | ImageDocument]:
    """Return documents of batch *number*, each with a picture of its own."""
    found: list[Document | ImageDocument] = []
    for at in range(size):
        name = f"c{number}-{at}"
        vectors = np.random.default_rng([number, at]).normal(size=(3, 64))
        found.append(
            Document(
                id=name,
                kind="case",
                revision=1,
                title=f"batch{number} brain lesion {at}",
                audience=EVERYONE,
                facets={"level": (f"b{number}",)},
            )
        )
        found.append(
            ImageDocument(
                id=f"{name}:e",
                case_ids=(name,),
                revision=1,
                encoder="e",
                vectors=vectors.astype(np.float32),
                audience=EVERYONE,
            )
        )
    return found


def main() -> None:
    """Write for ever."""
    folder, size = Path(sys.argv[1]), int(sys.argv[2])
    # Codes come often, so that a kill meets them half-written, too.
    index = SqliteBackend(folder, pace=Pace(block=16))
    index.ensure()
    for number in itertools.count():
        index.write(batch(number, size))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
