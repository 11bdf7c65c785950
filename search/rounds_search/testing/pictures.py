"""Near pictures, and words and pictures together."""
# ruff: noqa: D102, PLR2004, S101 - tests: their names are their documentation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds_search.errors import (
    DimensionError,
    UnknownDocumentError,
    UnknownEncoderError,
)
from rounds_search.interaction import AWAY
from rounds_search.requests import Facet, Term, VectorQuery
from rounds_search.testing.library import ENCODER, ask, axis, case, found, pictures

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_search.backends.base import Backend

__all__ = ["PicturesContract"]

NEAR_X = np.array([0.9, 0.1, 0.0])
CT = {"modality": ("CT",)}
MR = {"modality": ("MR",)}
LIBRARY = (
    case("x", "alpha", facets=CT),
    case("y", "beta", facets=MR),
    case("xy", "beta alpha", facets={"modality": ("CT", "MR")}),
    pictures("x", axis(0), where=CT),
    pictures("y", axis(1), where=MR),
    pictures("xy", [axis(1), NEAR_X], where=MR),
)


def like(vector: npt.NDArray[np.float32], **changed: Any) -> VectorQuery:  # noqa: ANN401 - any field
    """Return a picture leg that asks for *vector*."""
    return VectorQuery(ENCODER, vector, **changed)


class PicturesContract:
    """What pictures find, alone and with words."""

    def test_the_nearest_comes_first(self, index: Backend) -> None:
        index.write(LIBRARY)
        answer = index.search(ask(vectors=(like(axis(0)),)))
        assert [hit.id for hit in answer.hits] == ["x", "xy", "y"]
        assert [hit.ranks["picture"] for hit in answer.hits] == [1, 2, 3]

    def test_a_hit_says_which_picture_led_to_it(self, index: Backend) -> None:
        index.write(LIBRARY)
        hit = index.search(ask(vectors=(like(axis(0)),))).hits[0]
        assert hit.pictures == {"picture": f"series-of-x:{ENCODER}"}
        assert hit.score == pytest.approx(1.0)

    def test_several_rows_are_compared_late(self, index: Backend) -> None:
        index.write(LIBRARY)
        both = like(np.stack([axis(0), axis(1)]))
        assert found(index, ask(vectors=(both,)))[0] == "xy"

    def test_a_hit_says_which_rows_are_nearest(self, index: Backend) -> None:
        index.write(LIBRARY)
        both = like(np.stack([axis(1), axis(0)]))
        (hit, *_) = index.search(ask(vectors=(both,))).hits
        pairs = [(pair.asked, pair.row) for pair in hit.pairs["picture"]]
        assert (hit.id, pairs) == ("xy", [(0, 0), (1, 1)])
        assert hit.pairs["picture"][1].score == pytest.approx(0.9939, abs=1e-4)

    def test_words_alone_have_no_pairs(self, index: Backend) -> None:
        index.write(LIBRARY)
        assert index.search(ask("alpha")).hits[0].pairs == {}

    @pytest.mark.parametrize(
        ("place", "score"),
        [
            pytest.param(0.25, 1.0, id="the same place"),
            pytest.param(1.0, 1.0 - AWAY, id="far away"),
            pytest.param(None, 1.0, id="an unknown place"),
        ],
    )
    def test_what_lies_elsewhere_counts_less(
        self, index: Backend, place: float | None, score: float
    ) -> None:
        placed = None if place is None else np.array([place], np.float32)
        index.write([case("x"), pictures("x", axis(0), positions=placed)])
        (hit,) = index.search(
            ask(vectors=(like(axis(0), positions=np.array([0.25], np.float32)),))
        ).hits
        assert hit.score == pytest.approx(score, abs=1e-3)

    def test_a_question_without_places_is_asked_of_all(self, index: Backend) -> None:
        index.write(
            [case("x"), pictures("x", axis(0), positions=np.array([1.0], np.float32))]
        )
        (hit,) = index.search(ask(vectors=(like(axis(0)),))).hits
        assert hit.score == pytest.approx(1.0)

    def test_cases_like_a_case_are_compared_by_place(self, index: Backend) -> None:
        rows = np.stack([axis(0), axis(1)])
        index.write(case(name) for name in "abc")
        index.write(
            pictures(name, rows, positions=np.array(placed, np.float32))
            for name, placed in zip("abc", ([0, 1], [1, 0], [0, 1]), strict=True)
        )
        leg = VectorQuery(ENCODER, like="a")
        assert found(index, ask(vectors=(leg,))) == ["c", "b"]

    def test_nearness_equals_brute_force(self, index: Backend) -> None:
        chance = np.random.default_rng(5)
        rows = chance.normal(size=(40, 3, 8)).astype(np.float32)
        index.write(case(f"c{at}") for at in range(40))
        index.write(pictures(f"c{at}", own) for at, own in enumerate(rows))
        index.write(pictures(f"c{at}", rows[at], revision=2) for at in range(0, 40, 3))
        asked = chance.normal(size=(5, 8)).astype(np.float32)
        unit = rows / np.linalg.norm(rows, axis=2, keepdims=True)
        question = asked / np.linalg.norm(asked, axis=1, keepdims=True)
        best = np.einsum("cnd,qd->cnq", unit, question).max(axis=1).mean(axis=1)
        ids = found(index, ask(vectors=(like(asked),), size=40))
        assert ids == [f"c{at}" for at in np.argsort(-best)]

    def test_words_and_pictures_are_fused_by_rank(self, index: Backend) -> None:
        index.write(LIBRARY)
        hits = index.search(ask("alpha", vectors=(like(axis(1)),))).hits
        assert hits[0].id == "xy"
        assert hits[0].ranks == {"text": 2, "picture": 1}

    def test_a_weight_leans_on_one_leg(self, index: Backend) -> None:
        index.write(LIBRARY)
        leaning = ask("alpha", vectors=(like(axis(1), weight=0.01),))
        assert found(index, leaning)[0] == "x"

    def test_two_picture_legs_are_told_apart(self, index: Backend) -> None:
        index.write(LIBRARY)
        legs = (like(axis(0), name="slice"), like(axis(1), name="region"))
        ranks = index.search(ask(vectors=legs)).hits[0].ranks
        assert set(ranks) == {"slice", "region"}

    def test_a_filter_holds_for_the_picture_too(self, index: Backend) -> None:
        # The case has a CT as well, but its pictures here are of the MR.
        index.write(LIBRARY)
        request = ask(vectors=(like(axis(0)),), where=(Term("modality", ("CT",)),))
        assert found(index, request) == ["x"]

    def test_a_filter_the_picture_lacks_is_the_documents(self, index: Backend) -> None:
        index.write([*LIBRARY, pictures("y", axis(0), id="bare")])
        request = ask(vectors=(like(axis(0)),), where=(Term("modality", ("MR",)),))
        assert found(index, request) == ["y", "xy"]

    def test_facets_are_counted_over_the_window(self, index: Backend) -> None:
        index.write(LIBRARY)
        request = ask(vectors=(like(axis(0)),), window=2, facets=(Facet("modality"),))
        answer = index.search(request)
        assert answer.total == 2
        assert answer.facets["modality"] == (("CT", 2), ("MR", 1))

    def test_a_window_is_filled_after_the_filter(self, index: Backend) -> None:
        index.write(LIBRARY)
        request = ask(
            vectors=(like(axis(0)),),
            window=1,
            where=(Term("modality", ("MR",)),),
            facets=(Facet("modality"),),
        )
        answer = index.search(request)
        assert [hit.id for hit in answer.hits] == ["xy"]
        assert answer.facets["modality"] == (("CT", 1),)

    @pytest.mark.parametrize("window", [1, 3, 5])
    def test_a_narrow_window_keeps_the_best_and_ties_by_id(
        self, index: Backend, window: int
    ) -> None:
        names = [f"c{at:02}" for at in range(30)]
        index.write(case(name) for name in names)
        index.write(pictures(name, axis(at % 2)) for at, name in enumerate(names))
        request = ask(vectors=(like(axis(1)),), window=window)
        assert found(index, request) == names[1::2][:window]

    def test_a_leg_that_did_not_find_a_hit_names_no_picture(
        self, index: Backend
    ) -> None:
        index.write(LIBRARY)
        request = ask("beta", vectors=(like(axis(0), at_least=0.99),))
        pictures_of = {hit.id: hit.pictures for hit in index.search(request).hits}
        assert pictures_of["y"] == {}
        assert set(pictures_of["x"]) == {"picture"}

    def test_what_is_too_far_is_no_hit(self, index: Backend) -> None:
        index.write(LIBRARY)
        assert found(index, ask(vectors=(like(axis(0), at_least=0.95),))) == ["x", "xy"]

    def test_cases_like_a_case(self, index: Backend) -> None:
        index.write(LIBRARY)
        leg = VectorQuery(ENCODER, like="x")
        assert found(index, ask(vectors=(leg,))) == ["xy", "y"]

    def test_a_case_without_pictures_is_like_none(self, index: Backend) -> None:
        index.write([*LIBRARY, case("bare")])
        assert found(index, ask(vectors=(VectorQuery(ENCODER, like="bare"),))) == []

    def test_like_an_unknown_case_is_an_error(self, index: Backend) -> None:
        index.write(LIBRARY)
        with pytest.raises(UnknownDocumentError, match="No document 'z'"):
            index.search(ask(vectors=(VectorQuery(ENCODER, like="z"),)))

    def test_one_picture_may_lead_to_two_cases(self, index: Backend) -> None:
        index.write([case("a"), case("b"), pictures("a", axis(0), case_ids=("a", "b"))])
        assert found(index, ask(vectors=(like(axis(0)),))) == ["a", "b"]

    def test_an_unknown_encoder_is_named(self, index: Backend) -> None:
        index.write(LIBRARY)
        with pytest.raises(UnknownEncoderError, match=r"'gone'. Known: contract-3, r"):
            index.search(ask(vectors=(VectorQuery("gone", axis(0)),)))

    def test_a_vector_of_another_length_is_refused(self, index: Backend) -> None:
        index.write(LIBRARY)
        with pytest.raises(DimensionError, match="has 3 numbers, got one of 5"):
            index.search(ask(vectors=(like(axis(0, size=5)),)))

    def test_the_built_in_encoder_is_known_before_pictures(
        self, index: Backend
    ) -> None:
        index.write(LIBRARY)
        leg = VectorQuery("rounds-gist-1", np.ones(368, np.float32))
        assert found(index, ask(vectors=(leg,))) == []
