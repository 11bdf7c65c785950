"""Verbs that work on a house: import, search, index, doctor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rounds_hub.house import House
from rounds_hub.settings import load_settings
from rounds_kernels import phantoms


def rounds(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``rounds`` on the house in *data*."""
    return subprocess.run(
        [sys.executable, "-m", "rounds_hub.cli", *arguments, "--data", str(data)],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "200"},
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verbs") / "house"
    House.open(load_settings(data_dir=str(folder))).close()
    return folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 100 files, of which 20 are broken in four ways."""
    folder = tmp_path_factory.mktemp("mixed")
    grid = phantoms.Grid((80, 16, 16), (2.0, 1.5, 1.5))
    phantoms.to_dicom(phantoms.sphere(grid), folder)
    whole = sorted(path for path in folder.iterdir() if path.is_file())
    for number in range(20):
        (folder / f"broken-{number:02}.dcm").write_bytes(
            broken(whole[number].read_bytes(), number)
        )
    assert len(list(folder.iterdir())) == 100
    return folder


def broken(good: bytes, number: int) -> bytes:
    """Return what a damaged disk, a lost line or a stranger makes of *good*."""
    kinds = (b"", good[: len(good) // 2], b"not an image at all", good[:132])
    return kinds[number % 4]


@pytest.fixture(scope="module")
def imported(data: Path, mixed: Path) -> subprocess.CompletedProcess[str]:
    return rounds(data, "import", str(mixed), "--json")


@pytest.fixture(scope="module")
def summary(imported: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(imported.stdout)
    return said


def test_what_is_whole_goes_in(summary: dict[str, Any]) -> None:
    assert summary["taken"] == 80


def test_what_is_broken_is_named(summary: dict[str, Any]) -> None:
    named = {Path(problem["file"]).name for problem in summary["problems"]}
    assert named == {f"broken-{number:02}.dcm" for number in range(20)}


def test_every_problem_says_why(summary: dict[str, Any]) -> None:
    assert [one for one in summary["problems"] if not one["why"].strip()] == []


def test_the_exit_code_says_partly(
    imported: subprocess.CompletedProcess[str],
) -> None:
    assert imported.returncode == 3


def test_the_same_again_changes_nothing(
    data: Path, mixed: Path, imported: subprocess.CompletedProcess[str]
) -> None:
    again = json.loads(rounds(data, "import", str(mixed), "--json").stdout)
    assert (imported.returncode, again["taken"], again["same"]) == (3, 0, 80)


def test_everything_broken_is_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "only.dcm").write_bytes(b"nothing")
    assert rounds(data, "import", str(tmp_path)).returncode == 1


def test_a_person_reads_what_was_taken(data: Path, mixed: Path) -> None:
    said = rounds(data, "import", str(mixed)).stdout
    assert "80 there already" in said
    assert "broken-00.dcm" in said


def test_a_missing_path_is_named(data: Path, tmp_path: Path) -> None:
    said = rounds(data, "import", str(tmp_path / "none")).stdout
    assert "There is no such file" in said


@pytest.mark.usefixtures("imported")
def test_the_archive_is_whole(data: Path) -> None:
    findings = json.loads(rounds(data, "doctor", "--deep", "--json").stdout)
    archive = next(each for each in findings if each["part"] == "archive")
    assert archive["good"]
    assert archive["what"].startswith("80 objects, hashes compared")


@pytest.mark.usefixtures("imported")
def test_the_stores_tell_what_they_hold(data: Path) -> None:
    said = json.loads(rounds(data, "archive", "status", "--json").stdout)
    assert said["waiting"] == 0
    assert [(one["name"], one["objects"]) for one in said["stores"]] == [("local", 80)]


@pytest.mark.usefixtures("imported")
def test_a_lost_object_is_named_by_the_doctor(data: Path) -> None:
    lost = next((data / "archive" / "objects").glob("*/*"))
    aside = lost.rename(data / lost.name)
    try:
        done = rounds(data, "doctor", "--json")
    finally:
        aside.rename(lost)
    archive = next(one for one in json.loads(done.stdout) if one["part"] == "archive")
    assert (done.returncode, archive["good"]) == (1, False)
    assert [one["sha256"] for one in archive["details"]] == [lost.name]


@pytest.mark.usefixtures("imported")
def test_the_index_is_made_anew(data: Path) -> None:
    said = json.loads(rounds(data, "index", "rebuild", "--json").stdout)
    assert said["entries"] >= 0
    state = json.loads(rounds(data, "index", "state", "--json").stdout)
    assert state == {"waiting": 0}


def test_a_search_in_an_empty_house_finds_nothing(data: Path) -> None:
    said = json.loads(rounds(data, "search", "lung", "--json").stdout)
    assert said["hits"] == []


def test_a_run_of_an_unknown_template_names_the_known_ones(data: Path) -> None:
    done = rounds(data, "run", "nothing", "--input", "ct=1.2.3")
    assert done.stderr.startswith("rounds: No template 'nothing'. Known: ")


def test_an_input_without_a_value_is_refused(data: Path) -> None:
    done = rounds(data, "run", "lung_volume", "--input", "ct")
    assert "NAME=VALUE would work" in done.stderr
