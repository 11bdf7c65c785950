"""That nobody learns of what they may not see, by any door."""
# ruff: noqa: D102, S101 - tests: their names are their documentation

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds_search.errors import UnknownDocumentError
from rounds_search.requests import Facet, Request, Term, VectorQuery
from rounds_search.testing.library import ENCODER, axis, case, pictures

if TYPE_CHECKING:
    from rounds_search.backends.base import Backend
    from rounds_search.documents import Answer, Document

__all__ = ["PermissionContract"]

PUPIL = frozenset({"everyone", "user:pupil", "role:student"})
OWNER = frozenset({"everyone", "user:owner", "role:doctor"})
HIDDEN = frozenset({"user:owner", "role:admin"})
SECRET = case(
    "secret",
    "Hidden hemangioma",
    text={"diagnosis": "zebra disease"},
    facets={"modality": ("XA",), "level": ("hard",)},
    codes=("SECRET-CODE",),
    audience=HIDDEN,
)
OPEN = case("open", "Open hemangioma", facets={"modality": ("CT",)})
LIBRARY = (
    SECRET,
    OPEN,
    pictures("secret", axis(0), audience=HIDDEN),
    pictures("open", axis(1)),
)
EVERY_FACET = tuple(map(Facet, ("modality", "level", "code", "kind", "language")))


def pupil(**wanted: Any) -> Request:  # noqa: ANN401 - any field
    """Return what the pupil asks."""
    return Request(**({"audience": PUPIL, "facets": EVERY_FACET} | wanted))


DOORS = [
    pytest.param({}, id="browsing"),
    pytest.param({"text": "hemangioma"}, id="words"),
    pytest.param({"text": "zebra"}, id="words of the hidden one only"),
    pytest.param({"text": "zebra hemangioma"}, id="relaxed words"),
    pytest.param({"text": "血管瘤"}, id="synonyms"),
    pytest.param({"prefix": "hid"}, id="prefix"),
    pytest.param({"where": (Term("modality", ("XA",)),)}, id="filter"),
    pytest.param({"where": (Term("code", ("SECRET-CODE",)),)}, id="code"),
    pytest.param({"where": (Term("modality", ("CT", "XA")),)}, id="own filter"),
    pytest.param({"sort": "title"}, id="titles"),
    pytest.param({"vectors": (VectorQuery(ENCODER, axis(0)),)}, id="picture"),
    pytest.param({"vectors": (VectorQuery(ENCODER, like="open"),)}, id="similar"),
    pytest.param(
        {"text": "zebra", "vectors": (VectorQuery(ENCODER, axis(0)),)}, id="both"
    ),
]


class PermissionContract:
    """Hits, totals, facets, suggestions, similar cases and errors."""

    @pytest.mark.parametrize("wanted", DOORS)
    def test_nothing_hidden_shows(
        self, index: Backend, wanted: dict[str, object]
    ) -> None:
        index.write(LIBRARY)
        answer = index.search(pupil(**wanted))
        assert {hit.id for hit in answer.hits} <= {"open"}
        assert answer.total == len(answer.hits)
        values = [value for pairs in answer.facets.values() for value, _ in pairs]
        assert not {"XA", "hard", "SECRET-CODE"} & set(values)
        assert "hidden" not in " ".join(answer.suggestions).lower()

    @pytest.mark.parametrize("wanted", DOORS)
    def test_an_answer_is_as_if_it_were_not_there(
        self, index: Backend, wanted: dict[str, object]
    ) -> None:
        index.write(LIBRARY)
        with_secret = _told(index.search(pupil(**wanted)))
        index.rebuild(LIBRARY[1::2])
        assert _told(index.search(pupil(**wanted))) == with_secret

    @pytest.mark.parametrize("wanted", DOORS)
    def test_an_empty_audience_sees_nothing(
        self, index: Backend, wanted: dict[str, object]
    ) -> None:
        index.write([LIBRARY[1], LIBRARY[3], case("nobody", audience=frozenset())])
        request = pupil(**wanted, audience=frozenset())
        if any(leg.like for leg in request.vectors):
            with pytest.raises(UnknownDocumentError):
                index.search(request)
            return
        answer = index.search(request)
        assert (answer.hits, answer.total, answer.suggestions) == ((), 0, ())
        assert not any(answer.facets.values())

    def test_the_owner_sees_it(self, index: Backend) -> None:
        index.write(LIBRARY)
        answer = index.search(Request(text="zebra", audience=OWNER))
        assert [hit.id for hit in answer.hits] == ["secret"]

    def test_like_a_hidden_case_is_like_a_missing_one(self, index: Backend) -> None:
        index.write(LIBRARY)
        with pytest.raises(UnknownDocumentError) as hidden:
            index.search(pupil(vectors=(VectorQuery(ENCODER, like="secret"),)))
        with pytest.raises(UnknownDocumentError) as missing:
            index.search(pupil(vectors=(VectorQuery(ENCODER, like="absent"),)))
        assert str(hidden.value).replace("secret", "absent") == str(missing.value)

    def test_hidden_pictures_lead_to_no_open_case(self, index: Backend) -> None:
        index.write([*LIBRARY, pictures("open", axis(2), id="x", audience=HIDDEN)])
        leg = VectorQuery(ENCODER, axis(2), at_least=0.5)
        assert index.search(pupil(vectors=(leg,))).hits == ()

    def test_hidden_pictures_are_no_question(self, index: Backend) -> None:
        mine = pictures("open", axis(0), audience=HIDDEN)
        index.write([OPEN, case("other"), mine, pictures("other", axis(0))])
        leg = VectorQuery(ENCODER, like="open")
        assert index.search(pupil(vectors=(leg,))).hits == ()

    def test_random_searches_agree_with_a_plain_list(self, index: Backend) -> None:
        chance = np.random.default_rng(11)
        library = [_random_case(at, chance) for at in range(120)]
        index.write(library)
        for _ in range(150):
            request = _random_request(chance)
            answer = index.search(request)
            assert _counted(answer) == _expected(library, request)


def _told(answer: Answer) -> tuple[object, ...]:
    """Return what *answer* tells, but for scores: they follow the whole library."""
    hits = [(hit.id, hit.ranks, hit.highlights, hit.pictures) for hit in answer.hits]
    return hits, answer.total, answer.facets, answer.suggestions, answer.relaxed


MEMBERS = ("everyone", "role:student", "role:doctor", "group:a", "group:b")
MODALITIES = ("CT", "MR", "US")
WORDS = ("nodule", "effusion", "fracture", "tear")


def _some(chance: np.random.Generator, names: tuple[str, ...], most: int) -> list[str]:
    size = int(chance.integers(0, most + 1))
    return [str(one) for one in chance.choice(names, size, replace=False)]


def _random_case(at: int, chance: np.random.Generator) -> Document:
    return case(
        f"c{at:03}",
        " ".join(_some(chance, WORDS, 3)) or "empty",
        audience=frozenset(_some(chance, MEMBERS, 2)),
        facets={"modality": tuple(_some(chance, MODALITIES, 2))},
    )


def _random_request(chance: np.random.Generator) -> Request:
    values = tuple(_some(chance, MODALITIES, 2))
    return Request(
        text=" ".join(_some(chance, WORDS, 1)),
        audience=frozenset(_some(chance, MEMBERS, 3)),
        where=(Term("modality", values),) if values else (),
        facets=(Facet("modality"), Facet("kind")),
        size=200,
        expand=False,
    )


def _counted(answer: Answer) -> tuple[list[str], int, dict[str, int], int]:
    ids = sorted(hit.id for hit in answer.hits)
    kinds = dict(answer.facets["kind"]).get("case", 0)
    return ids, answer.total, dict(answer.facets["modality"]), kinds


def _expected(
    library: list[Document], request: Request
) -> tuple[list[str], int, dict[str, int], int]:
    seen = [
        one
        for one in library
        if one.audience & request.audience and request.text in one.title
    ]
    wanted = {value for term in request.where for value in term.values}
    shown = [
        one.id for one in seen if not wanted or wanted & set(one.values("modality"))
    ]
    counts = {
        name: sum(name in one.values("modality") for one in seen) for name in MODALITIES
    }
    counts = {name: count for name, count in counts.items() if count}
    return sorted(shown), len(shown), counts, len(shown)
