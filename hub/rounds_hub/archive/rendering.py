"""Draw a frame as a person looks at it: values, window, size, PNG or JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Picture

from rounds_hub.errors import InvalidError
from rounds_kernels import pictures
from rounds_kernels.attributes import number, of_frames, text
from rounds_kernels.pixels import decode_frame

if TYPE_CHECKING:
    import numpy.typing as npt
    from pydicom import Dataset

    from rounds_hub.archive.unpacking import Image
    from rounds_kernels.attributes import Attributes

__all__ = ["FUNCTIONS", "KINDS", "Drawing", "draw"]

KINDS = {"image/png": "PNG", "image/jpeg": "JPEG"}
FUNCTIONS = frozenset({"linear", "linear-exact", "sigmoid"})
LARGEST = 8192


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a frame is to be drawn (PS3.18, 8.3.5.1).

    Attributes
    ----------
    kind
        ``image/png`` or ``image/jpeg``.
    window
        Centre and width in the units of the values; None for that of the instance.
    function
        One of :data:`FUNCTIONS` (PS3.3, C.11.2.1).
    size
        Width and height of the viewport, which the picture fits into; None: as it is.
    region
        Left, top, width and height of the part shown, in pixels of the frame; a
        negative width or height mirrors.
    quality
        Of a JPEG, 1 to 100.

    Raises
    ------
    InvalidError
        If it would show nothing.
    """

    kind: str = "image/jpeg"
    window: tuple[float, float] | None = None
    function: str = "linear"
    size: tuple[int, int] | None = None
    region: tuple[float, float, float, float] | None = None
    quality: int = 90

    def __post_init__(self) -> None:
        """Refuse what shows nothing."""
        if self.kind not in KINDS:
            msg = f"Pictures are {' or '.join(sorted(KINDS))}, not {self.kind[:40]!r}."
            raise InvalidError(msg)
        if self.function not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS))
            msg = f"No function {self.function[:40]!r} of a window. Known: {known}."
            raise InvalidError(msg)
        if self.window is not None and not self.window[1] > 0:
            msg = f"A window must be wider than 0, got {self.window[1]:g}."
            raise InvalidError(msg)
        if self.size is not None and not all(
            1 <= side <= LARGEST for side in self.size
        ):
            msg = f"A viewport has 1 to {LARGEST} pixels a side."
            raise InvalidError(msg)
        if self.region is not None and not (self.region[2] and self.region[3]):
            msg = "The part of a picture to show must have a width and a height."
            raise InvalidError(msg)
        if not 1 <= self.quality <= 100:  # noqa: PLR2004 (percent)
            msg = f"The quality of a JPEG is 1 to 100, got {self.quality}."
            raise InvalidError(msg)


def draw(image: Image, frame: int, drawing: Drawing) -> bytes:
    """Return *frame*, from 0, of *image* as a picture.

    Raises
    ------
    KernelError
        If it cannot be unpacked.
    InvalidError
        If the part to show lies outside.
    """
    single = image.single(frame)
    attributes = of_frames(single, 1)[0]
    values = decode_frame(single, 0)
    if values.ndim == 2:  # noqa: PLR2004 (grey)
        shown = _grey(values, single, attributes, drawing)
    else:
        shown = pictures.to_picture(values, 0, 1)
    picture = Picture.fromarray(np.ascontiguousarray(shown))
    picture = _cut(picture, drawing)
    picture = _fitted(picture, drawing, _aspect(attributes))
    written = io.BytesIO()
    if drawing.kind == "image/png":
        picture.save(written, "PNG", compress_level=1)
    else:
        picture.save(written, "JPEG", quality=drawing.quality)
    return written.getvalue()


def _grey(
    values: npt.NDArray[Any],
    single: Dataset,
    attributes: Attributes,
    drawing: Drawing,
) -> npt.NDArray[np.uint8]:
    """Return grey values windowed to bytes, bright where the instance wants it."""
    if "ModalityLUTSequence" not in single:
        slope = number(attributes, "RescaleSlope", 1.0)
        intercept = number(attributes, "RescaleIntercept", 0.0)
        if (slope, intercept) != (1.0, 0.0):
            values = values * np.float32(slope) + np.float32(intercept)
    own = number(attributes, "WindowCenter", 0), number(attributes, "WindowWidth", 0)
    center, width = drawing.window or pictures.default_window(
        values, own if own[1] > 0 else None
    )
    inverted = text(attributes, "PhotometricInterpretation") == "MONOCHROME1"
    inverted ^= single.get("PresentationLUTShape") == "INVERSE"
    if drawing.function == "sigmoid":
        steep = (values.astype(np.float32) - center) * np.float32(-4 / width)
        values = 1 / (1 + np.exp(steep.clip(-80, 80)))
        center, width = 0.5, 1.0
    elif drawing.function == "linear" and drawing.window and width > 1:
        # PS3.3, C.11.2.1.2.1: the centre is half a step lower, the width one less.
        center, width = center - 0.5, width - 1
    return pictures.to_picture(values, center, width, inverted=inverted)


def _cut(picture: Picture.Image, drawing: Drawing) -> Picture.Image:
    """Return the part of *picture* that is asked for, mirrored where that is asked."""
    if drawing.region is None:
        return picture
    left, top, width, height = drawing.region
    box = (left, top, left + abs(width), top + abs(height))
    inside = 0 <= box[0] < box[2] <= picture.width
    if not (inside and 0 <= box[1] < box[3] <= picture.height):
        msg = (
            f"The part to show leads out of {picture.width} x {picture.height} pixels."
        )
        raise InvalidError(msg)
    whole = (round(box[0]), round(box[1]), max(1, round(box[2])), max(1, round(box[3])))
    cut = picture.crop(whole)
    if width < 0:
        cut = cut.transpose(Picture.Transpose.FLIP_LEFT_RIGHT)
    return cut.transpose(Picture.Transpose.FLIP_TOP_BOTTOM) if height < 0 else cut


def _fitted(picture: Picture.Image, drawing: Drawing, aspect: float) -> Picture.Image:
    """Return *picture* in right proportions, as large as the viewport lets it be."""
    if drawing.size is None:
        return picture
    wide, high = float(picture.width), picture.height * aspect
    scale = min(drawing.size[0] / wide, drawing.size[1] / high)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    if size == picture.size:
        return picture
    return picture.resize(size, Picture.Resampling.BILINEAR)


def _aspect(attributes: Attributes) -> float:
    """Return how much higher than wide one pixel is."""
    for name in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        sides = [one for one in attributes.get(name, ()) if not isinstance(one, str)]
        if len(sides) > 1 and sides[0] > 0 and sides[1] > 0:
            return max(0.05, min(20.0, float(sides[0]) / float(sides[1])))
    return 1.0
