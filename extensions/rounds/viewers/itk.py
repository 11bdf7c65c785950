"""A rendered volume with a transfer function (itkwidgets 0.32.6), without internet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rounds.errors import ViewerError
from rounds.viewers.images import check_labels, drawable

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from rounds.segmentations import Segmentation
    from rounds_kernels.volumes import Volume

__all__ = ["view"]


def view(
    volume: Volume, *, overlay: Segmentation | None = None, title: str = ""
) -> Any:  # noqa: ANN401 - widgets have no types
    """Return a rendering of *volume*; see `rounds.viewers.view`.

    Raises
    ------
    ViewerError
        If itkwidgets is not installed, or *volume* is coloured or a single picture.
    """
    del title  # its controls lie over the picture and leave no room for a heading
    if volume.is_colour or 1 in volume.array.shape:
        msg = "The engine 'itk' renders grey volumes; show() shows this one."
        raise ViewerError(msg)
    widgets = _widgets()
    options: dict[str, Any] = {}
    if overlay is not None:
        options["label_image"] = _itk_image(
            check_labels(overlay.labels, volume), volume
        )
    return widgets.view(
        image=_itk_image(drawable(volume.array), volume),
        cmap="Grayscale",
        background=(0.0, 0.0, 0.0),
        units="mm",
        **options,
    )


def _itk_image(array: npt.NDArray[Any], volume: Volume) -> Any:  # noqa: ANN401 - itk has no types
    """Return *array* as an ITK image where *volume* lies; its space is LPS as ours."""
    import itk  # noqa: PLC0415 - takes seconds to import

    image = itk.image_from_array(np.ascontiguousarray(array))
    image.SetSpacing([float(step) for step in volume.spacing[::-1]])
    image.SetOrigin([float(at) for at in volume.origin])
    columns = np.reshape(np.asarray(volume.direction, np.float64), (3, 3))[:, ::-1]
    image.SetDirection(itk.matrix_from_array(np.ascontiguousarray(columns)))
    return image


def _widgets() -> Any:  # noqa: ANN401 - itkwidgets has no types
    """Return itkwidgets, made fit for the traitlets of today."""
    try:
        from itkwidgets import widget_viewer  # noqa: PLC0415 - takes seconds to import
    except ImportError:
        msg = (
            "The engine 'itk' needs itkwidgets 0.32.6 and itk-filtering, which are not "
            "installed here. show() without engine draws three planes."
        )
        raise ViewerError(msg) from None
    _let_none_be_valid(widget_viewer.Viewer)
    return widget_viewer


def _let_none_be_valid(viewer: type) -> None:
    """Keep ``None`` from the validator of label weights.

    Since traitlets 5.7 a validator sees a default of ``None``, too; that of 0.32.6
    takes it for an array and fails. Doing this twice changes nothing.
    """
    handler = viewer.__dict__["_validate_label_image_weights"]
    if not getattr(handler.func, "takes_none", False):
        handler.func = _none_or(handler.func)


def _none_or(validate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return *validate*, which is asked only about what is there."""

    def checked(viewer: Any, proposal: dict[str, Any]) -> Any:  # noqa: ANN401 - as traitlets calls it
        return None if proposal["value"] is None else validate(viewer, proposal)

    checked.takes_none = True  # type: ignore[attr-defined] # a mark on our own function
    return checked
