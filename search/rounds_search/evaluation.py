"""How good a ranking is, and how good an encoder is on labelled pictures.

``python -m rounds_search.evaluation FOLDER`` measures the built-in encoder on a folder
with ``manifest.csv`` and ``images/<id>.png``; each picture is asked with every other
picture of its dataset that is of another case as the gallery.

Source of nDCG: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR
techniques", ACM TOIS 20, 2002.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_search.encoders import ENCODER, encode
from rounds_search.errors import require

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy.typing as npt

__all__ = [
    "Figure",
    "average_precision",
    "main",
    "measure",
    "measure_folder",
    "ndcg",
    "precision",
    "recall",
]

LABELS: Final = ("modality", "region", "plane", "detail", "pathology")
DEEPEST: Final = 10
RESAMPLES: Final = 200
FEWEST_LABELS: Final = 2
FEWEST_PICTURES: Final = 20


def precision(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the part of the first *k* of *ranked* that is *relevant*.

    A list shorter than *k* counts as if the rest were wrong.

    Examples
    --------
    >>> precision(["a", "b", "c", "d"], {"a", "c", "e"}, 2)
    0.5
    """
    require(k > 0, "k", k, "at least 1")
    return sum(one in relevant for one in ranked[:k]) / k


def recall(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the part of *relevant* that is among the first *k* of *ranked*.

    Examples
    --------
    >>> recall(["a", "b", "c"], {"a", "e"}, 3)
    0.5
    """
    require(k > 0, "k", k, "at least 1")
    if not relevant:
        return 0.0
    return sum(one in relevant for one in ranked[:k]) / len(relevant)


def average_precision(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """Return the mean over *relevant* of the precision where each stands.

    Examples
    --------
    >>> average_precision(["a", "b", "c"], {"a", "c"})
    0.8333333333333333
    """
    found, total = 0, 0.0
    for place, one in enumerate(ranked, 1):
        if one in relevant:
            found += 1
            total += found / place
    return total / len(relevant) if relevant else 0.0


def ndcg(ranked: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Return the discounted gain of the first *k*, as a part of the best possible.

    Examples
    --------
    >>> ndcg(["b", "a"], {"a": 3.0, "b": 3.0}, 2), ndcg(["x", "a"], {"a": 1.0}, 1)
    (1.0, 0.0)
    """
    require(k > 0, "k", k, "at least 1")
    best = _discounted(sorted(gains.values(), reverse=True)[:k])
    got = _discounted([gains.get(one, 0.0) for one in ranked[:k]])
    return got / best if best else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(at + 2) for at, gain in enumerate(gains)))


@dataclass(frozen=True, slots=True)
class Figure:
    """How well one label is told inside one dataset.

    ``low`` and ``high`` bound ``precision_1`` in 95 of 100 resamples of the queries;
    ``largest`` is what always naming the most frequent label would reach.
    """

    dataset: str
    label: str
    pictures: int
    precision_1: float
    low: float
    high: float
    precision_10: float
    largest: float


def measure(
    vectors: npt.NDArray[np.float32], labels: Sequence[str], groups: Sequence[str]
) -> tuple[npt.NDArray[np.bool_], float]:
    """Return which of the nearest ten share the label, and the largest label's part.

    Parameters
    ----------
    vectors
        ``(n, d)`` of unit length.
    labels
        What each picture shows.
    groups
        The case of each; a picture is never compared with its own case.
    """
    named = np.asarray(labels)
    cases = np.asarray(groups)
    cosines = vectors @ vectors.T
    cosines[cases[:, np.newaxis] == cases] = -np.inf
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :DEEPEST]
    other = np.isfinite(np.take_along_axis(cosines, nearest, axis=1))
    same = other & (named[nearest] == named[:, np.newaxis])
    _, counts = np.unique(named, return_counts=True)
    return same, float(counts.max() / len(named))


def measure_folder(
    folder: Path, encoding: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
) -> list[Figure]:
    """Return a figure for each dataset and label of the labelled *folder*."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    vectors = np.stack(
        [encoding(_picture(folder / "images" / f"{row['id']}.png")) for row in rows]
    )
    figures = []
    for dataset in sorted({row["dataset"] for row in rows}):
        for label in LABELS:
            chosen = [
                at
                for at, row in enumerate(rows)
                if row["dataset"] == dataset and row[label]
            ]
            names = [rows[at][label] for at in chosen]
            if len(set(names)) >= FEWEST_LABELS and len(names) >= FEWEST_PICTURES:
                groups = [rows[at]["group"] or rows[at]["id"] for at in chosen]
                same, largest = measure(vectors[chosen], names, groups)
                figures.append(_figure(dataset, label, same, largest))
    return figures


def _picture(path: Path) -> npt.NDArray[np.uint8]:
    from PIL import Image  # noqa: PLC0415 - an extra that only measuring needs

    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def _figure(
    dataset: str, label: str, same: npt.NDArray[np.bool_], largest: float
) -> Figure:
    first = same[:, 0]
    chance = np.random.default_rng(0)
    drawn = chance.integers(0, len(first), (RESAMPLES, len(first)))
    low, high = np.percentile(first[drawn].mean(axis=1), (2.5, 97.5))
    return Figure(
        dataset,
        label,
        len(first),
        float(first.mean()),
        float(low),
        float(high),
        float(same.mean()),
        largest,
    )


def _table(figures: Iterable[Figure]) -> str:
    lines = ["dataset      label      pictures   P@1 (95 %)            P@10  largest"]
    lines += [
        f"{one.dataset:12} {one.label:10} {one.pictures:8}   {one.precision_1:.3f} "
        f"({one.low:.3f}-{one.high:.3f})   {one.precision_10:.3f}  {one.largest:.3f}"
        for one in figures
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the built-in encoder on a labelled folder and print what it reaches."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    if not (chosen.folder / "manifest.csv").is_file():
        parser.error("FOLDER has no manifest.csv.")
    figures = measure_folder(chosen.folder, lambda picture: encode(picture, ENCODER))
    if chosen.json:
        sys.stdout.writelines(f"{json.dumps(asdict(one))}\n" for one in figures)
    else:
        sys.stdout.write(f"{ENCODER}\n{_table(figures)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
