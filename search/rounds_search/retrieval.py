"""Rank a gallery for each query picture, and say how good the rankings are.

The ranking is the best that can be had: an encoder, and heads trained on the labels of
the gallery. What the labels of a query are plays no part in its ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

from rounds_search.encoders.heads import train
from rounds_search.errors import RequestError
from rounds_search.evaluation import average_precision, ndcg, precision
from rounds_search.labelled import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from rounds_search.encoders.heads import Trained
    from rounds_search.labelled import Labelled

    Rows = npt.NDArray[np.float32]

__all__ = ["Gallery", "Quality", "Ranking", "qualities", "rankings"]

PARTS: Final = 5
RESAMPLES: Final = 1_000
FEWEST_QUERIES: Final = 10


@dataclass(frozen=True, slots=True)
class Ranking:
    """The gallery's pictures for one query, the best first.

    *distance* is how far the query is from what is known, and *refused* whether that is
    too far: a ranking would mean nothing then, and there is none.
    """

    query: Labelled
    ranked: tuple[str, ...]
    distance: float = 0.0
    refused: bool = False


class Gallery:
    """Pictures to find, with heads trained on their labels where there are enough.

    Parameters
    ----------
    rows, vectors
        The pictures and ``(n, d)`` of an encoder.
    """

    def __init__(self, rows: Sequence[Labelled], vectors: Rows) -> None:
        """Train the heads and place the pictures."""
        self._rows = rows
        self._names = np.array([one.id for one in rows])
        self._cases = np.array([one.case for one in rows])
        labels = {name: [one.labels[name] for one in rows] for name in LABELS}
        self.trained = _trained(vectors, labels, [one.case for one in rows])
        self._placed = self._placing(vectors, labels)

    def rank(self, queries: Sequence[Labelled], vectors: Rows) -> Iterator[Ranking]:
        """Yield the ranking of each query; pictures of its own case are left out."""
        placed = self._placing(vectors, None)
        far, limit = self._far(vectors)
        for query, row, distance in zip(queries, placed, far, strict=True):
            nearness = self._placed @ row
            nearness[self._cases == query.case] = -np.inf
            order = np.argsort(-nearness, kind="stable")
            there = order[np.isfinite(nearness[order])]
            refused = bool(distance > limit)
            ranked = () if refused else tuple(self._names[there].tolist())
            yield Ranking(query, ranked, float(distance), refused)

    def _placing(self, vectors: Rows, labels: dict[str, list[str]] | None) -> Rows:
        return self.trained.joined(vectors, labels) if self.trained else vectors

    def _far(self, vectors: Rows) -> tuple[Rows, float]:
        known = self.trained.known if self.trained else None
        if self.trained is None or known is None:
            return np.zeros(len(vectors), np.float32), np.inf
        return known.distance(vectors), known.limit


def _trained(
    vectors: Rows, labels: dict[str, list[str]], cases: list[str]
) -> Trained | None:
    """Return heads, None where the gallery has too few labels for them."""
    try:
        return train(vectors, labels, cases)
    except RequestError:
        return None


def rankings(
    gallery: Sequence[Labelled],
    gallery_vectors: Rows,
    queries: Sequence[Labelled],
    query_vectors: Rows,
) -> Iterator[Ranking]:
    """Yield a ranking of the gallery for each query.

    Where cases are on both sides, the cases are parted in five; the queries of a part
    are ranked by heads trained without it, in the gallery without it.
    """
    shared = {one.case for one in gallery} & {one.case for one in queries}
    if not shared:
        yield from Gallery(gallery, gallery_vectors).rank(queries, query_vectors)
        return
    of_gallery = _parts(gallery)
    of_queries = _parts(queries)
    for part in range(PARTS):
        kept, asked = (
            np.flatnonzero(of_gallery != part),
            np.flatnonzero(of_queries == part),
        )
        if len(asked) and len(kept):
            others = [gallery[int(at)] for at in kept]
            rows = [queries[int(at)] for at in asked]
            without = Gallery(others, gallery_vectors[kept])
            yield from without.rank(rows, query_vectors[asked])


def _parts(rows: Sequence[Labelled]) -> npt.NDArray[np.int64]:
    """Return in which part the case of each picture is; the same wherever it is."""
    return np.array([crc32(one.case.encode()) % PARTS for one in rows], np.int64)


@dataclass(frozen=True, slots=True)
class Quality:
    """How well one label of one dataset is found, over *queries* of it.

    Only pictures of the same dataset that have the label count as ranked; a refused
    query counts as wrong. *low* and
    *high* bound each mean in 95 of 100 resamples of the cases of the queries; *largest*
    is the part that the most frequent label has.
    """

    dataset: str
    label: str
    queries: int
    precision_1: float
    precision_1_low: float
    precision_1_high: float
    precision_5: float
    precision_10: float
    precision_10_low: float
    precision_10_high: float
    mean_average_precision: float
    map_low: float
    map_high: float
    ndcg_10: float
    largest: float


def qualities(found: Iterable[Ranking], gallery: Sequence[Labelled]) -> list[Quality]:
    """Return how good rankings are, for each dataset and label that both sides have."""
    by_label: dict[tuple[str, str], list[tuple[str, tuple[float, ...]]]] = {}
    pools: dict[tuple[str, str], dict[str, str]] = {}
    for one in gallery:
        for label, value in one.labels.items():
            if value:
                pools.setdefault((one.dataset, label), {})[one.id] = value
    for ranking in found:
        for label, value in ranking.query.labels.items():
            key = (ranking.query.dataset, label)
            if value and key in pools:
                scores = _scores(ranking, pools[key], value)
                by_label.setdefault(key, []).append((ranking.query.case, scores))
    return [
        _quality(key, scored, list(pools[key].values()))
        for key, scored in sorted(by_label.items())
        if len(scored) >= FEWEST_QUERIES and len(set(pools[key].values())) > 1
    ]


def _scores(ranking: Ranking, pool: dict[str, str], value: str) -> tuple[float, ...]:
    ranked = [name for name in ranking.ranked if name in pool]
    relevant = {name for name in ranked if pool[name] == value}
    gains = dict.fromkeys(relevant, 1.0)
    return (
        precision(ranked, relevant, 1),
        precision(ranked, relevant, 5),
        precision(ranked, relevant, 10),
        average_precision(ranked, relevant),
        ndcg(ranked, gains, 10),
    )


def _quality(
    key: tuple[str, str],
    scored: Sequence[tuple[str, tuple[float, ...]]],
    values: Sequence[str],
) -> Quality:
    table = np.array([scores for _, scores in scored])
    means = table.mean(axis=0)
    low, high = _bounds(table, [case for case, _ in scored])
    _, counts = np.unique(values, return_counts=True)
    return Quality(
        dataset=key[0],
        label=key[1],
        queries=len(scored),
        precision_1=float(means[0]),
        precision_1_low=float(low[0]),
        precision_1_high=float(high[0]),
        precision_5=float(means[1]),
        precision_10=float(means[2]),
        precision_10_low=float(low[2]),
        precision_10_high=float(high[2]),
        mean_average_precision=float(means[3]),
        map_low=float(low[3]),
        map_high=float(high[3]),
        ndcg_10=float(means[4]),
        largest=float(counts.max() / counts.sum()),
    )


def _bounds(
    table: npt.NDArray[np.float64], cases: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return between what the means lie in 95 of 100 resamples of the cases."""
    _, of = np.unique(cases, return_inverse=True)
    sums = np.zeros((of.max() + 1, table.shape[1]))
    np.add.at(sums, of, table)
    counts = np.bincount(of)
    chance = np.random.default_rng(0)
    drawn = chance.integers(0, len(counts), (RESAMPLES, len(counts)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)[:, np.newaxis]
    low, high = np.percentile(means, (2.5, 97.5), axis=0)
    return low, high
