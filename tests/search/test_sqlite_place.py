from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from rounds_search.backends.sqlite.place import Place
from rounds_search.errors import IndexBusyError

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, time
from pathlib import Path
from rounds_search.backends.sqlite.place import Place
with Place(Path(sys.argv[1])).writing(5):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_new_place_points_nowhere(place: Place) -> None:
    assert place.current() is None


def test_a_pointer_is_followed(place: Place) -> None:
    made = place.fresh()
    place.point_to(made)
    assert place.current() == made


def test_generations_are_numbered_and_two_stay(place: Place) -> None:
    for _ in range(4):
        place.point_to(place.fresh())
    kept = sorted(one.name for one in place.folder.glob("index-*"))
    assert kept == ["index-000003", "index-000004"]


def test_what_a_killed_rebuild_left_goes_away(place: Place) -> None:
    place.point_to(place.fresh())
    half = place.fresh()
    (half / "index.sqlite").write_bytes(b"half")
    again = place.fresh()
    assert again == half
    assert list(again.iterdir()) == []


def test_a_half_written_pointer_changes_nothing(place: Place) -> None:
    made = place.fresh()
    place.point_to(made)
    (place.folder / "current.new").write_text("index-9999", encoding="ascii")
    assert place.current() == made


def test_other_files_in_the_folder_stay(place: Place) -> None:
    (place.folder / "index-notes.txt").write_text("mine", encoding="utf-8")
    for _ in range(3):
        place.point_to(place.fresh())
    assert (place.folder / "index-notes.txt").exists()


def test_writers_come_one_after_the_other(place: Place) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with place.writing(20):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert set(most) == {1}


def test_a_failed_writer_lets_the_next_in(place: Place) -> None:
    with pytest.raises(ZeroDivisionError), place.writing(1):
        raise ZeroDivisionError
    with place.writing(0.1):
        assert (place.folder / "writer.lock").exists()


def test_a_killed_writer_lets_the_next_in(place: Place) -> None:
    command = [sys.executable, "-c", HOLDER, str(place.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(IndexBusyError), place.writing(0.1):
            pass
        process.kill()
    with place.writing(5):
        assert place.current() is None
