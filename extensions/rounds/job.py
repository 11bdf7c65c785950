"""What the notebook of a template says to the house: its inputs, its results.

Inside a run the house has prepared a folder (``ROUNDS_JOB``); in a person's own server
the same notebook reads through the house and shows its results in place::

    job = rounds.job(parameters, template="lung_volume", series="1.2.3")
    volume = job.read("ct")
    job.measure("lung_volume", 5210.0)
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rounds.errors import RoundsError

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds.client import Service
    from rounds.runs import HasUid
    from rounds_kernels.volumes import Volume

__all__ = ["Job", "JobError", "job"]

FIGURE_BYTES = 20 << 20
"""A picture of a run is at most this large."""

PNG = b"\x89PNG\r\n\x1a\n"


class JobError(RoundsError, ValueError):
    """The notebook gave something that its template does not declare."""


class Job(ABC):
    """One execution of a template, as its notebook has it in hand.

    *parameters* are the values by name; *measurements* what was measured so far.
    """

    def __init__(
        self, declared: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> None:
        """Take what the template declares and the values it runs with."""
        self.parameters = dict(parameters)
        self.measurements: dict[str, float] = {}
        self._declared = declared

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a parameter has its own type
        """Return the value of the parameter *name*."""
        _require("parameter", name, self.parameters)
        return self.parameters[name]

    @abstractmethod
    def read(self, name: str) -> Volume:
        """Return the series given for the input *name* as a volume.

        Raises
        ------
        JobError
            If the template declares no such input, or none was given.
        """

    def has(self, name: str) -> bool:
        """Return whether a series was given for the optional input *name*."""
        return name in self._inputs()

    def measure(self, name: str, value: float) -> float:
        """Report *value* for the declared measurement *name*; return it.

        Raises
        ------
        JobError
            If the template declares no such measurement, or the value is not finite.
        """
        known = [one["name"] for one in self._outputs("measurements")]
        _require("measurement", name, known)
        number = float(value)
        if not math.isfinite(number):
            msg = f"Measurement {name!r} is {number}; a finite number is wanted."
            raise JobError(msg)
        self.measurements[name] = number
        self._keep("measurement", name, number)
        return number

    def segmentation(self, name: str, labels: npt.NDArray[Any]) -> None:
        """Report the declared segmentation *name*.

        Parameters
        ----------
        name
            As the template declares it.
        labels
            Shape of the input that it is drawn on, a declared number for each segment
            and 0 elsewhere; on the CPU or the GPU.

        Raises
        ------
        JobError
            If it is not declared, has another shape, or numbers that are not declared.
        """
        declared = {one["name"]: one for one in self._outputs("segmentations")}
        _require("segmentation", name, declared)
        mask = _mask(
            name, labels, [one["number"] for one in declared[name]["segments"]]
        )
        shape = self.read(declared[name]["input"]).array.shape[:3]
        if mask.shape != shape:
            msg = (
                f"Segmentation {name!r} has shape {mask.shape}; its input has {shape}."
            )
            raise JobError(msg)
        self._keep("mask", name, mask)

    def figure(self, name: str, figure: Any) -> None:  # noqa: ANN401 - matplotlib has no types
        """Show the declared figure *name* here, and report it.

        Parameters
        ----------
        name
            As the template declares it.
        figure
            A Matplotlib figure, or the bytes of a PNG.

        Raises
        ------
        JobError
            If it is not declared, or is no picture.
        """
        known = [one["name"] for one in self._outputs("figures")]
        _require("figure", name, known)
        png = _png(name, figure)
        self._keep("figure", name, png)
        _show(png)

    def _outputs(self, kind: str) -> list[Mapping[str, Any]]:
        return list(self._declared["outputs"][kind])

    def _input(self, name: str) -> Any:  # noqa: ANN401 - a folder or a UID
        """Return where the input *name* is."""
        inputs = self._inputs()
        _require("input", name, inputs)
        return inputs[name]

    @abstractmethod
    def _inputs(self) -> Mapping[str, Any]:
        """Return where each input that was given is."""

    @abstractmethod
    def _keep(self, kind: str, name: str, result: Any) -> None:  # noqa: ANN401 - by kind
        """Keep a ``measurement``, a ``mask`` or a ``figure`` beyond this call."""


class FolderJob(Job):
    """A job inside a run: inputs and results are files in a folder of the house."""

    def __init__(self, folder: Path, parameters: Mapping[str, Any]) -> None:
        """Use the folder that the house prepared."""
        self._folder = folder
        said = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        super().__init__(said, parameters)
        self.template = str(said["template"])
        self._read: dict[str, Volume] = {}

    def read(self, name: str) -> Volume:
        """Return the series given for the input *name* as a volume."""
        if name not in self._read:
            self._read[name] = _open(self._folder / self._input(name)["folder"])
        return self._read[name]

    def _inputs(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self._declared["inputs"]
        return given

    def _keep(self, kind: str, name: str, result: Any) -> None:  # noqa: ANN401 - by kind
        if kind == "measurement":
            text = json.dumps(self.measurements, allow_nan=False)
            self._write(self._folder / "measurements.json", text.encode())
        elif kind == "figure":
            self._write(self._folder / "figures" / f"{name}.png", result)
        else:
            packed = io.BytesIO()
            np.savez_compressed(packed, labels=result)
            self._write(self._folder / "masks" / f"{name}.npz", packed.getvalue())

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_bytes(content)
        partial.replace(path)


class ServerJob(Job):
    """A job in a person's own server: inputs stream, results are shown."""

    def __init__(
        self,
        declared: Mapping[str, Any],
        parameters: Mapping[str, Any],
        series: Mapping[str, str],
        service: Service,
    ) -> None:
        """Take what the house declares of the template, and which series to use."""
        super().__init__(declared, parameters)
        self.template = str(declared["name"])
        self.masks: dict[str, npt.NDArray[np.uint8]] = {}
        self.figures: dict[str, bytes] = {}
        self._series = dict(series)
        self._service = service

    def read(self, name: str) -> Volume:
        """Return the series given for the input *name*, streamed from the house."""
        from rounds.streaming import fetch_volume  # noqa: PLC0415 - a run needs none of it

        return fetch_volume(self._service, self._input(name))

    def _inputs(self) -> Mapping[str, str]:
        return self._series

    def _keep(self, kind: str, name: str, result: Any) -> None:  # noqa: ANN401 - by kind
        if kind == "mask":
            self.masks[name] = result
        elif kind == "figure":
            self.figures[name] = result

    def _repr_html_(self) -> str:
        """Return what was measured so far, as a table."""
        from rounds.html import table  # noqa: PLC0415 - a run needs none of it

        units = {one["name"]: one for one in self._outputs("measurements")}
        rows = [
            (units[name]["label"]["en"], f"{value:,.6g}", units[name]["unit"])
            for name, value in self.measurements.items()
        ]
        return table(("Measurement", "Value", "Unit"), rows)


def job(
    parameters: str | Mapping[str, Any] = "{}",
    *,
    template: str = "",
    series: str | HasUid | Mapping[str, str | HasUid] | None = None,
) -> FolderJob | ServerJob:
    """Return the job that this notebook does.

    Parameters
    ----------
    parameters
        The values by name, as the JSON text of the parameters cell or as a dict.
    template
        The template's name.
    series
        Outside a run: the series (or its UID) to work on; a dict of them by input
        where the template takes several. A run knows its own.

    Raises
    ------
    JobError
        If the parameters are no JSON object, or a run is told to be another template.
    RoundsError
        Outside a run, if the house refuses.

    Examples
    --------
    ::

        job = rounds.job(parameters, template="lung_volume", series=case.series[0])
        job.read("ct").array.shape
    """
    values = _values(parameters)
    folder = os.environ.get("ROUNDS_JOB", "")
    if folder:
        inside = FolderJob(Path(folder), values)
        if template not in {"", inside.template}:
            msg = f"This run is of template {inside.template!r}, not of {template!r}."
            raise JobError(msg)
        return inside
    return _server_job(template, values, series)


def _server_job(
    template: str,
    values: Mapping[str, Any],
    series: str | HasUid | Mapping[str, str | HasUid] | None,
) -> ServerJob:
    from rounds.client import default_service  # noqa: PLC0415 - a run speaks with nobody

    if not template or series is None:
        msg = (
            "Outside a run, name the template and a series: "
            "rounds.job(parameters, template='lung_volume', series=case.series[0])."
        )
        raise JobError(msg)
    service = default_service()
    declared = service.get(f"api/templates/{template}")
    known = [one["name"] for one in declared["parameters"]]
    for name in values:
        _require("parameter", name, known)
    defaults = {one["name"]: one["default"] for one in declared["parameters"]}
    return ServerJob(
        declared, defaults | dict(values), _by_input(declared, series), service
    )


def _by_input(
    declared: Mapping[str, Any], series: str | HasUid | Mapping[str, str | HasUid]
) -> dict[str, str]:
    """Return the UIDs by the names of the template's inputs."""
    names = [str(one["name"]) for one in declared["inputs"]]
    given = series if isinstance(series, Mapping) else {names[0]: series}
    for name in given:
        _require("input", name, names)
    return {
        name: one if isinstance(one, str) else one.uid for name, one in given.items()
    }


def _values(parameters: str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        values = json.loads(parameters) if isinstance(parameters, str) else parameters
        return dict(values)
    except (TypeError, ValueError) as error:
        msg = f"The parameters must be one JSON object, got {str(parameters)[:80]!r}."
        raise JobError(msg) from error


def _open(folder: Path) -> Volume:
    """Return the volume in *folder*, mapped where the house had it ready."""
    from rounds_kernels.volumes import open_volume, read_series  # noqa: PLC0415 - pydicom

    if (folder / "volume.zarr").exists():
        return open_volume(folder)
    return read_series(sorted(folder.glob("*.dcm")))


def _mask(name: str, labels: Any, numbers: list[int]) -> npt.NDArray[np.uint8]:  # noqa: ANN401 - NumPy or CuPy
    """Return *labels* as bytes on the CPU, holding declared *numbers* alone."""
    from rounds_kernels.device import to_host  # noqa: PLC0415 - may look for a GPU

    array = np.asarray(to_host(labels))
    there = (
        {int(one) for one in np.unique(array)} if array.dtype.kind in "bui" else {-1}
    )
    if not there <= {0, *numbers}:
        msg = (
            f"Segmentation {name!r} holds {sorted(there)[:5]} ({array.dtype}); "
            f"0 and {numbers} are declared."
        )
        raise JobError(msg)
    return array.astype(np.uint8)


def _png(name: str, figure: Any) -> bytes:  # noqa: ANN401 - matplotlib has no types
    """Return *figure* as the bytes of a PNG that depend on what is drawn alone."""
    if isinstance(figure, bytes):
        png = figure
    elif hasattr(figure, "savefig"):
        buffer = io.BytesIO()
        plain = {"facecolor": figure.get_facecolor(), "metadata": {"Software": None}}
        figure.savefig(buffer, format="png", **plain)
        png = buffer.getvalue()
    else:
        png = b""
    if not png.startswith(PNG) or len(png) > FIGURE_BYTES:
        msg = f"Figure {name!r} must be a Matplotlib figure or a PNG of 20 MB at most."
        raise JobError(msg)
    return png


def _show(png: bytes) -> None:
    """Show a picture in the notebook that is running, if one is."""
    if "IPython" in sys.modules:
        from IPython.display import Image, display  # noqa: PLC0415 - only where it is there

        display(Image(png))  # type: ignore[no-untyped-call]


def _require(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a *name* that the template does not declare, saying which there are."""
    names = sorted(map(str, known))
    if name not in names:
        msg = (
            f"The template has no {kind} {name!r}. Known: {', '.join(names) or 'none'}."
        )
        raise JobError(msg)
