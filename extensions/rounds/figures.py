"""Figures of results as a radiologist reads them: black ground, scale, sides, legend.

Every figure is a Matplotlib figure of its own, without a window and without state, and
the same numbers give the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from rounds_kernels.volumes import Volume

__all__ = ["COLOURS", "histogram", "planes"]

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00")
"""Okabe and Ito's colours, told apart with every kind of colour vision."""

GROUND = "#000000"
TEXT = "#dbe2e9"
MUTED = "#94a1ad"
SCALE_MM = 50.0
DPI = 110

_PLANES = (
    ("axial", 0, ("R", "L", "A", "P")),
    ("coronal", 1, ("R", "L", "H", "F")),
    ("sagittal", 2, ("A", "P", "H", "F")),
)
"""Name, the axis that is cut, and what is left, right, top, bottom in the picture."""


@dataclass(frozen=True, slots=True)
class _Upright:
    """A volume turned so that its axes run to the head, the back and the left."""

    array: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8] | None
    spacing: tuple[float, float, float]


def planes(
    volume: Volume,
    labels: npt.NDArray[Any] | None = None,
    *,
    names: Mapping[int, str] | None = None,
    window: tuple[float, float] | None = None,
) -> Figure:
    """Draw *volume* in three planes through the middle of *labels*.

    Parameters
    ----------
    volume
        What to draw; grey values, shape ``(slices, rows, columns)``, on the CPU.
    labels
        A number for each segment and 0 elsewhere, the volume's shape; drawn over it.
    names
        What to call each number in the legend.
    window
        Centre and width in the volume's units; where it is not given, the values from
        the 1st to the 99th percentile are shown.

    Returns
    -------
    Figure
        A Matplotlib figure, 12 by 4.6 inches.
    """
    from matplotlib.figure import Figure as New  # noqa: PLC0415 - drawing is slow to import

    upright = _upright(volume, labels)
    low, high = _range(upright.array, window)
    figure = New(figsize=(12, 4.6), dpi=DPI, facecolor=GROUND, layout="constrained")
    axes = figure.subplots(1, 3)
    at = _middle(upright)
    for one, (name, axis, sides) in zip(axes, _PLANES, strict=True):
        _draw_plane(one, upright, axis, at[axis], (low, high))
        count = upright.array.shape[axis]
        _caption(one, f"{name} {at[axis] + 1} / {count}", sides)
    unit = f" {volume.units}" if volume.units else ""
    said = f"{low:.0f} to {high:.0f}{unit}"
    _corner(axes[2], (0.98, 0.02), said, MUTED)
    _scale_bar(axes[0], upright.spacing[2])
    _legend(figure, names or {})
    return figure


def histogram(
    values: Mapping[str, npt.NDArray[Any]],
    *,
    label: str,
    limits: tuple[float, float],
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """Draw how often which value is found, a line for each part in *values*.

    Parameters
    ----------
    values
        The values of each part by its name, on the CPU.
    label
        What the values are, with their unit.
    limits
        The range that is drawn.
    marks
        Values to be marked by a dashed line, by name.

    Returns
    -------
    Figure
        A Matplotlib figure, 7 by 4.2 inches; the parts of a name add up to 100 %.
    """
    from matplotlib.figure import Figure as New  # noqa: PLC0415 - as above

    figure = New(figsize=(7, 4.2), dpi=DPI, facecolor=GROUND, layout="constrained")
    axes = figure.subplots()
    edges = np.linspace(*limits, 121)
    for (name, part), colour in zip(values.items(), COLOURS, strict=False):
        counts, _ = np.histogram(part, bins=edges)
        share = 100 * counts / max(1, np.asarray(part).size)
        axes.stairs(share, edges, color=colour, linewidth=1.6, label=name)
        axes.stairs(share, edges, color=colour, alpha=0.18, fill=True)
    for name, value in (marks or {}).items():
        axes.axvline(value, color=TEXT, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            name,
            (value, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -12),
            textcoords="offset points",
            color=TEXT,
            fontsize=9,
        )
    _quiet(axes, label, limits)
    return figure


def _upright(volume: Volume, labels: npt.NDArray[Any] | None) -> _Upright:
    """Turn and mirror the axes so that they run to the head, the back and the left."""
    towards = np.asarray(volume.direction, float).reshape(
        3, 3
    )  # column k: array axis k
    order, mirrored = [], []
    for patient_axis in (2, 1, 0):  # LPS z, y, x
        free = [axis for axis in range(3) if axis not in order]
        axis = max(free, key=lambda one: abs(towards[patient_axis, one]))
        order.append(axis)
        if towards[patient_axis, axis] < 0:
            mirrored.append(len(order) - 1)

    def turned(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        flipped: npt.NDArray[Any] = np.flip(np.transpose(array, order), tuple(mirrored))
        return flipped

    z, y, x = (volume.spacing[axis] for axis in order)
    mask = None if labels is None else turned(np.asarray(labels))
    return _Upright(turned(np.asarray(volume.array)), mask, (z, y, x))


def _middle(upright: _Upright) -> tuple[int, ...]:
    """Return the slice of each plane: the middle of the segments, or of the volume."""
    shape = upright.array.shape
    if upright.labels is None or not upright.labels.any():
        return tuple(count // 2 for count in shape)
    found = []
    for axis in range(3):
        rest = tuple(one for one in range(3) if one != axis)
        weights = (upright.labels > 0).sum(axis=rest)
        found.append(int(np.searchsorted(np.cumsum(weights), weights.sum() / 2)))
    return tuple(found)


def _range(
    array: npt.NDArray[Any], window: tuple[float, float] | None
) -> tuple[float, float]:
    if window is not None:
        return window[0] - window[1] / 2, window[0] + window[1] / 2
    low, high = np.percentile(array[::2, ::2, ::2], (1, 99))
    return float(low), float(max(high, low + 1))


def _draw_plane(
    axes: Axes, upright: _Upright, axis: int, at: int, shown: tuple[float, float]
) -> None:
    """Draw one cut with the outlines and a tint of its segments."""
    rows, columns = (one for one in range(3) if one != axis)
    ratio = upright.spacing[rows] / upright.spacing[columns]
    upwards: Literal["upper", "lower"] = "upper" if axis == 0 else "lower"
    cut = np.take(upright.array, at, axis)
    axes.imshow(
        cut, cmap="gray", vmin=shown[0], vmax=shown[1], origin=upwards, aspect=ratio
    )
    if upright.labels is not None:
        segments = np.take(upright.labels, at, axis)
        for number in np.unique(segments[segments > 0]):
            colour = COLOURS[(int(number) - 1) % len(COLOURS)]
            inside = (segments == number).astype(float)
            axes.contourf(inside, levels=[0.5, 1.5], colors=[colour], alpha=0.22)
            axes.contour(inside, levels=[0.5], colors=[colour], linewidths=1.3)
    axes.set_axis_off()


def _caption(axes: Axes, name: str, sides: tuple[str, str, str, str]) -> None:
    """Say in the corners and at the edges what is shown."""
    _corner(axes, (0.02, 0.98), name, TEXT)
    places = ((0.01, 0.5), (0.99, 0.5), (0.5, 0.99), (0.5, 0.01))
    for side, (x, y) in zip(sides, places, strict=True):
        _corner(axes, (x, y), side, MUTED)


def _corner(axes: Axes, at: tuple[float, float], text: str, colour: str) -> None:
    """Write *text* near an edge, turned inwards."""
    across = {0: "left", 1: "center", 2: "right"}[int(at[0] > 0.3) + int(at[0] > 0.7)]  # noqa: PLR2004 - thirds
    along = {0: "bottom", 1: "center", 2: "top"}[int(at[1] > 0.3) + int(at[1] > 0.7)]  # noqa: PLR2004 - thirds
    written = axes.text(
        *at,
        text,
        color=colour,
        fontsize=10,
        ha=across,
        va=along,
        transform=axes.transAxes,
    )
    _outline(written)


def _scale_bar(axes: Axes, spacing: float) -> None:
    """Draw a bar of 50 mm in the lower left corner."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    start = left + 0.04 * (right - left)
    height = bottom + 0.04 * (top - bottom)
    axes.plot(
        [start, start + SCALE_MM / spacing],
        [height, height],
        color=TEXT,
        linewidth=2.5,
        solid_capstyle="butt",
    )
    written = axes.text(
        start,
        height + 0.015 * (top - bottom),
        f"{SCALE_MM:.0f} mm",
        color=TEXT,
        fontsize=9,
        va="bottom",
    )
    _outline(written)


def _outline(written: Text) -> None:
    """Keep a text readable over bright pixels."""
    from matplotlib.patheffects import withStroke  # noqa: PLC0415 - slow to import

    written.set_path_effects([withStroke(linewidth=2.5, foreground=GROUND)])


def _legend(figure: Figure, names: Mapping[int, str]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 - drawing is slow to import

    handles = [
        Patch(color=COLOURS[(number - 1) % len(COLOURS)], label=name)
        for number, name in sorted(names.items())
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=len(handles),
            frameon=False,
            labelcolor=TEXT,
            fontsize=10,
        )


def _quiet(axes: Axes, label: str, limits: tuple[float, float]) -> None:
    """Give a plot the look of the house."""
    axes.set_facecolor(GROUND)
    axes.set_xlim(*limits)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(label, color=TEXT)
    axes.set_ylabel("share of voxels in %", color=TEXT)
    axes.tick_params(colors=MUTED)
    axes.grid(visible=True, axis="y", color="#26303a", linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(MUTED)
    axes.legend(
        frameon=False,
        labelcolor=TEXT,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=len(COLOURS),
    )
