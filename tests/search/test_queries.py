from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import resources

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
    assert len(terms) > 3_000
    assert all(len(one.terms) > 1 for senses in terms.values() for one in senses)


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


def test_there_are_at_least_five_hundred_sets() -> None:
    file = resources.files("rounds_search").joinpath("data", "medical.txt")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert sum(bool(line) and not line.startswith("#") for line in lines) >= 500


def test_a_term_is_in_one_set_alone() -> None:
    # Near kin that share a stem; any other term in two sets would be a wrong pair.
    kin = {("malign",), ("enhanc",)}
    twice = {key for key, senses in medical().terms.items() if len(senses) > 1}
    assert twice <= kin


@pytest.mark.parametrize(
    ("text", "source", "meant"),
    [
        pytest.param("PE of the lung", "PE", "pulmonary embolism", id="beside lung"),
        pytest.param("PE unremarkable", "PE", None, id="physical examination"),
        pytest.param("ms plaque", "ms", "multiple sclerosis", id="beside plaque"),
        pytest.param("MS 脱髓鞘", "MS", "multiple sclerosis", id="beside Chinese"),
        pytest.param("tell us", "us", None, id="no ultrasound"),
        pytest.param("US kidney", "US", "ultrasound", id="ultrasound"),
        pytest.param("hepatitis", "hepatitis", "肝炎", id="no liver"),
    ],
)
def test_an_abbreviation_has_its_meaning_in_context_only(
    text: str, source: str, meant: str | None
) -> None:
    added = parse(text).expansions().get(source, ())
    assert (meant in added) if meant else not added


def test_what_is_ambiguous_is_never_added() -> None:
    assert "pe" not in parse("pulmonary embolism").clauses[0].added


def test_synonyms_can_be_left_out_one_by_one() -> None:
    (clause,) = parse("MRI", without={"核磁", "NMR"}).clauses
    assert "磁共振" in clause.added
    assert not {"核磁", "nmr"} & set(clause.added)


def test_a_sites_own_sets_have_the_same_form() -> None:
    own = Thesaurus.of(["# comment", "", "lonely", "spleen | milt # animal"])
    assert own.longest(list(units("Milts")), 0) == (1, ("spleen",))
    assert own.longest(list(units("lonely")), 0) == (0, ())
