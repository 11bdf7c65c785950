"""``rounds vocabulary``: a site's codes and words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.cli.vocabulary import What, command
from rounds_hub.errors import InvalidError, SettingsError
from rounds_search.vocabulary import Shelf

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "code,name,parent\nC34,Lung,\nC34.1,Upper lobe,C34\nnone,Odd,C99\n"


def told(
    capsys: pytest.CaptureFixture[str],
    what: What,
    file: Path | None,
    **options: Any,  # noqa: ANN401 - any option
) -> dict[str, Any]:
    command(what, file, as_json=True, **options)
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "icd.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_a_table_is_loaded_and_known(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, What.LOAD, table, scheme="icd10", data=tmp_path)
    assert (said["codes"], said["kept"]) == (3, True)
    assert said["not_of_the_form_of_the_scheme"] == ["none"]
    known = Shelf(tmp_path / "vocabulary").vocabulary()
    assert known.codes.tables["ICD10"].under("C34") == ("C34.1",)


def test_a_table_is_checked_without_being_kept(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, What.CHECK, table, scheme="ICD10", data=tmp_path)
    assert (said["below_another"], said["parents_that_are_missing"]) == (2, 1)
    assert not (tmp_path / "vocabulary").exists()


def test_a_file_of_synonyms_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "own.txt"
    words.write_text("spleen | milt\nlonely\n", encoding="utf-8")
    said = told(capsys, What.CHECK, words, data=tmp_path)
    assert (said["sets"], said["lines_with_one_term"]) == (1, ["2"])
    assert said["also_in_our_sets"] == ["spleen"]


def test_what_is_known_is_shown(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told(capsys, What.LOAD, table, scheme="ICD10", data=tmp_path)
    said = told(capsys, What.SHOW, None, data=tmp_path)
    assert said["codes_of_ICD10"] == 3


def test_a_scheme_that_is_none_is_refused(tmp_path: Path, table: Path) -> None:
    with pytest.raises(InvalidError, match="RADLEX, SCT"):
        command(What.LOAD, table, scheme="HOROSCOPE", data=tmp_path)


def test_a_house_that_is_none_is_refused(tmp_path: Path, table: Path) -> None:
    with pytest.raises(SettingsError, match="no house in 'nowhere'"):
        command(What.LOAD, table, scheme="ICD10", data=tmp_path / "nowhere")
