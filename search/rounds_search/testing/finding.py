"""Words, filters, facets, highlights and suggestions."""
# ruff: noqa: D102, PLR2004, S101 - tests: their names are their documentation

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_search.errors import SearchError
from rounds_search.requests import Facet, Request, Term
from rounds_search.testing.library import EVERYONE, ask, case, found

if TYPE_CHECKING:
    from rounds_search.backends.base import Backend

__all__ = ["FindingContract"]

ABSCESS = case(
    "abscess",
    "Brain abscess",
    text={"findings": "Ring-enhancing lesion with oedema, 3.5 cm. <b>Urgent</b>"},
    facets={"modality": ("MR",), "body_part": ("HEAD",), "level": ("easy",)},
    codes=("RID5250",),
    date="2026-01-02",
)
ABSCESS_ZH = case(
    "abscess-zh",
    "脑脓肿一例",
    language="zh",
    text={"findings": "左侧额叶环形强化病灶伴水肿"},
    facets={"modality": ("MR", "CT"), "body_part": ("HEAD",)},
    date="2026-01-03",
)
LUNG = case(
    "lung",
    "Lung cancer",
    text={"diagnosis": "Adenocarcinoma", "history": "brain scan normal"},
    facets={"modality": ("CT",), "body_part": ("CHEST",), "level": ("hard",)},
    date="2026-01-01",
)
LIBRARY = (ABSCESS, ABSCESS_ZH, LUNG)


class FindingContract:
    """What words and filters find."""

    @pytest.mark.parametrize(
        ("text", "ids"),
        [
            pytest.param("adenocarcinoma", {"lung"}, id="one word"),
            pytest.param("LUNG Cancers", {"lung"}, id="case and plural"),
            pytest.param("ring enhancing", {"abscess", "abscess-zh"}, id="no hyphen"),
            pytest.param("ring-enhancement", {"abscess", "abscess-zh"}, id="hyphen"),
            pytest.param("edema", {"abscess", "abscess-zh"}, id="American spelling"),
            pytest.param("脑脓肿", {"abscess", "abscess-zh"}, id="Chinese word"),
            pytest.param("脓肿", {"abscess", "abscess-zh"}, id="part of a run"),
            pytest.param("额叶", {"abscess-zh"}, id="two characters"),
            pytest.param("肺癌", {"lung"}, id="Chinese finds English"),
            pytest.param("cerebral abscess", {"abscess", "abscess-zh"}, id="synonym"),
            pytest.param("脑脓肿 MRI", {"abscess", "abscess-zh"}, id="any of them"),
            pytest.param("3.5cm", {"abscess"}, id="number and unit"),
            pytest.param('"brain abscess"', {"abscess"}, id="quoted words"),
            pytest.param('"abscess brain"', {"abscess", "lung"}, id="relaxed quote"),
            pytest.param("the of", set(), id="stop words alone"),
            pytest.param("?!", set(), id="punctuation alone"),
            pytest.param("", {"abscess", "abscess-zh", "lung"}, id="everything"),
        ],
    )
    def test_words_find(self, index: Backend, text: str, ids: set[str]) -> None:
        index.write(LIBRARY)
        assert set(found(index, ask(text))) == ids

    def test_all_the_words_are_wanted_before_any(self, index: Backend) -> None:
        index.write(LIBRARY)
        answer = index.search(ask("brain adenocarcinoma"))
        assert [hit.id for hit in answer.hits] == ["lung"]
        assert not answer.relaxed
        assert index.search(ask("brain xylophone")).relaxed

    def test_a_word_in_the_title_weighs_more(self, index: Backend) -> None:
        index.write(LIBRARY)
        assert found(index, ask("brain", expand=False)) == ["abscess", "lung"]

    def test_synonyms_are_named_and_can_be_left_out(self, index: Backend) -> None:
        index.write(LIBRARY)
        assert "肺癌" in index.search(ask("lung cancer")).expansions["lung cancer"]
        assert found(index, ask("肺癌", expand=False)) == []

    def test_a_filter_keeps_only_what_has_a_value(self, index: Backend) -> None:
        index.write(LIBRARY)
        request = ask(where=(Term("modality", ("CT",)),))
        assert set(found(index, request)) == {"abscess-zh", "lung"}

    def test_filters_must_all_hold(self, index: Backend) -> None:
        index.write(LIBRARY)
        terms = (Term("modality", ("CT",)), Term("body_part", ("HEAD", "KNEE")))
        assert found(index, ask(where=terms)) == ["abscess-zh"]

    @pytest.mark.parametrize(
        ("field", "value", "name"),
        [
            pytest.param("language", "zh", "abscess-zh", id="language"),
            pytest.param("code", "RID5250", "abscess", id="code"),
            pytest.param("level", "hard", "lung", id="level"),
        ],
    )
    def test_a_derived_facet_filters(
        self, index: Backend, field: str, value: str, name: str
    ) -> None:
        index.write(LIBRARY)
        assert found(index, ask(where=(Term(field, (value,)),))) == [name]

    def test_facets_count_what_was_found(self, index: Backend) -> None:
        index.write(LIBRARY)
        facets = index.search(ask("abscess", facets=(Facet("modality"),))).facets
        assert facets["modality"] == (("MR", 2), ("CT", 1))

    def test_a_facet_is_counted_without_its_own_filter(self, index: Backend) -> None:
        index.write(LIBRARY)
        answer = index.search(
            ask(
                where=(Term("modality", ("MR",)),),
                facets=(Facet("modality"), Facet("body_part")),
            )
        )
        assert answer.facets["modality"] == (("CT", 2), ("MR", 2))
        assert answer.facets["body_part"] == (("HEAD", 2),)

    def test_a_facet_is_cut_to_its_size(self, index: Backend) -> None:
        index.write(LIBRARY)
        facets = index.search(ask(facets=(Facet("modality", size=1),))).facets
        assert facets["modality"] == (("CT", 2),)

    def test_highlights_mark_words_and_are_safe(self, index: Backend) -> None:
        index.write(LIBRARY)
        (hit, *_) = index.search(ask("urgent oedema")).hits
        assert "<mark>oedema</mark>" in hit.highlights["findings"]
        assert "&lt;b&gt;<mark>Urgent</mark>&lt;/b&gt;" in hit.highlights["findings"]

    def test_highlights_mark_a_chinese_word(self, index: Backend) -> None:
        index.write(LIBRARY)
        (hit,) = index.search(ask("额叶")).hits
        assert hit.highlights == {"findings": "左侧<mark>额叶</mark>环形强化病灶伴水肿"}

    def test_highlights_can_be_left_out(self, index: Backend) -> None:
        index.write(LIBRARY)
        assert index.search(ask("lung", highlight=False)).hits[0].highlights == {}

    def test_a_prefix_finds_and_completes(self, index: Backend) -> None:
        index.write(LIBRARY)
        answer = index.search(ask(prefix="brain absc"))
        assert [hit.id for hit in answer.hits] == ["abscess"]
        assert answer.suggestions == ("brain abscess",)

    def test_a_chinese_prefix_completes(self, index: Backend) -> None:
        index.write(LIBRARY)
        assert index.search(ask(prefix="脑脓")).suggestions == ("脑脓肿一例",)

    @pytest.mark.parametrize(
        "text",
        [
            '"',
            '"" OR',
            "title:brain",
            "NEAR(brain abscess, 2)",
            "brain* ^abscess -lung +x",
            "'; DROP TABLE words; --",
            "{a b} : c AND NOT (d",
            "/.*/ [a TO z] a~2 \\",
            "\x00\ud800\uffff\u202e",
            "((((((((" * 50,
            "brain " * 1_600,
            "脑" * 9_000,
        ],
        ids=range(12),
    )
    def test_no_text_is_an_error(self, index: Backend, text: str) -> None:
        index.write(LIBRARY)
        answer = index.search(ask(text))
        assert answer.total == len(answer.hits)
        assert index.search(ask(prefix=text[:200])).total >= 0

    def test_the_operators_of_a_query_language_are_words(self, index: Backend) -> None:
        index.write([case("a", "not near"), case("b", "brain")])
        assert found(index, ask("NOT NEAR")) == ["a"]

    def test_an_empty_index_answers(self, index: Backend) -> None:
        answer = index.search(ask("brain", facets=(Facet("level"),)))
        assert (answer.total, answer.hits, answer.after) == (0, (), None)
        assert answer.facets == {"level": ()}

    def test_excluded_documents_count_nowhere(self, index: Backend) -> None:
        index.write(LIBRARY)
        request = ask(exclude=frozenset({"lung"}), facets=(Facet("level"),))
        answer = index.search(request)
        assert (answer.total, answer.facets["level"]) == (2, (("easy", 1),))

    def test_a_document_comes_back_as_it_went_in(self, index: Backend) -> None:
        index.write(LIBRARY)
        assert index.search(ask("adenocarcinoma")).hits[0].document == LUNG

    def test_every_error_has_a_status(self, index: Backend) -> None:
        index.write(LIBRARY)
        with pytest.raises(SearchError) as caught:
            index.search(Request(audience=EVERYONE, after="nonsense"))
        assert caught.value.status == 400
