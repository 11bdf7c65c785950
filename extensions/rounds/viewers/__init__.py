"""Draw a volume in a notebook: three planes with a crosshair, or rendered."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds.segmentations import Segmentation

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_kernels.volumes import Volume

__all__ = ["ENGINES", "view"]

ENGINES = {"niivue": "rounds.viewers.niivue", "itk": "rounds.viewers.itk"}
"""The engines by name; each is a module with a function ``view``, read when used."""


def view(
    volume: Volume,
    *,
    engine: str = "niivue",
    overlay: Segmentation | npt.NDArray[Any] | None = None,
    title: str = "",
) -> Any:  # noqa: ANN401 - widgets have no types
    """Return a widget that shows *volume*, with the labels *overlay* laid over it.

    Parameters
    ----------
    volume
        What to show.
    engine
        One of `ENGINES`.
    overlay
        Shape ``(slices, rows, columns)``: a whole number for each segment, 0 elsewhere;
        or a `Segmentation`, which has names for them.
    title
        What is shown above the picture.

    Raises
    ------
    ViewerError
        If *overlay* does not fit *volume*, or the engine's package is not installed.
    KeyError
        If there is no such engine.
    """
    if isinstance(overlay, np.ndarray):
        overlay = Segmentation(overlay, {})
    return import_module(ENGINES[engine]).view(volume, overlay=overlay, title=title)
