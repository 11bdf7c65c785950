"""What an encoder is: a name, a length, and a picture made into a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Encoder"]


class Encoder(Protocol):
    """What turns a picture into a vector.

    To add one: a folder with ``encoder.json`` and its ONNX file (see
    :mod:`rounds_search.encoders.shelf`), or a class with these, built in beside
    ``Gist``. A change of what it computes is a new name beside the old.
    """

    @property
    def name(self) -> str:
        """What requests and picture documents call it."""

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""

    def encode(self, picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return ``(dimension,)`` float32 of unit length for a ``(rows, columns)``."""
