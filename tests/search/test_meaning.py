"""What words mean, by the real model."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds_search import Request, SqliteBackend, VectorQuery
from rounds_search.meaning import (
    MAX_CHARACTERS,
    MAX_PASSAGES,
    MEANING,
    encode_texts,
    has_meaning,
    meaning_leg,
    passages,
)
from rounds_search.testing.library import EVERYONE, case, pictures

if TYPE_CHECKING:
    from pathlib import Path

installed = pytest.mark.skipif(
    not has_meaning(), reason="the extra meaning is not installed"
)


@installed
def test_the_network_is_the_one_that_was_published() -> None:
    # As the authors' own library gives them for this sentence.
    known = [0.0676569, 0.0634959, 0.0487131, 0.0793049, 0.0374480]
    made = encode_texts(["This is an example sentence"])
    assert made[0][:5] == pytest.approx(known, abs=1e-4)
    assert np.linalg.norm(made[0]) == pytest.approx(1, abs=1e-5)


@installed
def test_a_text_is_the_same_alone_and_among_longer_ones() -> None:
    alone = encode_texts(["A ring-enhancing lesion."])[0]
    among = encode_texts(["word " * 200, "A ring-enhancing lesion."])[1]
    assert among == pytest.approx(alone, abs=1e-4)


@installed
def test_words_like_these_find_what_has_other_words(tmp_path: Path) -> None:
    told = {"a": "A broken thigh bone.", "b": "Enlarged heart on the chest film."}
    with closing(SqliteBackend(tmp_path)) as index:
        index.ensure()
        index.write(case(name, text) for name, text in told.items())
        index.write(
            pictures(name, encode_texts([text]), encoder=MEANING, id=f"{name}:meaning")
            for name, text in told.items()
        )
        leg = meaning_leg("fracture of the femur")
        assert leg is not None
        answer = index.search(Request(audience=EVERYONE, vectors=(leg,)))
    assert [hit.id for hit in answer.hits] == ["a", "b"]
    assert answer.hits[0].ranks == {"meaning": 1}


@installed
def test_a_chinese_question_is_asked_in_english() -> None:
    chinese, english = meaning_leg("脑脓肿"), meaning_leg("brain abscess")
    assert isinstance(chinese, VectorQuery)
    assert isinstance(english, VectorQuery)
    assert chinese == english


@installed
@pytest.mark.parametrize("text", ["", " ", "不知所云", "\x00", "\u202e"])
def test_what_says_nothing_has_no_leg_or_one_that_is_sound(text: str) -> None:
    leg = meaning_leg(text)
    assert leg is None or leg.encoder == MEANING


def test_passages_are_bounded() -> None:
    told = passages({"title": "t" * 900, "findings": "A word. " * 90_000})
    assert len(told) <= MAX_PASSAGES
    assert all(len(one) <= MAX_CHARACTERS + 210 for one in told)


def test_a_passage_ends_with_a_sentence() -> None:
    told = passages(
        {"findings": "Nine short words stand in this one sentence here. " * 40}
    )
    assert all(one.endswith(".") for one in told)
