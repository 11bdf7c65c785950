from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rounds_search.analyzer import index_forms, index_text, stems
from rounds_search.backends.sqlite.schema import WORDS
from rounds_search.backends.sqlite.words import expression, find
from rounds_search.fields import FIELDS
from rounds_search.queries import Alternative, parse
from rounds_search.thesaurus import Thesaurus, medical, units

SIGNS = "\"'*^:(){}[]+-~\\/.,; ANDORTNEARalung脑脓肿_\x00\u201c\n"
SYNTAX = st.text(st.sampled_from(SIGNS), max_size=60)
TYPED = st.one_of(st.text(max_size=200), SYNTAX)


@pytest.fixture(scope="module")
def words_table() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute(WORDS)
    return connection


@given(TYPED, TYPED, st.booleans())
@settings(deadline=None, max_examples=400)
def test_whatever_is_typed_is_a_valid_expression(
    text: str,
    prefix: str,
    relaxed: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    query = parse(text, prefix=prefix[:200])
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(WORDS)
        if query:
            slots, _ = find(connection, query, relaxed=relaxed)
            assert len(slots) == 0


@given(SYNTAX)
@settings(deadline=None, max_examples=300)
def test_no_character_of_the_query_language_gets_through(text: str) -> None:
    for clause in parse(text).clauses:
        for one in clause.alternatives:
            assert one.tokens
            assert all(
                token and all(c.isalnum() or c == "." for c in token)
                for token in one.tokens
            )


@given(st.text(st.sampled_from("alung mas-脑脓肿3.5 "), max_size=40))
@settings(deadline=None, max_examples=200)
def test_a_text_finds_the_document_that_is_that_text(text: str) -> None:
    query = parse(text, expand=False)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(WORDS)
        made = {"findings": index_text(text), "stems": stems(text)}
        made["forms"] = index_forms([text])
        row = [made.get(name, "") for name in FIELDS]
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO words VALUES ({marks})", row)  # noqa: S608 - marks
        if query:
            assert find(connection, query, relaxed=False)[0].tolist() == [1]


def test_known_words_become_one_clause_with_their_synonyms() -> None:
    (clause,) = parse("brain abscess").clauses
    assert clause.source == "brain abscess"
    assert "脑脓肿" in clause.added
    assert Alternative("all", ("brain", "abscess")) in clause.alternatives


def test_a_chinese_run_is_cut_at_known_words() -> None:
    sources = [clause.source for clause in parse("脑脓肿MRI和肺癌脑转移").clauses]
    assert sources == ["脑脓肿", "MRI", "肺癌", "脑转移"]


def test_a_single_character_inside_a_word_is_no_term() -> None:
    (clause,) = parse("手足口病").clauses
    assert clause.added == ()


def test_a_single_character_beside_a_particle_is_a_term() -> None:
    assert [clause.source for clause in parse("肝的血管瘤").clauses] == ["肝", "血管瘤"]
    assert "liver" in parse("肝的血管瘤").clauses[0].added


def test_compounds_are_wanted_in_a_row_or_in_one_piece() -> None:
    (clause,) = parse("foo-bar").clauses
    assert clause.alternatives == (
        Alternative("phrase", ("foo", "bar")),
        Alternative("stem", ("foo", "bar")),
        Alternative("form", ("foobar",)),
    )


def test_the_same_word_twice_is_one_clause() -> None:
    assert len(parse("lung lung LUNG lung").clauses) <= 2


def test_the_number_of_clauses_is_bounded() -> None:
    text = " ".join(f"w{at}x" for at in range(2_000))
    assert len(parse(text, prefix="abc").clauses) == 33
    assert len(expression(parse(text), relaxed=True)) < 20_000


def test_an_expression_is_built_from_columns_and_quoted_tokens() -> None:
    query = parse("covid7", prefix="hem", expand=False)
    assert expression(query) == (
        '(- {heading_stems stems forms} : "covid7" OR forms : "covid7")'
        ' AND (forms : "hem" *)'
    )


def test_the_medical_sets_are_many_and_well_formed() -> None:
    terms = medical().terms
    assert len(terms) > 700
    assert all(len(others) > 1 for others in terms.values())


@pytest.mark.parametrize(
    ("asked", "other"),
    [
        ("MRI", "磁共振"),
        ("HCC", "肝细胞癌"),
        ("haemorrhage", "出血"),
        ("胸片", "chest radiograph"),
        ("GBM", "glioblastoma"),
        ("X线", "radiograph"),
        ("covid19", "新冠肺炎"),
    ],
)
def test_abbreviations_and_languages_lead_to_each_other(asked: str, other: str) -> None:
    length, others = medical().longest(list(units(asked)), 0)
    assert length == len(list(units(asked)))
    assert other in others


def test_a_sites_own_sets_have_the_same_form() -> None:
    own = Thesaurus.of(["# comment", "", "lonely", "spleen | milt # animal"])
    assert own.longest(list(units("Milts")), 0) == (1, ("spleen",))
    assert own.longest(list(units("lonely")), 0) == (0, ())
