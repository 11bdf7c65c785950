"""Parameters are data: right values pass unchanged, all others are refused by name."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from rounds_hub.errors import InvalidError
from rounds_hub.runs.parameters import parse_form, validate
from rounds_hub.runs.schema import Schema

SIDES = [{"value": one, "label": {"en": one}} for one in ("both", "left")]
HU = {"minimum": -1000, "maximum": -200, "unit": "[hnsf'U]"}
DECLARED: dict[str, dict[str, Any]] = {
    "threshold": {"type": "float", "default": -400.0, **HU},
    "count": {"type": "int", "default": 3, "minimum": 0, "maximum": 9},
    "separate": {"type": "bool", "default": True},
    "side": {"type": "choice", "default": "both", "choices": SIDES},
    "note": {"type": "string", "default": "", "max_length": 20},
    "free": {"type": "float", "default": 0.0},
}
SCHEMA = Schema.model_validate(
    {
        "name": "trial",
        "version": "1",
        "organ": "test",
        "title": {"en": "Trial"},
        "summary": {"en": "A trial."},
        "inputs": [{"name": "ct", "modality": ["CT"], "label": {"en": "CT"}}],
        "outputs": {},
        "parameters": [
            {"name": name, "label": {"en": name}, "help": {"en": name}, **rest}
            for name, rest in DECLARED.items()
        ],
    }
)

RIGHT = [
    pytest.param({}, id="nothing given"),
    pytest.param({"threshold": -500.5}, id="a float"),
    pytest.param({"threshold": -1000}, id="a whole number for a float, at the bound"),
    pytest.param({"threshold": -200.0}, id="the other bound"),
    pytest.param({"count": 0}, id="zero"),
    pytest.param({"count": 9}, id="the greatest whole number"),
    pytest.param({"separate": False}, id="no"),
    pytest.param({"side": "left"}, id="a choice"),
    pytest.param({"note": "naïve 肺 ✓"}, id="a text of many scripts"),
    pytest.param({"note": '"; import os #'}, id="a text that looks like code"),
    pytest.param({"note": "{note.__class__}"}, id="a text that looks like a format"),
    pytest.param({"note": "../../../etc/x"}, id="a text that looks like a path"),
    pytest.param({"note": "two\nlines\tand a tab"}, id="lines and a tab"),
    pytest.param({"free": 1e308}, id="a huge float"),
    pytest.param({"free": 5e-324}, id="a tiny float"),
    pytest.param({"free": 2**53}, id="the largest exact whole number"),
]

WRONG = [
    *(
        pytest.param({"threshold": value}, "threshold", id=f"float {name}")
        for name, value in {
            "below": -1000.1,
            "above": 0,
            "NaN": math.nan,
            "infinite": math.inf,
            "minus infinite": -math.inf,
            "as a text": "-400",
            "as a bool": True,
            "null": None,
            "as a list": [-400],
            "as an object": {"a": -400},
            "as bytes": b"-400",
        }.items()
    ),
    *(
        pytest.param({"count": value}, "count", id=f"int {name}")
        for name, value in {
            "as a float": 3.0,
            "as a bool": True,
            "as a text": "3",
            "negative": -1,
            "above": 10,
            "of 5000 digits": 10**5000,
            "null": None,
            "NaN": math.nan,
        }.items()
    ),
    *(
        pytest.param({"separate": value}, "separate", id=f"bool {name}")
        for name, value in {
            "as one": 1,
            "as zero": 0,
            "as a text": "true",
            "null": None,
        }.items()
    ),
    *(
        pytest.param({"side": value}, "side", id=f"choice {name}")
        for name, value in {
            "unknown": "right",
            "empty": "",
            "in capitals": "LEFT",
            "with a space": "left ",
            "a list": ["left"],
            "a number": 1,
        }.items()
    ),
    *(
        pytest.param({"note": value}, "note", id=f"string {name}")
        for name, value in {
            "too long": "x" * 21,
            "with NUL": "a\x00b",
            "with an escape": "a\x1b[31m",
            "with a lone surrogate": "a\ud800",
            "a number": 3,
            "a list": ["a"],
            "null": None,
        }.items()
    ),
    *(
        pytest.param({name: 1}, name[:80], id=f"name {what}")
        for what, name in {
            "a typo": "treshold",
            "of a builtin": "print",
            "with code after a line": "a = 1\nimport os; os._exit(1)\nb",
            "with a semicolon": "a=1;import os;b",
            "with an annotation": "a: __import__('os').getpid()",
            "with an index": "x[0:0]",
            "of another case": "Threshold",
            "empty": "",
            "a dunder": "__builtins__",
            "the one papermill gets": "parameters",
            "a format": "{alpha.__class__.__mro__}",
            "a path": "../../x",
            "of a kilobyte": "x" * 1024,
            "with a full-width letter": "\uff54hreshold",
        }.items()
    ),
    pytest.param({"free": 2**53 + 1}, "free", id="float not exact"),
    pytest.param({"free": 10**400}, "free", id="float of 400 digits"),
]


@pytest.mark.parametrize("given", RIGHT)
def test_a_right_value_passes_unchanged(given: dict[str, Any]) -> None:
    values = validate(SCHEMA, given)
    assert {name: values[name] for name in given} == given


@pytest.mark.parametrize("given", RIGHT)
def test_what_passes_survives_json(given: dict[str, Any]) -> None:
    values = validate(SCHEMA, given)
    assert json.loads(json.dumps(values, allow_nan=False)) == values


@pytest.mark.parametrize(("given", "place"), WRONG)
def test_a_wrong_value_is_refused_by_name(given: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidError) as refused:
        validate(SCHEMA, given)
    assert list(refused.value.problems) == [place]


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(InvalidError) as refused:
        validate(SCHEMA, {"threshold": 0, "count": 2.5, "typo": 1})
    assert sorted(refused.value.problems) == ["count", "threshold", "typo"]


def test_a_refusal_says_what_would_work() -> None:
    with pytest.raises(InvalidError, match=r"0 is outside -1000 to -200 \[hnsf'U\]"):
        validate(SCHEMA, {"threshold": 0})


def test_a_whole_number_for_a_float_becomes_one() -> None:
    assert isinstance(validate(SCHEMA, {"threshold": -500})["threshold"], float)


def test_minus_zero_is_the_same_request_as_zero() -> None:
    assert math.copysign(1, float(validate(SCHEMA, {"free": -0.0})["free"])) == 1


def test_a_form_gives_typed_values() -> None:
    form = {"threshold": " -450.5 ", "count": "4", "separate": "on", "note": "a\r\nb"}
    assert parse_form(SCHEMA, {**form, "side": "left"}) == {
        "threshold": -450.5,
        "count": 4,
        "separate": True,
        "side": "left",
        "note": "a\nb",
    }


def test_an_empty_field_gets_the_default_and_an_unticked_box_is_no() -> None:
    parsed = parse_form(SCHEMA, {"threshold": "", "count": " ", "side": ""})
    assert parsed == {"separate": False, "note": ""}


def test_fields_may_have_a_prefix() -> None:
    parsed = parse_form(SCHEMA, {"p.count": "4", "count": "5"}, prefix="p.")
    assert parsed["count"] == 4


@pytest.mark.parametrize(
    "text", ["4,5", "1_000", "0x10", "nan", "inf", "\uff14", "--1", "1e"]
)
def test_a_form_field_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_form(SCHEMA, {"threshold": text, "count": text})
    assert sorted(refused.value.problems) == ["count", "threshold"]


def test_a_form_field_that_overflows_is_refused_when_validated() -> None:
    with pytest.raises(InvalidError, match="free: inf is not a finite number"):
        validate(SCHEMA, parse_form(SCHEMA, {"free": "1e999"}))
