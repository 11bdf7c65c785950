"""Pictures of volumes as a person looks at them: windows, frames, thumbnails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_kernels.volumes import Volume

__all__ = [
    "Shown",
    "Window",
    "best_axis",
    "default_window",
    "frame",
    "montage",
    "plane",
    "presets",
    "resize",
    "thumbnail",
    "to_picture",
]

_SAMPLED: Final = 200_000


@dataclass(frozen=True, slots=True)
class Window:
    """A range of values to show.

    Examples
    --------
    >>> Window("Soft tissue", 40, 400).bounds
    (-160.0, 240.0)
    """

    name: str
    center: float
    width: float

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the values that are shown black and white."""
        return self.center - self.width / 2, self.center + self.width / 2


_PRESETS: Final = {
    "CT": (
        Window("Soft tissue", 40, 400),
        Window("Lung", -600, 1500),
        Window("Bone", 500, 2000),
        Window("Brain", 40, 80),
        Window("Liver", 60, 160),
        Window("Vessels", 200, 600),
    ),
    "PT": (Window("SUV 0 to 5", 2.5, 5), Window("SUV 0 to 10", 5, 10)),
}


def presets(modality: str) -> tuple[Window, ...]:
    """Return the usual windows of a modality; none where values have no fixed meaning.

    Examples
    --------
    >>> [window.name for window in presets("CT")][:2]
    ['Soft tissue', 'Lung']
    >>> presets("MR")
    ()
    """
    return _PRESETS.get(modality, ())


def default_window(
    pixels: Volume | npt.NDArray[Any], dicom: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Return centre and width to show *pixels* with at first.

    That is what the series asks for (*dicom*, or the volume's own), unless it would
    show nothing but black or white; else the range between the 1st and the 99.5th
    percentile.

    Examples
    --------
    >>> default_window(np.arange(1001.0))
    (502.5, 985.0)
    """
    array = pixels if isinstance(pixels, np.ndarray) else pixels.array
    if dicom is None and not isinstance(pixels, np.ndarray):
        dicom = pixels.window
    sample = _sample(array)
    if sample.size == 0:
        return (0.0, 1.0)
    if dicom is not None and dicom[1] > 0:
        low, high = dicom[0] - dicom[1] / 2, dicom[0] + dicom[1] / 2
        if low < float(sample.max()) and high > float(sample.min()):
            return (float(dicom[0]), float(dicom[1]))
    low, high = (float(value) for value in np.percentile(sample, (1, 99.5)))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    return ((low + high) / 2, max(high - low, 1e-6 * max(1.0, abs(low))))


def _sample(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return finite values spread over *array*, few enough to sort."""
    thin = max(1, round((array.size / _SAMPLED) ** (1 / max(1, min(array.ndim, 3)))))
    some = array[
        tuple(slice(None, None, thin) for _ in range(min(array.ndim, 3)))
    ].ravel()
    if some.dtype.kind == "f":
        some = some[np.isfinite(some)]
    return some


def to_picture(
    pixels: npt.NDArray[Any], center: float, width: float, *, inverted: bool = False
) -> npt.NDArray[np.uint8]:
    """Return a slice as bytes to show; colour is passed through.

    Parameters
    ----------
    pixels
        (rows, columns) in the volume's units, or (rows, columns, 3) RGB.
    center, width
        The window; *width* must be more than 0.
    inverted
        Show low values bright (MONOCHROME1).

    Raises
    ------
    ValueError
        When the window shows nothing.

    Examples
    --------
    >>> to_picture(np.array([[-1000, 40, 3000]]), 40, 400).tolist()
    [[0, 128, 255]]
    """
    if pixels.ndim == 3:  # noqa: PLR2004 - colour
        return _bytes(pixels)
    if not width > 0:
        msg = f"A window must be wider than 0, got {width!r}."
        raise ValueError(msg)
    scaled = (pixels.astype(np.float32) - np.float32(center - width / 2)) * np.float32(
        255 / width
    )
    picture = np.rint(np.nan_to_num(scaled, nan=0.0).clip(0, 255)).astype(np.uint8)
    return np.asarray(255 - picture) if inverted else picture


def _bytes(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return colours as bytes; of 16-bit ones the used range."""
    if pixels.dtype == np.uint8:
        return pixels
    top = max(255, int(pixels.max(initial=0)))
    return np.asarray(pixels.astype(np.float32) * (255 / top), np.uint8)


def plane(volume: Volume, index: int, axis: int = 0) -> npt.NDArray[Any]:
    """Return slice *index* across array axis *axis*, the head up where it shows one.

    Raises
    ------
    IndexError
        When there is no such slice.
    """
    count = volume.array.shape[axis]
    if not 0 <= index < count:
        msg = f"There are {count} slices across axis {axis}; {index} is none of them."
        raise IndexError(msg)
    cut = volume.array.take(index, axis)
    return np.asarray(cut[::-1] if axis and volume.direction[6] > 0 else cut)


def best_axis(volume: Volume) -> int:
    """Return the array axis across which the volume shows most: its acquired plane."""
    rows, columns = volume.array.shape[1:3]
    return 0 if min(rows, columns) > 1 else 1


def resize(
    picture: npt.NDArray[np.uint8], rows: int, columns: int
) -> npt.NDArray[np.uint8]:
    """Return *picture* in another size: means where it shrinks, linear where it grows.

    Examples
    --------
    >>> resize(np.array([[0, 100], [100, 200]], np.uint8), 1, 1).tolist()
    [[100]]
    """
    weighed = picture.astype(np.float32)
    for axis, size in enumerate((rows, columns)):
        weights = _weights(picture.shape[axis], max(1, size))
        weighed = np.moveaxis(np.tensordot(weights, weighed, (1, axis)), 0, axis)
    return np.rint(weighed).clip(0, 255).astype(np.uint8)


def _weights(old: int, new: int) -> npt.NDArray[np.float32]:
    """Return how much each of *old* pixels counts in each of *new* ones."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    reach = max(scale, 1.0)
    distance = np.abs(np.arange(old)[None, :] - centres[:, None]) / reach
    weights = (1 - distance).clip(0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def thumbnail(
    volume: Volume, size: int = 256, *, index: int | None = None
) -> npt.NDArray[np.uint8]:
    """Return the middle slice in right proportions, at most *size* pixels long.

    Returns
    -------
    uint8 array
        (rows, columns), or (rows, columns, 3) in colour.
    """
    axis = best_axis(volume)
    middle = volume.array.shape[axis] // 2 if index is None else index
    return frame(volume, middle, Shown(size=size, axis=axis))


@dataclass(frozen=True, slots=True)
class Shown:
    """How a slice is to be shown: longest side in pixels, axis cut across, window."""

    size: int = 512
    axis: int = 0
    window: tuple[float, float] | None = None


def frame(volume: Volume, index: int, shown: Shown = Shown()) -> npt.NDArray[np.uint8]:
    """Return slice *index* of *volume* as a picture in right proportions."""
    center, width = shown.window or default_window(volume)
    cut = plane(volume, index, shown.axis)
    picture = to_picture(cut, center, width, inverted=volume.inverted)
    across = [
        step for number, step in enumerate(volume.spacing) if number != shown.axis
    ]
    high, wide = picture.shape[0] * across[0], picture.shape[1] * across[1]
    scale = shown.size / max(high, wide)
    return resize(picture, round(high * scale), round(wide * scale))


def montage(
    volume: Volume, columns: int = 4, rows: int = 3, size: int = 128
) -> npt.NDArray[np.uint8]:
    """Return slices spread evenly over *volume* side by side, first at the top left."""
    count = volume.array.shape[0]
    chosen = np.linspace(0, count - 1, min(count, columns * rows)).round().astype(int)
    window = default_window(volume)
    tiles = [
        frame(volume, int(index), Shown(size=size, window=window)) for index in chosen
    ]
    high, wide = tiles[0].shape[:2]
    depth = -(-len(tiles) // columns)
    sheet = np.zeros((depth * high, columns * wide, *tiles[0].shape[2:]), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * high, number % columns * wide
        sheet[top : top + high, left : left + wide] = tile
    return sheet
