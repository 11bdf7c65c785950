"""What a case may hold, field by field."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from rounds_hub.cases.codes import SCHEMES, checked_codes, parse_codes
from rounds_hub.cases.content import FIELDS, LONGEST_TEXT, LONGEST_TITLE, checked
from rounds_hub.cases.models import Case
from rounds_hub.cases.views import texts
from rounds_hub.errors import InvalidError

GOOD_CODE = {"value": "C78.0", "scheme": "ICD10", "meaning": "Metastasis of lung"}


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        pytest.param("title", "  Two\n words ", "Two words", id="a title is one line"),
        pytest.param(
            "findings", "a\r\nb\rc ", "a\nb\nc", id="line ends become one kind"
        ),
        pytest.param("body_part", "THORAX", "chest", id="DICOM's part in our words"),
        pytest.param("language", "zh-Hans", "zh-Hans", id="a language with script"),
        pytest.param("level", "advanced", "advanced", id="a level"),
        pytest.param("codes", [GOOD_CODE] * 2, [GOOD_CODE], id="a code once"),
        pytest.param(
            "translations",
            {"zh": {"title": " 脑 ", "history": ""}},
            {"zh": {"title": "脑"}},
            id="empty translations fall away",
        ),
        pytest.param(
            "audience",
            ["role:student", "everyone", "everyone"],
            ["everyone", "role:student"],
            id="audiences sorted, once each",
        ),
    ],
)
def test_a_field_is_kept_tidy(field: str, value: object, kept: object) -> None:
    assert checked({field: value}) == {field: kept}


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        pytest.param(
            "title", "x" * (LONGEST_TITLE + 1), "at most 200", id="long title"
        ),
        pytest.param("history", "x" * (LONGEST_TEXT + 1), "at most", id="long text"),
        pytest.param("history", "a\x00b", "no text", id="zero byte"),
        pytest.param("history", "a\ud800b", "no text", id="half a character"),
        pytest.param("history", 7, "must be text", id="a number"),
        pytest.param("level", "easy", "none of primary", id="unknown level"),
        pytest.param("level", [], "none of primary", id="a list as level"),
        pytest.param("language", "english", "no language tag", id="no tag"),
        pytest.param("audience", "everyone", "must be a list", id="a bare string"),
        pytest.param("audience", ["public"], "no audience", id="unknown audience"),
        pytest.param("audience", ["role:"], "no audience", id="nobody's role"),
        pytest.param("series", ["1.2", "1.2"], "twice", id="series twice"),
        pytest.param("series", ["../x"], "no series UID", id="a path as UID"),
        pytest.param("series", [{"uid": "1", "x": 1}], "each series", id="unknown key"),
        pytest.param("translations", {"zh": {"x": "y"}}, "only", id="unknown text"),
        pytest.param("owner", "me", "no such field", id="owner is not written"),
    ],
)
def test_a_bad_field_is_named(field: str, value: object, why: str) -> None:
    with pytest.raises(InvalidError) as caught:
        checked({field: value, "title": value if field == "title" else "Fine"})
    assert why in caught.value.problems[field]


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        checked({"title": 1, "level": "easy", "codes": "x"})
    assert caught.value.problems.keys() == {"title", "level", "codes"}


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        pytest.param("ICD10", "78.0", id="ICD-10 without a letter"),
        pytest.param("SCT", "12738007", id="SNOMED CT with a wrong check digit"),
        pytest.param("RADLEX", "6434", id="RadLex without RID"),
        pytest.param("LN", "abc", id="LOINC with letters"),
        pytest.param("XYZ", "1", id="no scheme"),
    ],
)
def test_a_code_must_fit_its_scheme(scheme: str, value: str) -> None:
    with pytest.raises(InvalidError):
        checked_codes([{"scheme": scheme, "value": value, "meaning": "x"}])


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(InvalidError, match=r"'XYZ'.*RADLEX, SCT, ICD10"):
        checked_codes([{"scheme": "xyz", "value": "1", "meaning": "x"}])


def test_codes_are_read_from_lines() -> None:
    read = parse_codes("ICD10 C78.0 Metastasis of lung\n\n")
    assert read == [GOOD_CODE]


def test_a_line_that_is_no_code_is_quoted() -> None:
    with pytest.raises(InvalidError, match="'ICD10 C78' is no code"):
        parse_codes("ICD10 C78")


def test_every_scheme_has_a_name_for_people() -> None:
    assert all(name and form.pattern for name, form in SCHEMES.values())


CASE = Case(
    title="Brain",
    history="Old",
    language="en",
    translations={"zh": {"title": "脑"}, "zh-Hant": {"title": "腦"}},
)


@pytest.mark.parametrize(
    ("language", "title", "history"),
    [
        pytest.param("en", "Brain", "Old", id="its own"),
        pytest.param("zh", "脑", "Old", id="what is not translated is as written"),
        pytest.param("zh-Hant", "腦", "Old", id="the exact tag first"),
        pytest.param("zh-CN", "脑", "Old", id="a variant falls back"),
        pytest.param("en-GB", "Brain", "Old", id="a variant of its own language"),
        pytest.param("fr", "Brain", "Old", id="an unknown language"),
    ],
)
def test_texts_come_in_the_language_asked_for(
    language: str, title: str, history: str
) -> None:
    told = texts(CASE, language)
    assert (told.title, told.history) == (title, history)


ANY_JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(),
    lambda inner: (
        strategies.lists(inner, max_size=4)
        | strategies.dictionaries(
            strategies.sampled_from(["uid", "label", "value", "scheme", "title", "zh"])
            | strategies.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(name=strategies.sampled_from(sorted(FIELDS)), value=ANY_JSON)
def test_whatever_is_sent_is_kept_or_named(name: str, value: object) -> None:
    problems: set[str] = set()
    kept: dict[str, object] = {}
    try:
        kept = checked({name: value})
    except InvalidError as error:
        problems = set(error.problems)
    assert problems | kept.keys() == {name}
    assert checked(kept) == kept
