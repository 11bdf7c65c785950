"""``rounds eval text`` on a small library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rounds_hub.cli.evaluate_text import text_figures
from rounds_search.case_texts import checked_parts, rank_texts, read_cases
from rounds_search.errors import RequestError, TableError

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = ("Head", "Thorax")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with twenty cases of two regions, told apart by a word."""
    lines, rows = [], ["id,dataset,group,region"]
    for at in range(20):
        word = ("brain", "lung")[at % 2]
        told = {
            "Title": f"{word} case",
            "Findings": f"A mass of the {word}, number {at}",
        }
        topic = {"Category": "Neoplasm" if at < 10 else "Trauma"}
        lines.append(json.dumps({"U_id": f"c{at}", "Case": told, "Topic": topic}))
        rows.append(f"p{at},medpix,c{at},{REGIONS[at % 2]}")
    (tmp_path / "medpix_cases.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def test_each_query_ranks_the_whole_gallery_but_itself(folder: Path) -> None:
    cases = read_cases(folder)
    for one in rank_texts(cases, cases, ("findings",), meaning=False):
        assert len(one.ranked) == len(set(one.ranked)) == 19
        assert one.query.id not in one.ranked


def test_words_find_cases_of_their_region(folder: Path) -> None:
    cases = read_cases(folder)
    for one in rank_texts(cases, cases, ("findings",), meaning=False):
        other = next(case for case in cases if case.id == one.ranked[0])
        assert other.labels["region"] == one.query.labels["region"]


def test_a_query_without_words_is_ranked_too(folder: Path) -> None:
    cases = read_cases(folder)
    (one,) = rank_texts(cases, cases[:1], ("exam",), meaning=False)
    assert len(one.ranked) == 19


def test_figures_are_told_for_each_label(folder: Path) -> None:
    name, count, figures = text_figures(folder, folder, ["findings"], lambda told: told)
    found = {one.label: one.precision_1 for one in figures}
    assert (name[:4], count, found["region"]) == ("bm25", 20, 1.0)
    assert set(found) == {"region", "category", "region and category"}


def test_a_text_that_cases_have_not_is_named() -> None:
    with pytest.raises(RequestError, match=r"'smell'.*Known: title, history"):
        checked_parts(["smell"])


@pytest.mark.parametrize("line", ["{", "[]", '{"U_id": 1}', "{" * 5_000])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "medpix_cases.jsonl").write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(TableError, match="Line 2"):
        read_cases(tmp_path)


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no medpix_cases"):
        read_cases(tmp_path)
