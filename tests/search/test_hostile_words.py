"""Whatever is typed is plain words, or is refused in a sentence."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rounds_search import SqliteBackend
from rounds_search.analyzer import stem_phrase, stems
from rounds_search.backends.worded import WordedBackend
from rounds_search.errors import RequestError
from rounds_search.queries import parse
from rounds_search.testing.library import ask, case
from rounds_search.vocabulary import Shelf, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECES = (
    *('"', "''", "NEAR(a b, 3)", "AND", "OR NOT", "a*", "^title", "- {title} : x"),
    *(
        "title:brain",
        "a~2",
        "a^9",
        "[a TO z]",
        "/.*/",
        "(a|b)+",
        "\\",
        "{",
        "?x*",
        "&&",
    ),
    *(
        "\x00",
        "\x1b[2J",
        "\u202eniarb",
        "\u200b",
        "\ufeff",
        "\ud800",
        "\uffff",
        "\u0301",
    ),
    *(
        "脑",
        "脓肿",
        "ICD10 C34",
        "RADLEX:RID",
        "ms",
        "=US",
        "[",
        "|",
        "#",
        "%",
        "é",
        "ﷺ",
    ),
    *("'; DROP TABLE words; --", "${jndi:x}", "<script>", "../..", "brain", "wernike"),
)
TYPED = st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)
ANYTHING = st.one_of(TYPED, st.text(max_size=120))
PATIENT = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TABLE = "code\tname\tparents\nC34\tLung (| [x] #\t\nC34.1\tLobe\tC34\n"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WordedBackend]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    (folder / "own" / "codes").mkdir(parents=True)
    (folder / "own" / "codes" / "ICD10.tsv").write_text(TABLE, encoding="utf-8")
    (folder / "own" / "bad.txt").write_bytes(b"\xff\xfe | \x00 | [ | = | # \n" * 50)
    shelf = Shelf(folder / "own")
    with closing(WordedBackend(SqliteBackend(folder / "index"), shelf)) as made:
        made.ensure()
        made.write([case("a", "Brain abscess"), case("b", "脑脓肿")])
        yield made


@given(ANYTHING, ANYTHING)
@example('"' * 300, "\x00")
@PATIENT
def test_any_text_is_answered(index: WordedBackend, text: str, prefix: str) -> None:
    answer = index.search(ask(text, prefix=prefix[:200]))
    assert answer.total >= len(answer.hits)
    assert len(answer.corrections) <= 3


@given(st.frozensets(ANYTHING, max_size=4))
@PATIENT
def test_any_synonyms_can_be_left_out(without: frozenset[str]) -> None:
    assert parse("brain MRI", without=without).clauses


@pytest.mark.parametrize("field", ["text", "prefix"])
def test_a_megabyte_is_refused_with_what_would_work(field: str) -> None:
    with pytest.raises(RequestError, match=r"length of .* must be 0 to \d+, got"):
        ask(**{field: "brain " * 170_000})


@given(ANYTHING)
@PATIENT
def test_stems_hold_nothing_that_a_query_language_could_read(text: str) -> None:
    for token in (*stems(text).split(), *stem_phrase(text)):
        assert re.fullmatch(r"[^\W_]+(?:\.[^\W_]+)?|\.", token), token


@given(st.lists(st.text(max_size=60), max_size=6))
@PATIENT
def test_no_file_of_synonyms_breaks_a_search(lines: list[str]) -> None:
    from rounds_search.thesaurus import Thesaurus

    known = Vocabulary(Thesaurus.of(lines))
    for line in lines:
        parse(line, known=known)


def test_many_children_are_a_bounded_question(tmp_path: Path) -> None:
    rows = "".join(f"C34.{at}\tPart {at}\tC34\n" for at in range(5_000))
    (tmp_path / "codes").mkdir()
    table = f"code\tname\tparents\nC34\tLung\t\n{rows}"
    (tmp_path / "codes" / "ICD10.tsv").write_text(table, encoding="utf-8")
    known = Shelf(tmp_path).vocabulary()
    (clause,) = parse("ICD10 C34", known=known).clauses
    assert len(clause.added) == 201
    assert len(known.codes.under(("ICD10:C34",))) == 5_001
