"""Three planes with a crosshair (ipyniivue), and the controls around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from ipyniivue import DragMode, ShowRender, SliceType

from rounds.html import text
from rounds.viewers.canvas import Canvas
from rounds.viewers.controls import SliceControls, WindowControls, choice
from rounds.viewers.images import label_nifti, picture_of
from rounds.viewers.planes import Grid
from rounds.viewers.windows import windows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Thread

    import numpy.typing as npt

    from rounds.segmentations import Segmentation
    from rounds.viewers.images import Picture
    from rounds_kernels.volumes import Volume

__all__ = ["PlanesView", "view"]

TIMES = "\N{MULTIPLICATION SIGN}"
HEIGHT = 400
"""Pixels of the picture's height: large, and the controls still on the same screen."""

FLAT = frozenset(
    {"CR", "DX", "ES", "GM", "IO", "MG", "OP", "PX", "RF", "SM", "US", "XA", "XC"}
)
"""Modalities of pictures, or of films of them, that have no place in space."""

PLANES = ("Sagittal", "Coronal", "Axial")
"""The plane that moves towards right, front and head."""

LAYOUTS = {
    "Three planes": (SliceType.MULTIPLANAR, ShowRender.NEVER),
    "Axial": (SliceType.AXIAL, ShowRender.NEVER),
    "Coronal": (SliceType.CORONAL, ShowRender.NEVER),
    "Sagittal": (SliceType.SAGITTAL, ShowRender.NEVER),
    "Planes and volume": (SliceType.MULTIPLANAR, ShowRender.ALWAYS),
}
MOUSE = {
    "Length": DragMode.MEASUREMENT,
    "Angle": DragMode.ANGLE,
    "Move and zoom": DragMode.PAN,
}
COLOURS = (
    (0, 158, 115),
    (230, 159, 0),
    (86, 180, 233),
    (204, 121, 167),
    (240, 228, 66),
    (213, 94, 0),
)
"""Okabe and Ito's colours, which the colour-blind tell apart, too; used round robin."""


def view(
    volume: Volume, *, overlay: Segmentation | None = None, title: str = ""
) -> PlanesView:
    """Return three planes of *volume*; see `rounds.viewers.view`."""
    return PlanesView(volume, overlay=overlay, title=title)


class PlanesView(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets has no types
    """A picture of a volume, the crosshair's place, and controls for slice and window.

    Attributes
    ----------
    canvas
        The picture itself, an `ipyniivue.NiiVue`.
    slices, window, layout_choice, mouse, opacity
        The controls; *opacity* is there with an overlay only.
    """

    def __init__(
        self,
        volume: Volume,
        *,
        overlay: Segmentation | None = None,
        title: str = "",
    ) -> None:
        """Draw *volume* and lay *overlay* over it."""
        picture = picture_of(volume)
        self._volume = volume
        self._title = title
        self._grid = Grid(volume, picture)
        self._flat = volume.modality in FLAT or 1 in volume.array.shape[:3]
        self.canvas = _canvas(flat=self._flat)
        self.window = WindowControls(windows_of(volume), volume.units, self._shade)
        self._load(picture, overlay)
        self.slices = self._slice_controls()
        self.layout_choice = choice("Layout", LAYOUTS, "Which planes are shown")
        self.layout_choice.observe(self._arrange, "value")
        self.mouse = choice(
            "Right drag", MOUSE, "What dragging with the right button does"
        )
        self.mouse.observe(self._use_mouse, "value")
        self.opacity = None if overlay is None else self._opacity_control()
        self.place = ipywidgets.HTML()
        self.canvas.on_location_change(self._followed)
        self._say_place(self.slices.voxel)
        self.growing: Thread | None = None
        self._heading = ipywidgets.HTML(_heading(title, volume, picture))
        self._note = ipywidgets.HTML()
        super().__init__(self._parts(picture, overlay), layout={"width": "100%"})

    def _parts(self, picture: Picture, overlay: Segmentation | None) -> list[Any]:
        """Return what the view is made of, from top to bottom."""
        controls = self._controls(picture, overlay)
        return [self._heading, self.canvas, self.place, self._note, controls]

    def say(self, what: str) -> None:
        """Say *what* below the picture, also to who does not see it; empty: nothing."""
        self._note.value = f'<div role="status">{text(what)}</div>' if what else ""

    def refine(self, volume: Volume) -> None:
        """Draw *volume* in place of a coarse copy of it, at the same place and window.

        What was drawn before shall have had no overlay.
        """
        picture = picture_of(volume)
        before = self._grid.fraction(self.slices.voxel)
        self._volume = volume
        self._grid = Grid(volume, picture)
        self._load(picture, None)
        self.slices = self._slice_controls()
        at = self._grid.at_fraction(before)
        self._heading.value = _heading(self._title, volume, picture)
        self.say("")
        self.children = self._parts(picture, None)
        self.go_to(at.voxel)

    def go_to(self, voxel: Sequence[int]) -> None:
        """Put the crosshair onto *voxel*, counted towards right, front and head."""
        self.slices.follow(voxel)
        self._point_at(list(voxel))

    def _load(self, picture: Picture, overlay: Segmentation | None) -> None:
        """Give the picture, and the overlay, to the canvas."""
        layers: list[dict[str, Any]] = [
            {"data": picture.nifti, "name": "volume.nii", "colorbar_visible": False}
        ]
        if not picture.colour:
            low, high = self.window.bounds
            layers[0] |= {"colormap": "gray", "cal_min": low, "cal_max": high}
        if overlay is not None:
            labels = label_nifti(overlay.labels, self._volume, picture)
            layers.append({"data": labels, "name": "overlay.nii", "opacity": 0.5})
        self.canvas.load_volumes(layers)
        self.canvas.volumes[0].colormap_invert = self._volume.inverted
        if overlay is not None:
            self.canvas.volumes[1].set_colormap_label(_label_colours(overlay.labels))

    def _slice_controls(self) -> SliceControls:
        names = ("", "", "Image") if self._flat else PLANES
        sizes = (1, 1, self._grid.shape[2]) if self._flat else self._grid.shape
        return SliceControls(names, sizes, self._point_at)

    def _opacity_control(self) -> Any:  # noqa: ANN401 - widgets have no types
        slider = ipywidgets.FloatSlider(
            value=0.5,
            max=1.0,
            step=0.05,
            description="Overlay",
            tooltip="Opacity of the overlay, from unseen to solid",
            style={"description_width": "6rem"},
            layout={"width": "100%"},
        )
        slider.observe(self._fade, "value")
        return slider

    def _controls(self, picture: Picture, overlay: Segmentation | None) -> Any:  # noqa: ANN401 - widgets have no types
        """Return the controls in columns that wrap on a narrow page."""
        columns = []
        if any(slider.max > 1 for slider in self.slices.sliders):
            columns.append(self.slices.box)
        if not picture.colour:
            columns.append(self.window.box)
        menus = [self.mouse] if self._flat else [self.layout_choice, self.mouse]
        if self.opacity is not None and overlay is not None:
            menus += [self.opacity, ipywidgets.HTML(_legend(overlay))]
        columns.append(ipywidgets.VBox(menus))
        for column in columns:
            column.layout = {
                "flex": "1 1 18rem",
                "min_width": "16rem",
                "margin": "0 1rem 0 0",
            }
        return ipywidgets.HBox(
            columns, layout={"flex_flow": "row wrap", "width": "100%"}
        )

    def _point_at(self, voxel: list[int]) -> None:
        self.canvas.scene.crosshair_pos = self._grid.fraction(voxel)
        self._say_place(voxel)

    def _followed(self, location: dict[str, Any]) -> None:
        """Hear where a person clicked in the picture."""
        at = self._grid.at_fraction(location["frac"])
        self.slices.follow(at.voxel)
        self._say_place(at.voxel)

    def _say_place(self, voxel: Sequence[int]) -> None:
        at = self._grid.at(voxel)
        value = self._grid.value(at)
        where = (
            f"image {at.voxel[2] + 1} of {self._grid.shape[2]}"
            if self._flat
            else str(at)
        )
        self.place.value = _place_line(where, _amount(value, self._volume.units))

    def _shade(self, low: float, high: float) -> None:
        if self.canvas.volumes:
            with self.canvas.volumes[0].hold_sync():
                self.canvas.volumes[0].cal_min = low
                self.canvas.volumes[0].cal_max = high

    def _fade(self, change: dict[str, Any]) -> None:
        self.canvas.volumes[1].opacity = change["new"]

    def _arrange(self, change: dict[str, Any]) -> None:
        slice_type, render = change["new"]
        self.canvas.opts.multiplanar_show_render = render
        self.canvas.opts.slice_type = slice_type

    def _use_mouse(self, change: dict[str, Any]) -> None:
        self.canvas.opts.drag_mode = change["new"]


def _canvas(*, flat: bool) -> Any:  # noqa: ANN401 - widgets have no types
    """Return an empty picture: black, radiological convention, a quiet crosshair."""
    canvas = Canvas(
        height=HEIGHT,
        back_color=(0.0, 0.0, 0.0, 1.0),
        crosshair_color=(0.18, 0.83, 0.75, 0.75),
        crosshair_width=0.0 if flat else 0.4,
        crosshair_width_unit="percent",
        drag_and_drop_enabled=False,
        drag_mode=DragMode.MEASUREMENT,
        font_color=(0.8, 0.8, 0.8, 1.0),
        is_orientation_text_visible=not flat,
        is_radiological_convention=True,
        measure_line_color=(1.0, 0.8, 0.2, 1.0),
        measure_text_color=(1.0, 0.8, 0.2, 1.0),
        multiplanar_show_render=ShowRender.NEVER,
        ruler_color=(1.0, 0.8, 0.2, 1.0),
        scroll_requires_focus=True,
        show_legend=False,
        slice_type=SliceType.AXIAL if flat else SliceType.MULTIPLANAR,
    )
    canvas.layout = {"width": "100%"}
    return canvas


def _heading(title: str, volume: Volume, picture: Picture) -> str:
    """Return what is shown, and what was noticed about it."""
    z, y, x = volume.array.shape[:3]
    facts = f"{volume.modality} · {x} {TIMES} {y} {TIMES} {z}"
    notes = [*volume.remarks]
    if picture.steps != (1, 1, 1):
        a, b, c = picture.steps[::-1]
        notes.insert(
            0,
            f"Shown coarser, {a} {TIMES} {b} {TIMES} {c} voxels in one.",
        )
    said = "".join(f"<div>{text(note)}</div>" for note in notes[:4])
    return (
        f'<div style="line-height:1.4"><b>{text(title)}</b> '
        f'<span style="opacity:.75">{text(facts)}</span>'
        f'<div style="font-size:.9em;opacity:.85">{said}</div></div>'
    )


def _place_line(where: str, value: str) -> str:
    return (
        '<div role="status" style="font-variant-numeric:tabular-nums;line-height:1.4">'
        f"{text(where)}{' · ' if value else ''}{text(value)}</div>"
    )


def _amount(value: npt.NDArray[Any] | None, units: str) -> str:
    """Return a voxel's value with its units; colours as red, green, blue."""
    if value is None:
        return ""
    if value.ndim:
        return "RGB " + ", ".join(str(int(part)) for part in value)
    return f"{float(value):.4g} {units}".rstrip()


def _numbers(overlay: npt.NDArray[Any]) -> list[int]:
    """Return the segments' numbers in *overlay*."""
    return [int(number) for number in np.unique(overlay) if number]


def _label_colours(overlay: npt.NDArray[Any]) -> dict[str, list[int]]:
    """Return a colour for each number in *overlay*, and none for 0."""
    numbers = _numbers(overlay)
    red, green, blue = zip((0, 0, 0), *(_colour(n) for n in numbers), strict=True)
    return {
        "R": list(red),
        "G": list(green),
        "B": list(blue),
        "A": [0] + [255] * len(numbers),
        "I": [0, *numbers],
    }


def _colour(number: int) -> tuple[int, int, int]:
    return COLOURS[(number - 1) % len(COLOURS)]


def _legend(overlay: Segmentation) -> str:
    """Return which colour stands for which segment."""
    swatches = "".join(
        '<span style="white-space:nowrap;margin-right:1em">'
        f'<span style="display:inline-block;'
        f"width:.8em;height:.8em;border-radius:2px;background:rgb{_colour(n)}"
        f'"></span> {text(overlay.names.get(n, f"segment {n}"))}</span>'
        for n in _numbers(overlay.labels)[:24]
    )
    return f'<div style="line-height:1.6">{swatches}</div>'
