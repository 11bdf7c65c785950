"""``rounds demo --check``: the main way, once."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

STEPS = [
    "start",
    "sign in",
    "import",
    "case",
    "search",
    "server",
    "kernel",
    "run",
    "segmentation",
    "report",
    "search result",
    "same again",
    "hidden",
    "stop",
]


def check(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the check with *options*."""
    command = [sys.executable, "-m", "rounds_hub.cli", "demo", "--check", *options]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=600
    )


@pytest.mark.hub
@pytest.mark.timeout(600)
def test_the_main_way_is_good_from_end_to_end() -> None:
    done = check("--json")
    report = json.loads(done.stdout)
    failed = [step for step in report["steps"] if not step["good"]]
    assert (done.returncode, failed) == (0, [])
    assert [step["step"] for step in report["steps"]] == STEPS


def test_a_step_that_fails_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = check("--data", str(tmp_path / "file" / "house"))
    assert done.returncode == 1
    assert "the step «start» failed" in done.stderr


def test_a_failed_step_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = check("--data", str(tmp_path / "file" / "house"), "--json")
    step = json.loads(done.stdout)["steps"][-1]
    assert "cannot be written" in step["said"]
