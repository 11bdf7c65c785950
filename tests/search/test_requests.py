from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rounds_search.documents import FACETS
from rounds_search.errors import LimitError, RequestError
from rounds_search.requests import SORTS, Facet, Request, Term, VectorQuery

EVERYONE = frozenset({"everyone"})
VECTOR = np.array([3.0, 4.0], np.float32)


def test_an_audience_must_be_given() -> None:
    with pytest.raises(TypeError, match="audience"):
        Request(text="lung")  # type: ignore[call-arg]


@pytest.mark.parametrize("audience", [None, "everyone", {"everyone"}, ("everyone",)])
def test_an_audience_is_a_frozenset(audience: Any) -> None:  # noqa: ANN401 - wrong on purpose
    with pytest.raises(TypeError, match="must be a frozenset of strings, got"):
        Request(audience=audience)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"sort": "best"}, r"No sort 'best'. Known: newest, oldest, relevance, title."),
        ({"size": 201}, r"size must be 0 to 200, got 201."),
        ({"size": -1}, r"size must be 0 to 200, got -1."),
        ({"window": 0}, r"window must be 1 to 2000, got 0."),
        ({"text": "x" * 10_001}, r"The length of text must be 0 to 10000"),
        ({"prefix": "x" * 201}, r"The length of prefix must be 0 to 200"),
        ({"text_weight": float("nan")}, r"text_weight must be 0 to 1000, got nan."),
        ({"facets": (Facet("level"), Facet("level"))}, r"counted once"),
        ({"vectors": (VectorQuery("e", VECTOR, name="text"),)}, r"besides 'text'"),
        ({"vectors": (VectorQuery("e", VECTOR),) * 2}, r"names of their own"),
    ],
)
def test_what_is_out_of_bounds_is_refused(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Request(audience=EVERYONE, **wanted)


@pytest.mark.parametrize("made", [Facet, lambda name: Term(name, ("x",))])
def test_an_unknown_facet_is_refused_with_the_known_ones(made: Any) -> None:  # noqa: ANN401 - two
    with pytest.raises(RequestError, match=r"No facet 'organ'. Known: body_part, case"):
        made("organ")


@pytest.mark.parametrize("values", [(), "CT", ("x",) * 101])
def test_a_filter_needs_a_tuple_of_values(values: Any) -> None:  # noqa: ANN401 - wrong on purpose
    with pytest.raises(LimitError):
        Term("modality", values)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "either 'vector' or 'like', not both"),
        ({"vector": VECTOR, "like": "c"}, "either 'vector' or 'like', not both"),
        ({"vector": np.zeros(3)}, "finite numbers that are not all zero"),
        ({"vector": [1.0, np.nan]}, "finite numbers"),
        ({"vector": [np.inf, 1.0]}, "finite numbers"),
        ({"vector": np.zeros((0, 3))}, "1 to 64 rows"),
        ({"vector": np.ones((65, 3))}, "1 to 64 rows"),
        ({"vector": np.ones((2, 2, 2))}, "1 to 64 rows"),
        ({"vector": np.ones(5_000)}, "1 to 4096 numbers"),
        ({"like": "c", "weight": -1.0}, "The weight of 'picture' must be 0 to 1000"),
        ({"like": "c", "at_least": 2.0}, "at_least must be -1 to 1, got 2.0"),
        ({"like": "c", "name": ""}, "printable"),
    ],
)
def test_a_picture_leg_out_of_bounds_is_refused(
    wanted: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        VectorQuery("encoder", **wanted)


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "a" * 64])
def test_an_encoders_name_could_be_a_file(name: str) -> None:
    with pytest.raises(LimitError, match="a-z 0-9"):
        VectorQuery(name, VECTOR)


def test_vectors_are_scaled_and_cannot_be_changed() -> None:
    vector = VectorQuery("e", VECTOR).vector
    assert vector is not None
    assert vector.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)]]
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1


def test_requests_are_compared_by_value() -> None:
    one = Request(audience=EVERYONE, vectors=(VectorQuery("e", VECTOR),))
    other = Request(audience=EVERYONE, vectors=(VectorQuery("e", VECTOR * 2),))
    assert one == other
    assert len({one, other}) == 1


LEGS = st.builds(
    VectorQuery,
    st.just("rounds-gist-1"),
    st.lists(st.floats(0.125, 1, width=32), min_size=2, max_size=5),
    st.floats(0, 10),
    name=st.sampled_from(["picture", "slice"]),
)
REQUESTS = st.builds(
    Request,
    audience=st.just(EVERYONE),
    text=st.text(max_size=50),
    prefix=st.text(max_size=20),
    vectors=st.lists(LEGS, max_size=1).map(tuple),
    where=st.lists(
        st.builds(
            Term, st.sampled_from(FACETS), st.lists(st.text(), min_size=1).map(tuple)
        ),
        max_size=3,
    ).map(tuple),
    facets=st.sets(st.sampled_from(FACETS)).map(lambda s: tuple(map(Facet, sorted(s)))),
    sort=st.sampled_from(SORTS),
    after=st.none() | st.text(max_size=20),
    size=st.integers(0, 200),
    highlight=st.booleans(),
    exclude=st.frozensets(st.text(max_size=9), max_size=3),
)


@given(REQUESTS)
@settings(deadline=None)
def test_json_gives_the_same_request_again(request_: Request) -> None:
    text = json.dumps(request_.to_json())
    assert Request.from_json(text, audience=EVERYONE).to_json() == request_.to_json()


def test_the_audience_is_never_taken_from_json() -> None:
    assert "audience" not in Request(audience=EVERYONE).to_json()
    with pytest.raises(RequestError, match="No key 'audience'"):
        Request.from_json({"audience": ["role:admin"]}, audience=EVERYONE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"text": 1}',
        '{"size": true}',
        '{"size": 1.5}',
        '{"size": "24"}',
        '{"highlight": 1}',
        '{"after": 3}',
        '{"colour": "red"}',
        '{"where": {}}',
        '{"where": [1]}',
        '{"where": [{"field": "level"}]}',
        '{"where": [{"field": "level", "values": "x"}]}',
        '{"where": [{"field": "level", "values": [1]}]}',
        '{"facets": ["level"]}',
        '{"facets": [{"size": 3}]}',
        '{"vectors": [{"encoder": "e"}]}',
        '{"vectors": [{"encoder": "e", "vector": "abc"}]}',
        '{"vectors": [{"encoder": "e", "vector": [[1], [1, 2]]}]}',
        '{"vectors": [{"encoder": "e", "vector": [NaN, 1]}]}',
        '{"exclude": [1]}',
        '{"text_weight": Infinity}',
        "[" * 100_000,
    ],
)
def test_json_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        Request.from_json(text, audience=EVERYONE)


def test_a_huge_json_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitError, match="at most 8000000"):
        Request.from_json(" " * 8_000_001, audience=EVERYONE)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["text", "size", "where", "field", "values", "vectors", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(JSON)
@settings(deadline=None, max_examples=300)
def test_any_json_is_a_request_or_a_refusal(data: Any) -> None:  # noqa: ANN401 - anything
    told = ""
    try:
        Request.from_json(json.dumps(data), audience=EVERYONE)
    except RequestError as error:
        told = str(error)
    assert len(told) < 400
