"""Any title makes a notebook that stays in its folder and runs nothing of its own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from rounds.notebooks import case_notebook, file_name, keep_notebook

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return notebook


HOSTILE = [
    pytest.param("../../.ssh/authorized_keys", id="climbs"),
    pytest.param("/etc/cron.d/x", id="from the root"),
    pytest.param("a\x00b\nc\r", id="control characters"),
    pytest.param("脑" * 500, id="long in bytes"),
    pytest.param("...", id="dots"),
    pytest.param("", id="nothing"),
    pytest.param("-rf *", id="like an option"),
    pytest.param('"); import os; os.system("x")', id="like code"),
    pytest.param("<script>alert(1)</script>![x](http://x.test/y.png)", id="like HTML"),
]


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_gives_a_name_that_stays_in_its_folder(title: str) -> None:
    name = file_name(title, "c-1")
    plain = not set(name) & set('/\\\0\n\r"<>:*?|')
    assert (plain, name[0] in ".-", len(name.encode()) < 255) == (True, False, True)


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_is_in_no_cell_that_runs(title: str, tmp_path: Path) -> None:
    path = tmp_path / keep_notebook(tmp_path, "c-1", title)
    notebook = read(path)
    code = [c["source"] for c in notebook["cells"] if c["cell_type"] == "code"]
    assert code == [
        'import rounds\n\ncase = rounds.open("c-1")\ncase',
        "case.show()",
    ]


@pytest.mark.parametrize("title", HOSTILE)
def test_the_heading_shows_the_title_and_nothing_else(title: str) -> None:
    heading = case_notebook("c-1", title)["cells"][0]["source"]
    unescaped = re.sub(r"\\[!-/:-@\[-`{-~]", "", heading.removeprefix("# "))
    assert not set(unescaped) & set("\n<>[]()!*_`")


def test_a_chinese_title_is_kept(tmp_path: Path) -> None:
    path = keep_notebook(tmp_path, "m1", "脑膜瘤: 增强 MRI")
    assert path.as_posix() == "Rounds/脑膜瘤 增强 MRI-m1.ipynb"


def test_a_notebook_is_valid_for_jupyter(tmp_path: Path) -> None:
    path = tmp_path / keep_notebook(tmp_path, "m1", "Meningioma")
    nbformat.validate(read(path), relax_add_props=False)


def test_what_a_person_wrote_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / keep_notebook(tmp_path, "m1", "Meningioma")
    path.write_text("mine", "utf-8")
    keep_notebook(tmp_path, "m1", "Meningioma")
    assert path.read_text("utf-8") == "mine"


def test_a_new_title_opens_the_notebook_that_is_there(tmp_path: Path) -> None:
    first = keep_notebook(tmp_path, "m1", "A draft")
    assert keep_notebook(tmp_path, "m1", "Meningioma") == first


def test_a_case_whose_id_ends_alike_has_its_own(tmp_path: Path) -> None:
    first = keep_notebook(tmp_path, "x-m1", "Meningioma")
    assert keep_notebook(tmp_path, "m1", "Another") != first


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    keep_notebook(tmp_path, "m1", "Meningioma")
    assert len(list((tmp_path / "Rounds").iterdir())) == 1


def test_a_file_in_the_way_is_an_error_that_names_it_not(tmp_path: Path) -> None:
    (tmp_path / "Rounds").write_text("")
    with pytest.raises(OSError, match="exists"):
        keep_notebook(tmp_path, "m1", "Meningioma")


def test_the_notebook_says_which_case_it_is(tmp_path: Path) -> None:
    path = tmp_path / keep_notebook(tmp_path, "m1", "Meningioma")
    assert read(path)["metadata"]["rounds"] == {"case": "m1"}
