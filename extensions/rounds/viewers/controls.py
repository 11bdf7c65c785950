"""The controls around a picture: which slice, which window, which layout."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rounds.viewers.windows import Windows

__all__ = ["CUSTOM", "SliceControls", "WindowControls", "choice"]

CUSTOM = "By hand"
"""What the menu of windows says when a slider has been moved since."""

LABEL = {"description_width": "6rem"}
WIDE = {"width": "100%", "max_width": "34rem"}
NARROW = {"width": "100%", "max_width": "18rem"}


class _Quiet:
    """Tells a change by a person from one that follows from another."""

    def __init__(self) -> None:
        self._depth = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def __bool__(self) -> bool:
        return self._depth > 0


class SliceControls:
    """A slider for each plane in *names*; *moved* hears the voxel that a person chose.

    Sliders count from 1, as people do; voxels count from 0.
    """

    def __init__(
        self,
        names: Sequence[str],
        sizes: Sequence[int],
        moved: Callable[[list[int]], None],
    ) -> None:
        """Make the sliders, each in the middle; an axis with one slice gets none."""
        self._moved = moved
        self._quiet = _Quiet()
        self.sliders = [
            _slider(name, size) for name, size in zip(names, sizes, strict=True)
        ]
        for slider in self.sliders:
            slider.observe(self._heard, "value")
        self.box = ipywidgets.VBox([s for s in self.sliders if s.max > 1], layout=WIDE)

    @property
    def voxel(self) -> list[int]:
        """The voxel that the sliders point at."""
        return [slider.value - 1 for slider in self.sliders]

    def follow(self, voxel: Sequence[int]) -> None:
        """Point the sliders at *voxel*, without telling anybody."""
        with self._quiet():
            for slider, at in zip(self.sliders, voxel, strict=True):
                slider.value = at + 1

    def _heard(self, _change: object) -> None:
        if not self._quiet:
            self._moved(self.voxel)


class WindowControls:
    """A menu of windows, sliders for centre and width; *changed* hears the bounds."""

    def __init__(
        self,
        windows: Windows,
        units: str,
        changed: Callable[[float, float], None],
    ) -> None:
        """Begin with the first of *windows*."""
        self._windows = windows
        self._changed = changed
        self._quiet = _Quiet()
        first = next(iter(windows.presets))
        center, width = windows.presets[first]
        unit = f" in {units}" if units else ""
        self.preset = choice(
            "Window", [*windows.presets, CUSTOM], "Preset of window centre and width"
        )
        self.center = _number(
            "Centre",
            windows.centers,
            f"Window centre{unit}: what is shown as middle grey",
        )
        self.width = _number(
            "Width", (0.0, windows.widest), f"Window width{unit}: from black to white"
        )
        self.width.min = self.width.step
        self.center.value, self.width.value = center, width
        self.preset.observe(self._chosen, "value")
        self.center.observe(self._slid, "value")
        self.width.observe(self._slid, "value")
        self.box = ipywidgets.VBox([self.preset, self.center, self.width], layout=WIDE)

    @property
    def bounds(self) -> tuple[float, float]:
        """What is shown black, and what white."""
        half = self.width.value / 2
        return self.center.value - half, self.center.value + half

    def _chosen(self, change: Any) -> None:  # noqa: ANN401 - traitlets have no types
        if self._quiet or change["new"] == CUSTOM:
            return
        with self._quiet():
            self.center.value, self.width.value = self._windows.presets[change["new"]]
        self._changed(*self.bounds)

    def _slid(self, _change: object) -> None:
        if self._quiet:
            return
        with self._quiet():
            self.preset.value = self._name()
        self._changed(*self.bounds)

    def _name(self) -> str:
        """Return the preset at which the sliders stand; the chosen one comes first.

        A browser rounds what it is told to its own steps, and says so; that is no
        change by hand.
        """
        names = [self.preset.value, *self._windows.presets]
        for name in names:
            center, width = self._windows.presets.get(name, (math.inf, 0.0))
            near = abs(center - self.center.value) < self.center.step
            if near and abs(width - self.width.value) < self.width.step:
                return str(name)
        return CUSTOM


def choice(name: str, options: Mapping[str, Any] | Sequence[str], hint: str) -> Any:  # noqa: ANN401 - widgets have no types
    """Return a menu called *name*; *hint* is read out and shown on hover."""
    pairs = list(options.items()) if hasattr(options, "items") else list(options)
    return ipywidgets.Dropdown(
        options=pairs, description=name, tooltip=hint, style=LABEL, layout=NARROW
    )


def _slider(name: str, size: int) -> Any:  # noqa: ANN401 - widgets have no types
    return ipywidgets.IntSlider(
        value=size // 2 + 1,
        min=1,
        max=size,
        description=name,
        tooltip=f"{name} slice, 1 to {size}; arrow keys move it",
        style=LABEL,
        layout={"width": "100%"},
    )


def _number(name: str, bounds: tuple[float, float], hint: str) -> Any:  # noqa: ANN401 - widgets have no types
    step = _step(bounds[1] - bounds[0])
    return ipywidgets.FloatSlider(
        min=math.floor(bounds[0] / step) * step,
        max=math.ceil(bounds[1] / step) * step,
        step=step,
        description=name,
        tooltip=hint,
        readout_format=".0f" if step >= 1 else ".3g",
        style=LABEL,
        layout={"width": "100%"},
    )


def _step(reach: float) -> float:
    """Return a round step of which a thousand or more make up *reach*.

    Examples
    --------
    >>> _step(4000.0), _step(0.8)
    (1.0, 0.0001)
    """
    return float(10.0 ** math.floor(math.log10(reach / 1000)))
