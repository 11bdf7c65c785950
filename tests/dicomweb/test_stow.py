"""Storing by STOW-RS: what is said of each instance, and what is there afterwards."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmwrite
from sqlalchemy import select
from tests.archive.conftest import change, make_instance
from tests.dicomweb.conftest import standard_client

from rounds_hub.archive.models import Instance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

    from rounds_hub.house import House

    ClientAs = Callable[..., httpx.Client]

RELATED = 'multipart/related; type="application/dicom"; boundary=mark'
STORED, FAILED, UNKNOWN = "00081199", "00081198", "0008119A"


def file_of(made: Dataset) -> bytes:
    """Return an instance as a Part 10 file."""
    from pydicom import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = io.BytesIO()
    dcmwrite(written, made, enforce_file_format=True)
    return written.getvalue()


def body_of(files: Sequence[bytes], kind: str = "application/dicom") -> bytes:
    """Return files as a multipart body."""
    head = f"--mark\r\nContent-Type: {kind}\r\n\r\n".encode()
    parts = b"".join(head + file + b"\r\n" for file in files)
    return parts + b"--mark--\r\n"


def send(
    client: httpx.Client, body: bytes, where: str = "", kind: str = RELATED
) -> httpx.Response:
    """Store a body; return the answer."""
    headers = {"content-type": kind, "accept": "application/dicom+json"}
    return client.post(f"dicomweb/studies{where}", content=body, headers=headers)


def held(house: House) -> set[str]:
    """Return the instances that the catalogue has and the store holds whole."""
    with house.sessions.begin(write=False) as session:
        rows = session.scalars(select(Instance)).all()
        return {one.uid for one in rows if house.store.verify(one.sha256)}


def reasons(answer: httpx.Response, sequence: str = FAILED) -> list[int]:
    """Return the reasons of what was not stored."""
    return [one["00081197"]["Value"][0] for one in answer.json()[sequence]["Value"]]


def test_the_standard_client_stores_a_series(house: House, service_url: str) -> None:
    every = [make_instance(number) for number in range(1, 6)]
    for one in every:
        file_of(one)
    client = standard_client(f"{service_url}dicomweb", "dora doctor")
    answer = client.store_instances(every)
    assert len(answer.ReferencedSOPSequence) == 5
    assert held(house) == {one.SOPInstanceUID for one in every}


def test_what_is_stored_can_be_had_where_the_answer_says(client_as: ClientAs) -> None:
    client, file = client_as("doctor"), file_of(make_instance())
    said = send(client, body_of([file])).json()[STORED]["Value"][0]
    where = said["00081190"]["Value"][0]
    asked = {"accept": "application/dicom; transfer-syntax=*"}
    assert client.get(where, headers=asked).content == file


def test_the_same_again_is_stored_as_well(client_as: ClientAs) -> None:
    client, body = client_as("doctor"), body_of([file_of(make_instance())])
    assert [send(client, body).status_code for _ in range(2)] == [200, 200]


def test_one_instance_needs_no_multipart(client_as: ClientAs) -> None:
    file = file_of(make_instance())
    answer = send(client_as("doctor"), file, kind="application/dicom")
    assert (answer.status_code, len(answer.json()[STORED]["Value"])) == (200, 1)


def test_what_is_wrong_is_said_of_each_and_the_rest_stays(
    house: House, client_as: ClientAs
) -> None:
    short = file_of(make_instance(2))[:-100]
    body = body_of([file_of(make_instance(1)), short, b"%PDF-1.7", b""])
    answer = send(client_as("doctor"), body)
    assert (answer.status_code, reasons(answer, UNKNOWN)) == (202, [0xC000] * 3)
    assert held(house) == {make_instance(1).SOPInstanceUID}


def test_other_bytes_under_a_uid_that_is_taken_are_a_duplicate(
    client_as: ClientAs,
) -> None:
    client, other = client_as("doctor"), make_instance()
    send(client, body_of([file_of(make_instance())]))
    change(other, PatientID="another")
    answer = send(client, body_of([file_of(other)]))
    assert (answer.status_code, reasons(answer)) == (409, [0x0111])


def test_an_instance_of_another_study_than_the_address_is_refused(
    house: House, client_as: ClientAs
) -> None:
    right, wrong = make_instance(1), make_instance(1, 2, 2)
    body = body_of([file_of(right), file_of(wrong)])
    answer = send(client_as("doctor"), body, f"/{right.StudyInstanceUID}")
    assert (answer.status_code, reasons(answer)) == (202, [0xC409])
    assert held(house) == {right.SOPInstanceUID}


def test_who_may_not_bring_anything_is_told_before(
    house: House, client_as: ClientAs
) -> None:
    answer = send(client_as("student"), body_of([file_of(make_instance())]))
    assert (answer.status_code, held(house)) == (403, set())


def test_a_series_of_somebody_else_takes_nothing(
    house: House, client_as: ClientAs
) -> None:
    send(client_as("tess", "teacher"), body_of([file_of(make_instance(1))]))
    with house.sessions.begin() as session:
        from rounds_hub.access.sight import touched
        from rounds_hub.archive.models import Series

        series = session.scalars(select(Series)).one()
        series.audience = ["user:tess"]
        touched(session, [series.uid])
    answer = send(client_as("doctor"), body_of([file_of(make_instance(2))]))
    assert (answer.status_code, reasons(answer)) == (409, [0x0110])


def test_a_full_disk_is_said_and_leaves_nothing(
    house: House, client_as: ClientAs
) -> None:
    house.store.free_space_bytes = 2**60
    answer = send(client_as("doctor"), body_of([file_of(make_instance())]))
    assert (answer.status_code, reasons(answer, UNKNOWN)) == (507, [0xA700])
    assert not held(house)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        pytest.param("application/json", 415, id="no multipart"),
        pytest.param("multipart/form-data; boundary=mark", 415, id="a form"),
        pytest.param(
            'multipart/related; type="application/dicom+json"; boundary=mark',
            415,
            id="metadata and bulk data apart",
        ),
        pytest.param('multipart/related; type="application/dicom"', 400, id="no mark"),
    ],
)
def test_other_kinds_of_body_are_refused_in_a_sentence(
    client_as: ClientAs, kind: str, status: int
) -> None:
    answer = send(client_as("doctor"), body_of([b"x"]), kind=kind)
    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_an_answer_in_another_form_is_not_given(client_as: ClientAs) -> None:
    headers = {"content-type": RELATED, "accept": "application/dicom+xml"}
    body = body_of([file_of(make_instance())])
    answer = client_as("doctor").post("dicomweb/studies", content=body, headers=headers)
    assert answer.status_code == 406


def test_a_page_of_another_site_stores_nothing(
    house: House, client_as: ClientAs
) -> None:
    headers = {"x-cookie": "yes", "sec-fetch-site": "cross-site"}
    body = body_of([file_of(make_instance())])
    answer = client_as("doctor").post(
        "dicomweb/studies", content=body, headers={**headers, "content-type": RELATED}
    )
    assert (answer.status_code, held(house)) == (403, set())


def test_a_preamble_that_is_a_program_leaves_as_zeros(
    house: House, client_as: ClientAs
) -> None:
    client, file = client_as("doctor"), file_of(make_instance())
    program = b"MZ" + bytes(126) + file[128:]
    where = send(client, body_of([program])).json()[STORED]["Value"][0]["00081190"]
    asked = {"accept": "application/dicom; transfer-syntax=*"}
    assert client.get(where["Value"][0], headers=asked).content == file
    uid = make_instance().SOPInstanceUID
    assert client.get(f"api/instances/{uid}.dcm").content == file
    assert house.store.verify(sha_of(house)), "the store keeps what came"


def sha_of(house: House) -> str:
    """Return the hash of the only instance."""
    with house.sessions.begin(write=False) as session:
        return session.scalars(select(Instance.sha256)).one()
