"""A search over two hubs: what is told, who is believed, what a failure costs."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey
from tests.federation.conftest import HIDDEN, TEACHER, told_of

from rounds_hub.access.principal import SYSTEM, Principal, Role
from rounds_hub.cases.asking import Question
from rounds_hub.errors import ConflictError, ForbiddenError, InvalidError
from rounds_hub.federation import registry
from rounds_hub.federation.asking import SIGNATURE, ask_peers, everywhere
from rounds_hub.federation.signing import (
    named_key,
    own_key,
    peer_key,
    public_part,
    sign,
)
from rounds_hub.federation.words import QUESTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.federation.conftest import Pair

STUDENT = Principal("student", frozenset({Role.STUDENT}))
ABSCESS = Question(text="abscess")
BODY = b'{"text": "abscess"}'
OTHER = OKPKey.generate_key("Ed25519")


def post(pair: Pair, token: str, body: bytes = BODY) -> httpx.Response:
    """Ask the north as a program does."""
    url = f"{pair.north.url}api/federation/search"
    return httpx.post(url, content=body, headers={SIGNATURE: token}, timeout=60)


def signed(pair: Pair, body: bytes = BODY, **other: Any) -> str:  # noqa: ANN401 (parts of a message)
    """Return a good signature, or one that is wrong in one thing."""
    key = other.get("key", own_key(pair.here.house.settings.data))
    receiver = other.get("receiver", named_key(peer_key(pair.north.key)))
    return sign(key, receiver, other.get("purpose", QUESTION), body)


@contextmanager
def another_peer(pair: Pair, url: str, **more: object) -> Iterator[None]:
    """Let a hub at *url* be asked as well."""
    told = told_of("broken", pair.north, url=url, **more)
    told["public_key"] = public_part(OTHER)
    registry.add_peer(pair.here.house, SYSTEM, told)
    try:
        yield
    finally:
        registry.remove_peer(pair.here.house, SYSTEM, "broken")


def test_cases_for_all_hubs_are_found_and_no_others(pair: Pair) -> None:
    found = ask_peers(pair.here.house, STUDENT, ABSCESS)
    titles = sorted(hit.title for hit in found.hits)
    assert titles == ["Abscess for all hubs", "Unknown case (CT)"]
    assert (found.total, found.complete) == (2, True)


def test_a_hit_says_whence_and_leads_there(pair: Pair) -> None:
    hit = ask_peers(pair.here.house, STUDENT, ABSCESS).hits[0]
    assert (hit.peer, hit.whence) == ("north", "North")
    assert hit.url == f"{pair.north.url}cases/{hit.id}"


def test_no_text_and_no_name_of_a_series_is_told(pair: Pair) -> None:
    answer = post(pair, signed(pair))
    assert answer.json()["hits"]
    assert HIDDEN not in answer.text
    told = set(answer.json()["hits"][0])
    assert told == {"id", "title", "modality", "body_part", "level", "language"}


def test_hits_of_all_hubs_are_fused_by_rank(pair: Pair) -> None:
    here, together = everywhere(pair.here.house, STUDENT, ABSCESS)
    assert here.total == 1
    assert together.total == 3
    assert [hit.rank for hit in together.hits] == [1, 1, 2]
    assert together.hits[0].peer == ""


def test_whoever_may_not_search_here_may_not_ask_elsewhere(pair: Pair) -> None:
    with pytest.raises(ForbiddenError):
        ask_peers(pair.here.house, Principal("sam"), ABSCESS)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"key": OTHER}, id="another key"),
        pytest.param({"receiver": named_key(OTHER)}, id="for another hub"),
        pytest.param({"purpose": "rounds.found"}, id="for another purpose"),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(
    pair: Pair, wrong: dict[str, Any]
) -> None:
    assert post(pair, signed(pair, **wrong)).status_code == 401


def test_other_words_than_were_signed_are_refused(pair: Pair) -> None:
    assert post(pair, signed(pair), b'{"text": "teachers"}').status_code == 401


def test_what_was_sent_before_is_refused(pair: Pair) -> None:
    token = signed(pair)
    assert [post(pair, token).status_code for _ in range(2)] == [200, 401]


@pytest.mark.parametrize("later", [-7200, 7200], ids=["too old", "of the future"])
def test_a_message_of_another_hour_is_refused(pair: Pair, later: int) -> None:
    token = signed(pair)
    key = own_key(pair.here.house.settings.data)
    claims = jwt.decode(token, key, algorithms=["Ed25519"]).claims
    claims |= {name: claims[name] + later for name in ("iat", "exp")}
    header = {"alg": "Ed25519", "kid": claims["iss"]}
    moved = jwt.encode(header, claims, key, algorithms=["Ed25519"])
    assert post(pair, moved).status_code == 401


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="none"),
        pytest.param("a.b.c", id="no token"),
        pytest.param("x" * 5000, id="too long"),
        pytest.param("eyJhbGciOiJub25lIn0.e30.", id="of no algorithm"),
        pytest.param("eyJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.e30.AAAA", id="of a secret"),
    ],
)
def test_what_is_no_signature_is_refused_in_the_same_words(
    pair: Pair, token: str
) -> None:
    answer = post(pair, token)
    assert answer.status_code in {401, 422}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"[]", 422, id="no question"),
        pytest.param(b'{"audience": ["everyone"]}', 422, id="an audience"),
        pytest.param(b'{"where": {"owner": ["a"]}}', 422, id="an unknown filter"),
        pytest.param(b'{"text": "%s"}' % (b"a" * 70_000), 413, id="too much"),
    ],
)
def test_a_signed_question_that_is_none_is_refused(
    pair: Pair, body: bytes, status: int
) -> None:
    assert post(pair, signed(pair, body), body).status_code == status


def test_results_are_not_to_be_had_by_asking_for_them(pair: Pair) -> None:
    body = b'{"where": {"kind": ["result"]}}'
    kinds = post(pair, signed(pair, body), body).json()
    assert {hit["title"] for hit in kinds["hits"]} <= {
        "Abscess for all hubs",
        "Unknown case (CT)",
    }


def test_a_hub_that_asks_too_often_has_to_wait(pair: Pair) -> None:
    registry.change_peer(pair.north.house, SYSTEM, "here", {"per_minute": 1})
    try:
        codes = [post(pair, signed(pair)).status_code for _ in range(2)]
    finally:
        registry.change_peer(pair.north.house, SYSTEM, "here", {"per_minute": 1000})
    assert codes[-1] == 503


@pytest.mark.parametrize("change", [{"may_ask": False}, {"enabled": False}])
def test_a_hub_without_the_right_is_refused_and_told_by_name(
    pair: Pair, change: dict[str, bool]
) -> None:
    registry.change_peer(pair.north.house, SYSTEM, "here", change)
    try:
        found = ask_peers(pair.here.house, STUDENT, ABSCESS)
    finally:
        back = dict.fromkeys(change, True)
        registry.change_peer(pair.north.house, SYSTEM, "here", back)
    assert [(one.peer, one.state) for one in found.told] == [("north", "refused")]
    assert not found.complete


def test_one_hub_that_is_down_leaves_the_others(pair: Pair) -> None:
    with another_peer(pair, "http://127.0.0.1:1/"):
        found = ask_peers(pair.here.house, STUDENT, ABSCESS)
    states = {one.peer: one.state for one in found.told}
    assert states == {"north": "answered", "broken": "down"}
    assert len(found.hits) == 2


@contextmanager
def hub_that_says(*pieces: bytes, pause: float = 0.0) -> Iterator[str]:
    """Listen on loopback and say *pieces* to whoever comes, with pauses between."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def serve() -> None:
            try:
                caller, _ = server.accept()
            except OSError:
                return
            with caller:
                caller.recv(2**16)
                for piece in pieces:
                    try:
                        caller.sendall(piece)
                    except OSError:
                        return
                    time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    thread.join(30)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
AWAY = (
    b"HTTP/1.1 307 T\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
)
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + b'{"hits":[],"total":0} '


@pytest.mark.parametrize(
    ("pieces", "pause", "state"),
    [
        pytest.param([b""], 2.0, "slow", id="says nothing"),
        pytest.param([OK, *[b"x"] * 40], 0.2, "slow", id="drips"),
        pytest.param([OK[:9], *[b"1"] * 40], 0.2, "slow", id="drips its head"),
        pytest.param([AWAY], 0.0, "refused", id="sends elsewhere"),
        pytest.param([SHORT], 0.0, "refused", id="does not sign"),
        pytest.param([b"garbage\r\n\r\n"], 0.0, "down", id="speaks no HTTP"),
    ],
)
def test_a_hub_that_answers_badly_is_told_by_its_name(
    pair: Pair, pieces: list[bytes], pause: float, state: str
) -> None:
    began = time.monotonic()
    seconds = 1.0 if state == "slow" else 20.0
    with (
        hub_that_says(*pieces, pause=pause) as url,
        another_peer(pair, url, seconds=seconds),
    ):
        found = ask_peers(pair.here.house, STUDENT, ABSCESS)
        lasted = time.monotonic() - began
    states = {one.peer: one.state for one in found.told}
    assert states == {"north": "answered", "broken": state}
    assert lasted < 40


@pytest.mark.parametrize(
    "url",
    [
        "http://north.example/",
        "http://169.254.169.254/latest/",
        "ftp://127.0.0.1/",
        "https://ann:secret@north.example/",
        "https://north.example/?a=b",
        "https:///",
        "javascript:alert(1)",
        "https://north.example:99999/",
    ],
)
def test_an_address_that_is_none_of_a_hub_is_refused(pair: Pair, url: str) -> None:
    told = told_of("east", pair.north, url=url)
    with pytest.raises(InvalidError, match="url"):
        registry.add_peer(pair.here.house, SYSTEM, told)


def test_two_hubs_cannot_have_one_key(pair: Pair) -> None:
    with pytest.raises(ConflictError, match="'north' has this key"):
        registry.add_peer(pair.here.house, SYSTEM, told_of("west", pair.north))


def test_a_teacher_may_not_change_records(pair: Pair) -> None:
    with pytest.raises(ForbiddenError):
        registry.remove_peer(pair.here.house, TEACHER, "north")


def test_the_key_is_for_its_owner_alone(pair: Pair) -> None:
    path = pair.here.house.settings.data / "federation.pem"
    assert path.stat().st_mode & 0o077 == 0


def test_records_are_managed_over_http(pair: Pair) -> None:
    headers = {"x-person": "ann admin"}
    key = public_part(OKPKey.generate_key("Ed25519"))
    said = {"name": "south", "url": "https://south.example/", "public_key": key}
    with httpx.Client(base_url=pair.here.url, headers=headers, timeout=60) as client:
        assert client.post("api/peers", json=said).status_code == 201
        changed = client.put("api/peers/south", json={"is_asked": False}).json()
        assert not changed["is_asked"]
        assert client.delete("api/peers/south").status_code == 204
        assert [one["name"] for one in client.get("api/peers").json()] == ["north"]


def test_a_person_asks_over_http(pair: Pair) -> None:
    answer = httpx.post(
        f"{pair.here.url}api/federation/ask",
        json={"text": "abscess", "where": {"modality": ["CT"]}},
        headers={"x-person": "student student"},
        timeout=60,
    ).json()
    assert {one["whence"] for one in answer["hits"]} == {"North"}
    assert answer["told"][0]["state"] == "answered"
