"""Every text of the pages is there in every language."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from rounds_hub.catalogue.models import utc_now
from rounds_hub.portal import catalog
from rounds_hub.portal.languages import LANGUAGES, Language
from rounds_hub.portal.rendering import TEMPLATES, measured, unit_of

OTHERS = [tag for tag in LANGUAGES if tag != "en"]
WORD = re.compile(r"[A-Za-z]{3,}")
TAGS = re.compile(r"<svg.*?</svg>|<!--.*?-->|<[^>]*>|\{#.*?#\}|\{%.*?%\}", re.DOTALL)
EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
TRANSLATED = re.compile(r"\{% trans.*?\{% endtrans %\}", re.DOTALL)
ATTRIBUTES = re.compile(
    r"\{% macro (?:marks|described|go)\(.*?\{% endmacro %\}", re.DOTALL
)
NAMES = {"Rounds", "Python", "BSD", "Clause", "Page", "Ctrl", "SEG", "ipynb"}


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_lacks_a_translation(language: str) -> None:
    assert catalog.missing(language) == []


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_of_a_text_that_is_gone(language: str) -> None:
    wanted = {message.id for message in catalog.extracted()}
    assert [one.id for one in catalog.read(language) if one.id not in wanted] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_keeps_the_places_to_fill(language: str) -> None:
    place = re.compile(r"%\(\w+\)s")
    for message in catalog.read(language):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        words = message.string or ""
        texts = [words] if isinstance(words, str) else list(words)
        expected = set(place.findall(ids[-1]))
        assert all(set(place.findall(text)) == expected for text in texts if ids[-1])


@pytest.mark.parametrize(
    "name", sorted(str(p.relative_to(TEMPLATES)) for p in TEMPLATES.rglob("*.html"))
)
def test_a_template_has_no_unmarked_words(name: str) -> None:
    source = (TEMPLATES / name).read_text(encoding="utf-8")
    plain = EXPRESSION.sub(" ", TRANSLATED.sub(" ", ATTRIBUTES.sub("", source)))
    assert [
        word for word in WORD.findall(TAGS.sub(" ", plain)) if word not in NAMES
    ] == []


def test_extraction_finds_words_of_templates_and_of_modules() -> None:
    found = {message.id for message in catalog.extracted()}
    assert {"Skip to the content", "Soft tissue", "No space left"} <= found


@pytest.mark.parametrize(
    ("language", "value", "shown"),
    [
        pytest.param("en", 4811.83, "4812", id="hundreds need no decimals"),
        pytest.param("en", 38.62, "38.6", id="tens have one"),
        pytest.param("en", 0.031456, "0.0315", id="small ones keep three digits"),
        pytest.param("zh", 1234567, "1\u202f234\u202f567", id="large ones are grouped"),
    ],
)
def test_a_measurement_has_sensible_digits(
    language: str, value: float, shown: str
) -> None:
    assert measured(Language(language), value) == shown


def test_a_unit_is_written_as_people_do() -> None:
    assert [unit_of(one) for one in ("mL", "%", "1")] == ["\u202fml", "\u202f%", ""]


def test_a_duration_has_one_decimal_and_is_never_nothing() -> None:
    shown = [Language("en").seconds(one) for one in (2, 0.34, 0.01)]
    assert shown == ["2.0\u202fs", "0.3\u202fs", "< 0.1\u202fs"]


def test_an_old_moment_is_a_day_and_a_new_one_is_ago() -> None:
    old = datetime(2024, 2, 29, tzinfo=UTC)
    assert Language("en").ago(old) == "29 Feb 2024"
    assert Language("zh").ago(old) == "2024年2月29日"
    assert Language("en").ago(utc_now() - timedelta(hours=3)) == "3 hours ago"
