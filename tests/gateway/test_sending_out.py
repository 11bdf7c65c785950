"""What is sent to a node: once each, again after trouble, never past a cancel."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import dcmread

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive import service as archive
from rounds_hub.errors import ConflictError, InvalidError, NotFoundError
from rounds_hub.gateway import sending
from rounds_hub.gateway.dispatching import attempt, hand_over_sendings
from rounds_hub.gateway.models import Node, Sending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rounds_hub.house import House

    Receiver = Callable[..., Any]
    Kept = Callable[..., archive.Outcome]

STUDENT = Principal("student", frozenset({Role.STUDENT}))


@pytest.fixture(autouse=True)
def short_pauses(house: House) -> None:
    house.settings.send_pauses = [0.0, 0.0]


def state_of(house: House, doctor: Principal, sending_id: str) -> tuple[str, int, int]:
    found = sending.get_sending(house, doctor, sending_id)
    return found.state, found.sent, found.refused


def test_a_series_is_sent_byte_for_byte(
    house: House, doctor: Principal, receiver: Receiver, kept: Kept
) -> None:
    desk, series = receiver("+B"), kept().series_uid
    sent = sending.send(house, doctor, desk.known_to(house), [series])
    assert attempt(house, f"{sent}.1") == "done"
    theirs = {dcmread(path).SOPInstanceUID: dcmread(path) for path in desk.files()}
    for one in archive.instances_of(house, doctor, series):
        assert theirs[one.uid] == dcmread(one.path)


def test_one_instance_can_be_sent_alone(
    house: House, doctor: Principal, receiver: Receiver, kept: Kept
) -> None:
    desk = receiver()
    sent = sending.send(house, doctor, desk.known_to(house), [kept().sop_uid])
    attempt(house, f"{sent}.1")
    assert (state_of(house, doctor, sent), len(desk.files())) == (("done", 1, 0), 1)


def test_the_same_request_is_sent_once(
    house: House, doctor: Principal, receiver: Receiver, kept: Kept
) -> None:
    desk, series = receiver(), kept().series_uid
    name = desk.known_to(house)
    first, second = (
        sending.send(house, doctor, name, [series], request="route-1") for _ in range(2)
    )
    attempt(house, f"{first}.1")
    assert (first == second, attempt(house, f"{first}.1")) == (True, "done")
    assert desk.received() == 4


def test_a_crowd_of_kinds_goes_over_in_the_syntax_each_has(
    house: House, doctor: Principal, receiver: Receiver, shared_data: Path
) -> None:
    paths = sorted((shared_data / "dicom_formats").rglob("*"))
    files = [path for path in paths if path.is_file()]
    offers = [archive.Offer(path.name, path) for path in files]
    taken = [one for one in archive.store(house, doctor, offers) if one.sop_uid]
    uids = [one.sop_uid for one in taken if one.status == "taken"]
    desk = receiver("+xa", "-pm", "+B")
    sent = sending.send(house, doctor, desk.known_to(house), uids)
    attempt(house, f"{sent}.1")
    refused = [one.why for one in sending.items_of(house, doctor, sent) if one.why]
    state, sent_count, _ = state_of(house, doctor, sent)
    assert (len(uids) - sent_count, state) == (
        len(refused),
        "failed" if refused else state,
    )
    assert sent_count >= 0.9 * len(uids)


def test_a_node_that_takes_implicit_alone_gets_it(
    house: House, doctor: Principal, receiver: Receiver, kept: Kept
) -> None:
    desk, series = receiver("+xi", "+B"), kept().series_uid
    sent = sending.send(house, doctor, desk.known_to(house), [series])
    assert attempt(house, f"{sent}.1") == "done"
    there = dcmread(desk.files()[0])
    ours = archive.open_instance(house, doctor, there.SOPInstanceUID)
    assert there.file_meta.TransferSyntaxUID.is_implicit_VR
    assert there.PixelData == dcmread(ours.path).PixelData


@pytest.mark.parametrize("option", ["--abort-after", "--abort-during", "--refuse"])
def test_a_node_that_breaks_off_is_tried_again_until_the_pauses_are_used_up(
    option: str, house: House, doctor: Principal, receiver: Receiver, kept: Kept
) -> None:
    desk = receiver(option)
    sent = sending.send(house, doctor, desk.known_to(house), [kept().series_uid])
    states = [attempt(house, f"{sent}.{number}") for number in (1, 2, 3)]
    assert states == ["waiting", "waiting", "failed"]
    assert "'desk'" in sending.get_sending(house, doctor, sent).why


def test_a_cancel_ends_it_in_the_middle(
    house: House, doctor: Principal, receiver: Receiver, kept: Kept
) -> None:
    desk = receiver("--sleep-after", "1")
    sent = sending.send(house, doctor, desk.known_to(house), [kept().series_uid])
    work = threading.Thread(target=attempt, args=(house, f"{sent}.1"))
    work.start()
    until = time.monotonic() + 30
    while desk.received() < 1 and time.monotonic() < until:
        time.sleep(0.05)
    sending.cancel_sending(house, doctor, sent)
    work.join(10)
    assert not work.is_alive()
    assert state_of(house, doctor, sent)[0] == "cancelled"
    assert desk.received() < 4


def test_an_ended_sending_can_be_tried_again(
    house: House, doctor: Principal, receiver: Receiver, kept: Kept
) -> None:
    desk = receiver()
    sent = sending.send(house, doctor, desk.known_to(house), [kept().series_uid])
    sending.cancel_sending(house, doctor, sent)
    assert attempt(house, f"{sent}.1") == "cancelled"
    again = sending.retry_sending(house, doctor, sent)
    assert attempt(house, sending.workflow_key(again)) == "done"
    with pytest.raises(ConflictError, match="has everything"):
        sending.retry_sending(house, doctor, sent)


def test_what_one_may_not_see_is_not_sent(
    house: House, receiver: Receiver, kept: Kept
) -> None:
    name, series = receiver().known_to(house), kept().series_uid
    researcher = Principal("ben", frozenset({Role.RESEARCHER}))
    house.settings.import_audience = ["role:doctor"]
    hidden = kept(seed=9).series_uid
    assert sending.send(house, researcher, name, [series])
    with pytest.raises(NotFoundError):
        sending.send(house, researcher, name, [hidden])


def test_a_sending_is_its_owners_own_business(
    house: House, doctor: Principal, receiver: Receiver, kept: Kept
) -> None:
    name = receiver().known_to(house)
    sent = sending.send(house, doctor, name, [kept().series_uid])
    other = Principal("ben", frozenset({Role.DOCTOR}))
    assert sending.list_sendings(house, other) == []
    with pytest.raises(NotFoundError):
        sending.get_sending(house, other, sent)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"enabled": False}, "switched off", id="switched off"),
        pytest.param({"may_receive": False}, "may not be sent", id="no right"),
        pytest.param({"host": ""}, "no host", id="no host"),
    ],
)
def test_a_closed_node_is_sent_nothing(
    fields: dict[str, Any], why: str, house: House, doctor: Principal, kept: Kept
) -> None:
    with house.sessions.begin() as session:
        session.add(
            Node(name="shut", ae_title="SHUT", **({"host": "127.0.0.1"} | fields))
        )
    with pytest.raises(ConflictError, match=why):
        sending.send(house, doctor, "shut", [kept().series_uid])


def test_nothing_chosen_says_so(house: House, doctor: Principal) -> None:
    with house.sessions.begin() as session:
        session.add(Node(name="desk", ae_title="DESK", host="127.0.0.1"))
    with pytest.raises(InvalidError, match="Nothing was chosen"):
        sending.send(house, doctor, "desk", [])


def test_a_sending_that_no_queue_has_is_handed_over(
    house: House, doctor: Principal, kept: Kept
) -> None:
    with house.sessions.begin() as session:
        session.add(Node(name="desk", ae_title="DESK", host="127.0.0.1"))
    sent = sending.send(house, doctor, "desk", [kept().series_uid])
    key = f"{sent}.1"
    house.work.cancel("send", key)
    with house.sessions.begin() as session:
        row = session.get_one(Sending, sent)
        row.next_at = row.created_at.replace(year=2020)
    hand_over_sendings(house)
    assert sending.get_sending(house, doctor, sent).attempt == 2
    assert house.work.state("send", f"{sent}.2") == "waiting"
