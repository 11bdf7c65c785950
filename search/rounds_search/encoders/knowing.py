"""Tell whether a picture is like anything that an encoder has met.

A sample of vectors is kept, and how far from it a picture of another case usually is.
A photograph, a page of text or noise is further away than that: its nearest case would
mean nothing, and is not given.

Source: distance to the nearest neighbours as a sign of the unknown, Sun, Ming, Zhu and
Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from rounds_search.documents import MAX_DIMENSION
from rounds_search.errors import EncoderError, UnlikePictureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["Known"]

NEAREST: Final = 3
MOST: Final = 1_000
FEWEST: Final = 40
PART: Final = 0.99
"""The part of pictures of other cases that are to be answered."""
MARGIN: Final = 1.1


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A sample of what is known, and how far away from it a picture may be.

    Parameters
    ----------
    sample
        ``(n, d)`` float32 of unit length.
    limit
        The largest distance, one less the mean cosine to the three nearest.

    Examples
    --------
    >>> known = Known(np.eye(4, dtype=np.float32)[:3], limit=0.5)
    >>> known.distance(np.array([[0, 0, 0, 1]], np.float32)).tolist()
    [1.0]
    """

    sample: npt.NDArray[np.float32]
    limit: float

    @classmethod
    def of(cls, vectors: npt.NDArray[np.float32], cases: Sequence[str]) -> Self | None:
        """Return what *vectors* of *cases* let know; None where they are too few.

        The limit is where 99 of 100 pictures would still be answered from the other
        cases, and a tenth more.
        """
        named = np.asarray(cases)
        if len(vectors) < FEWEST or len(np.unique(named)) < FEWEST // 4:
            return None
        chance = np.random.default_rng(0)
        chosen = np.sort(chance.permutation(len(vectors))[:MOST])
        sample, of_case = np.asarray(vectors[chosen], np.float32), named[chosen]
        cosines = sample @ sample.T
        cosines[of_case[:, None] == of_case[None, :]] = -1
        usual = float(np.quantile(_distance(cosines), PART))
        return cls(sample, usual * MARGIN)

    def distance(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return how far each of ``(n, d)`` *vectors* is from what is known."""
        rows = np.atleast_2d(np.asarray(vectors, np.float32))
        return _distance(rows @ self.sample.T)

    def check(self, vectors: npt.NDArray[np.float32], encoder: str) -> None:
        """Refuse a question of which no picture is like anything known.

        Raises
        ------
        UnlikePictureError
            The nearest of *vectors*, made by *encoder*, is further than the limit.
        """
        nearest = float(self.distance(vectors).min())
        if nearest > self.limit:
            raise UnlikePictureError(encoder, nearest, self.limit)

    def written(self) -> bytes:
        """Return the sample and its limit as the bytes of an NPZ file."""
        file = io.BytesIO()
        sample = self.sample.astype(np.float16)
        np.savez_compressed(file, sample=sample, limit=np.float64(self.limit))
        return file.getvalue()

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Return what :meth:`written` wrote.

        Raises
        ------
        EncoderError
            The bytes are something else, or hold too much.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as kept:
                sample = np.asarray(kept["sample"], np.float32)
                limit = float(kept["limit"])
        except (EOFError, OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            msg = "What an encoder knows must be an NPZ file with 'sample' and 'limit'."
            raise EncoderError(msg) from None
        shaped = sample.ndim == 2 and sample.shape[1] <= MAX_DIMENSION  # noqa: PLR2004
        if not shaped or not NEAREST <= len(sample) <= MOST or not 0 < limit < np.inf:
            msg = f"What an encoder knows has the shape {sample.shape}, limit {limit}."
            raise EncoderError(msg)
        return cls(sample, limit)


def _distance(cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return one less the mean of the largest cosines of each row."""
    count = min(NEAREST, cosines.shape[1])
    largest = np.partition(cosines, -count, axis=1)[:, -count:]
    distance: npt.NDArray[np.float32] = 1 - largest.mean(axis=1, dtype=np.float32)
    return distance
