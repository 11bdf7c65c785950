"""Turn masks and measurements into DICOM: a segmentation and a TID 1500 report.

Both carry their provenance, refer to the images they were made of, and belong to the
same study and patient. UIDs follow from the run, so the same run gives the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import highdicom as hd
import numpy as np
from pydicom.sr.coding import Code as DicomCode

from rounds_kernels.carriers import carriers, identify, library_entry, referable
from rounds_kernels.errors import ResultError
from rounds_kernels.provenance import Provenance, read_provenance
from rounds_kernels.references import reference_of
from rounds_kernels.writing import named_uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from rounds_kernels.references import Reference

    _RegionGroup = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations
    _MadeOf = tuple[Reference, Provenance, Dataset | None]

__all__ = [
    "ANATOMY",
    "Code",
    "Measurement",
    "Provenance",
    "Segment",
    "measurement_report",
    "read_provenance",
    "segmentation",
]

_MANUFACTURER: Final = "Rounds"
_SEGMENT_SERIES, _REPORT_SERIES, _LONG_TEXT = 700, 800, 64
_IMAGING: Final = DicomCode("363679005", "SCT", "Imaging")
_FAMILY: Final = DicomCode("123104", "DCM", "Morphological Operations")
_COLOURS: Final = (
    (62, 40, 35),
    (68, -35, 30),
    (60, 5, -45),
    (80, -5, 65),
    (65, 55, -35),
)


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: its value, who coined it, what it means.

    Examples
    --------
    >>> Code("39607008", "SCT", "Lung").meaning
    'Lung'
    """

    value: str
    scheme: str
    meaning: str

    @property
    def dicom(self) -> DicomCode:
        """Return the concept as pydicom has it."""
        return DicomCode(self.value, self.scheme, self.meaning)


ANATOMY: Final = Code("91723000", "SCT", "Anatomical Structure")
"""The usual category of a segment (PS3.16 CID 7150)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One label of a mask.

    Attributes
    ----------
    label
        For people, e.g. "Right lung".
    number
        Its value in the mask; 1, 2, 3, ... without gaps.
    code, category
        What it is, and what kind of thing that is.
    """

    label: str
    number: int
    code: Code
    category: Code = ANATOMY


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number that was measured.

    Attributes
    ----------
    name
        For people.
    value
        Finite.
    unit
        UCUM, e.g. "ml", "[hnsf'U]", "%", "1".
    code
        What was measured.
    segment
        The label of the segment it was measured on, or None for the whole image.
    """

    name: str
    value: float
    unit: str
    code: Code
    segment: str | None = None


def segmentation(
    sources: Sequence[Dataset],
    mask: npt.NDArray[Any],
    segments: Sequence[Segment],
    provenance: Provenance,
) -> Dataset:
    """Return a mask as a DICOM segmentation (PS3.3 A.51).

    Parameters
    ----------
    sources
        The instances of the series, with or without pixels, in any order.
    mask
        (slices, rows, columns) integers on the volume that `read_series` makes of them.
    segments
        What its values mean.
    provenance
        Where it comes from.

    Raises
    ------
    ResultError
        When the mask does not lie on the series, is empty, or the series has no place.
    """
    reference = reference_of(sources)
    _check(mask, segments, reference)
    record = provenance.to_json()
    uids = ("segmentation", provenance.run_id, reference.series_uid)
    described = [_described(segment, provenance, record) for segment in segments]
    try:
        made = hd.seg.Segmentation(
            source_images=carriers(reference.sources),
            pixel_array=reference.in_order(mask),
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=described,
            series_instance_uid=named_uid(*uids),
            series_number=_SEGMENT_SERIES,
            sop_instance_uid=named_uid(*uids, *(item.label for item in segments)),
            instance_number=1,
            manufacturer=_MANUFACTURER,
            manufacturer_model_name=provenance.template[:_LONG_TEXT],
            software_versions=(provenance.software or "rounds")[:_LONG_TEXT],
            device_serial_number="1",
            content_description=provenance.template[:_LONG_TEXT],
            content_label="MASK",
            content_creator_name="Rounds^",
            pixel_measures=reference.pixel_measures(),
            series_description=f"Mask by {provenance.template}"[:_LONG_TEXT],
        )
    except (AttributeError, TypeError, ValueError) as error:
        msg = f"The series cannot carry a segmentation: {error}"
        raise ResultError(msg) from error
    identify(made, reference.sources[0])
    return _settled(made, provenance, named_uid(*uids, "dimensions"))


def measurement_report(
    sources: Sequence[Dataset],
    measurements: Sequence[Measurement],
    provenance: Provenance,
    segmentation: Dataset | None = None,
) -> Dataset:
    """Return measurements as a structured report of TID 1500 (PS3.16).

    Parameters
    ----------
    sources
        The instances of the series, with or without pixels, in any order.
    measurements
        What was measured; those with a segment refer to it in *segmentation*.
    provenance
        Where they come from.
    segmentation
        What `segmentation` gave.

    Raises
    ------
    ResultError
        When there are none, a value is no finite number, or a segment is unknown.
    """
    reference = reference_of(sources)
    groups = _groups(measurements, segmentation)
    segmentation = referable(segmentation) if segmentation is not None else None
    uids = ("report", provenance.run_id, reference.series_uid)
    images = carriers(reference.sources)
    evidence = images if segmentation is None else [*images, *carriers([segmentation])]
    try:
        made = hd.sr.Comprehensive3DSR(
            evidence=evidence,
            content=_content(groups, images, (reference, provenance, segmentation)),
            series_instance_uid=named_uid(*uids),
            series_number=_REPORT_SERIES,
            sop_instance_uid=named_uid(*uids, "instance"),
            instance_number=1,
            manufacturer=_MANUFACTURER,
            is_complete=True,
            series_description=f"Measurements by {provenance.template}"[:_LONG_TEXT],
        )
    except (AttributeError, TypeError, ValueError) as error:
        msg = f"The series cannot carry a report: {error}"
        raise ResultError(msg) from error
    identify(made, reference.sources[0])
    return _settled(made, provenance, named_uid(*uids, "dimensions"))


def _content(
    groups: dict[str | None, list[Measurement]],
    images: Sequence[Dataset],
    made_of: _MadeOf,
) -> hd.sr.MeasurementReport:
    """Return the tree of a report."""
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=named_uid("device"),
        name=_MANUFACTURER,
        manufacturer_name=_MANUFACTURER,
        model_name=made_of[1].template[:_LONG_TEXT],
    )
    observer = hd.sr.ObserverContext(
        observer_type=hd.sr.CodedConcept("121007", "DCM", "Device"),
        observer_identifying_attributes=device,
    )
    return hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=_IMAGING,
        imaging_measurements=[
            _group(label, members, made_of) for label, members in groups.items()
        ],
        title=hd.sr.CodedConcept("126000", "DCM", "Imaging Measurement Report"),
        # The library shows geometry and modality by the ends and the middle of a stack;
        # every image is in the evidence. Hundreds of entries would cost seconds.
        referenced_images=[
            library_entry(images[index]) for index in _ends_and_middle(len(images))
        ],
    )


def _ends_and_middle(count: int) -> list[int]:
    return sorted({0, count // 2, count - 1})


def _check(
    mask: npt.NDArray[Any], segments: Sequence[Segment], reference: Reference
) -> None:
    """Refuse a mask that its segments or the series do not explain."""
    if mask.shape != reference.shape:
        msg = f"A mask of shape {mask.shape} does not lie on {reference.shape}."
        raise ResultError(msg)
    numbers = [segment.number for segment in segments]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        msg = f"Segments are numbered 1, 2, 3, ... without gaps, not {numbers}."
        raise ResultError(msg)
    if mask.dtype.kind not in "iub":
        msg = f"A mask holds whole numbers, not {mask.dtype.name}."
        raise ResultError(msg)
    found = set(np.unique(mask).tolist()) - {0}
    if not found or not found <= set(numbers):
        msg = f"The mask holds {sorted(map(int, found))}, its segments are {numbers}."
        raise ResultError(msg)


def _described(
    segment: Segment, provenance: Provenance, record: str
) -> hd.seg.SegmentDescription:
    algorithm = hd.AlgorithmIdentificationSequence(
        name=provenance.template[:_LONG_TEXT],
        family=_FAMILY,
        version=provenance.template_hash[-_LONG_TEXT:] or "1",
        source=_MANUFACTURER,
    )
    algorithm[0].AlgorithmParameters = record
    colour = _COLOURS[(segment.number - 1) % len(_COLOURS)]
    return hd.seg.SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.label[:_LONG_TEXT],
        segmented_property_category=segment.category.dicom,
        segmented_property_type=segment.code.dicom,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        tracking_uid=_tracking_uid(provenance, segment.label),
        tracking_id=segment.label[:_LONG_TEXT],
        display_color=hd.color.CIELabColor(*colour),
    )


def _tracking_uid(provenance: Provenance, label: str) -> str:
    return named_uid("finding", provenance.run_id, label)


def _groups(
    measurements: Sequence[Measurement], segmentation: Dataset | None
) -> dict[str | None, list[Measurement]]:
    """Return the measurements of each segment together, checked."""
    if not measurements:
        msg = "There are no measurements to report."
        raise ResultError(msg)
    known = {
        str(item.SegmentLabel) for item in getattr(segmentation, "SegmentSequence", ())
    }
    groups: dict[str | None, list[Measurement]] = {}
    for measurement in measurements:
        if not np.isfinite(measurement.value):
            msg = f"{measurement.name!r} is {measurement.value}, which is no number."
            raise ResultError(msg)
        label = measurement.segment if segmentation is not None else None
        if label is not None and label not in known:
            msg = f"No segment {label!r}. Known: {', '.join(sorted(known))}."
            raise ResultError(msg)
        groups.setdefault(label, []).append(measurement)
    return groups


def _group(
    label: str | None,
    members: Sequence[Measurement],
    made_of: _MadeOf,
) -> hd.sr.MeasurementsAndQualitativeEvaluations | _RegionGroup:
    """Return what was measured on a segment, or the image, as a group of TID 1500."""
    reference, provenance, segmentation = made_of
    algorithm = hd.sr.AlgorithmIdentification(
        name=provenance.template,
        version=provenance.template_hash or "1",
        parameters=[provenance.to_json()],
    )
    numbers = [
        hd.sr.Measurement(
            name=member.code.dicom,
            value=float(member.value),
            unit=DicomCode(member.unit, "UCUM", member.unit),
        )
        for member in members
    ]
    tracking = hd.sr.TrackingIdentifier(
        uid=_tracking_uid(provenance, label or "image"),
        identifier=label or provenance.template,
    )
    if label is None or segmentation is None:
        return hd.sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            measurements=numbers,
            algorithm_id=algorithm,
            source_images=[reference.middle()],
        )
    item = next(
        each for each in segmentation.SegmentSequence if each.SegmentLabel == label
    )
    kind = item.SegmentedPropertyTypeCodeSequence[0]
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        referenced_segment=hd.sr.ReferencedSegment.from_segmentation(
            segmentation, segment_number=int(item.SegmentNumber)
        ),
        finding_type=DicomCode(
            kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning
        ),
        measurements=numbers,
        algorithm_id=algorithm,
    )


def _settled(made: Dataset, provenance: Provenance, dimensions: str) -> Dataset:
    """Take chance and the clock out of a result where its run says when it was made."""
    for item in made.get("DimensionOrganizationSequence") or ():
        item.DimensionOrganizationUID = dimensions
    for item in made.get("DimensionIndexSequence") or ():
        item.DimensionOrganizationUID = dimensions
    if provenance.created:
        moment = datetime.fromisoformat(provenance.created)
        for item in made.get("ContributingEquipmentSequence") or ():
            item.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S")
        for name in ("Content", "InstanceCreation", "Series"):
            for part, layout in (("Date", "%Y%m%d"), ("Time", "%H%M%S")):
                if f"{name}{part}" in made:
                    setattr(made, f"{name}{part}", moment.strftime(layout))
    return made
