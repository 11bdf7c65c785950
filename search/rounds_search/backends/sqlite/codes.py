"""Short codes of vectors, and how far a cosine can be above what they say.

A row ``v`` of unit length is kept twice more, smaller. As int8: ``v = scale * code +
rest`` with a known length of ``rest``. And, where it pays, as its first few coordinates
in the basis in which the vectors of this index vary most, int8 too, with the length of
what is left out. By Cauchy and Schwarz no product ``q . v`` is above the product of the
codes plus the lengths of what they leave out, so a search that drops rows by these
bounds drops none that belongs in the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numkong
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Codes = npt.NDArray[np.int8]

__all__ = ["LEAD", "SLACK", "Asked", "basis", "dots", "quantized", "turned"]

MOST: Final = 127
# Above what rounding to float32 can add to a product of unit vectors.
SLACK: Final = 1e-5
# How many coordinates are kept in the basis; one register of the widest kind.
LEAD: Final = 64
# A basis is worth its room where it holds this part of the squared lengths.
WORTH: Final = 0.75
SAMPLE: Final = 16_384
# The scan with one row is faster without packing, with more rows with it.
FEW: Final = 2


def quantized(rows: Floats) -> tuple[Codes, Floats]:
    """Return int8 codes of *rows*, and the scale of each and what it leaves out.

    Parameters
    ----------
    rows
        ``(n, d)``.

    Returns
    -------
    codes, steps
        ``(n, d)`` and ``(n, 2)``: ``rows = steps[:, :1] * codes + rest``, where the
        length of ``rest`` is at most ``steps[:, 1]``.

    Examples
    --------
    >>> codes, steps = quantized(np.float32([[0.5, -1.0]]))
    >>> codes.tolist(), bool(steps[0, 1] < 0.005)
    ([[64, -127]], True)
    """
    scale = np.maximum(np.abs(rows).max(axis=1, initial=0), 1e-12) / MOST
    codes = np.rint(rows / scale[:, np.newaxis]).astype(np.int8)
    rest = np.linalg.norm(rows - scale[:, np.newaxis] * codes, axis=1)
    return codes, np.stack((scale, rest + 1e-6), axis=1).astype(np.float32)


def basis(rows: Floats) -> Floats | None:
    """Return ``(d, LEAD)`` directions in which *rows* vary most, if those say enough.

    Examples
    --------
    >>> chance = np.random.default_rng(1)
    >>> flat = chance.normal(size=(500, 8)) @ chance.normal(size=(8, 200))
    >>> basis(flat.astype(np.float32)).shape
    (200, 64)
    >>> basis(chance.normal(size=(500, 200)).astype(np.float32)) is None
    True
    """
    step = max(1, len(rows) // SAMPLE)
    sample = rows[::step].astype(np.float64)
    if sample.shape[1] < 2 * LEAD:
        return None
    lengths, directions = np.linalg.eigh(sample.T @ sample)
    if lengths[-LEAD:].sum() < WORTH * lengths.sum():
        return None
    return np.ascontiguousarray(directions[:, -LEAD:], np.float32)


def turned(rows: Floats, directions: Floats) -> tuple[Codes, Floats]:
    """Return int8 codes of *rows* in *directions*, and what each leaves out.

    Returns
    -------
    codes, steps
        ``(n, LEAD)`` and ``(n, 3)``: scale, length of the rounding, length of the part
        of the row that lies in no direction.
    """
    leading = rows @ directions
    codes, steps = quantized(leading)
    lengths = np.square(rows).sum(axis=1) - np.square(leading).sum(axis=1)
    left = np.sqrt(np.maximum(lengths, 0) + 1e-6)
    return codes, np.column_stack((steps, left)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The rows of a question as codes.

    Parameters
    ----------
    codes, scale
        ``(m, d)`` int8 and ``(m,)``.
    rest, left
        ``(m,)`` lengths of the rounding and of the part outside the basis.
    """

    codes: Codes
    scale: Floats
    rest: Floats
    left: Floats

    @classmethod
    def of(cls, rows: Floats, directions: Floats | None = None) -> Asked:
        """Return the question *rows*, in *directions* where they are given."""
        if directions is None:
            codes, steps = quantized(rows)
            return cls(codes, steps[:, 0], steps[:, 1], np.zeros(len(rows), np.float32))
        codes, steps = turned(rows, directions)
        return cls(codes, steps[:, 0], steps[:, 1], steps[:, 2])

    def bounds(self, products: Floats, steps: Floats) -> Floats:
        """Return what each product of rows is at most.

        Parameters
        ----------
        products
            ``(n, m)`` products of the codes; written over.
        steps
            ``(n, 2)`` or ``(n, 3)``, in columns one after the other.
        """
        products *= steps[:, :1]
        products *= self.scale
        # |q.v - q'.v'| <= |q - q'| |v| + |q'| |v - v'|, and |q'| <= |q| + |q - q'|.
        products += self.rest + np.float32(SLACK)
        products += steps[:, 1:2] * (1 + self.rest)
        if steps.shape[1] > 2:  # noqa: PLR2004 - with a part outside the basis
            products += steps[:, 2:3] * self.left
        return products


def dots(codes: Codes, asked: Codes) -> Floats:
    """Return ``(n, m)`` products of the rows of *codes* and *asked*.

    Examples
    --------
    >>> one = np.int8([[3, 4], [-1, 0]])
    >>> dots(one, one).tolist()
    [[25.0, -3.0], [-3.0, 1.0]]
    """
    if not len(codes):
        return np.empty((0, len(asked)), np.float32)
    if len(asked) <= FEW:
        found = numkong.cdist(asked, codes, "dot", out_dtype="float32")
        return np.asarray(found, np.float32).T
    packed = numkong.dots_pack(asked)
    return np.asarray(numkong.dots_packed(codes, packed)).astype(np.float32)
