"""The images that a result refers to, in the order of the slices of their volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np

from rounds_kernels.assembly import grid_of
from rounds_kernels.attributes import number, of_frames
from rounds_kernels.errors import ResultError
from rounds_kernels.grouping import part
from rounds_kernels.instances import ParsedInstance
from rounds_kernels.planes import planes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from rounds_kernels.planes import Plane

__all__ = ["Reference", "reference_of"]


@dataclass(frozen=True, slots=True)
class Reference:
    """Instances, and which of their frames the slices of a volume are.

    Attributes
    ----------
    sources
        One multi-frame instance, or one instance a slice, in the order of the slices.
    frames
        The frame of each slice from 1, or nothing where each slice is an instance.
    count
        Frames of the multi-frame instance.
    shape
        (slices, rows, columns).
    spacing
        Millimetres along z, y, x.
    """

    sources: tuple[Dataset, ...]
    frames: tuple[int, ...]
    count: int
    shape: tuple[int, ...]
    spacing: tuple[float, float, float]

    @property
    def series_uid(self) -> str:
        """Return the UID of the series."""
        return str(self.sources[0].SeriesInstanceUID)

    def in_order(self, mask: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return a mask with its slices as the frames of the sources follow."""
        labels = mask.astype(np.uint8)
        if not self.frames:
            return labels
        placed = np.zeros((self.count, *labels.shape[1:]), np.uint8)
        placed[np.asarray(self.frames) - 1] = labels
        return placed

    def pixel_measures(self) -> hd.PixelMeasuresSequence:
        """Return spacing and thickness as a functional group (PS3.3 C.7.6.16.2.1)."""
        depth, row, column = (round(step, 6) for step in self.spacing)
        return hd.PixelMeasuresSequence(
            pixel_spacing=[row, column],
            slice_thickness=depth,
            spacing_between_slices=depth if self.shape[0] > 1 else None,
        )

    def middle(self) -> hd.sr.SourceImageForMeasurementGroup:
        """Return a reference to the middle slice."""
        if self.frames:
            frame = [self.frames[len(self.frames) // 2]]
            return hd.sr.SourceImageForMeasurementGroup.from_source_image(
                self.sources[0], frame
            )
        middle = self.sources[len(self.sources) // 2]
        return hd.sr.SourceImageForMeasurementGroup.from_source_image(middle)


def reference_of(sources: Sequence[Dataset]) -> Reference:
    """Return the sources of a result as the slices of their volume follow.

    Raises
    ------
    ResultError
        When they are none, or their slices have no place in the patient.
    """
    if not sources:
        msg = "A result refers to images; none were given."
        raise ResultError(msg)
    by_uid = {str(source.SOPInstanceUID): source for source in sources}
    planes = [plane for source in by_uid.values() for plane in _planes(source)]
    group = part(planes)[0]
    if group.places is None:
        msg = "The images have no position in the patient: no result can lie on them."
        raise ResultError(msg)
    used = list(dict.fromkeys(plane.uid for plane in group.planes))
    frames = tuple(plane.frame for plane in group.planes if plane.frame)
    if frames and len(used) > 1:
        msg = f"The volume is spread over {len(used)} multi-frame objects."
        raise ResultError(msg)
    first = by_uid[used[0]]
    return Reference(
        sources=tuple(by_uid[uid] for uid in used),
        frames=frames,
        count=int(first.get("NumberOfFrames") or 1),
        shape=(len(group.planes), *group.planes[0].shape[:2]),
        spacing=grid_of(group).spacing,
    )


def _planes(source: Dataset) -> list[Plane]:
    """Return the pictures of a source; its pixels may have been left out."""
    top = of_frames(source, 1)[0]
    frames = int(number(top, "NumberOfFrames", 1))
    held = len(source.get("PerFrameFunctionalGroupsSequence") or ())
    if frames > 1 and frames != held:
        msg = f"Only {held} of {frames} frames say where they lie."
        raise ResultError(msg)
    described = of_frames(source, frames) if frames > 1 else [top]
    return list(planes_of(ParsedInstance(source, described)))
