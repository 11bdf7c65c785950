"""The steps of the main way, each done as a person does it."""

from __future__ import annotations

import io
import time
import zipfile
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pydicom

from rounds_hub.cli.notebooks import Kernel, code_cells
from rounds_hub.errors import BusyError, InvalidError
from rounds_kernels import phantoms
from rounds_kernels.results import read_provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rounds_hub.cli.demo_process import DemoHouse
    from rounds_hub.cli.visitor import Visitor

__all__ = ["MainWay"]

TEMPLATE = "lung_volume"
TITLE = "Check of the house: lungs of a synthetic patient"
_PATIENCE = 180.0
_TOLERANCE = 0.02


@dataclass
class MainWay:
    """What is known on the way: who is there, what was made."""

    people: dict[str, Visitor] = field(default_factory=dict)
    phantom: Any = None
    study_uid: str = ""
    series_uid: str = ""
    case_id: str = ""
    hidden_id: str = ""
    path: str = ""
    run: dict[str, Any] = field(default_factory=dict)
    _house: DemoHouse | None = None

    @property
    def house(self) -> DemoHouse:
        """The house, once it has been started."""
        if self._house is None:
            msg = "The house has not been started."
            raise BusyError(msg)
        return self._house

    @house.setter
    def house(self, started: DemoHouse) -> None:
        self._house = started

    @property
    def teacher(self) -> Visitor:
        """The teacher, signed in."""
        return self.people["teacher"]

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Give every step of the way with its name."""
        yield "sign in", self.sign_in
        yield "import", self.bring_in
        yield "case", self.make_case
        yield "search", self.find_case
        yield "server", self.open_notebook
        yield "kernel", self.run_cells
        yield "run", self.run_template
        yield "segmentation", self.look_at_segmentation
        yield "report", self.look_at_report
        yield "search result", self.find_result
        yield "same again", self.run_again
        yield "hidden", self.stay_hidden

    def leave(self) -> None:
        """Let everybody leave."""
        for visitor in self.people.values():
            visitor.client.close()

    def sign_in(self) -> str:
        """Sign in through the form of the hub and its OAuth."""
        for name in ("teacher", "student"):
            self.people[name] = self.house.visitor(name)
            said = self.people[name].api("me")
            if said["name"] != name:
                msg = f"Signed in as {name!r}, the service says {said['name']!r}."
                raise InvalidError(msg)
        return "teacher and student, by the hub's form"

    def bring_in(self) -> str:
        """Upload a synthetic chest CT as a zip, and wait until it is in the archive."""
        self.phantom = phantoms.thorax()
        datasets = phantoms.to_dicom(self.phantom)
        self.study_uid = str(datasets[0].StudyInstanceUID)
        self.series_uid = str(datasets[0].SeriesInstanceUID)
        files = {"files": ("chest.zip", _zipped(datasets), "application/zip")}
        started = self.teacher.api("imports", "POST", files=files)
        done = self._wait(f"imports/{started['id']}", {"done", "failed"})
        taken = done["summary"]["taken"] + done["summary"]["same"]
        if done["state"] != "done" or taken != len(datasets):
            msg = f"{taken} of {len(datasets)} instances were taken: {done['summary']}"
            raise InvalidError(msg)
        return f"{taken} instances, {self.phantom.volume.array.shape}"

    def make_case(self) -> str:
        """Make a case of the study in one action, write it, and publish it."""
        made = self.teacher.api(f"studies/{self.study_uid}/case", "POST")
        self.case_id = made["id"]
        self._write(made, TITLE, ["everyone"])
        self.teacher.api(f"cases/{self.case_id}/publish", "POST")
        return f"published as {self.case_id}"

    def find_case(self) -> str:
        """Find the case by words, as the student."""
        found = self._until(
            lambda: _hits(self.people["student"], "synthetic lungs", self.case_id)
        )
        return f"hit, {', '.join(found['why']) or 'found'}"

    def open_notebook(self) -> str:
        """Follow «Open in notebook»: the server starts, the notebook is made."""
        self.path = self.teacher.open_in_server("rounds/open", {"case": self.case_id})
        if not self.path.endswith(".ipynb"):
            msg = f"«Open in notebook» ended at {self.path!r}, not at a notebook."
            raise InvalidError(msg)
        return f"ended at {self.path}"

    def run_cells(self) -> str:
        """Run the notebook's cells in a kernel of that server, over its websocket."""
        notebook = self.path.partition("tree/")[2]
        cells = code_cells(self.teacher, notebook)
        kernel = Kernel.start(self.teacher)
        try:
            said = kernel.run([*cells, "print(case.volume.array.shape)"])
        finally:
            kernel.stop()
        shape = str(tuple(self.phantom.volume.array.shape))
        if said[-1].strip() != shape:
            msg = f"The kernel sees a volume of {said[-1].strip()}, not {shape}."
            raise InvalidError(msg)
        return f"{len(cells)} cells, volume {shape}"

    def run_template(self) -> str:
        """Run the template on the series and compare with the known answer."""
        asked = self.teacher.api("runs", "POST", json=self._asked())
        self.run = self._wait(f"runs/{asked['id']}", {"done", "failed", "cancelled"})
        if self.run["state"] != "done":
            msg = f"The run {self.run['state']}: {self.run['error']}"
            raise InvalidError(msg)
        measured = {
            one["name"]: float(one["value"])
            for one in self.run["results"]["measurements"]
        }
        lungs = measured["lung_volume"]
        truth = float(self.phantom.truth["lungs_ml"])
        if abs(lungs - truth) > _TOLERANCE * truth:
            msg = f"The lungs measure {lungs} ml; {truth} ml are there."
            raise InvalidError(msg)
        return f"lungs {lungs:.0f} ml, {truth:.0f} ml are there"

    def look_at_segmentation(self) -> str:
        """Fetch the mask from the archive and look where it comes from."""
        return self._result("segmentation_uid", "SEG")

    def look_at_report(self) -> str:
        """Fetch the measurements from the archive and look where they come from."""
        return self._result("report_uid", "SR")

    def find_result(self) -> str:
        """Find the result of the run by search."""
        found = self._until(
            lambda: _hits(self.teacher, "lung", self.run["id"], kind="result")
        )
        return f"«{found['title']}»"

    def run_again(self) -> str:
        """Ask for the same once more: the record answers at once."""
        answer = self.teacher.ask("runs", "POST", json=self._asked())
        if answer.status_code != HTTPStatus.OK or answer.json()["id"] != self.run["id"]:
            msg = f"The same request again was answered by {answer.status_code}."
            raise InvalidError(msg)
        return "answered from the record"

    def stay_hidden(self) -> str:
        """See that a student meets nothing of a case for teachers alone."""
        made = self.teacher.api(f"studies/{self.study_uid}/case", "POST")
        self.hidden_id = made["id"]
        self._write(made, f"{TITLE}, hidden", ["role:teacher"])
        self.teacher.api(f"cases/{self.hidden_id}/publish", "POST")
        self._until(lambda: _hits(self.teacher, "hidden", self.hidden_id))
        student = self.people["student"]
        seen = student.ask(f"cases/{self.hidden_id}").status_code
        if seen != HTTPStatus.NOT_FOUND or _hits(student, "hidden", self.hidden_id):
            msg = f"A student meets a hidden case ({seen})."
            raise InvalidError(msg)
        return "404 for the student, and nothing in the search"

    def _asked(self) -> dict[str, Any]:
        """Return the request for the run, as the form on the case's page sends it."""
        return {
            "template": TEMPLATE,
            "inputs": {"ct": self.series_uid},
            "parameters": {},
            "case_id": self.case_id,
        }

    def _write(self, made: dict[str, Any], title: str, audience: list[str]) -> None:
        """Fill the draft *made* in."""
        texts = {
            "title": title,
            "history": "A synthetic patient, made to see that the house works.",
            "findings": "Both lungs are filled with air.",
            "diagnosis": "Nothing: the patient is synthetic.",
            "audience": audience,
            "revision": made["revision"],
        }
        self.teacher.api(f"cases/{made['id']}", "PUT", json=texts)

    def _wait(self, path: str, ends: set[str]) -> dict[str, Any]:
        """Return what is at api/ *path* when its state is one of *ends*."""

        def ended() -> dict[str, Any] | None:
            now: dict[str, Any] = self.teacher.api(path)
            return now if now["state"] in ends else None

        return self._until(ended)

    @staticmethod
    def _until(look: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        """Look again and again until there is something, for a few minutes."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            found = look()
            if found is not None:
                return found
            time.sleep(0.1)
        msg = f"Nothing came within {_PATIENCE:.0f} s."
        raise BusyError(msg)

    def _result(self, key: str, modality: str) -> str:
        """Fetch one DICOM result of the run and check where it says it comes from."""
        uid = self.run["results"][key]
        answer = self.teacher.ask(f"instances/{uid}.dcm")
        answer.raise_for_status()
        found = pydicom.dcmread(io.BytesIO(answer.content))
        provenance = read_provenance(found)
        told = (found.Modality, provenance.template_hash, provenance.run_id)
        if told != (modality, self.run["template_hash"], self.run["id"]):
            msg = f"The {modality} says it is {told}, not this run's."
            raise InvalidError(msg)
        return f"{modality} {len(answer.content) // 1024} KiB, of {provenance.template}"


def _hits(
    visitor: Visitor, words: str, key: str, kind: str = "case"
) -> dict[str, Any] | None:
    """Return the hit for the case or run *key* that *visitor* finds, or None."""
    asked = {"text": words, "where": {"kind": [kind]}, "size": 100}
    found = visitor.api("search", "POST", json=asked)
    return next(
        (hit for hit in found["hits"] if key in (hit["case_id"], hit["run_id"])), None
    )


def _zipped(datasets: list[pydicom.Dataset]) -> bytes:
    """Return the instances as a zip, as a person would upload a folder."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for number, dataset in enumerate(datasets):
            written = io.BytesIO()
            pydicom.dcmwrite(written, dataset, enforce_file_format=True)
            zipped.writestr(f"chest/{number:04}.dcm", written.getvalue())
    return packed.getvalue()
