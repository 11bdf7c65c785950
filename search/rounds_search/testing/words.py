"""Stems, synonyms that are left out, codes with children, and corrections."""
# ruff: noqa: D102, PLR2004, S101 - tests: their names are their documentation

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_search.backends.worded import WordedBackend
from rounds_search.requests import Term
from rounds_search.testing.library import ask, case, found
from rounds_search.vocabulary import Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_search.backends.base import Backend

__all__ = ["WordsContract"]

HIDDEN = frozenset({"role:doctor"})
TABLE = (
    "code\tname\tparents\nC34\tMalignant neoplasm of lung\t\nC34.1\tUpper lobe\tC34\n"
)
LIBRARY = (
    case("wernicke", "Wernicke encephalopathy", text={"diagnosis": "Wernicke"}),
    case("lobe", "An opacity", codes=("ICD10:C34.1",)),
    case("lung", "Another opacity", codes=("ICD10:C34",)),
    case("other", "A third opacity", codes=("ICD10:D34.1",)),
    case("hidden", "Zygomycosis of the orbit", audience=HIDDEN),
)


class WordsContract:
    """What stems, synonyms, codes and spellings do."""

    @pytest.fixture
    def worded(self, index: Backend, tmp_path: Path) -> WordedBackend:
        """Return the index with the words and codes of a site."""
        folder = tmp_path / "vocabulary"
        (folder / "codes").mkdir(parents=True)
        (folder / "codes" / "ICD10.tsv").write_text(TABLE, encoding="utf-8")
        (folder / "own.txt").write_text("opacity | schatten\n", encoding="utf-8")
        index.write(LIBRARY)
        return WordedBackend(index, Shelf(folder))

    def test_the_word_that_was_typed_comes_before_its_kin(self, index: Backend) -> None:
        index.write([case("a", "Enhanced mass"), case("b", "Enhancing mass")])
        assert found(index, ask("enhancing", expand=False)) == ["b", "a"]
        assert found(index, ask("enhanced", expand=False)) == ["a", "b"]

    def test_no_stem_reaches_from_the_title_to_the_diagnosis(
        self, index: Backend
    ) -> None:
        index.write([case("a", "Giant cells", text={"diagnosis": "Tumors of bone"})])
        quoted = ask('"cell tumor"', expand=False)
        assert index.search(quoted).relaxed

    def test_a_stem_in_the_title_weighs_more(self, index: Backend) -> None:
        index.write(
            [
                case("b", "Kidneys", text={"discussion": "calcified masses"}),
                case("a", "Calcified masses", text={"discussion": "kidneys"}),
            ]
        )
        assert found(index, ask("mass", expand=False)) == ["a", "b"]

    def test_highlights_mark_inflections_and_synonyms(self, index: Backend) -> None:
        index.write([case("a", "Cerebral abscesses")])
        (hit,) = index.search(ask("abscess")).hits
        assert hit.highlights == {"title": "Cerebral <mark>abscesses</mark>"}
        (hit,) = index.search(ask("脑脓肿")).hits
        assert hit.highlights == {"title": "<mark>Cerebral abscesses</mark>"}

    def test_a_synonym_can_be_left_out(self, index: Backend) -> None:
        index.write([case("a", "肝细胞癌"), case("b", "HCC")])
        answer = index.search(ask("HCC"))
        assert [hit.id for hit in answer.hits] == ["b", "a"]
        without = ask("HCC", without=frozenset({"肝细胞癌", "肝癌"}))
        answer = index.search(without)
        assert [hit.id for hit in answer.hits] == ["b"]
        assert not {"肝细胞癌", "肝癌"} & set(answer.expansions["HCC"])

    def test_a_parent_code_finds_its_children(self, worded: WordedBackend) -> None:
        assert set(found(worded, ask("ICD10 C34"))) == {"lobe", "lung"}
        assert found(worded, ask("ICD10 C34.1")) == ["lobe"]

    def test_children_are_named_and_can_be_left_out(
        self, worded: WordedBackend
    ) -> None:
        added = worded.search(ask("ICD10 C34")).expansions["ICD10 C34"]
        assert added == ("Malignant neoplasm of lung", "ICD10:C34.1")

    def test_a_filter_by_a_parent_holds_for_children(
        self, worded: WordedBackend
    ) -> None:
        parent = (Term("code", ("ICD10:C34",)),)
        child = (Term("code", ("ICD10:C34.1",)),)
        assert set(found(worded, ask(where=parent))) == {"lobe", "lung"}
        assert found(worded, ask(where=child)) == ["lobe"]

    def test_a_sites_own_words_are_known(self, worded: WordedBackend) -> None:
        assert len(found(worded, ask("Schatten"))) == 3

    def test_a_file_that_changes_is_known_at_once(
        self, worded: WordedBackend, tmp_path: Path
    ) -> None:
        assert found(worded, ask("trüb")) == []
        own = tmp_path / "vocabulary" / "own.txt"
        own.write_text("opacity | schatten | trüb\n", encoding="utf-8")
        assert len(found(worded, ask("trüb"))) == 3

    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            pytest.param("wernike", "wernicke", id="from a title"),
            pytest.param("wernike encephalopathy", None, id="beside a word"),
            pytest.param("encefalopathy", "encephalopathy", id="from the sets"),
        ],
    )
    def test_what_was_perhaps_meant_is_said(
        self, worded: WordedBackend, text: str, meant: str | None
    ) -> None:
        wanted = meant or "wernicke encephalopathy"
        assert worded.search(ask(text)).corrections == (wanted,)

    def test_a_chinese_word_is_corrected(self, worded: WordedBackend) -> None:
        worded.write([case("abscess", "脑脓肿")])
        assert "脑脓肿" in worded.search(ask("脑浓肿")).corrections

    def test_no_correction_tells_of_what_is_hidden(self, worded: WordedBackend) -> None:
        asked = ask("zygomycosos")
        assert worded.search(asked).corrections == ()
        seen = ask("zygomycosos", audience=HIDDEN)
        assert worded.search(seen).corrections == ("zygomycosis",)

    def test_what_is_found_is_not_corrected(self, worded: WordedBackend) -> None:
        assert worded.search(ask("wernicke")).corrections == ()
