"""Encode native pixels without loss, and prove it; in a decoding process.

An instance is given in another form only when its pixels, decoded again, are the same
numbers and every other element is equal.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGLSLossless, RLELossless

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SYNTAXES", "reencode"]

SYNTAXES: Final[dict[str, str]] = {"jpeg-ls": JPEGLSLossless, "rle": RLELossless}
"""What ``Rounds.reencode`` may be, besides nothing (PS3.5, A.4.3 and A.4.2)."""
ENCODERS: Final[dict[str, str]] = {JPEGLSLossless: "pyjpegls", RLELossless: "pylibjpeg"}
PIXELS: Final = 0x7FE00010


def reencode(path: Path, syntax: str, target: Path) -> bool:
    """Write the instance at *path* to *target* in *syntax*.

    Return False, and write nothing, if it has no pixels or is not proved to be the
    same.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd values stay as odd as they are
        came, made = dcmread(path), dcmread(path)
        if "PixelData" not in came:
            return False
        plugin = ENCODERS[syntax]
        made.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
        written = io.BytesIO()
        made.save_as(written, enforce_file_format=True)
        again = dcmread(io.BytesIO(written.getvalue()))
        if not (_same_pixels(came, again) and _same_elements(came, again)):
            return False
    target.write_bytes(written.getvalue())
    return True


def _same_pixels(came: Dataset, again: Dataset) -> bool:
    """Return whether both have the same numbers in every frame."""
    frames = [
        get_decoder(one.file_meta.TransferSyntaxUID).iter_array(one, raw=True)
        for one in (came, again)
    ]
    return all(
        np.array_equal(first, second)
        for (first, _), (second, _) in zip(*frames, strict=True)
    )


def _same_elements(came: Dataset, again: Dataset) -> bool:
    """Return whether everything but the pixels is equal."""
    for one in (came, again):
        del one[PIXELS]
    return bool(came == again)
