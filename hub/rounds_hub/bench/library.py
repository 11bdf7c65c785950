"""Made-up cases, words and pictures that the rows of search share, the same each time.

Vectors are drawn around 200 centres in a space of 32 dimensions, bent and blurred, so
that they have neighbours as those of real pictures do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_search import Document, ImageDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["COUNTED", "DIMENSION", "ENCODER", "EVERYONE", "RARE", "Library"]

ENCODER: Final = "bench-512"
DIMENSION: Final = 512
EVERYONE: Final = frozenset({"everyone"})
NOBODY: Final = frozenset({"role:admin"})
RARE: Final = "RARE"
COUNTED: Final = ("modality", "body_part", "level")
VALUES: Final = (
    ("CT", "MR", "DX", "US", "PT"),
    ("CHEST", "ABDOMEN", "HEAD", "KNEE", "PELVIS", "HEART"),
    ("student", "resident", "specialist"),
)
SYLLABLES: Final = ("ba", "ko", "mu", "ri", "ta", "zo", "fu", "la", "no", "gi")
WORDS: Final = tuple(
    one + two + three for one in SYLLABLES for two in SYLLABLES for three in SYLLABLES
)
AT_ONCE: Final = 50_000
SEEN: Final = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Cases with a series each of *slices* vectors; everyone sees 60 % of them.

    One in a hundred has the code ``RARE``.
    """

    vectors: npt.NDArray[np.float32]
    slices: int
    words: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    seen: npt.NDArray[np.bool_]
    rare: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, cases: int, *, slices: int = 1, words: int = 60) -> Library:
        """Return a library of *cases* with so many *words* each."""
        chance = np.random.default_rng(10)
        weights = 1 / np.arange(1, len(WORDS) + 1)
        drawn = chance.choice(len(WORDS), (cases, words), p=weights / weights.sum())
        values = [chance.integers(0, len(names), cases) for names in VALUES]
        return cls(
            made_up_vectors(cases * slices),
            slices,
            drawn,
            np.stack(values, axis=1),
            chance.random(cases) < SEEN,
            chance.random(cases) < 0.01,  # noqa: PLR2004 - one in a hundred
        )

    def __len__(self) -> int:
        """How many cases there are."""
        return len(self.words)

    def text(self, at: int) -> str:
        """Return the words of case *at*."""
        return " ".join(WORDS[word] for word in self.words[at])

    def facets(self, at: int) -> dict[str, tuple[str, ...]]:
        """Return the values of case *at* that are counted."""
        named = zip(COUNTED, VALUES, self.values[at].tolist(), strict=True)
        return {facet: (names[value],) for facet, names, value in named}

    def entries(self) -> Iterator[Document | ImageDocument]:
        """Yield each case and its series."""
        for at in range(len(self)):
            audience = EVERYONE if self.seen[at] else NOBODY
            text = self.text(at)
            yield Document(
                id=f"case-{at}",
                kind="case",
                revision=1,
                title=text[:20].rpartition(" ")[0],
                audience=audience,
                text={"findings": text},
                facets=self.facets(at),
                codes=(RARE,) if self.rare[at] else (),
            )
            yield ImageDocument(
                id=f"series-{at}:{ENCODER}",
                case_ids=(f"case-{at}",),
                revision=1,
                encoder=ENCODER,
                vectors=self.vectors[at * self.slices : (at + 1) * self.slices],
                audience=audience,
            )

    def questions(self, count: int) -> list[tuple[str, npt.NDArray[np.float32]]]:
        """Return pairs of two words and a picture near to one of the library."""
        chance = np.random.default_rng(11)
        words = chance.integers(5, 200, (count, 2))
        near = self.vectors[chance.integers(0, len(self.vectors), count)]
        pictures = unit(near + chance.normal(0, 0.03, near.shape))
        return [
            (f"{WORDS[one]} {WORDS[two]}", picture)
            for (one, two), picture in zip(words.tolist(), pictures, strict=True)
        ]


def made_up_vectors(count: int) -> npt.NDArray[np.float32]:
    """Return ``(count, DIMENSION)`` vectors of unit length."""
    chance = np.random.default_rng(1)
    centres = chance.normal(0, 1.2, (200, 32)).astype(np.float32)
    bend = chance.normal(0, 0.15, (32, DIMENSION)).astype(np.float32)
    made = np.empty((count, DIMENSION), np.float32)
    for first in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - first)
        flat = centres[chance.integers(0, 200, size)]
        flat = flat + chance.standard_normal((size, 32), np.float32)
        blur = chance.standard_normal((size, DIMENSION), np.float32)
        made[first : first + size] = unit(np.tanh(flat @ bend) + np.float32(0.1) * blur)
    return made


def unit(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return *rows* scaled to unit length."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / lengths, np.float32)
