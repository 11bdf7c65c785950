"""Lay a DICOM segmentation onto the grid of the volume that it was made from."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds.errors import ViewerError
from rounds.streaming import fetch_volume

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from rounds.client import Service
    from rounds_kernels.volumes import Volume

__all__ = ["Segmentation", "fetch_segmentation", "segmentation_on"]

LABELMAP = "LABELMAP"
"""Segmentation Type (0062,0001) in which a pixel holds the segment's number itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The segments' numbers on a volume's grid (0: none), and what each number is."""

    labels: npt.NDArray[np.uint8]
    names: Mapping[int, str]


def fetch_segmentation(
    service: Service, uid: str, volume: Volume | None = None
) -> Segmentation:
    """Return the segmentation *uid* on the grid of the series it was made on.

    Parameters
    ----------
    service
        The house that has it.
    uid
        Its SOP Instance UID.
    volume
        The series, where it is at hand; else it is streamed.

    Raises
    ------
    ViewerError
        If *volume* is another series.
    """
    from pydicom import dcmread  # noqa: PLC0415 - costs time that few need

    read = dcmread(io.BytesIO(service.content(f"api/instances/{uid}.dcm")))
    if volume is None:
        source = read.ReferencedSeriesSequence[0].SeriesInstanceUID
        volume = fetch_volume(service, str(source))
    return segmentation_on(read, volume)


def segmentation_on(read: Dataset, volume: Volume) -> Segmentation:
    """Return the segments of *read* on the grid of *volume*.

    Each frame goes to the slice that it names as its source (PS3.3 C.8.20.3, Derivation
    Image Functional Group). Where segments overlap, the higher number is seen.

    Raises
    ------
    ViewerError
        If a frame belongs to no slice of *volume*.
    """
    frames = _frames(read)
    labels = np.zeros(volume.array.shape[:3], np.uint8)
    if frames.shape[1:] != labels.shape[1:]:
        msg = (
            f"The segmentation has images of {frames.shape[1:]}, "
            f"the volume has {labels.shape[1:]}."
        )
        raise ViewerError(msg)
    slices = {(s.sop_instance_uid, s.frame): at for at, s in enumerate(volume.sources)}
    is_map = read.SegmentationType == LABELMAP
    shared = read.SharedFunctionalGroupsSequence[0]
    for pixels, about in zip(
        frames, read.PerFrameFunctionalGroupsSequence, strict=True
    ):
        at = _slice_of(about, slices)
        values = pixels if is_map else (pixels > 0) * _segment_of(about, shared)
        np.maximum(labels[at], values.astype(np.uint8), out=labels[at])
    names = {
        int(one.SegmentNumber): str(one.SegmentLabel) for one in read.SegmentSequence
    }
    return Segmentation(labels, names)


def _frames(read: Dataset) -> npt.NDArray[Any]:
    """Return the frames as ``(frames, rows, columns)``, also a single one."""
    pixels: npt.NDArray[Any] = read.pixel_array
    return pixels.reshape(-1, int(read.Rows), int(read.Columns))


def _segment_of(about: Dataset, shared: Dataset) -> int:
    """Return the segment of a frame; one for all frames is said once (C.7.6.16.1.1)."""
    said = about if "SegmentIdentificationSequence" in about else shared
    return int(said.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _slice_of(about: Dataset, slices: dict[tuple[str, int], int]) -> int:
    """Return the number of the slice that a frame was derived from."""
    for derivation in about.get("DerivationImageSequence", ()):
        for source in derivation.get("SourceImageSequence", ()):
            uid = str(source.ReferencedSOPInstanceUID)
            frame = _first(source.get("ReferencedFrameNumber", 0))
            for key in ((uid, frame), (uid, 0)):
                if key in slices:
                    return slices[key]
    msg = "The segmentation was made from another series: a frame names no slice here."
    raise ViewerError(msg)


def _first(frame: Any) -> int:  # noqa: ANN401 - a number or several
    return int(np.ravel(frame)[0])
