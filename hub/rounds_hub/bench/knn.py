"""Rows ``knn`` and ``knn-million``: nearest pictures under filters, none approximated.

The peer is NumPy: the product with all vectors in memory, what the filter leaves out
set aside, the best by ``argpartition``. Ours is a whole search, hits included, from the
files of an index. Equal means the same cases in the same order, but for equal scores.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_hub.bench.base import Contestant, Race
from rounds_hub.bench.library import COUNTED, ENCODER, EVERYONE, RARE, Library
from rounds_search import Request, SqliteBackend, VectorQuery
from rounds_search.requests import Term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

__all__ = ["millions", "races"]

CASES: Final = 100_000
QUICK_CASES: Final = 4_000
SLICES: Final = 50
QUESTIONS: Final = 40
BEST: Final = 10

Found = list[dict[str, float]]


def races(*, quick: bool) -> Iterator[Race]:
    """Yield nearest pictures among 100,000, of 60 % and of 1 % of the cases."""
    library = Library.of(QUICK_CASES if quick else CASES, words=8)
    with _opened(library) as folder, closing(_index(folder, library)) as index:
        yield _race("knn", "60 % of the cases", index, library, ())
        yield _race("knn", "1 % of the cases", index, library, (Term("code", (RARE,)),))


def millions(*, quick: bool) -> Iterator[Race]:
    """Yield nearest series among 1,000,000 slices, of 60 % and of 12 % of the cases."""
    library = Library.of(100 if quick else CASES // 5, slices=SLICES, words=8)
    with _opened(library) as folder, closing(_index(folder, library)) as index:
        yield _race("knn-million", "60 % of the cases", index, library, ())
        narrow = (Term(COUNTED[0], ("CT",)),)
        yield _race("knn-million", "12 % of the cases", index, library, narrow)


def _opened(_library: Library) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _index(folder: str, library: Library) -> SqliteBackend:
    index = SqliteBackend(Path(folder))
    index.ensure()
    index.rebuild(library.entries())
    return index


def _race(
    name: str,
    part: str,
    index: SqliteBackend,
    library: Library,
    where: tuple[Term, ...],
) -> Race:
    pictures = [picture for _, picture in library.questions(QUESTIONS)]
    kept = library.seen & _having(library, where)
    rows, dimension = library.vectors.shape
    return Race(
        name,
        f"{BEST} nearest, {part}",
        f"{QUESTIONS} pictures to {rows:,} vectors of {dimension}",
        Contestant(
            "rounds", "sqlite", lambda: [_ask(index, one, where) for one in pictures]
        ),
        Contestant(
            "numpy brute force",
            np.__version__,
            lambda: [_brute_force(library, kept, one) for one in pictures],
        ),
        same_nearest,
        waits=True,
    )


def _having(library: Library, where: tuple[Term, ...]) -> npt.NDArray[np.bool_]:
    if not where:
        return np.ones(len(library), np.bool_)
    return library.rare if where[0].field == "code" else library.values[:, 0] == 0


def _ask(
    index: SqliteBackend, picture: npt.NDArray[np.float32], where: tuple[Term, ...]
) -> dict[str, float]:
    leg = VectorQuery(ENCODER, picture)
    request = Request(
        audience=EVERYONE, vectors=(leg,), where=where, size=BEST, window=BEST
    )
    return {hit.id: hit.score for hit in index.search(request).hits}


def _brute_force(
    library: Library, kept: npt.NDArray[np.bool_], picture: npt.NDArray[np.float32]
) -> dict[str, float]:
    scores = library.vectors @ picture
    if library.slices > 1:
        scores = scores.reshape(-1, library.slices).max(axis=1)
    scores[~kept] = -np.inf
    best = np.argpartition(-scores, BEST)[:BEST]
    best = best[np.argsort(-scores[best], kind="stable")]
    return {f"case-{at}": float(scores[at]) for at in best.tolist()}


def same_nearest(one: Found, other: Found) -> bool:
    """Return whether both found the same cases, but for equally near ones."""
    return all(map(_same, one, other))


def _same(one: dict[str, float], other: dict[str, float]) -> bool:
    near: Callable[[dict[str, float]], list[float]] = lambda found: sorted(  # noqa: E731 - one use
        found.values()
    )
    alike = bool(np.allclose(near(one), near(other), atol=1e-5))
    missed = [score for name, score in other.items() if name not in one]
    return alike and all(score <= min(one.values()) + 1e-5 for score in missed)
