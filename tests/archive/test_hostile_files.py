"""What wants to hurt the archive is refused by a rule, or taken and read by every door.

The corpus goes in, and is read, in a process of its own; see ``hostile_reading``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.archive.hostile import whole_corpus
from tests.archive.hostile_reading import Told, otherwise, told_by
from tests.conftest import open_house

from rounds_hub.archive.imports import run_import

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from rounds_hub.house import House

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("hostile")]

MOST_MEGABYTES, MOST_SECONDS = 256, 10
SMALL = 2**20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def told(folder: Path) -> list[Told]:
    """Return what became of each file."""
    return told_by(folder, "store")


@pytest.fixture(scope="module")
def rules() -> dict[str, str]:
    """Return the piece of its refusal by the name of each file."""
    return {hostile.name: hostile.rule for hostile in whole_corpus()}


def test_the_corpus_is_large_and_names_its_files(rules: dict[str, str]) -> None:
    assert len(rules) > 350


def test_no_file_ends_the_process(told: list[Told], rules: dict[str, str]) -> None:
    assert [one.name for one in told] == list(rules)


def test_every_file_is_refused_by_its_rule_or_taken(
    told: list[Told], rules: dict[str, str]
) -> None:
    assert otherwise(told) == []
    assert [one for one in told if rules[one.name] not in one.why] == []


def test_whatever_was_taken_is_answered_at_every_door(told: list[Told]) -> None:
    assert [one for one in told if one.failed] == []


def test_what_was_taken_is_kept_byte_by_byte(told: list[Told]) -> None:
    assert [one.name for one in told if not one.exact] == []


def test_no_file_takes_more_memory_than_it_may(told: list[Told]) -> None:
    assert [one for one in told if one.megabytes > MOST_MEGABYTES] == []


def test_no_file_takes_longer_than_it_may(told: list[Told]) -> None:
    assert [one for one in told if one.seconds > MOST_SECONDS] == []


def test_nothing_is_written_outside_of_the_archive(
    told: list[Told], folder: Path
) -> None:
    assert told
    assert [path.name for path in folder.iterdir()] == ["data"]
    kept = {path.name for path in (folder / "data" / "objects").glob("*/*")}
    assert all(re.fullmatch(r"[0-9a-f]{64}", name) for name in kept)


def test_a_refusal_is_one_sentence_with_nothing_of_the_patient(
    told: list[Told],
) -> None:
    said = [one.why for one in told if one.why]
    assert all(why.isprintable() and len(why) < 300 for why in said)
    assert not any("Hostile^One" in why or "H-" in why for why in said)


def test_rounds_import_takes_what_is_good_of_a_folder(tmp_path: Path) -> None:
    files = [one for one in whole_corpus() if len(one.data) < SMALL]
    (tmp_path / "in").mkdir()
    for number, hostile in enumerate(files):
        (tmp_path / "in" / f"{number}.dcm").write_bytes(hostile.data)
    open_house(tmp_path).close()
    command = ["import", str(tmp_path / "in"), "--data", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, "-m", "rounds_hub.cli", *command, "--json"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 3, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["taken"] == sum(not hostile.rule for hostile in files)
    assert len(said["problems"]) == len(files) - said["taken"]


def test_an_upload_takes_what_is_good_of_it(
    house: House, client_as: Callable[..., httpx.Client]
) -> None:
    files = [one for one in whole_corpus() if len(one.data) < SMALL][::4]
    parts = [("files", (f"{n}.dcm", one.data)) for n, one in enumerate(files)]
    begun = client_as("doctor").post("api/imports", files=parts)
    assert begun.status_code == 202
    run_import(house, begun.json()["id"])
    said = client_as("doctor").get(f"api/imports/{begun.json()['id']}").json()
    assert said["state"] == "done"
    assert said["summary"]["taken"] == sum(not hostile.rule for hostile in files)
