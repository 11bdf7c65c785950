"""MPPS and instance availability: what a modality says makes its series complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from sqlalchemy import select
from tests.gateway.conftest import slices

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive import service as archive
from rounds_hub.gateway.announcing import (
    INSTANCE_AVAILABILITY,
    PERFORMED_PROCEDURE_STEP,
)
from rounds_hub.gateway.models import Node
from rounds_hub.routing import completeness
from rounds_hub.routing.models import ProcedureStep, SeriesState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rounds_hub.gateway.listener import Listener
    from rounds_hub.house import House

    Connect = Callable[[str], Any]

SCANNER = Principal("node:scanner", frozenset({Role.NODE}))
STEP = PERFORMED_PROCEDURE_STEP


@pytest.fixture
def connect(house: House, gateway: Listener) -> Iterator[Connect]:
    """Return a function that opens an association as a node."""
    with house.sessions.begin() as session:
        session.add(Node(name="scanner", ae_title="SCANNER"))
        session.add(Node(name="other", ae_title="OTHER"))
        session.add(Node(name="reader", ae_title="READER", may_store=False))
    opened = []

    def open_one(title: str) -> Any:  # noqa: ANN401 (an association of pynetdicom)
        ae = AE(ae_title=title)
        for abstract in (STEP, INSTANCE_AVAILABILITY):
            ae.add_requested_context(abstract)
        opened.append(ae.associate("127.0.0.1", gateway.port, ae_title="ROUNDS"))
        return opened[-1]

    yield open_one
    for one in opened:
        one.abort()


def step(status: str = "", made: list[Dataset] | None = None) -> Dataset:
    """Return what a modality says of a step, with the images of *made*."""
    said = Dataset()
    if status:
        said.PerformedProcedureStepStatus = status
    if made:
        series = Dataset()
        series.SeriesInstanceUID = made[0].SeriesInstanceUID
        series.ReferencedImageSequence = [reference(one) for one in made]
        said.PerformedSeriesSequence = [series]
    return said


def reference(made: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = made.SOPClassUID
    item.ReferencedSOPInstanceUID = made.SOPInstanceUID
    return item


def keep(house: House, made: list[Dataset]) -> str:
    offers = [archive.Offer(str(n), one) for n, one in enumerate(made)]
    return archive.store(house, SCANNER, offers)[0].series_uid


def why(house: House, uid: str) -> str:
    """Look for complete series; return why this one is, empty where it is not."""
    completeness.look(house, set())
    with house.sessions.begin(write=False) as session:
        return session.get_one(SeriesState, uid).why


def test_a_step_that_ends_says_how_many_instances_there_are(
    house: House, connect: Connect
) -> None:
    made, uid = slices(), generate_uid()
    scanner = connect("SCANNER")
    status, _ = scanner.send_n_create(step("IN PROGRESS"), STEP, uid)
    series = keep(house, made[:3])
    ended, _ = scanner.send_n_set(step("COMPLETED", made), STEP, uid)
    before = why(house, series)
    keep(house, made[3:])
    assert (status.Status, ended.Status, before) == (0, 0, "")
    assert why(house, series) == "All 4 instances came, as the procedure step said."


def test_a_step_may_end_after_its_instances(house: House, connect: Connect) -> None:
    made, uid = slices(), generate_uid()
    series = keep(house, made)
    scanner = connect("SCANNER")
    scanner.send_n_create(step("IN PROGRESS"), STEP, uid)
    scanner.send_n_set(step("", made), STEP, uid)
    before = why(house, series)
    scanner.send_n_set(step("DISCONTINUED"), STEP, uid)
    assert (before, "procedure step" in why(house, series)) == ("", True)


@pytest.mark.parametrize(
    ("title", "asked", "status"),
    [
        pytest.param("SCANNER", "IN PROGRESS", 0x0111, id="the same again"),
        pytest.param("OTHER", "COMPLETED", 0x0112, id="of another node"),
        pytest.param("SCANNER", "OVER", 0x0106, id="no such status"),
    ],
)
def test_a_step_is_refused(
    connect: Connect, title: str, asked: str, status: int
) -> None:
    uid = generate_uid()
    connect("SCANNER").send_n_create(step("IN PROGRESS"), STEP, uid)
    node = connect(title)
    send = node.send_n_create if asked == "IN PROGRESS" else node.send_n_set
    assert send(step(asked), STEP, uid)[0].Status == status


def test_a_step_that_has_ended_is_not_changed(connect: Connect) -> None:
    uid, scanner = generate_uid(), connect("SCANNER")
    scanner.send_n_create(step("IN PROGRESS"), STEP, uid)
    scanner.send_n_set(step("COMPLETED"), STEP, uid)
    again, _ = scanner.send_n_set(step("DISCONTINUED"), STEP, uid)
    assert again.Status == 0x0110


def test_a_step_without_a_uid_gets_one(house: House, connect: Connect) -> None:
    connect("SCANNER").send_n_create(step("IN PROGRESS"), STEP)
    with house.sessions.begin(write=False) as session:
        (found,) = session.scalars(select(ProcedureStep))
    assert (found.owner, len(found.uid) > 20) == ("node:scanner", True)


def test_a_step_cannot_begin_as_completed(connect: Connect) -> None:
    status, _ = connect("SCANNER").send_n_create(
        step("COMPLETED"), STEP, generate_uid()
    )
    assert status.Status == 0x0106


def test_a_notification_says_how_many_instances_there_are(
    house: House, connect: Connect
) -> None:
    made = slices()
    series = Dataset()
    series.SeriesInstanceUID = made[0].SeriesInstanceUID
    series.ReferencedSOPSequence = [reference(one) for one in made]
    said = Dataset()
    said.StudyInstanceUID = made[0].StudyInstanceUID
    said.ReferencedSeriesSequence = [series]
    status, _ = connect("SCANNER").send_n_create(
        said, INSTANCE_AVAILABILITY, generate_uid()
    )
    assert (status.Status, "notification" in why(house, keep(house, made))) == (0, True)


def test_what_others_say_of_a_series_changes_nothing(
    house: House, connect: Connect
) -> None:
    made, uid = slices(), generate_uid()
    series = keep(house, made)
    other = connect("OTHER")
    other.send_n_create(step("IN PROGRESS", made), STEP, uid)
    assert other.send_n_set(step("COMPLETED"), STEP, uid)[0].Status == 0
    assert why(house, series) == ""


def test_a_node_that_may_not_store_announces_nothing(connect: Connect) -> None:
    reader = connect("READER")
    assert [one.result for one in reader.rejected_contexts] in ([], [1, 1], [3, 3])
    assert reader.accepted_contexts == []
