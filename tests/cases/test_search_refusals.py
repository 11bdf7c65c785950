"""What cannot be asked by example is refused in words, and nothing hidden is told."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.cases.test_searching_by_example import (
    a_picture,
    as_file,
    instances,
    send,
    titles,
    zipped,
)

from rounds_hub.cases import searchroutes
from rounds_hub.cases.uploads import MOST_FILES
from rounds_hub.indexing.consumer import run_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddCase = Callable[..., CaseView]
    ClientAs = Callable[..., httpx.Client]
    ServeHouse = Callable[[Path], AbstractContextManager[tuple[House, str]]]


@pytest.fixture(scope="module")
def student(
    tmp_path_factory: pytest.TempPathFactory, serve_house: ServeHouse
) -> Iterator[httpx.Client]:
    """Return a student of an empty house, who changes nothing there."""
    with (
        serve_house(tmp_path_factory.mktemp("refusing")) as (_, url),
        httpx.Client(
            base_url=url, headers={"x-person": "student student"}, timeout=120
        ) as client,
    ):
        yield client


BOX = {"left": 4, "top": 4, "right": 20, "bottom": 20}
FAR = {"left": 400, "top": 400, "right": 440, "bottom": 440}
TINY = {"left": 4, "top": 4, "right": 6, "bottom": 6}
PNG = a_picture()
SERIES = [as_file(one) for one in instances()]


def a_zip_bomb() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.dcm", bytes(300 * 2**20))
    return written.getvalue()


def refused(answer: httpx.Response) -> int:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["detail"]
    return answer.status_code


@pytest.mark.parametrize(
    ("files", "request_", "status"),
    [
        pytest.param([PNG[:90]], {}, 422, id="a torn picture"),
        pytest.param([b"GIF89a" + bytes(99)], {}, 422, id="another format"),
        pytest.param([PNG, SERIES[0]], {}, 422, id="a picture and DICOM"),
        pytest.param([PNG] * 9, {}, 413, id="nine pictures"),
        pytest.param([a_zip_bomb()], {}, 413, id="a zip that unpacks to too much"),
        pytest.param([zipped([])], {}, 422, id="an empty zip"),
        pytest.param(
            [*SERIES, *(as_file(one) for one in instances(78))],
            {},
            422,
            id="two series",
        ),
        pytest.param(
            [PNG],
            {"like": [{"kind": "upload", "rectangle": FAR}]},
            422,
            id="a region beside the picture",
        ),
        pytest.param(
            [PNG], {"like": [{"kind": "upload", "slice": 7}]}, 404, id="no such slice"
        ),
        pytest.param(
            SERIES,
            {"like": [{"kind": "upload", "rectangle": BOX}]},
            422,
            id="a region of no certain slice",
        ),
    ],
)
def test_what_cannot_be_read_or_compared_is_refused(
    student: httpx.Client, files: list[bytes], request_: dict[str, Any], status: int
) -> None:
    assert refused(send(student, *files, **request_)) == status


SLICE = {"series_uid": "1.2.3", "slice": 0}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param({"like": [{"kind": "upload"}]}, 422, id="nothing was sent"),
        pytest.param({"like": [{"kind": "smell"}]}, 422, id="an unknown kind"),
        pytest.param(
            {"like": [{"kind": "slice", **SLICE}] * 5}, 422, id="five examples"
        ),
        pytest.param(
            {"like": [{"kind": "slice", **SLICE}]}, 404, id="a series that is not there"
        ),
        pytest.param(
            {"like": [{"kind": "slice", "series_uid": "../x", "slice": 0}]},
            404,
            id="no UID",
        ),
        pytest.param(
            {"like": [{"kind": "region", **SLICE, "rectangle": TINY}]},
            422,
            id="a tiny region",
        ),
        pytest.param(
            {"like": [{"kind": "region", **SLICE, "polygon": [[0, 0]] * 300}]},
            422,
            id="a polygon of 300 corners",
        ),
        pytest.param({"text": "x" * 10_001}, 422, id="too many words"),
        pytest.param({"leave_out": ["all"]}, 422, id="something unknown left out"),
        pytest.param({"where": {"colour": ["red"]}}, 422, id="an unknown filter"),
        pytest.param({"audience": ["role:admin"]}, 422, id="an audience of one's own"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    student: httpx.Client, request_: dict[str, Any], status: int
) -> None:
    answer = student.post("api/search", json=request_)
    assert refused(answer) == status


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param(b"{", 422, id="no JSON"),
        pytest.param(b"[" * 100_000, 422, id="a hundred thousand brackets"),
        pytest.param(
            b'{"like": [{"kind": "upload", "polygon": [[NaN, 1], [2, 3], [4, 5]]}]}',
            422,
            id="no numbers",
        ),
        pytest.param(b'{"text": "' + b"x" * 2**20 + b'"}', 413, id="a MiB of text"),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    student: httpx.Client, said: bytes, status: int
) -> None:
    answer = student.post("api/search", content=said)
    assert refused(answer) == status


def test_more_files_than_are_taken_are_refused(student: httpx.Client) -> None:
    answer = send(student, *[b"x"] * (MOST_FILES + 1))
    assert refused(answer) == 400


def test_a_hidden_series_is_no_example(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("role:doctor")
    run_once(house)
    one = {"kind": "region", "series_uid": case.series[0].uid, "slice": 1}
    asked = {"like": [one | {"rectangle": BOX}]}
    there = client_as("student").post("api/search", json=asked)
    missing = one | {"series_uid": "1.2.3", "rectangle": BOX}
    not_there = client_as("student").post("api/search", json={"like": [missing]})
    assert refused(there) == refused(not_there) == 404


def test_a_hidden_case_is_not_found_by_what_is_sent(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    add_case("role:doctor", title="Hidden")
    add_case("everyone", title="Open")
    run_once(house)
    one = {"kind": "upload", "rectangle": BOX}
    for request in ({}, {"like": [one]}, {"leave_out": ["copies", "patient"]}):
        found = send(client_as("student"), PNG, **request).json()
        assert titles(found) == ["Open"]
        assert "Hidden" not in json.dumps(found)


def test_codes_of_an_unknown_case_are_no_reason(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    code = {"value": "J43.9", "scheme": "ICD10", "meaning": "Emphysema"}
    case = add_case("everyone", codes=[code], unknown=True)
    add_case("everyone", title="Known", codes=[code])
    run_once(house)
    example = {"kind": "case", "case_id": case.id}
    found = client_as("student").post("api/search", json={"like": [example]}).json()
    assert [hit["same_codes"] for hit in found["hits"]] == [[]]
    found = client_as("doctor").post("api/search", json={"like": [example]}).json()
    assert [hit["same_codes"] for hit in found["hits"]] == [["ICD10:J43.9"]]


def test_both_forms_of_a_request_are_described(student: httpx.Client) -> None:
    described = student.get("api/openapi.json").json()
    paths = described["paths"]
    body = next(
        told["post"]["requestBody"]
        for path, told in paths.items()
        if path.endswith("api/search")
    )
    assert set(body["content"]) == {"application/json", "multipart/form-data"}
    named = json.dumps(body)
    assert '"#/components/schemas/SearchRequest"' in named
    assert "SearchRequest" in described["components"]["schemas"]


def test_who_sends_slowly_does_not_keep_the_place_of_others(
    student: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searchroutes, "RECEIVE_SECONDS", 0.5)
    goes_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; '
        yield b'filename="a"\r\n\r\n'
        goes_on.wait(20)  # nothing more comes before it is refused
        yield b"\r\n--x--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=x"}
    with ThreadPoolExecutor(1) as sender:
        slow = sender.submit(
            student.post, "api/search", content=pieces(), headers=headers
        )
        time.sleep(2)
        goes_on.set()
        assert refused(slow.result()) == 400
    assert "did not come within" in slow.result().json()["detail"]
