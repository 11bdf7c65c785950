"""A slice on which a person draws a region, in a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["SliceCanvas"]


class SliceCanvas(anywidget.AnyWidget):
    """One slice as a PNG; *region* is what was drawn: left, top, right, bottom.

    *size* are the columns and rows of the slice: *region* counts its pixels, however
    large it is shown. An empty *region* is none.
    """

    _esm = Path(__file__).with_name("drawing.js")
    png = traitlets.Bytes(b"").tag(sync=True)
    size: Any = traitlets.List(traitlets.Int(), [0, 0]).tag(sync=True)
    words = traitlets.Unicode("Slice").tag(sync=True)
    region: Any = traitlets.List(traitlets.Float(), []).tag(sync=True)
