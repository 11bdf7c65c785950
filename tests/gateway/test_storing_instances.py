"""C-STORE: what DCMTK sends is kept byte for byte, and what is wrong is said."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import dcmread
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined] # its table
from pynetdicom import AllStoragePresentationContexts
from sqlalchemy import func, select
from tests.gateway.speaking import (
    UID,
    answer,
    associated,
    command,
    data_set_of,
    dcmtk,
    know,
    request,
    slice_of,
    store_command,
    storescu,
    unit,
    write_slices,
)

from rounds_hub.archive.checking import examine_file
from rounds_hub.archive.models import Aside, Instance, Series
from rounds_hub.archive.walking import Limits
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import InvalidError
from rounds_hub.gateway.listener import Listener
from rounds_hub.gateway.messages import decode_command
from rounds_hub.gateway.negotiation import negotiate
from rounds_hub.gateway.nodes import NodeRecord
from rounds_hub.gateway.pdus import decode_request
from rounds_hub.gateway.services import load_services
from rounds_hub.gateway.storing import STORAGE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_hub.house import House


@pytest.fixture
def listener(house: House) -> Iterator[Listener]:
    """Listen on a free port to some nodes that may store."""
    house.settings.gateway_port = 0
    know(house)
    with Listener(house) as opened:
        yield opened


def kept(house: House) -> dict[str, Path]:
    """Return the file of each instance in the catalogue."""
    with house.sessions.begin(write=False) as session:
        rows = session.execute(select(Instance.uid, Instance.sha256)).all()
    return {row.uid: house.store.path(row.sha256) for row in rows}


def test_every_storage_class_of_pynetdicom_is_ours_as_well() -> None:
    known = {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
    assert {uid for uid in known - STORAGE_CLASSES if uid in UID_dictionary} == set()


def acceptable(path: Path) -> bool:
    """Return whether the archive takes it, and a C-STORE can name it."""
    try:
        examine_file(path, Limits())
    except InvalidError:
        return False
    return "SOPInstanceUID" in dcmread(path, stop_before_pixels=True)


@pytest.fixture
def formats(shared_data: Path) -> dict[str, Path]:
    """Return one file of each instance among all formats."""
    paths = sorted((shared_data / "dicom_formats").rglob("*.dcm"), reverse=True)
    return {
        str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path
        for path in paths
        if acceptable(path)
    }


def sent_as_it_is(port: int, path: Path) -> int:
    """Send the data set of a file as it is and return the status."""
    meta = dcmread(path, stop_before_pixels=True).file_meta
    named: dict[str, Any] = {
        "AffectedSOPClassUID": str(meta.MediaStorageSOPClassUID),
        "AffectedSOPInstanceUID": str(meta.MediaStorageSOPInstanceUID),
    }
    asked = {
        "classes": [named["AffectedSOPClassUID"]],
        "syntaxes": [str(meta.TransferSyntaxUID)],
    }
    data = data_set_of(path)
    with associated(port, **asked) as connection:
        connection.sendall(command(1, **named, Priority=0, CommandDataSetType=1))
        for start in range(0, len(data), 2**16):
            last = start + 2**16 >= len(data)
            connection.sendall(unit(1, 2 * last, data[start : start + 2**16]))
        kind, body = answer(connection)
    assert kind == 4
    return int(decode_command(body[6:])["Status"])


def test_every_format_is_kept_byte_for_byte(
    house: House, listener: Listener, formats: dict[str, Path]
) -> None:
    statuses = {sent_as_it_is(listener.port, path) for path in formats.values()}
    assert statuses == {0}
    found = {uid: data_set_of(path) for uid, path in kept(house).items()}
    assert found == {uid: data_set_of(path) for uid, path in formats.items()}


def values(path: Path) -> dict[int, object]:
    """Return the values of a file but for lengths of groups and padding."""
    found = dcmread(path)
    padding = 0xFFFCFFFC
    return {
        int(one.tag): one.value
        for one in found
        if one.tag.element and one.tag != padding
    }


def test_dcmsend_sends_every_format(
    house: House, listener: Listener, formats: dict[str, Path]
) -> None:
    where = ["-dn", "-aec", "ROUNDS", "127.0.0.1", str(listener.port)]
    said = dcmtk("dcmsend", "-v", *where, *map(str, formats.values())).stdout
    assert said.count("(Success)") == len(formats), said[-2000:]
    for uid, path in kept(house).items():
        assert values(path) == values(formats[uid])


def test_storescu_is_told_of_success_when_it_can_be_found(
    house: House, listener: Listener, tmp_path: Path
) -> None:
    said = storescu(listener.port, *write_slices(tmp_path / "in", range(3)))
    assert said.count("(Success)") == 3
    with house.sessions.begin(write=False) as session:
        (series,) = session.scalars(select(Series)).all()
        events = session.scalar(select(func.count()).select_from(OutboxEvent))
    assert (series.instance_count, series.owner) == (3, "node:storescu")
    assert events == 3


def test_the_same_again_changes_nothing(
    house: House, listener: Listener, tmp_path: Path
) -> None:
    (path,) = write_slices(tmp_path / "in", [1])
    for _ in range(2):
        assert "(Success)" in storescu(listener.port, path)
    with house.sessions.begin(write=False) as session:
        assert session.scalar(select(Series.instance_count)) == 1


def test_other_bytes_under_the_same_uid_are_kept_aside_and_not_called_success(
    house: House, listener: Listener, tmp_path: Path
) -> None:
    (path,) = write_slices(tmp_path / "in", [1])
    storescu(listener.port, path)
    altered = slice_of(1)
    altered.PatientID = "another"
    altered.save_as(path, enforce_file_format=True)
    assert "0x0111" in dcmtk("storescu", *verbose(listener.port), str(path)).stdout
    with house.sessions.begin(write=False) as session:
        assert session.scalar(select(func.count()).select_from(Aside)) == 1


def verbose(port: int) -> list[str]:
    return ["-d", "-aec", "ROUNDS", "127.0.0.1", str(port)]


def status_of_sending(port: int, data: bytes, uid: str = "1.2.3") -> tuple[int, str]:
    """Send *data* as the data set of a CT instance; return status and comment."""
    with associated(port) as connection:
        connection.sendall(store_command(uid) + unit(3, 2, data))
        _, body = answer(connection)
        said = decode_command(body[6:])
        connection.sendall(command(0x30))
        assert answer(connection)[0] == 4  # the association goes on
    return int(said["Status"]), str(said.get("ErrorComment", ""))


def encoded(number: int = 1) -> bytes:
    """Return the bytes of the data set of a CT instance."""
    written = io.BytesIO()
    slice_of(number).save_as(written, enforce_file_format=True)
    content = written.getvalue()
    return content[144 + int.from_bytes(content[140:144], "little") :]


@pytest.mark.parametrize(
    ("data", "uid", "status", "comment"),
    [
        pytest.param(b"no data set", "1.2.3", 0xC000, "known kind", id="garbage"),
        pytest.param(encoded()[:-9], f"{UID}.1.100001", 0xC000, "leads out", id="cut"),
        pytest.param(encoded(), "1.2.3", 0xA900, "differ in SOP", id="another one"),
        pytest.param(encoded(), "../../etc", 0x0117, "not a UID", id="a path"),
    ],
)
def test_what_is_wrong_is_said(
    listener: Listener, data: bytes, uid: str, status: int, comment: str
) -> None:
    said, why = status_of_sending(listener.port, data, uid)
    assert said == status
    assert comment in why


def test_a_full_disk_is_out_of_resources_and_nothing_is_left(
    house: House, listener: Listener
) -> None:
    house.store.free_space_bytes = 2**62
    status, why = status_of_sending(listener.port, encoded(), f"{UID}.1.100001")
    assert status == 0xA700
    assert "full" in why
    assert [one for one in house.store.folder.glob("*/*/*") if one.is_file()] == []
    house.store.free_space_bytes = 0
    assert status_of_sending(listener.port, encoded(), f"{UID}.1.100001")[0] == 0


def test_who_may_only_retrieve_may_not_store(house: House, listener: Listener) -> None:
    know(house, "READER", may_store=False, may_move=True)
    with associated(listener.port, calling="READER") as connection:
        connection.sendall(store_command("1.2.3") + unit(3, 2, b""))
        _, body = answer(connection)
    assert decode_command(body[6:])["Status"] == 0x0124


@pytest.mark.parametrize(
    ("name", "private", "accepted"),
    [
        pytest.param("1.2.840.10008.5.1.4.1.1.2", False, True, id="CT"),
        pytest.param("1.2.840.10008.5.1.4.1.1.66.99", False, True, id="a newer one"),
        pytest.param("1.3.12.2.1107.5.9.1", False, False, id="a vendor's"),
        pytest.param("1.3.12.2.1107.5.9.1", True, True, id="a vendor's, if it may"),
        pytest.param("1.2.840.10008.1.20.9", True, False, id="DICOM's, no storage"),
        pytest.param("1.2.840.10008.5.1.4.1.1.200.4", True, False, id="a query"),
    ],
)
def test_which_classes_a_node_may_store(
    name: str, *, private: bool, accepted: bool
) -> None:
    asked = decode_request(request(classes=[name])[6:])
    node = NodeRecord("ct", "CT", private_classes=private)
    assert bool(negotiate(asked, node, load_services()).contexts) is accepted
