"""A run that failed says which cell failed and how; numbers read as numbers."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from rounds.errors import NotFoundError, RunFailedError
from rounds.runs import Measurements, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds.client import Service

    Answering = Callable[[type[BaseHTTPRequestHandler]], Service]


class HouseWhoseRunFailed(BaseHTTPRequestHandler):
    """Answers every question with a run that a cell ended."""

    run: ClassVar[dict[str, Any]] = {
        "id": "r1",
        "template": "lung_volume",
        "state": "failed",
        "parameters": {"threshold": "<-400>"},
        "progress": {
            "total": 2,
            "cells": [
                {"index": 0, "name": "Read", "state": "done", "seconds": 0.5},
                {"index": 1, "name": "Find the lungs", "state": "failed"},
            ],
        },
        "results": {},
        "error": {
            "kind": "cell",
            "cell": "Find the lungs",
            "message": "ValueError: no air",
            "traceback": "line 3, in <cell>",
        },
    }

    def do_GET(self) -> None:
        body = json.dumps(self.run).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Say nothing."""


class HouseWhoseRunWasCancelled(HouseWhoseRunFailed):
    run: ClassVar[dict[str, Any]] = {"id": "r1", "template": "t", "state": "cancelled"}


@pytest.fixture
def failed(answering: Answering) -> Run:
    return Run({"id": "r1"}, service=answering(HouseWhoseRunFailed))


def test_the_failing_cell_is_named_with_its_error(failed: Run) -> None:
    with pytest.raises(RunFailedError, match="'Find the lungs': ValueError: no air"):
        failed.wait()


def test_the_traceback_of_the_cell_comes_last(failed: Run) -> None:
    with pytest.raises(RunFailedError, match=r"line 3, in <cell>$") as failure:
        failed.wait()
    assert failure.value.cell == "Find the lungs"


def test_each_cell_is_said_once_where_nobody_looks_on(
    failed: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RunFailedError):
        failed.wait()
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "lung_volume: failed",
        "  ● Read  0.5 s (cell 1 of 2)",
        "  ✕ Find the lungs (cell 2 of 2)",
    ]


def test_a_cancelled_run_says_so(answering: Answering) -> None:
    cancelled = Run({"id": "r1"}, service=answering(HouseWhoseRunWasCancelled))
    with pytest.raises(RunFailedError, match="it was cancelled"):
        cancelled.wait()


def test_a_failed_run_has_no_mask(failed: Run) -> None:
    with pytest.raises(NotFoundError, match=r"\(failed\) has no mask"):
        failed.refresh().segmentation()


def test_what_went_in_is_shown_as_text(failed: Run) -> None:
    html = failed.refresh()._repr_html_()
    assert ("&lt;-400&gt;" in html, "<-400>" in html) == (True, False)


def test_a_measurement_is_a_number_with_a_unit() -> None:
    label = {"en": "Volume of the lungs", "zh": "肺体积"}
    one = {"name": "lungs", "label": label, "value": 5210.4, "unit": "mL"}
    measured = Measurements([one])
    assert (float(measured["lungs"]), str(measured["lungs"])) == (5210.4, "5,210.4 mL")
    assert repr(measured) == "Volume of the lungs: 5,210.4 mL"
