"""Questions that were made to break a search, at every door, over real HTTP.

Each gets an answer or a refusal in words, within its time; none gets a 500. On SQLite
and on Elasticsearch.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from elasticsearch import Elasticsearch

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases import service
from rounds_hub.indexing.consumer import rebuild
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid
from rounds_search.encoders import ENCODER
from rounds_search.errors import RequestError
from rounds_search.requests import Request, VectorQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from rounds_hub.house import House

    Serve = Callable[..., AbstractContextManager[tuple[House, str]]]

TEACHER = Principal("teacher", frozenset({Role.TEACHER}))
SECONDS = 30.0
"""What any answer may take on a busy machine."""
MEGABYTE = "brain " * 170_000
PAGE = {"accept": "text/html"}
DEEP = "[" * 100_000 + "]" * 100_000

WORDS = {
    "an operator of FTS5": "brain OR NOT AND NEAR(",
    "a column of FTS5": "title:brain {title diagnosis}:x",
    "a quote left open": '"brain',
    "quotes in quotes": '"" """ "\\" \' `',
    "a star": "* brai* ^brain",
    "SQL": "'; DROP TABLE documents; --",
    "Lucene": '+brain -tumour title:(a AND b) [1 TO *] "a b"~99999 x^9999',
    "Lucene's script": "_exists_:_source _script:{} AND *:*",
    "a regular expression": "/(a+)+$/ .*.*.*.*.*b",
    "wildcards": "?" * 400,
    "brackets": "((((((((((((((((((((",
    "a null": "brain\x00tumour",
    "directions": "\u202e\u2066brain\ufeff\u200b",
    "marks upon marks": "e" + "\u0301" * 450,
    "of all scripts": "脑脓肿 мозг мΔ 🧠 दिमाग ทดสอบ",
    "half a pair": "\ud83e",
    "only stop words": "the of and or not",
    "only signs": "!@#$%^&*()_+-=[]{}|;:,./<>?",
    "a long word": "a" * 500,
    "many words": " ".join(f"w{number}" for number in range(160)),
    "a template": "{{7*7}} ${7*7} <script>alert(1)</script>",
}


def _cursor(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


BODIES: dict[str, object] = {
    "a megabyte": {"text": MEGABYTE},
    "more words than are taken": {"text": "brain " * 1_600},
    "an unknown key": {"audience": ["everyone"], "text": "brain"},
    "a number for words": {"text": 7},
    "a list for words": {"text": ["brain"]},
    "nothing for words": {"text": None},
    "an unknown filter": {"where": {"owner": ["teacher"]}},
    "a filter that is no list": {"where": {"modality": "CT"}},
    "a filter of nothing": {"where": {"modality": [""]}},
    "a filter of very many": {"where": {"modality": ["CT"] * 5_000}},
    "a filter with a null": {"where": {"modality": ["C\x00T"]}},
    "an unknown order": {"sort": "title; DROP TABLE"},
    "no hits": {"size": 0},
    "a million hits": {"size": 1_000_000},
    "less than none": {"size": -1},
    "a true size": {"size": True},
    "half a hit": {"size": 1.5},
    "an infinite size": {"size": float("inf")},
    "a forged cursor": {"after": _cursor([1e9, "c0"]), "text": "ball"},
    "a cursor of another kind": {"after": _cursor({"a": {"b": []}}), "text": "ball"},
    "a cursor of NaN": {"after": _cursor([float("nan"), None])},
    "a cursor of our form and NaN": {
        "after": _cursor(["relevance", float("nan"), "c0"]),
        "text": "ball",
    },
    "a cursor of our form without end": {
        "after": _cursor(["relevance", float("inf"), "c0"]),
        "text": "ball",
    },
    "a cursor of our form and half a pair": {
        "after": _cursor(["title", "\ud800", "\ud800"]),
        "sort": "title",
    },
    "a cursor of our form and a null": {
        "after": _cursor(["title", "a\x00", "\x00"]),
        "sort": "title",
    },
    "a cursor of a time that never was": {
        "after": _cursor(["newest", 1e308, "c0"]),
        "sort": "newest",
    },
    "a cursor of no letters": {"after": "\u0000\ud800"},
    "a long cursor": {"after": "A" * 3_000},
    "a cursor into the deep": {"after": _cursor(["relevance", 10**12]), "size": 200},
    "a beginning of signs": {"prefix": '*"(:^'},
    "a long beginning": {"prefix": "b" * 5_000},
    "a language of no use": {"text": "ball", "language": "\u202e/../en"},
    "an example of nothing": {"like": [{}]},
    "an example of a hidden kind": {"like": [{"kind": "vector", "vector": [0, 0]}]},
    "an example that is missing": {"like": [{"kind": "case", "case_id": "no"}]},
    "a path for a case": {"like": [{"kind": "case", "case_id": "../../etc/passwd"}]},
    "a series of signs": {"like": [{"kind": "series", "series_uid": "1' OR '1'='1"}]},
    "very many examples": {"like": [{"kind": "case", "case_id": "c0"}] * 100},
    "an example that is nothing": {"like": None},
    "a weight of nothing": {"like": [{"kind": "case", "case_id": "c0", "weight": 0}]},
    "a weight without end": {
        "like": [{"kind": "case", "case_id": "c0", "weight": float("inf")}]
    },
    "words that are left out": {"text": "ball", "without": ["\x00", "*", "a" * 199]},
    "a list": [],
    "a word": "brain",
    "nothing": None,
}
REGIONS: dict[str, object] = {
    "no size": {"left": 5, "top": 5, "right": 5, "bottom": 5},
    "outside": {"left": -900, "top": -900, "right": -800, "bottom": -800},
    "without end": {"left": 0, "top": 0, "right": 1e308, "bottom": 1e308},
    "no number": {"left": float("nan"), "top": 0, "right": 20, "bottom": 20},
    "words": {"left": "a", "top": [], "right": {}, "bottom": None},
}
RAW = {
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "deep JSON": f'{{"text": {DEEP}}}'.encode(),
    "a deep filter": f'{{"where": {{"modality": {DEEP}}}}}'.encode(),
    "a long number": b'{"size": ' + b"9" * 100_000 + b"}",
    "a key twice": b'{"text": "a", "text": {"$gt": ""}}',
    "megabytes of spaces": b" " * 2_000_000 + b"{}",
    "very many keys": json.dumps({f"k{n}": n for n in range(20_000)}).encode(),
}


@dataclass(frozen=True, slots=True)
class Door:
    """The service to be asked, and a series in it."""

    url: str
    series: str
    house: House

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:  # noqa: ANN401 (httpx's own options)
        headers = {"x-person": "sam student"} | how.pop("headers", {})
        url = self.url + path
        return httpx.request(method, url, headers=headers, timeout=SECONDS, **how)

    def post(self, body: object) -> httpx.Response:
        sent = json.dumps(body).encode()
        kind = {"content-type": "application/json"}
        return self.ask("POST", "api/search", content=sent, headers=kind)


@pytest.fixture(scope="module")
def door(
    serve_house: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """Serve a house with some cases, its index on SQLite."""
    with serve_house(tmp_path_factory.mktemp("hostile")) as (house, url):
        yield Door(url, _filled(house), house)


@pytest.fixture(scope="module")
def far_door(
    elasticsearch: str, serve_house: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """Serve a house with some cases, its index on Elasticsearch."""
    prefix = f"hostile-{secrets.token_hex(4)}"
    named = {"search_url": elasticsearch, "search_prefix": prefix}
    with serve_house(tmp_path_factory.mktemp("far"), **named) as (house, url):
        yield Door(url, _filled(house), house)
    with Elasticsearch(elasticsearch, request_timeout=120) as client:
        found = client.indices.get(index=f"{prefix}-*", allow_no_indices=True)
        if found.body:
            client.indices.delete(index=list(found.body))


@pytest.fixture(
    params=[
        "door",
        pytest.param("far_door", marks=pytest.mark.xdist_group("elasticsearch")),
    ],
    ids=["sqlite", "elastic"],
)
def any_door(request: pytest.FixtureRequest) -> Door:
    """Return the door of a house on each backend."""
    found: Door = request.getfixturevalue(request.param)
    return found


def _filled(house: House) -> str:
    """Put three cases into *house* and return the series that they show."""
    made = phantoms.to_dicom(phantoms.sphere(Grid((4, 32, 32), (7.0, 1.5, 1.5))))
    offers = [Offer(f"{n}.dcm", one) for n, one in enumerate(made)]
    uid = store(house, TEACHER, offers)[0].series_uid
    for number in range(3):
        told = {"title": f"Ball {number}", "audience": ["everyone"]}
        fields = told | {"series": [uid], "body_part": "brain"}
        service.create(house, TEACHER, fields, case_id=f"c{number}")
        service.publish(house, TEACHER, f"c{number}")
    rebuild(house)
    return uid


def told_well(answer: httpx.Response) -> bool:
    """Return whether *answer* is one, or a refusal in words."""
    if answer.status_code == 200:
        return True
    if not 400 <= answer.status_code < 500:
        return False
    if "json" not in answer.headers["content-type"]:
        return "<h1" in answer.text
    return len(answer.json()["detail"]) > 5


def test_an_honest_question_is_answered(any_door: Door) -> None:
    assert any_door.post({"text": "ball"}).json()["total"] == 3


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_words_are_only_words(any_door: Door, words: str) -> None:
    said = words.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    answers = [
        any_door.post({"text": words}),
        any_door.post({"prefix": words[:200]}),
        any_door.ask("GET", "api/search", params={"q": said, "prefix": said[:200]}),
        any_door.ask(
            "GET", "cases", params={"q": said}, headers={"accept": "text/html"}
        ),
        any_door.ask("GET", "cases/suggest", params={"q": said[:200]}),
    ]
    assert [one.status_code for one in answers if not told_well(one)] == []
    assert "<script>alert(1)" not in answers[3].text


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_none_is_refused_in_words(any_door: Door, body: object) -> None:
    assert told_well(any_door.post(body))


@pytest.mark.parametrize("content", RAW.values(), ids=RAW)
@pytest.mark.parametrize("path", ["api/search", "api/federation/ask"])
def test_what_is_no_question_is_refused_in_words(
    door: Door, path: str, content: bytes
) -> None:
    kind = {"content-type": "application/json"}
    answer = door.ask("POST", path, content=content, headers=kind)
    assert told_well(answer)


@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
def test_a_region_that_is_none_is_refused_in_words(door: Door, region: object) -> None:
    told = {"kind": "region", "series_uid": door.series, "slice": 1}
    assert told_well(door.post({"like": [told | {"rectangle": region}]}))


@pytest.mark.parametrize("number", [-1, 4, 10**6, 10**30, "1", 1.5, None])
def test_a_slice_that_is_none_is_refused_in_words(door: Door, number: object) -> None:
    told = {"kind": "slice", "series_uid": door.series, "slice": number}
    assert told_well(door.post({"like": [told]}))


@pytest.mark.parametrize(
    "polygon",
    [
        pytest.param([[0, 0]] * 3, id="of one point"),
        pytest.param([[0, 0], [9, 9]], id="of two points"),
        pytest.param([[n, n % 7] for n in range(5_000)], id="of very many points"),
        pytest.param([["a"], [], [1, 2, 3]], id="of words"),
    ],
)
def test_a_polygon_that_is_none_is_refused_in_words(
    door: Door, polygon: list[object]
) -> None:
    told = {"kind": "region", "series_uid": door.series, "slice": 1}
    assert told_well(door.post({"like": [told | {"polygon": polygon}]}))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GIF89a" * 100, id="another format"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"\0" * 100, id="a broken picture"),
        pytest.param(b"PK\x03\x04" + b"\xff" * 1000, id="a broken zip"),
        pytest.param(b"\0" * 128 + b"DICM" + b"\xff" * 500, id="a broken object"),
    ],
)
def test_a_picture_that_is_none_is_refused_in_words(door: Door, sent: bytes) -> None:
    answers = [
        door.ask("POST", "api/search/picture", files={"picture": ("a.png", sent)}),
        door.ask("POST", "api/search", files={"files": ("a.png", sent)}),
        door.ask("POST", "cases/picture", files={"files": ("a.png", sent)}),
    ]
    assert [one.status_code for one in answers if not told_well(one)] == []


def test_a_list_is_followed_to_its_end_and_not_beyond(any_door: Door) -> None:
    after, seen = None, []
    for _ in range(10):
        found = any_door.post({"text": "ball", "size": 1, "after": after}).json()
        seen += [hit["id"] for hit in found["hits"]]
        after = found["after"]
        if after is None:
            break
    assert sorted(seen) == ["c0", "c1", "c2"]


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param([0.0] * 8, id="of zeros"),
        pytest.param([float("nan")] * 8, id="of no number"),
        pytest.param([float("inf")] * 8, id="without end"),
        pytest.param([], id="of nothing"),
        pytest.param([[[1.0]]], id="of three dimensions"),
        pytest.param([1.0] * 100_000, id="of very many numbers"),
        pytest.param([[1.0] * 8] * 1_000, id="of very many rows"),
    ],
)
def test_a_vector_that_is_none_is_refused(vector: list[Any]) -> None:
    with pytest.raises(RequestError):
        VectorQuery(ENCODER, vector)  # type: ignore[arg-type] # what a program might send


@pytest.mark.parametrize("numbers", [1, 7, 4_096], ids=lambda n: f"{n} numbers")
def test_a_vector_of_another_dimension_is_refused_by_the_index(
    any_door: Door, numbers: int
) -> None:
    leg = VectorQuery(ENCODER, [1.0] * numbers)  # type: ignore[arg-type] # a list
    request = Request(audience=frozenset({"everyone"}), vectors=(leg,))
    with pytest.raises(RequestError):
        any_door.house.index.search(request)
