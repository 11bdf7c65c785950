"""What wants to hurt the archive is refused by a rule, or taken and read by every door.

The corpus goes in, and is read, in a process of its own; see ``hostile_reading``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.archive.hostile import corpus
from tests.archive.hostile_reading import Told, otherwise, told_by

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("hostile")]

MOST_MEGABYTES, MOST_SECONDS = 256, 10


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
    return {hostile.name: hostile.rule for hostile in corpus()}


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
