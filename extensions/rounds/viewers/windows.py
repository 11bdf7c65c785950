"""Which windows a volume is offered: its own, the usual ones of its kind, its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds.viewers.images import sample_of
from rounds_kernels.pictures import default_window, presets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_kernels.volumes import Volume

__all__ = ["Windows", "windows_of"]

RECORDED = "As recorded"
AUTOMATIC = "Automatic"
WHOLE = "Whole range"


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows by name as ``(center, width)``, and how far sliders for them reach."""

    presets: Mapping[str, tuple[float, float]]
    centers: tuple[float, float]
    widest: float


def windows_of(volume: Volume) -> Windows:
    """Return the windows for *volume*; the first is the one to begin with."""
    values = sample_of(volume.array)
    low, high = float(values.min()), float(values.max())
    first = default_window(volume)
    offered = {RECORDED if first == volume.window else AUTOMATIC: first}
    for window in presets(volume.modality):
        offered[window.name] = (float(window.center), float(window.width))
    offered.setdefault(AUTOMATIC, default_window(volume.array))
    offered[WHOLE] = ((low + high) / 2, (high - low) or 1.0)
    centers = [low, high, *(center for center, _ in offered.values())]
    widest = max(width for _, width in offered.values())
    reach = (min(centers), max(centers) if high > low else min(centers) + widest)
    return Windows(offered, reach, widest)
