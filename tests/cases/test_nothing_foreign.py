"""A thousand searches of everybody over a random library find nothing foreign."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.cases.library_of_chance import (
    LEVELS,
    PARTS,
    PEOPLE,
    PRIVATE,
    SHARED,
    Library,
    fill,
)

from rounds_hub.cases import service
from rounds_hub.cases.searching import FACETS, Question, search, similar
from rounds_hub.errors import NotFoundError
from rounds_search.requests import Facet, Request, Term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.cases.library_of_chance import Entry

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_search.answers import Answer

    Serve = Callable[[Path], AbstractContextManager[tuple[House, str]]]

SEED = 20_260_728
SEARCHES = {"student of a ward": 200, "another hub": 200}
"""How many are asked of those who have no role of their own; of a role a thousand."""
BY_SERVICE = 25
OVER_HTTP = 4
PAGE = 200
FEW, EVERY = 6, 5
"""Hits of most searches, and how often all are looked at."""
LONG = 5
"""Letters from which on a word is taken for a typing error."""
WHO = [pytest.param(name, id=name) for name in PEOPLE]
AT_THE_DOORS = [
    pytest.param(name, id=name) for name in ("student", "student of a ward", "doctor")
]


@dataclass(frozen=True, slots=True)
class Shelves:
    """The library, and where it is served."""

    house: House
    url: str
    library: Library


@pytest.fixture(scope="module")
def shelves(
    serve_house: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shelves]:
    """Serve a house that was filled by chance."""
    with serve_house(tmp_path_factory.mktemp("chance")) as (house, url):
        yield Shelves(house, url, fill(house, SEED))


def chance(name: str) -> random.Random:
    return random.Random(f"{SEED} {name}")  # noqa: S311 (no secret)


def question(choose: random.Random) -> dict[str, Any]:
    """Return a random question: words or the beginning of one, filters, an order."""
    words = choose.sample([*SHARED, *choose.sample(PRIVATE, 4)], choose.choice([1, 2]))
    asked: dict[str, Any] = {"text": " ".join(words)}
    if choose.random() < 0.3:
        beginning = choose.choice([*SHARED, *PRIVATE])[: choose.choice([2, 3])]
        asked = {"prefix": beginning}
    elif choose.random() < 0.1:
        asked = {}
    where = {
        "body_part": tuple(choose.sample(PARTS, 2)),
        "level": (choose.choice(LEVELS),),
        "kind": (choose.choice(["case", "result"]),),
        "code": ("ICD10:C71.9",),
    }
    asked["where"] = {name: one for name, one in where.items() if choose.random() < 0.2}
    return asked | {"sort": choose.choice(["relevance", "newest", "title"])}


def found_of(seen: list[Entry], asked: dict[str, Any]) -> list[Entry]:
    """Return what *asked* finds of what is *seen*: with all the words, else any."""
    fitting = [one for one in seen if _fits(one, asked["where"])]
    whole = [one for one in fitting if _says(one, asked, all)]
    return whole or [one for one in fitting if _says(one, asked, any)]


def counts_of(seen: list[Entry], asked: dict[str, Any], facet: str) -> dict[str, int]:
    """Return how often each value of *facet* is found, without its own filter."""
    others = {name: one for name, one in asked["where"].items() if name != facet}
    # Whether any word will do is decided by what the whole question finds.
    whole = any(_says(one, asked, all) for one in seen if _fits(one, asked["where"]))
    how = all if whole else any
    held = [one for one in seen if _fits(one, others) and _says(one, asked, how)]
    return dict(Counter(value for one in held for value in one.facets.get(facet, ())))


def _fits(one: Entry, where: dict[str, tuple[str, ...]]) -> bool:
    told = ((one.facets.get(name, ()), values) for name, values in where.items())
    return all(any(value in values for value in own) for own, values in told)


def _says(one: Entry, asked: dict[str, Any], how: Callable[..., bool]) -> bool:
    if beginning := asked.get("prefix"):
        return any(word.startswith(beginning) for word in one.words)
    words = asked.get("text", "").split()
    return not words or how(word in one.words for word in words)


def _answer(house: House, who: Principal, asked: dict[str, Any], size: int) -> Answer:
    where = tuple(Term(name, told) for name, told in asked["where"].items())
    facets = tuple(Facet(name) for name in FACETS)
    said = {"where": where, "facets": facets, "size": size, "highlight": False}
    return house.index.search(Request(audience=who.audiences, **asked | said))


@pytest.mark.parametrize("name", WHO)
def test_a_thousand_searches_find_and_count_what_one_may_see(
    shelves: Shelves, name: str
) -> None:
    who, choose = PEOPLE[name], chance(name)
    seen = shelves.library.seen_by(who)
    secrets = shelves.library.secrets_from(who)
    for number in range(SEARCHES.get(name, 1000)):
        asked, size = question(choose), FEW if number % EVERY else PAGE
        answer = _answer(shelves.house, who, asked, size)
        right = {one.id for one in found_of(seen, asked)}
        ids = {hit.document.case_id or hit.id for hit in answer.hits}
        assert ids <= right
        assert (len(ids), answer.total) == (min(size, len(right)), len(right))
        counts = {facet: counts_of(seen, asked, facet) for facet in FACETS}
        assert {name: dict(one) for name, one in answer.facets.items()} == counts
        assert not _heard(answer, secrets, asked)


def _heard(said: object, secrets: frozenset[str], asked: dict[str, Any]) -> set[str]:
    """Return the secrets in what was *said* that were not asked with."""
    text = str(said)
    return {one for one in secrets if one in text and one not in asked.get("text", "")}


@pytest.mark.parametrize("name", WHO)
def test_a_suggestion_is_a_word_of_what_one_may_see(
    shelves: Shelves, name: str
) -> None:
    who = PEOPLE[name]
    own = {word for one in shelves.library.seen_by(who) for word in one.words}
    for beginning in ("w", "wb", "wc", "v", "t"):
        found = search(shelves.house, who, Question(prefix=beginning, size=1))
        assert set(found.suggestions) <= own
        assert found.suggestions or beginning != "w"


@pytest.mark.parametrize("name", WHO)
def test_a_typing_error_is_not_corrected_to_what_is_hidden(
    shelves: Shelves, name: str
) -> None:
    who, choose = PEOPLE[name], chance(f"{name} errs")
    secrets = shelves.library.secrets_from(who)
    for _ in range(BY_SERVICE):
        text = choose.choice([one for one in PRIVATE if len(one) > LONG])[:-1] + "y"
        found = search(shelves.house, who, Question(text=text, size=1))
        assert not _heard(found, secrets, {})


@pytest.mark.parametrize("name", WHO)
def test_the_service_finds_the_same_and_says_no_more(
    shelves: Shelves, name: str
) -> None:
    who, choose = PEOPLE[name], chance(f"{name} by service")
    seen = shelves.library.seen_by(who)
    secrets = shelves.library.secrets_from(who)
    for _ in range(BY_SERVICE):
        asked = question(choose)
        found = search(shelves.house, who, Question(**asked, size=PAGE))
        right = {one.id for one in found_of(seen, asked)}
        assert {hit.id for hit in found.hits} == right
        assert found.total == len(right)
        assert not _heard(found, secrets, asked)


@pytest.mark.parametrize("name", WHO)
def test_what_is_like_a_case_is_what_one_may_see(shelves: Shelves, name: str) -> None:
    who = PEOPLE[name]
    seen = {one.id for one in shelves.library.seen_by(who)}
    secrets = shelves.library.secrets_from(who)
    mine = sorted(one for one in seen if not one.startswith("run-"))
    for case_id in mine[:2]:
        found = similar(shelves.house, who, case_id, size=PAGE)
        assert {hit.id for hit in found.hits} <= seen - {case_id}
        assert not _heard(found, secrets, {})


@pytest.mark.parametrize("name", WHO)
def test_a_hidden_case_answers_like_a_missing_one(shelves: Shelves, name: str) -> None:
    who = PEOPLE[name]
    seen = {one.id for one in shelves.library.seen_by(who)}
    gone = {one["id"] for one in shelves.library.cases if one["status"] == "deleted"}
    hidden = {one["id"] for one in shelves.library.cases} - seen - gone
    for case_id in sorted(hidden)[:10]:
        for door in (service.get, similar):
            with pytest.raises(NotFoundError) as told:
                door(shelves.house, who, case_id)
            with pytest.raises(NotFoundError) as missing:
                door(shelves.house, who, "missing")
            said = str(told.value).replace(case_id, "missing")
            assert said == str(missing.value)


@pytest.mark.parametrize("name", WHO)
def test_an_unknown_case_is_read_without_its_own_word(
    shelves: Shelves, name: str
) -> None:
    who = PEOPLE[name]
    told = [one for one in shelves.library.seen_by(who) if not one.tells]
    secrets = shelves.library.secrets_from(who)
    for one in told[:20]:
        assert not _heard(service.get(shelves.house, who, one.id), secrets, {})


@pytest.mark.parametrize("name", AT_THE_DOORS)
def test_every_door_of_the_service_is_as_closed(shelves: Shelves, name: str) -> None:
    who, choose = PEOPLE[name], chance(f"{name} at the doors")
    seen = shelves.library.seen_by(who)
    secrets = shelves.library.secrets_from(who)
    roles = " ".join(role.value for role in who.roles)
    headers = {"x-person": f"{who.name} {roles}"}
    # Groups are not told by the header of the tests: nobody is in a ward here.
    with httpx.Client(base_url=shelves.url, headers=headers, timeout=60) as client:
        for _ in range(OVER_HTTP):
            asked = question(choose)
            for door in _doors(asked):
                answer = client.request(**door)
                assert answer.status_code == 200
                assert not _heard(answer.text, secrets, asked)
                if "json" in door:
                    ids = {hit["id"] for hit in answer.json()["hits"]}
                    assert ids <= {one.id for one in seen}


def _doors(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how each door over HTTP is asked *asked*."""
    text = {"q": asked.get("text", ""), "prefix": asked.get("prefix", "")}
    params = {**text, **asked["where"], "sort": asked["sort"], "size": 200}
    page = {"accept": "text/html"}
    words = asked.get("prefix") or asked.get("text", "")
    return [
        {"method": "GET", "url": "api/search", "params": params},
        {"method": "POST", "url": "api/search", "json": {**asked, "size": 200}},
        {"method": "GET", "url": "cases", "params": params, "headers": page},
        {"method": "GET", "url": "cases/suggest", "params": {"q": words}},
    ]
