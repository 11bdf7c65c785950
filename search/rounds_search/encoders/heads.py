"""Train an encoder further on labelled pictures: heads beside its own vectors.

Each label (region, modality, group of disease, …) gets a head, a regression on how near
a picture is to those trained with. The class probabilities of all heads are joined to
the vectors, so that what the labels tell apart lies apart. The result is an encoder of
its own with a name of its own, beside the one that it goes on from.

Source: kernel ridge regression, Rasmussen and Williams, "Gaussian processes for machine
learning", 2006, section 2.2: the mean of a Gaussian process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import linalg

from rounds_search.encoders.knowing import Known
from rounds_search.errors import RequestError, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

__all__ = ["OWN_PART", "Head", "Space", "Trained", "train"]

AXES: Final = 256
"""To how many numbers vectors are reduced, along the directions that they differ in."""
OWN_PART: Final = 0.45
"""How much the reduced vectors count beside one head."""
REACH: Final = 3.0
"""How fast nearness falls off, by the usual distance of two pictures."""
STRENGTH: Final = 0.15
"""How strongly the regression is held back."""
MOST_MARKS: Final = 3_000
TURNS: Final = 3
FEWEST: Final = 20
FEWEST_OF_CLASS: Final = 5
MOST_CLASSES: Final = 100
SMALLEST: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where the pictures trained with lie.

    Parameters
    ----------
    mean, axes
        What is taken off a vector, ``(d,)``, and onto what it is then put, ``(d, a)``.
    marks
        ``(m, a)`` of unit length: pictures to which the nearness is measured.
    fall
        How fast it falls with one less the cosine.
    """

    mean: npt.NDArray[np.float32]
    axes: npt.NDArray[np.float32]
    marks: npt.NDArray[np.float32]
    fall: float

    def reduced(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``(n, a)`` of unit length for ``(n, d)`` *vectors*."""
        return _unit((vectors - self.mean) @ self.axes)

    def nearness(self, reduced: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``(n, m)``, 1 where a picture is the mark itself."""
        near: npt.NDArray[np.float32] = np.exp(
            np.float32(self.fall) * (reduced @ self.marks.T - 1)
        )
        return near


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What tells the classes of one label apart.

    Parameters
    ----------
    label
        What it is about, ``region`` say.
    classes
        What it can be.
    weights, shares
        ``(m, classes)`` of the regression on nearness, and how frequent each is.
    """

    label: str
    classes: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float32]

    def probabilities(self, near: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``(n, classes)`` that sum to 1 for ``(n, m)`` nearness."""
        raw = np.maximum(near @ self.weights + self.shares, 0)
        sums = np.maximum(raw.sum(axis=1, keepdims=True), SMALLEST)
        shares: npt.NDArray[np.float32] = (raw / sums).astype(np.float32)
        return shares


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """An encoder's vectors reduced, the heads on them, and what is known of them."""

    space: Space
    heads: tuple[Head, ...]
    known: Known | None

    @property
    def dimension(self) -> int:
        """How many numbers a joined vector has."""
        classes = sum(len(one.classes) for one in self.heads)
        return int(self.space.axes.shape[1]) + classes

    def joined(
        self,
        vectors: npt.NDArray[np.float32],
        labels: Mapping[str, Sequence[str]] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return ``(n, dimension)`` of unit length for ``(n, d)`` *vectors*.

        Where *labels* say what a picture shows, that is taken for what it would be
        guessed to show.
        """
        reduced = self.space.reduced(vectors)
        near = self.space.nearness(reduced)
        parts = [reduced * np.float32(OWN_PART)]
        for head in self.heads:
            shares = head.probabilities(near)
            if labels and head.label in labels:
                shares = _told(head, shares, labels[head.label])
            parts.append(shares)
        return _unit(np.concatenate(parts, axis=1))


def train(
    vectors: npt.NDArray[np.float32],
    labels: Mapping[str, Sequence[str]],
    cases: Sequence[str],
) -> Trained:
    """Return heads for *labels*, learnt from *vectors*.

    Parameters
    ----------
    vectors
        ``(n, d)`` float32 of unit length.
    labels
        By label, the class of each vector, ``""`` where that is not known. A class of
        fewer than five vectors, or of one case alone, is left out.
    cases
        Of which case each is. Of more than 3,000 pictures a sample is trained with.

    Raises
    ------
    RequestError
        No label has two classes of enough pictures.
    """
    require(len(vectors) >= FEWEST, "The number of pictures", len(vectors), "from 20")
    chosen = _chosen(len(vectors))
    space = _space(vectors[chosen])
    of_case = [cases[at] for at in chosen]
    near = space.nearness(space.marks)
    found = (
        _head(label, near, _usable([classes[at] for at in chosen], of_case))
        for label, classes in sorted(labels.items())
    )
    heads = tuple(one for one in found if one is not None)
    if not heads:
        msg = (
            "No label has two classes of at least five pictures from two cases. Give "
            "more cases a body part, a modality and codes."
        )
        raise RequestError(msg)
    return Trained(space, heads, Known.of(vectors[chosen], of_case))


def _chosen(count: int) -> list[int]:
    """Return which of *count* pictures are trained with: all, or as many as can be."""
    if count <= MOST_MARKS:
        return list(range(count))
    chance = np.random.default_rng(0)
    return sorted(chance.permutation(count)[:MOST_MARKS].tolist())


def _space(vectors: npt.NDArray[np.float32]) -> Space:
    """Return the directions in which *vectors* differ most, and all as marks."""
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = vectors - mean
    axes = _axes(centred)
    marks = _unit(centred @ axes)
    usual = float(np.median(1 - marks @ marks.T))
    return Space(mean, axes, marks, REACH / max(2 * usual, 0.01))


def _axes(centred: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return ``(d, a)`` directions, found by random projections.

    Source: Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM
    Review 53, 2011, algorithm 4.4.
    """
    count = min(AXES, len(centred) - 1, centred.shape[1])
    chance = np.random.default_rng(0)
    tried = chance.standard_normal((centred.shape[1], count)).astype(np.float32)
    for _ in range(TURNS):
        tried, _ = linalg.qr(centred.T @ (centred @ tried), mode="economic")
    axes: npt.NDArray[np.float32] = np.asarray(tried, np.float32)
    return axes


def _usable(classes: Sequence[str], cases: Sequence[str]) -> list[str]:
    """Return *classes* without those that too few pictures or cases have."""
    of: dict[str, list[str]] = {}
    for one, case in zip(classes, cases, strict=True):
        of.setdefault(one, []).append(case)
    rich = {
        one
        for one, found in of.items()
        if one and len(found) >= FEWEST_OF_CLASS and len(set(found)) > 1
    }
    frequent = sorted(rich, key=lambda one: (-len(of[one]), one))[:MOST_CLASSES]
    return [one if one in frequent else "" for one in classes]


def _head(
    label: str, near: npt.NDArray[np.float32], classes: Sequence[str]
) -> Head | None:
    """Return the head of one label, None where there are not two classes."""
    named = np.asarray(classes)
    there = np.flatnonzero(named != "")
    names = np.unique(named[there])
    if len(names) < 2:  # noqa: PLR2004 - nothing to tell apart
        return None
    wanted = (named[there][:, np.newaxis] == names).astype(np.float32)
    shares = wanted.mean(axis=0)
    among = near[np.ix_(there, there)]
    among[np.diag_indices_from(among)] += np.float32(STRENGTH)
    weights = np.zeros((len(near), len(names)), np.float32)
    weights[there] = linalg.solve(among, wanted - shares, assume_a="pos")
    return Head(label, tuple(str(one) for one in names), weights, shares)


def _told(
    head: Head, shares: npt.NDArray[np.float32], classes: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return *shares* with certainty where *classes* say what it is."""
    certain = np.asarray(classes)[:, np.newaxis] == np.asarray(head.classes)
    told = certain.any(axis=1, keepdims=True)
    return np.where(told, certain.astype(np.float32), shares)


def _unit(rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: npt.NDArray[Any] = rows / np.maximum(lengths, SMALLEST)
    return scaled.astype(np.float32)
