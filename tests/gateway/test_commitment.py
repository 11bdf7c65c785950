"""Storage commitment: what is kept is said, what is not as well."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom import AE, evt
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    StorageCommitmentPushModel,
)

from rounds_hub.archive import service as archive
from rounds_hub.gateway.models import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pynetdicom.events import Event

    from rounds_hub.access.principal import Principal
    from rounds_hub.gateway.listener import Listener
    from rounds_hub.house import House

    Kept = Callable[..., archive.Outcome]

WELL_KNOWN = "1.2.840.10008.1.20.1.1"


class Scanner:
    """A scanner that asks what is kept, and takes the report on either way."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reports: queue.Queue[tuple[int, Dataset]] = queue.Queue()
        self.entity = AE(ae_title="CT1")
        self.entity.add_requested_context(StorageCommitmentPushModel)
        self.entity.add_supported_context(
            StorageCommitmentPushModel, scu_role=False, scp_role=True
        )
        self.heard: tuple[object, int, Dataset] | None = None
        self.handlers: list[Any] = [
            (evt.EVT_N_EVENT_REPORT, self._report),
            (evt.EVT_PDU_SENT, self._sent),
        ]

    def _report(self, event: Event) -> tuple[int, None]:
        number = int(event.request.EventTypeID)  # type: ignore[union-attr,arg-type] # N-EVENT-REPORT
        self.heard = (event.assoc, number, event.event_information)
        return 0x0000, None

    def _sent(self, event: Event) -> None:
        """Hand the report on once it is answered: not before may one release."""
        if self.heard and self.heard[0] is event.assoc and _is_data(event):
            _, number, report = self.heard
            self.heard = None
            self.reports.put((number, report))

    def ask(self, *uids: str, sop_class: str = CTImageStorage) -> int:
        """Ask for *uids* and return the status; the report comes by itself."""
        asked = Dataset()
        asked.TransactionUID = generate_uid()
        asked.ReferencedSOPSequence = [item(sop_class, uid) for uid in uids]
        association = self.entity.associate(
            "127.0.0.1", self.port, ae_title="ROUNDS", evt_handlers=self.handlers
        )
        status, _ = association.send_n_action(
            asked, 1, StorageCommitmentPushModel, WELL_KNOWN
        )
        self.open = association
        return int(status.Status)

    def told(self) -> tuple[int, list[str], list[tuple[str, int]]]:
        """Return the event, what is kept, and what is not and why."""
        number, report = self.reports.get(timeout=30)
        if self.open.is_established:
            self.open.release()
        kept = [
            one.ReferencedSOPInstanceUID
            for one in report.get("ReferencedSOPSequence", [])
        ]
        failed = [
            (one.ReferencedSOPInstanceUID, one.FailureReason)
            for one in report.get("FailedSOPSequence", [])
        ]
        return number, kept, failed


def _is_data(event: Event) -> bool:
    return isinstance(event.pdu, P_DATA_TF)


def item(sop_class: str, uid: str) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID = sop_class
    made.ReferencedSOPInstanceUID = uid
    return made


@pytest.fixture(params=["same association", "new association"])
def scanner(
    request: pytest.FixtureRequest, house: House, gateway: Listener
) -> Iterator[Scanner]:
    """Return a scanner whose record has an address, or has none."""
    made = Scanner(gateway.port)
    listens = request.param == "new association"
    server = made.entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=made.handlers
    )
    assert server is not None
    where = {"host": "127.0.0.1", "port": server.server_address[1]} if listens else {}
    own = {"name": "ct1", "ae_title": "CT1", "roles": ["doctor"]} | where
    with house.sessions.begin() as session:
        session.add(Node(**own))
    yield made
    server.shutdown()


def test_what_is_kept_is_said(
    house: House, doctor: Principal, scanner: Scanner, kept: Kept
) -> None:
    every = archive.instances_of(house, doctor, kept().series_uid)
    uids = [one.uid for one in every]
    assert scanner.ask(*uids) == 0
    assert scanner.told() == (1, uids, [])


def test_what_is_not_kept_is_said_with_its_reason(
    house: House, doctor: Principal, scanner: Scanner, kept: Kept
) -> None:
    good, bad = archive.instances_of(house, doctor, kept().series_uid)[:2]
    path = house.store.path(bad.sha256)
    path.chmod(0o600)
    path.write_bytes(b"\0" * bad.size)
    scanner.ask(good.uid, bad.uid, "1.2.3")
    number, safe, failed = scanner.told()
    assert (number, safe) == (2, [good.uid])
    assert failed == [(bad.uid, 0x0110), ("1.2.3", 0x0112)]


def test_another_class_is_a_conflict(scanner: Scanner, kept: Kept) -> None:
    uid = kept().sop_uid
    scanner.ask(uid, sop_class="1.2.840.10008.5.1.4.1.1.4")
    assert scanner.told() == (2, [], [(uid, 0x0119)])


def test_what_the_node_may_not_see_is_not_there(
    house: House, scanner: Scanner, kept: Kept
) -> None:
    house.settings.import_audience = ["role:teacher"]
    uid = kept().sop_uid
    scanner.ask(uid)
    assert scanner.told() == (2, [], [(uid, 0x0112)])


def test_a_request_that_names_nothing_is_refused(scanner: Scanner) -> None:
    assert scanner.ask() == 0xC000
    assert scanner.reports.empty()
    scanner.open.release()
