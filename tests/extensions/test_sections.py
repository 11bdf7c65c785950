"""The sections of a case as a notebook shows them."""

from __future__ import annotations

from rounds.html import section


def test_an_answer_is_closed_until_one_opens_it() -> None:
    assert section("Diagnosis", "Glioma", closed=True).startswith("<details")


def test_a_history_is_open() -> None:
    assert "<details" not in section("History", "Headache")


def test_what_somebody_wrote_is_text() -> None:
    assert "<b>" not in section("Findings", "<b>5 < 6</b>", closed=True)
