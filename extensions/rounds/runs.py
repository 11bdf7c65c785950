"""Run a template in the house, and read what came out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rounds.client import default_service
from rounds.errors import NotFoundError, RefusedError, RunFailedError, RunTimeoutError
from rounds.html import Markup, card, image, table, text
from rounds.progress import steps_progress
from rounds.segmentations import fetch_segmentation

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rounds.client import Service
    from rounds.segmentations import Segmentation
    from rounds_kernels.volumes import Volume

__all__ = ["Figure", "Measured", "Measurements", "Run", "run"]

ENDED = frozenset({"done", "failed", "cancelled"})
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two looks at a run: short at first, because many runs are."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One number that a run measured, with its UCUM unit."""

    name: str
    label: str
    value: float
    unit: str

    def __float__(self) -> float:
        """Return the bare number."""
        return self.value

    def __str__(self) -> str:
        """Return the number with its unit."""
        return f"{self.value:,.6g} {self.unit}".rstrip()


class Measurements(Mapping[str, Measured]):
    """The numbers of a run, by name; a table in a notebook."""

    def __init__(self, said: list[Mapping[str, Any]]) -> None:
        """Take the measurements as the house writes them."""
        self._by_name = {str(one["name"]): _measured(one) for one in said}

    def __getitem__(self, name: str) -> Measured:
        """Return the measurement *name*."""
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._by_name)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._by_name)

    def __repr__(self) -> str:
        """Return one measurement a line."""
        return "\n".join(f"{m.label}: {m}" for m in self.values()) or "no measurements"

    def _repr_html_(self) -> str:
        rows = [(m.label, f"{m.value:,.6g}", m.unit) for m in self.values()]
        return table(("Measurement", "Value", "Unit"), rows)


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture that a run drew; a notebook shows it."""

    name: str
    _path: str = field(repr=False)
    _service: Service = field(repr=False, compare=False)

    @property
    def png(self) -> bytes:
        """The bytes of the picture."""
        return self._service.content(self._path)

    def _repr_png_(self) -> bytes:
        return self.png


class Run:
    """One execution of a template: a record that stays, and its results."""

    def __init__(self, said: Mapping[str, Any], *, service: Service) -> None:
        """Take a run as the house writes it."""
        self._said = dict(said)
        self._service = service

    def __repr__(self) -> str:
        """Return which run it is and how far."""
        return f"<Run {self.id} of {self.template or '?'}: {self.state}>"

    @property
    def id(self) -> str:
        """The address of the run's content: the same request has the same."""
        return str(self._said["id"])

    @property
    def template(self) -> str:
        """The template's name."""
        return str(self._said.get("template", ""))

    @property
    def state(self) -> str:
        """Where it is: waiting, running, storing, done, failed or cancelled."""
        return str(self._said.get("state", "waiting"))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters it ran with, defaults included."""
        return dict(self._said.get("parameters") or {})

    @property
    def measurements(self) -> Measurements:
        """The numbers it measured, by name."""
        return Measurements(self._results.get("measurements") or [])

    @property
    def figures(self) -> list[Figure]:
        """The pictures it drew."""
        return [self._figure(one) for one in self._results.get("figures") or []]

    @property
    def notebook(self) -> bytes:
        """The executed notebook, as the bytes of an .ipynb file."""
        return self._service.content(f"api/runs/{self.id}/notebook.ipynb")

    def refresh(self) -> Run:
        """Ask the house how far it is; return the run itself."""
        self._said = dict(self._service.get(f"api/runs/{self.id}"))
        return self

    def cancel(self) -> Run:
        """Ask the house to stop it; return the run itself."""
        self._service.post(f"api/runs/{self.id}/cancel", {})
        return self.refresh()

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until it has ended, showing its cells; return the run itself.

        Parameters
        ----------
        timeout
            Seconds to wait at most; ``None`` waits as long as it takes.

        Raises
        ------
        RunFailedError
            If a cell failed or the run was cancelled, with that cell's error.
        RunTimeoutError
            If it still goes on after *timeout* seconds; it goes on in the house.
        """
        steps = steps_progress(self.template or self.refresh().template)
        until = None if timeout is None else time.monotonic() + timeout
        pause = FIRST_PAUSE
        try:
            while True:
                self.refresh()
                steps.show(self.state, *self._cells())
                if self.state in ENDED:
                    return self._ended()
                self._check_time(until, timeout)
                time.sleep(pause)
                pause = min(pause * 1.3, LONGEST_PAUSE)
        finally:
            steps.close()

    def segmentation(
        self, volume: Volume | None = None, *, name: str = ""
    ) -> npt.NDArray[np.uint8]:
        """Return a mask that it made, on the grid of the series it was made on.

        Parameters
        ----------
        volume
            That series, where it is at hand; else it is streamed.
        name
            Which mask, where the template makes several; the first without.

        Returns
        -------
        NDArray
            Shape ``(slices, rows, columns)``, ``uint8``: a number for each segment.

        Raises
        ------
        NotFoundError
            If the run made no such mask.
        """
        return self.overlay(volume, name=name).labels

    def overlay(self, volume: Volume | None = None, *, name: str = "") -> Segmentation:
        """Return a mask with the names of its segments; see `segmentation`."""
        made = self._results.get("segmentations") or []
        for one in made:
            if name in {"", one["name"]}:
                return fetch_segmentation(self._service, str(one["uid"]), volume)
        known = ", ".join(str(one["name"]) for one in made) or "none"
        msg = f"Run {self.id} ({self.state}) has no mask {name!r}. Known: {known}."
        raise NotFoundError(msg)

    def _cells(self) -> tuple[list[dict[str, Any]], int]:
        """Return the cells with their states, and how many there will be."""
        progress = self._said.get("progress") or {}
        return progress.get("cells") or [], int(progress.get("total") or 0)

    @property
    def _results(self) -> Mapping[str, Any]:
        return self._said.get("results") or {}

    def _figure(self, one: Mapping[str, Any]) -> Figure:
        path = f"api/runs/{self.id}/files/{one['file']}"
        return Figure(str(one["name"]), path, self._service)

    def _ended(self) -> Run:
        """Return the run if it is done; else raise what its failing cell said."""
        if self.state == "done":
            return self
        error = self._said.get("error") or {}
        cell = str(error.get("cell") or "")
        where = f" in cell {cell!r}" if cell else ""
        why = str(error.get("message") or f"it was {self.state}")
        msg = f"Run {self.id} of {self.template} failed{where}: {why}"
        raise RunFailedError(msg, cell=cell, trace=str(error.get("traceback") or ""))

    def _check_time(self, until: float | None, timeout: float | None) -> None:
        if until is not None and time.monotonic() >= until:
            msg = f"Run {self.id} is {self.state} after {timeout} s; wait() again."
            raise RunTimeoutError(msg)

    def _repr_html_(self) -> str:
        """Return its state, what went in, and what came out."""
        went_in = ", ".join(
            f"{name} = {value!r}" for name, value in self.parameters.items()
        )
        body = self.measurements._repr_html_() if self.measurements else ""
        if error := self._said.get("error"):
            said = text(error.get("message", ""))
            body += f'<pre style="white-space:pre-wrap">{said}</pre>'
        pictures = "".join(image(f.png, f.name, width=360) for f in self.figures[:2])
        return card(self.template, f"{self.state} · {went_in}", Markup(body + pictures))


class HasUid(Protocol):
    """A series of a case, or anything else that has a series' UID."""

    @property
    def uid(self) -> str:
        """The Series Instance UID."""


def run(
    template: str,
    *,
    series: str | HasUid | Mapping[str, str | HasUid],
    case: Any = None,  # noqa: ANN401 - a case or its id
    wait: bool = True,
    **parameters: Any,  # noqa: ANN401 - the template's own
) -> Run:
    """Run *template* on *series* in the house, and return its results.

    Parameters
    ----------
    template
        The template's name, for example ``"lung_volume"``.
    series
        A series or its UID; where the template takes several, a dict of them by name.
    case
        The case (or its id) on which the results are shown.
    wait
        Whether to wait for the end; ``False`` returns at once.
    **parameters
        The template's own parameters; those left out have their defaults.

    Raises
    ------
    RefusedError
        If a parameter or an input does not fit the template; nothing runs then.
    RunFailedError
        If a cell of the template fails, with that cell's error.

    Examples
    --------
    ::

        result = rounds.run("lung_volume", series=case.series[0], threshold=-400)
        result.measurements["lung_volume"]
    """
    house = default_service()
    body = {
        "template": template,
        "inputs": _inputs_of(house, template, series),
        "parameters": parameters,
        "case_id": getattr(case, "id", case),
    }
    if body["case_id"] is None:
        del body["case_id"]
    started = Run(house.post("api/runs", body), service=house)
    return started.wait() if wait else started


def _inputs_of(
    house: Service, template: str, series: str | HasUid | Mapping[str, str | HasUid]
) -> dict[str, str]:
    """Return the UIDs by the names of the template's inputs."""
    if isinstance(series, Mapping):
        return {name: _uid(one) for name, one in series.items()}
    declared = house.get(f"api/templates/{template}").get("inputs") or []
    names = [str(one["name"]) for one in declared if not one.get("optional")]
    if len(names) != 1:
        named = ", ".join(f"{name!r}: ..." for name in names)
        msg = f"Template {template!r} takes several series: series={{{named}}}."
        raise RefusedError(msg)
    return {names[0]: _uid(series)}


def _uid(one: str | HasUid) -> str:
    return one if isinstance(one, str) else one.uid


def _measured(one: Mapping[str, Any]) -> Measured:
    name, label = str(one["name"]), one.get("label") or {}
    called = label.get("en") if isinstance(label, Mapping) else label
    return Measured(
        name, str(called or name), float(one["value"]), str(one.get("unit") or "")
    )
