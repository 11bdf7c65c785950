"""What the viewer is told of a series: its frames, windows and name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from rounds_hub.cases.views import NO_PICTURES
from rounds_hub.portal.labels import N_

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rounds_hub.portal.languages import Language

__all__ = ["WINDOWS", "Pictured", "named", "viewable", "viewed"]

WINDOWS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "CT": (
        (N_("Soft tissue"), 40.0, 400.0),
        (N_("Lung"), -600.0, 1500.0),
        (N_("Bone"), 500.0, 2000.0),
        (N_("Brain"), 40.0, 80.0),
        (N_("Liver"), 60.0, 160.0),
        (N_("Angiography"), 300.0, 600.0),
    )
}
"""Windows in common use, in Hounsfield units: name, center, width."""


class Pictured(Protocol):
    """A series as the archive and the cases hand it out."""

    @property
    def uid(self) -> str:
        """The SeriesInstanceUID."""

    @property
    def modality(self) -> str:
        """The modality."""

    @property
    def description(self) -> str:
        """The description."""

    @property
    def frame_count(self) -> int:
        """How many frames all instances have."""

    @property
    def rows(self) -> int:
        """How many rows a frame has."""


def viewable(series: Pictured) -> bool:
    """Return whether *series* has pictures to look at."""
    return series.modality not in NO_PICTURES and series.rows > 0


def named(series: Pictured) -> str:
    """Return what to call *series*."""
    label = getattr(series, "label", "")
    return str(label or series.description or series.modality)


def viewed(all_series: Iterable[Pictured], language: Language) -> list[dict[str, Any]]:
    """Return what the viewer is told of each series that has pictures.

    The first window is the one that the server chooses by itself.
    """
    return [_viewed(series, language) for series in all_series if viewable(series)]


def _viewed(series: Pictured, language: Language) -> dict[str, Any]:
    """Return what the viewer is told of one series."""
    presets = [
        {"name": language.gettext(name), "center": center, "width": width}
        for name, center, width in WINDOWS.get(series.modality, ())
    ]
    stored = {"name": language.gettext(N_("As stored")), "center": None, "width": None}
    plane = {"axis": 0, "frames": max(1, series.frame_count), "letters": None}
    return {
        "uid": series.uid,
        "label": named(series),
        "planes": [{**plane, "name": "", "step": None}],
        "windows": [stored, *presets],
    }
