"""What the viewer is told of a series: its frames, windows and name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from rounds_hub.portal.labels import N_
from rounds_kernels.modalities import NO_PICTURES
from rounds_kernels.pictures import default_window, presets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rounds_hub.portal.languages import Language
    from rounds_kernels.volumes import Volume

    Vector = tuple[float, float, float]

__all__ = ["Pictured", "geometry", "letter", "named", "overlaid", "viewable", "viewed"]

WINDOW_NAMES = (
    N_("Soft tissue"),
    N_("Lung"),
    N_("Bone"),
    N_("Brain"),
    N_("Liver"),
    N_("Vessels"),
    N_("SUV 0 to 5"),
    N_("SUV 0 to 10"),
)
"""What ``rounds_kernels.pictures`` calls its windows, marked for translation."""
PLANES = (N_("sagittal"), N_("coronal"), N_("axial"))
"""The anatomical planes by the LPS axis that they are across."""
DIRECTIONS = (("L", "R"), ("P", "A"), ("H", "F"))
"""The letters of the LPS axes, forwards and backwards (PS3.3, C.7.6.1.1.1)."""
DEEP_ENOUGH = 8
OBLIQUE = 0.5
MOST_REMARKS = 2


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

    @property
    def columns(self) -> int:
        """How many columns a frame has."""


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


def overlaid(
    uid: str, label: str, source: Pictured, language: Language
) -> dict[str, Any]:
    """Return what the viewer is told of a segmentation *uid* laid over its *source*."""
    return {**_viewed(source, language), "uid": uid, "label": label}


def _viewed(series: Pictured, language: Language) -> dict[str, Any]:
    """Return what the viewer is told of one series."""
    usual = [
        {
            "name": language.gettext(window.name),
            "center": window.center,
            "width": window.width,
        }
        for window in presets(series.modality)
    ]
    stored = {"name": language.gettext(N_("As stored")), "center": None, "width": None}
    plane = {"axis": 0, "frames": max(1, series.frame_count), "letters": None}
    return {
        "uid": series.uid,
        "source": series.uid,
        "label": named(series),
        "rows": series.rows,
        "columns": series.columns,
        "planes": [{**plane, "name": "", "step": None}],
        "windows": [stored, *usual],
    }


def geometry(stacks: Sequence[Volume], language: Language) -> dict[str, Any]:
    """Return what the viewer learns of a series once its volume is built.

    The window of the first look, the planes it can be cut in, for each the letters of
    its four sides (none where the object does not say how it lay), and what the reader
    of the series remarked.
    """
    volume = stacks[0]
    # What says no position in the patient is put at the origin by the reader.
    placed = any(volume.origin)
    deep = placed and min(volume.array.shape[:3]) >= DEEP_ENOUGH
    planes = [_plane(volume, axis, language) for axis in range(3 if deep else 1)]
    planes[0]["frames"] = sum(len(stack.array) for stack in stacks)
    if not placed:
        planes[0] |= {"letters": None, "name": "", "step": None}
    learnt = {"planes": planes, "remarks": list(volume.remarks[:MOST_REMARKS])}
    if volume.is_colour:
        return {**learnt, "window": None}
    center, width = default_window(volume)
    return {**learnt, "window": {"center": center, "width": width}}


def _plane(volume: Volume, axis: int, language: Language) -> dict[str, Any]:
    """Return the plane across array axis *axis*, as ``pictures.plane`` shows it."""
    down, right = (one for one in range(3) if one != axis)
    across = [abs(part) for part in _direction(volume, axis)]
    below = _direction(volume, down)
    # pictures.plane turns cuts so that the head is up.
    if axis and volume.direction[6] > 0:
        below = _reversed(below)
    beside = _direction(volume, right)
    return {
        "axis": axis,
        "frames": volume.array.shape[axis],
        "name": language.gettext(PLANES[across.index(max(across))]),
        "step": volume.spacing[axis],
        "letters": {
            "n": letter(_reversed(below)),
            "s": letter(below),
            "w": letter(_reversed(beside)),
            "e": letter(beside),
        },
    }


def letter(direction: Vector) -> str:
    """Return the letters of where *direction* points to in a patient, in LPS.

    Examples
    --------
    >>> letter((1.0, 0.0, 0.0)), letter((0.0, -0.8, 0.6))
    ('L', 'AH')
    """
    parts = sorted(enumerate(direction), key=lambda part: -abs(part[1]))
    shown = [parts[0], *(part for part in parts[1:] if abs(part[1]) > OBLIQUE)]
    return "".join(DIRECTIONS[axis][value < 0] for axis, value in shown[:2])


def _direction(volume: Volume, axis: int) -> Vector:
    """Return the LPS direction of array axis *axis*."""
    x, y, z = volume.direction[axis::3]
    return (x, y, z)


def _reversed(direction: Vector) -> Vector:
    """Return the opposite of *direction*."""
    x, y, z = direction
    return (-x, -y, -z)
