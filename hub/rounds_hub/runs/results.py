"""Turn what a notebook left into results: checked, as DICOM, in the archive."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom import Dataset, dcmread, dcmwrite

from rounds_hub.access.principal import SYSTEM
from rounds_hub.archive import service as archive
from rounds_hub.archive.service import Offer, Status
from rounds_hub.errors import HubError
from rounds_hub.runs.environment import SOFTWARE
from rounds_hub.runs.states import run_folder
from rounds_kernels import results as objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.house import House
    from rounds_hub.runs import schema
    from rounds_hub.runs.models import Run
    from rounds_hub.runs.states import Attempt
    from rounds_hub.runs.templates import Template

__all__ = ["keep_results"]

MASK_BYTES = 4 * 2**30
"""No mask that a notebook left may unpack to more."""


class ResultError(HubError):
    """A notebook left something else than its template declares."""

    title = "The results are not what the template declares"


@dataclass(frozen=True, slots=True)
class _Left:
    """What a notebook left in its folder, checked against its declaration."""

    folder: Path
    run: Run
    template: Template

    @property
    def provenance(self) -> objects.Provenance:
        """Return all that is needed to compute the results again."""
        return objects.Provenance(
            template=self.template.name,
            template_hash=self.run.template_hash,
            parameters=dict(self.run.parameters),
            run_id=self.run.id,
            image_digest=self.run.image_digest,
            software=SOFTWARE,
            created=self.run.created_at.strftime("%Y-%m-%dT%H:%M:%S"),
        )

    def measured(self) -> dict[str, float]:
        """Return the number of every declared measurement."""
        declared = [one.name for one in self.template.outputs.measurements]
        if not declared:
            return {}
        try:
            text = (self.folder / "measurements.json").read_text(encoding="utf-8")
            found = {
                str(name): float(value) for name, value in json.loads(text).items()
            }
        except FileNotFoundError:
            found = {}
        _complete("measurement", declared, found)
        return {name: found[name] for name in declared}

    def figures(self) -> list[dict[str, Any]]:
        """Return the figures as the row of the run keeps them."""
        folder = self.folder / "figures"
        declared = self.template.outputs.figures
        there = [path.stem for path in folder.glob("*.png")]
        _complete("figure", [one.name for one in declared], there)
        return [
            {"name": one.name, "file": f"{one.name}.png", **_labels(one.label)}
            for one in declared
        ]

    def mask(self, name: str) -> npt.NDArray[np.uint8]:
        """Return the mask *name*; its file can hold numbers alone, no code."""
        path = self.folder / "masks" / f"{name}.npz"
        _complete("segmentation", [name], [name] if path.is_file() else [])
        with np.load(path, allow_pickle=False, max_header_size=4096) as packed:
            labels: npt.NDArray[np.uint8] = packed["labels"]
        if labels.dtype != np.uint8 or labels.nbytes > MASK_BYTES:
            msg = f"Segmentation {name!r} is no mask of bytes, or larger than 4 GiB."
            raise ResultError(msg)
        return labels


def keep_results(
    house: House, attempt: Attempt, run: Run, template: Template
) -> dict[str, Any]:
    """Bring what *run* left into the archive; return what the row of the run keeps.

    The objects are written beside the notebook before they are stored, so that a
    repeated call stores the same bytes, which changes nothing.

    Raises
    ------
    HubError
        If the notebook left something else than its template declares.
    NoSpaceError
        If the disk is full.
    """
    left = _Left(run_folder(house.settings, attempt), run, template)
    measured = left.measured()
    masks, report = _objects(house, left, measured)
    made = [*masks.values(), *([report] if report is not None else [])]
    _store(house, run, made)
    _write_csv(left.folder / "measurements.csv", template, measured)
    return {
        "measurements": [
            {
                "name": one.name,
                **_labels(one.label),
                "value": measured[one.name],
                "unit": one.unit,
                "code": one.code.model_dump(),
            }
            for one in template.outputs.measurements
        ],
        "figures": left.figures(),
        "segmentations": [
            {"name": name, **_uids(path)} for name, path in masks.items()
        ],
        "segmentation_uid": next((_uids(one)["uid"] for one in masks.values()), ""),
        "report_uid": _uids(report)["uid"] if report is not None else "",
        "report_series_uid": _uids(report)["series_uid"] if report is not None else "",
        "notebook": "notebook.ipynb",
        "files": _files(template),
    }


def _objects(
    house: House, left: _Left, measured: dict[str, float]
) -> tuple[dict[str, Path], Path | None]:
    """Return the files of the segmentations by name, and of the report."""
    folder = left.folder / "results"
    folder.mkdir(exist_ok=True, mode=0o700)
    present: set[str] = set()
    by_input = {one["name"]: one["series_uid"] for one in left.run.inputs}
    sources: dict[str, list[Dataset]] = {}

    def read(name: str) -> list[Dataset]:
        if name not in sources:
            found = archive.instances_of(house, SYSTEM, by_input[name])
            sources[name] = [
                dcmread(one.path, stop_before_pixels=True) for one in found
            ]
        return sources[name]

    masks: dict[str, Path] = {}
    for declared in left.template.outputs.segmentations:
        there = {int(one) for one in np.unique(left.mask(declared.name))}
        present |= {one.label["en"] for one in declared.segments if one.number in there}
        masks[declared.name] = _made(
            folder / f"{declared.name}.dcm",
            lambda one=declared: objects.segmentation(  # type: ignore[misc] # bound at once
                read(one.input), left.mask(one.name), _segments(one), left.provenance
            ),
        )
    if not measured:
        return masks, None
    report = _made(
        folder / "report.dcm",
        lambda: objects.measurement_report(
            read(left.template.inputs[0].name),
            _measurements(left.template, measured, present),
            left.provenance,
            dcmread(next(iter(masks.values()))) if masks else None,
        ),
    )
    return masks, report


def _made(path: Path, make: Callable[[], Dataset]) -> Path:
    """Return *path*, with the object in it that *make* gives where it is not there."""
    if not path.is_file():
        partial = path.with_suffix(".partial")
        dcmwrite(partial, make(), enforce_file_format=True)
        partial.replace(path)
    return path


def _segments(declared: schema.Segmentation) -> list[objects.Segment]:
    return [
        objects.Segment(
            label=one.label["en"],
            number=one.number,
            code=_code(one.code),
            category=_code(one.category),
        )
        for one in declared.segments
    ]


def _measurements(
    template: Template, measured: dict[str, float], present: set[str]
) -> list[objects.Measurement]:
    """Return the measurements for the report; a part that is missing has no segment."""
    labels = {
        one.name: one.label["en"]
        for made in template.outputs.segmentations
        for one in made.segments
    }

    def segment(one: schema.Measurement) -> str | None:
        label = labels.get(one.segment or "")
        return label if label in present else None

    return [
        objects.Measurement(
            name=one.label["en"],
            value=measured[one.name],
            unit=one.unit,
            code=_code(one.code),
            segment=segment(one),
        )
        for one in template.outputs.measurements
    ]


def _code(declared: schema.Code) -> objects.Code:
    return objects.Code(declared.value, declared.scheme, declared.meaning)


def _store(house: House, run: Run, made: list[Path]) -> None:
    """Bring the objects into the archive; what is there already stays as it is."""
    offers = [Offer(path.name, path) for path in made]
    for outcome in archive.store(house, SYSTEM, offers, run_id=run.id):
        if outcome.status not in {Status.TAKEN, Status.SAME}:
            msg = f"The archive did not take {outcome.name!r}: {outcome.why}"
            raise ResultError(msg)


def _labels(label: dict[str, str]) -> dict[str, Any]:
    """Return what to call a result: in English, and in each language."""
    return {"label": label["en"], "labels": label}


def _uids(path: Path) -> dict[str, str]:
    found = dcmread(path, specific_tags=["SOPInstanceUID", "SeriesInstanceUID"])
    return {
        "uid": str(found.SOPInstanceUID),
        "series_uid": str(found.SeriesInstanceUID),
    }


def _files(template: Template) -> dict[str, str]:
    """Return which files of the folder are results, by the name to ask for."""
    outputs = template.outputs
    figures = {f"{one.name}.png": f"figures/{one.name}.png" for one in outputs.figures}
    masks = {
        f"{one.name}.npz": f"masks/{one.name}.npz" for one in outputs.segmentations
    }
    numbers = {"measurements.csv": "measurements.csv"} if outputs.measurements else {}
    return figures | masks | numbers


def _write_csv(path: Path, template: Template, measured: dict[str, float]) -> None:
    """Write the measurements as a table for other programs."""
    if not measured:
        return
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["name", "label", "value", "unit"])
    for one in template.outputs.measurements:
        table.writerow([one.name, one.label["en"], repr(measured[one.name]), one.unit])
    path.write_text(text.getvalue(), encoding="utf-8")


def _complete(kind: str, declared: list[str], found: Any) -> None:  # noqa: ANN401 (names)
    """Refuse results in which something declared is missing."""
    missing = [name for name in declared if name not in found]
    if missing:
        msg = (
            f"The notebook left no {kind} {missing[0]!r}, which the template declares."
        )
        raise ResultError(msg)
