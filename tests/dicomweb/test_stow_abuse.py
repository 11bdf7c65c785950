"""Bodies that were built to do harm are refused; nothing of them stays."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest
from tests.archive.conftest import make_instance
from tests.dicomweb.test_stow import RELATED, body_of, file_of, held, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from rounds_hub.house import House

    ClientAs = Callable[..., httpx.Client]

HEAD = b"--mark\r\nContent-Type: application/dicom\r\n\r\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no boundary at all", id="no boundary"),
        pytest.param(b"--mark--\r\n", id="no part"),
        pytest.param(b"--other\r\n\r\nx\r\n--other--\r\n", id="another boundary"),
        pytest.param(HEAD + b"x" * 100, id="no end"),
        pytest.param(HEAD + b"x\r\n--mar", id="cut in the boundary"),
        pytest.param(b"--mark\r\nContent-Type: app", id="cut in a header"),
        pytest.param(b"--mark\r\n\xff\xfe: x\r\n\r\nx\r\n--mark--", id="no header"),
        pytest.param(b"--mark\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", id="huge header"),
        pytest.param(b"--mark\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", id="many headers"),
        pytest.param(b"--mark\r\nA" + b"a" * 20_000, id="endless name"),
        pytest.param(b"\r\n" * 100_000, id="lines only"),
        pytest.param(b"--mark--\r\n" + HEAD + b"x", id="ended before it begins"),
    ],
)
def test_a_body_that_is_none_is_refused_with_a_sentence(
    house: House, client_as: ClientAs, body: bytes
) -> None:
    answer = send(client_as("doctor"), body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]
    assert not held(house)


def test_what_came_whole_before_a_body_broke_stays_whole(
    house: House, client_as: ClientAs
) -> None:
    body = body_of([file_of(make_instance(1))])[:-10] + b"\r\n--mark\r\nbroken"
    assert send(client_as("doctor"), body).status_code == 400
    assert held(house) <= {make_instance(1).SOPInstanceUID}
    assert not list(house.store.folder.glob("temporary/*/*"))


def test_a_boundary_inside_a_file_is_only_bytes(
    house: House, client_as: ClientAs
) -> None:
    made = make_instance()
    made.PixelData = b"\r\n--mar" * 109 + b"\r\n-mk"
    answer = send(client_as("doctor"), body_of([file_of(made)]))
    assert (answer.status_code, held(house)) == (200, {made.SOPInstanceUID})


def test_more_than_an_instance_may_have_is_refused_as_it_comes(
    house: House, client_as: ClientAs
) -> None:
    house.settings.max_instance_bytes = 2**20
    large = file_of(make_instance()) + bytes(2**21)
    answer = send(client_as("doctor"), body_of([large, file_of(make_instance(2))]))
    assert (answer.status_code, len(held(house))) == (202, 1)


def test_more_than_a_body_may_have_is_refused(
    house: House, client_as: ClientAs
) -> None:
    def endless() -> Iterator[bytes]:
        yield HEAD + file_of(make_instance())
        for _ in range(2**30 // 2**16):
            yield bytes(2**16)

    most = house.settings.max_upload_bytes
    house.settings.max_instance_bytes = 2**20
    headers = {"content-type": RELATED, "content-length": str(most + 1)}
    answer = client_as("doctor").post(
        "dicomweb/studies", content=endless(), headers=headers
    )
    assert answer.status_code == 413


def test_a_large_body_takes_no_memory(client_as: ClientAs) -> None:
    process, peak = psutil.Process(), [0]
    before = process.memory_info().rss

    def watched() -> Iterator[bytes]:
        yield HEAD + bytes(128) + b"DICM" + file_of(make_instance())[132:]
        for _ in range(150):
            yield bytes(2**20)
            peak[0] = max(peak[0], process.memory_info().rss)
        yield b"\r\n--mark--\r\n"

    headers = {"content-type": RELATED}
    client = client_as("doctor")
    answer = client.post("dicomweb/studies", content=watched(), headers=headers)
    assert answer.status_code == 409
    assert peak[0] - before < 64 * 2**20


def test_many_senders_who_say_nothing_keep_nobody_away(
    house: House, service_url: str, client_as: ClientAs
) -> None:
    silent = [start_and_stop(service_url, f"sly{n % 4} doctor") for n in range(60)]
    body = body_of([file_of(make_instance())])
    answer = send(client_as("doctor"), body)
    for one in silent:
        one.close()
    assert (answer.status_code, len(held(house))) == (200, 1)


def start_and_stop(url: str, who: str) -> socket.socket:
    """Begin a body, and say nothing more."""
    parts = urlsplit(url)
    opened = socket.create_connection((str(parts.hostname), int(parts.port or 0)))
    head = (
        f"POST {parts.path}dicomweb/studies HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"X-Person: {who}\r\nContent-Type: {RELATED}\r\nContent-Length: 99999\r\n\r\n"
    )
    opened.sendall(head.encode() + HEAD)
    return opened


def test_who_goes_away_in_the_middle_leaves_nothing(
    house: House, service_url: str
) -> None:
    opened = start_and_stop(service_url, "dora doctor")
    opened.sendall(bytes(128) + b"DICM" + bytes(1000))
    opened.close()
    gone = threading.Event()
    for _ in range(200):
        if not list(house.store.folder.glob("temporary/*/*")):
            break
        gone.wait(0.05)
    assert not list(house.store.folder.glob("temporary/*/*"))
    assert not held(house)
