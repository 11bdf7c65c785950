"""The controls around the picture do what they say, and follow the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds.errors import ViewerError
from rounds.segmentations import Segmentation
from rounds.viewers import ENGINES, view
from rounds.viewers.canvas import without_echo
from rounds.viewers.controls import CUSTOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rounds.viewers.niivue import PlanesView
    from rounds_kernels.volumes import Volume

    MakeVolume = Callable[..., Volume]

SHAPE = (6, 5, 4)
BLOCK = np.arange(6 * 5 * 4, dtype=np.int16).reshape(SHAPE)


@pytest.fixture
def shown(make_volume: MakeVolume) -> Iterator[PlanesView]:
    """Return a view of a small CT with two segments."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[0], labels[1] = 1, 2
    mask = Segmentation(labels, {1: "Right <lung>"})
    made: PlanesView = view(make_volume(BLOCK), overlay=mask, title="Chest <b>")
    yield made
    made.close()


def test_the_crosshair_starts_in_the_middle(shown: PlanesView) -> None:
    assert shown.slices.voxel == [2, 2, 3]


def test_a_slider_moves_the_crosshair(shown: PlanesView) -> None:
    sagittal = shown.slices.sliders[0]
    sagittal.value = 1
    assert shown.canvas.scene.crosshair_pos[0] == pytest.approx(0.5 / 4)


def test_a_click_in_the_picture_moves_the_sliders(shown: PlanesView) -> None:
    where = {"event": "location_change", "data": {"frac": [0.9, 0.1, 0.5]}}
    shown.canvas._handle_custom_msg(where, [])  # noqa: SLF001 - as the browser does
    assert [slider.value for slider in shown.slices.sliders] == [4, 1, 4]


def test_the_place_shows_mm_and_value(shown: PlanesView) -> None:
    shown.go_to([3, 4, 0])
    assert "R 10.0  A 20.0  I 30.0 mm" in shown.place.value
    assert "0 HU" in shown.place.value


def test_a_preset_sets_the_window_of_the_picture(shown: PlanesView) -> None:
    shown.window.preset.value = "Lung"
    volume = shown.canvas.volumes[0]
    assert (volume.cal_min, volume.cal_max) == (-1350.0, 150.0)


def test_a_window_set_by_hand_is_called_so(shown: PlanesView) -> None:
    shown.window.width.value = 77.0
    volume = shown.canvas.volumes[0]
    assert shown.window.preset.value == CUSTOM
    assert volume.cal_max - volume.cal_min == pytest.approx(77.0)


def test_a_value_that_a_browser_rounds_is_no_change_by_hand(shown: PlanesView) -> None:
    shown.window.preset.value = "Lung"
    shown.window.center.value += shown.window.center.step / 2
    assert shown.window.preset.value == "Lung"


def test_the_overlay_fades(shown: PlanesView) -> None:
    assert shown.opacity is not None
    shown.opacity.value = 0.1
    assert shown.canvas.volumes[1].opacity == pytest.approx(0.1)


def test_the_layout_can_be_one_plane(shown: PlanesView) -> None:
    shown.layout_choice.label = "Coronal"
    assert shown.canvas.opts.slice_type.name == "CORONAL"


def test_what_the_right_button_does_can_be_chosen(shown: PlanesView) -> None:
    shown.mouse.label = "Angle"
    assert shown.canvas.opts.drag_mode.name == "ANGLE"


def test_titles_and_segments_are_text(shown: PlanesView) -> None:
    legend = shown.children[-1].children[-1].children[-1]
    said = shown.children[0].value + legend.value
    assert ("Chest &lt;b&gt;" in said, "Right &lt;lung&gt;" in said) == (True, True)


def test_every_control_has_a_name_and_a_hint(shown: PlanesView) -> None:
    controls = [*shown.slices.sliders, shown.window.preset, shown.window.center]
    controls += [shown.window.width, shown.layout_choice, shown.mouse, shown.opacity]
    assert [c for c in controls if not c.description or not c.tooltip] == []


def test_colours_have_no_window(make_volume: MakeVolume) -> None:
    shown = view(make_volume(np.zeros((2, 5, 4, 3), np.uint8), modality="US"))
    said = [w.description for w in shown.window.box.children]
    inside = [child for row in shown.children[-1].children for child in row.children]
    assert not {w.description for w in inside if hasattr(w, "description")} & set(said)
    shown.close()


def test_a_film_counts_its_images(make_volume: MakeVolume) -> None:
    shown = view(make_volume(BLOCK, modality="XA"))
    assert (
        "image 4 of 6" in shown.place.value,
        shown.slices.sliders[2].description,
    ) == (
        True,
        "Image",
    )
    shown.close()


def test_a_negative_picture_is_shown_as_such(make_volume: MakeVolume) -> None:
    shown = view(make_volume(BLOCK[:1], modality="DX", inverted=True))
    assert shown.canvas.volumes[0].colormap_invert
    shown.close()


def test_what_was_noticed_is_said(make_volume: MakeVolume) -> None:
    shown = view(make_volume(BLOCK, remarks=("A slice is missing.",)))
    assert "A slice is missing." in shown.children[0].value
    shown.close()


def test_a_mask_of_another_shape_is_refused(make_volume: MakeVolume) -> None:
    with pytest.raises(ViewerError, match="overlay has the shape"):
        view(make_volume(BLOCK), overlay=np.zeros((1, 1, 1), np.uint8))


def test_the_installed_front_end_does_not_send_volumes_back() -> None:
    from pathlib import Path

    import ipyniivue

    script = (Path(ipyniivue.__file__).parent / "static/widget.js").read_text("utf-8")
    assert len(script) - len(without_echo(script)) > 20


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_an_engine_says_how_it_is_called(engine: str) -> None:
    from importlib.util import find_spec

    assert find_spec(ENGINES[engine]) is not None


def test_the_rendering_engine_refuses_colours(make_volume: MakeVolume) -> None:
    with pytest.raises(ViewerError, match="renders grey volumes"):
        view(make_volume(np.zeros((2, 5, 4, 3), np.uint8)), engine="itk")
