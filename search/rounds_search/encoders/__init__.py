"""Describe pictures by vectors, so that like pictures have near vectors.

``rounds-gist-1`` is built in and needs no weights. Others are folders with a sidecar
and an ONNX file, known to a process once :func:`open_folder` has read where they lie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rounds_search.encoders.base import Encoder
from rounds_search.encoders.gist import ENCODER
from rounds_search.encoders.network import Network
from rounds_search.encoders.preparing import prepared
from rounds_search.encoders.shelf import ENCODERS, open_folder
from rounds_search.encoders.slices import encode_slices, places, representative

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "ENCODER",
    "ENCODERS",
    "Encoder",
    "encode",
    "encode_volume",
    "encoder",
    "open_folder",
    "places",
    "prepared",
    "representative",
    "window_for",
]


def encoder(name: str = ENCODER) -> Encoder:
    """Return the encoder called *name*.

    Raises
    ------
    UnknownEncoderError
        There is none; the message names those there are.
    EncoderError
        Its folder cannot be used.
    """
    return ENCODERS.named(name)


def encode(picture: npt.NDArray[Any], name: str = ENCODER) -> npt.NDArray[np.float32]:
    """Return the vector of *picture*: ``(d,)`` float32 of unit length.

    Parameters
    ----------
    picture
        ``(rows, columns)`` or ``(rows, columns, 3)``, any number type and any unit.
        Window, size and sign of contrast beyond scale do not matter.

    Raises
    ------
    LimitError
        *picture* is no picture: another shape, or smaller than 8 pixels a side.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.add.outer(np.arange(40), np.arange(60))
    >>> vector = encode(ramp)
    >>> vector.shape, bool(np.isclose(vector @ encode(ramp * 3 + 7), 1, atol=1e-3))
    ((368,), True)
    """
    return encoder(name).encode(picture)


def encode_volume(
    volume: npt.NDArray[Any], spacing: tuple[float, float, float], name: str = ENCODER
) -> npt.NDArray[np.float32]:
    """Return ``(n, d)`` vectors of up to eight slices spread over what *volume* shows.

    Parameters and errors are those of :func:`encode_slices`.

    Examples
    --------
    >>> import numpy as np
    >>> block = np.zeros((30, 32, 32))
    >>> block[10:20, 8:24, 8:24] = 1
    >>> encode_volume(block, (1, 1, 1)).shape
    (8, 368)
    """
    return encode_slices(volume, spacing, encoder(name))


def window_for(name: str, modality: str, part: str) -> tuple[float, float] | None:
    """Return the centre and width that the encoder *name* wants pictures in.

    None where its sidecar says nothing of the *modality*; a body *part* that it does
    not name has the window of any other part.

    Examples
    --------
    >>> window_for("rounds-gist-1", "CT", "chest") is None
    True
    """
    made = ENCODERS.get(name)
    if not isinstance(made, Network):
        return None
    parts = made.windows.get(modality, {})
    return parts.get(part, parts.get(""))
