"""What the web service writes into its log."""

from __future__ import annotations

import json
import subprocess
import sys

FAIL = """
from rounds_hub.logs import log_lines
import structlog
log_lines()
def work(patient_name):
    raise ValueError("no such value")
try:
    work("Phantom^Secret")
except ValueError as error:
    structlog.get_logger().error("unexpected", route="/api/cases", exc_info=error)
"""


def line() -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", FAIL], capture_output=True, check=True, timeout=60
    )
    return dict(json.loads(done.stderr))


def test_an_event_is_one_json_line_with_its_traceback() -> None:
    assert {"event", "level", "timestamp", "route", "exception"} <= set(line())


def test_a_traceback_does_not_show_the_values_of_variables() -> None:
    shown = line()["exception"].replace('work("Phantom^Secret")', "")
    assert "Phantom^Secret" not in shown
