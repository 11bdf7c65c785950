"""Uploads: streamed to the disk, imported by a worker, watched by a row."""

from __future__ import annotations

import json
import os
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.importing import run_import
from rounds_hub.archive.imports import begin_import, get_import
from rounds_hub.archive.models import Import, Instance
from rounds_hub.archive.uploads import Spool, spool_folder
from rounds_hub.errors import InvalidError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from rounds_hub.house import House

    MakeBytes = Callable[..., bytes]
    ClientAs = Callable[..., httpx.Client]

BOUNDARY = "----rounds"
KIND = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes, file: str | None = None) -> bytes:
    called = f'; filename="{file}"' if file is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{called}'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def spooled(house: House, body: bytes, piece: int = 97) -> Spool:
    spool = Spool(house, KIND)
    for start in range(0, len(body), piece):
        spool.write(body[start : start + piece])
    return spool


def uploaded(house: House, principal: Principal, body: bytes) -> Import:
    return begin_import(house, principal, spooled(house, body))


def count(house: House) -> int:
    with house.sessions.begin(write=False) as session:
        return session.scalar(select(func.count()).select_from(Instance)) or 0


def as_files(*files: tuple[str, bytes]) -> list[Any]:
    return [("files", file) for file in files]


def test_an_upload_is_accepted_and_waits(
    client_as: ClientAs, instance: MakeBytes
) -> None:
    answer = client_as("doctor").post(
        "api/imports", files=as_files(("a/1.dcm", instance()), ("b", b"text"))
    )
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    assert answer.headers["location"] == f"imports/{answer.json()['id']}"


def test_the_worker_imports_what_was_uploaded(
    house: House, client_as: ClientAs, instance: MakeBytes
) -> None:
    client = client_as("doctor")
    files = as_files(("s/1.dcm", instance(1)), ("s/2.dcm", instance(2)), ("b", b"text"))
    begun = client.post("api/imports", files=files).json()["id"]
    run_import(house, begun)
    found = client.get(f"api/imports/{begun}").json()
    assert (found["state"], found["done"], found["total"]) == ("done", 3, 3)
    assert (found["summary"]["taken"], found["summary"]["refused"]) == (2, 1)
    assert found["summary"]["problems"][0]["file"] == "b"


def test_the_queue_has_what_was_uploaded(
    house: House, client_as: ClientAs, instance: MakeBytes
) -> None:
    answer = client_as("doctor").post("api/imports", files=as_files(("1", instance())))
    assert house.work.state("import", answer.json()["id"]) == "waiting"


def test_an_import_is_its_owners_business(
    client_as: ClientAs, instance: MakeBytes
) -> None:
    begun = client_as("doctor").post("api/imports", files=as_files(("1", instance())))
    address = f"api/imports/{begun.json()['id']}"
    statuses = [
        client_as(*who).get(address).status_code
        for who in (("doctor",), ("ben", "doctor"), ("admin",))
    ]
    assert statuses == [200, 404, 200]


def test_one_sees_ones_own_imports(client_as: ClientAs, instance: MakeBytes) -> None:
    client_as("doctor").post("api/imports", files=as_files(("1", instance())))
    assert len(client_as("doctor").get("api/imports").json()) == 1
    assert client_as("ben", "doctor").get("api/imports").json() == []


def test_a_student_may_not_upload(
    house: House, client_as: ClientAs, instance: MakeBytes
) -> None:
    answer = client_as("student").post("api/imports", files=as_files(("1", instance())))
    assert answer.status_code == 403
    assert not (house.settings.data / "uploads").exists()


@pytest.mark.parametrize("piece", [1, 7, 4096, 10**6])
def test_a_body_may_come_in_any_pieces(
    piece: int, house: House, doctor: Principal, instance: MakeBytes
) -> None:
    body = form(part("modality", b"MR"), part("files", instance(), "1.dcm"))
    spool = spooled(house, body, piece)
    spool.finish(doctor)
    assert (spool.folder / "0").read_bytes() == instance()
    assert (spool.names, spool.fields) == (["1.dcm"], {"modality": "MR"})


def test_a_file_name_is_no_path(house: House, doctor: Principal) -> None:
    body = form(part("files", b"text", "../../../etc/cron.d/evil"))
    spool = spooled(house, body)
    spool.finish(doctor)
    assert sorted(path.name for path in spool.folder.iterdir()) == [
        "0",
        "manifest.json",
    ]


def test_a_chinese_name_is_kept(house: House, doctor: Principal) -> None:
    imported = uploaded(house, doctor, form(part("files", b"text", "头部/一.dcm")))
    run_import(house, imported.id)
    summary = get_import(house, doctor, imported.id).summary
    assert summary["problems"][0]["file"] == "头部/一.dcm"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(form(part("modality", b"MR")), "no file", id="no file"),
        pytest.param(part("files", b"text", "1"), "cut short", id="cut short"),
        pytest.param(b"garbage" * 100, "no multipart form", id="garbage"),
        pytest.param(
            form(part("modality", b"XX"), part("files", b"", "1")),
            "No modality 'XX'",
            id="unknown modality",
        ),
    ],
)
def test_a_body_that_is_none_is_refused(
    body: bytes, said: str, house: House, doctor: Principal
) -> None:
    with pytest.raises(InvalidError, match=said):
        uploaded(house, doctor, body)


def test_a_body_of_another_kind_is_refused(client_as: ClientAs) -> None:
    answer = client_as("doctor").post("api/imports", json={"files": []})
    assert (answer.status_code, "multipart/form-data" in answer.text) == (422, True)


def test_too_large_an_upload_is_refused_and_leaves_nothing(
    house: House, client_as: ClientAs, instance: MakeBytes
) -> None:
    house.settings.max_upload_bytes = 500
    answer = client_as("doctor").post("api/imports", files=as_files(("1", instance())))
    assert answer.status_code == 413
    assert list((house.settings.data / "uploads").iterdir()) == []


def test_a_full_disk_refuses_an_upload_and_leaves_nothing(
    house: House, client_as: ClientAs, instance: MakeBytes
) -> None:
    house.settings.free_space_bytes = 2**60
    answer = client_as("doctor").post("api/imports", files=as_files(("1", instance())))
    assert answer.status_code == 507
    assert list((house.settings.data / "uploads").iterdir()) == []


def test_a_field_without_an_end_is_refused(house: House) -> None:
    with pytest.raises(TooLargeError, match="more than 1024 bytes"):
        spooled(house, form(part("modality", b"M" * 10**6)), 4096)


def test_an_import_that_was_done_is_not_done_again(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    imported = uploaded(house, doctor, form(part("files", instance(), "1")))
    run_import(house, imported.id)
    first = get_import(house, doctor, imported.id).finished_at
    run_import(house, imported.id)
    assert get_import(house, doctor, imported.id).finished_at == first


def test_the_files_of_an_import_that_was_done_are_gone(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    imported = uploaded(house, doctor, form(part("files", instance(), "1")))
    run_import(house, imported.id)
    assert not spool_folder(house, imported.id).exists()


def test_an_import_goes_on_where_it_was(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    parts = [part("files", instance(number), str(number)) for number in range(1, 7)]
    imported = uploaded(house, doctor, form(*parts))
    with house.sessions.begin() as session:
        row = session.get_one(Import, imported.id)
        row.done, row.state = 4, "running"
        row.summary = {**row.summary, "taken": 4}
    run_import(house, imported.id)
    after = get_import(house, doctor, imported.id)
    assert (after.done, after.summary["taken"], count(house)) == (6, 6, 2)


def test_an_import_goes_on_inside_a_zip(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        for number in range(1, 6):
            made.writestr(str(number), instance(number))
    content = (tmp_path / "a.zip").read_bytes()
    imported = uploaded(house, doctor, form(part("files", content, "a.zip")))
    with house.sessions.begin() as session:
        session.get_one(Import, imported.id).done = 3
    run_import(house, imported.id)
    after = get_import(house, doctor, imported.id)
    assert (after.done, after.total, count(house)) == (5, 5, 2)


def test_a_full_disk_ends_an_import_with_a_sentence(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    imported = uploaded(house, doctor, form(part("files", instance(), "1")))
    house.store.free_space_bytes = 2**60
    run_import(house, imported.id)
    after = get_import(house, doctor, imported.id)
    assert (after.state, "Make room" in after.error) == ("failed", True)


def test_an_import_whose_files_are_gone_ends(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    imported = uploaded(house, doctor, form(part("files", instance(), "1")))
    for path in spool_folder(house, imported.id).iterdir():
        path.unlink()
    run_import(house, imported.id)
    assert get_import(house, doctor, imported.id).state == "failed"


def test_an_import_is_done_as_who_sent_it(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    house.settings.import_audience = ["role:teacher"]
    uploads = [
        (doctor, instance(1)),
        (Principal("tea", frozenset({Role.TEACHER})), instance(2)),
        (Principal("dan", frozenset({Role.DOCTOR})), instance(3)),
    ]
    taken = []
    for who, file in uploads:
        imported = uploaded(house, who, form(part("files", file, "1")))
        run_import(house, imported.id)
        taken.append(get_import(house, who, imported.id).summary["taken"])
    assert taken == [1, 1, 0]


def test_uploads_that_were_never_finished_are_swept(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    left = spooled(house, form(part("files", instance(), "1"))).folder
    yesterday = time.time() - 2 * 24 * 3600
    os.utime(left, (yesterday, yesterday))
    imported = uploaded(house, doctor, form(part("files", instance(), "1")))
    run_import(house, imported.id)
    assert not left.exists()


def test_what_the_row_keeps_is_json(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    imported = uploaded(house, doctor, form(part("files", instance(), "1")))
    assert json.loads(json.dumps(imported.summary)) == {
        "taken": 0,
        "same": 0,
        "aside": 0,
        "refused": 0,
        "skipped": 0,
        "problems": [],
    }
