"""Vectors of words follow the document whose words they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_hub.indexing.entries import Entries
from rounds_hub.indexing.meanings import meaning_entry, meaning_id
from rounds_search.documents import Delete, Document, ImageDocument
from rounds_search.meaning import MEANING, encode_texts, has_meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House

    AddCase = Callable[..., str]

pytestmark = pytest.mark.skipif(
    not has_meaning(), reason="the extra meaning is not installed"
)
LEARNERS = frozenset({"role:student"})


def document(**changed: object) -> Document:
    known = {
        "id": "c1",
        "kind": "case",
        "revision": 7,
        "title": "",
        "audience": LEARNERS,
    }
    return Document(**(known | changed))  # type: ignore[arg-type] # any field


def test_the_vectors_are_of_the_documents_own_words_and_audience() -> None:
    made = meaning_entry(document(title="Ball"))
    assert isinstance(made, ImageDocument)
    assert (made.id, made.case_ids) == (meaning_id("c1"), ("c1",))
    assert (made.audience, made.encoder) == (LEARNERS, MEANING)
    assert made.vectors[0] == pytest.approx(encode_texts(["Ball"])[0], abs=1e-4)


def test_what_is_gone_or_says_nothing_has_no_vectors() -> None:
    gone = Delete(meaning_id("c1"), 7, pictures=True)
    assert meaning_entry(Delete("c1", 7)) == gone
    assert meaning_entry(document()) == gone


def test_a_case_brings_its_meaning_only_where_that_is_wanted(
    any_house: House, add_case: AddCase
) -> None:
    add_case("c1", "everyone")
    kinds = {}
    for wanted in (False, True):
        any_house.settings.search_by_meaning = wanted
        with any_house.sessions.begin(write=False) as session:
            found = Entries(any_house, session, 7).changed_by("case", "c1")
        kinds[wanted] = {kind for kind, _ in found}
    assert kinds[True] - kinds[False] == {"meaning", "masked meaning"}
