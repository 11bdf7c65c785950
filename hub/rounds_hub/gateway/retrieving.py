"""Retrieve: C-GET on the association itself, C-MOVE to another node (PS3.4, C.4)."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from pydicom import Dataset
from pynetdicom.dsutils import split_dataset
from sqlalchemy import select

from rounds_hub.errors import HubError, InvalidError
from rounds_hub.gateway.association import Instance
from rounds_hub.gateway.converting import converted
from rounds_hub.gateway.delivering import TAKEN, Delivery, Originator, deliver
from rounds_hub.gateway.messages import Field, Status
from rounds_hub.gateway.models import Node
from rounds_hub.gateway.nodes import find_node
from rounds_hub.gateway.selecting import selected
from rounds_hub.gateway.services import UNCOMPRESSED, register

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.gateway.association import Association
    from rounds_hub.gateway.converting import Parcel
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.services import Request

__all__ = ["GET_CLASSES", "MOVE_CLASSES", "GetService", "MoveService"]

PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
GET_CLASSES = (PATIENT_ROOT_GET, STUDY_ROOT_GET)
MOVE_CLASSES = (PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE)

WARNING = 0xB000
UNABLE = 0xA702
DESTINATION_UNKNOWN = 0xA801
IDENTIFIER_MISMATCH = 0xA900
MOST_COUNTED = 0xFFFF
MOST_FAILED_NAMED = 1000
LOOK_SECONDS = 0.1

log = structlog.get_logger()


@dataclass(slots=True)
class _Counts:
    """How many sub-operations there are of each kind (PS3.7, 9.1.3.1)."""

    left: int
    done: int = 0
    warned: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, uid: str, status: int) -> None:
        """Count the sub-operation of *uid* that ended with *status*."""
        self.left -= 1
        if status == Status.SUCCESS:
            self.done += 1
        elif status in TAKEN:
            self.warned += 1
        else:
            self.failed.append(uid)

    def elements(self, *, last: bool = False) -> dict[str, int]:
        """Return the counts as elements of a response."""
        counts = {
            "NumberOfCompletedSuboperations": self.done,
            "NumberOfFailedSuboperations": len(self.failed),
            "NumberOfWarningSuboperations": self.warned,
        }
        if not last:
            counts["NumberOfRemainingSuboperations"] = self.left
        return {name: min(count, MOST_COUNTED) for name, count in counts.items()}

    def status(self) -> int:
        """Return the status of the last response."""
        if self.failed and not self.done and not self.warned:
            return UNABLE
        return WARNING if self.failed or self.warned else Status.SUCCESS


def _end(association: Association, request: Request, counts: _Counts) -> None:
    """Answer that all sub-operations are over."""
    _answer(association, request, counts, counts.status())


def _cancel(association: Association, request: Request, counts: _Counts) -> None:
    """Answer a C-CANCEL; what was left is counted as left (PS3.4, C.4.2.3)."""
    left = {"NumberOfRemainingSuboperations": min(counts.left, MOST_COUNTED)}
    association.respond(
        request,
        Status.CANCEL,
        _failures(counts),
        **(counts.elements(last=True) | left),
    )


def _answer(
    association: Association, request: Request, counts: _Counts, status: int
) -> None:
    """Send the last response, with the instances that failed."""
    elements = counts.elements(last=True)
    association.respond(request, status, _failures(counts), **elements)


def _failures(counts: _Counts) -> Dataset | None:
    """Return the data set that names the failed instances, where there are some."""
    if not counts.failed:
        return None
    named = Dataset()
    named.FailedSOPInstanceUIDList = counts.failed[:MOST_FAILED_NAMED]
    return named


def _selected(association: Association, request: Request) -> list[Parcel] | None:
    """Return what is asked for; None where that was answered with a refusal."""
    patients = request.context.abstract_syntax in {PATIENT_ROOT_GET, PATIENT_ROOT_MOVE}
    try:
        identifier = association.read_dataset(request)
        house, who = association.house, association.principal
        return selected(house, who, identifier, patients=patients)
    except InvalidError as error:
        association.respond(request, IDENTIFIER_MISMATCH, ErrorComment=str(error))
        return None


class GetService:
    """Answers C-GET: instances go back on the association on which they were asked."""

    transfer_syntaxes = UNCOMPRESSED

    def allowed(self, node: NodeRecord, abstract_syntax: str) -> bool:
        """Return whether *node* may have instances sent."""
        del abstract_syntax
        return node.may_move

    def handle(self, association: Association, request: Request) -> None:
        """Answer a C-GET-RQ (PS3.7, 9.1.3; PS3.4, C.4.3)."""
        if request.field != Field.C_GET:
            association.respond(request, Status.UNRECOGNIZED_OPERATION)
            return
        parcels = _selected(association, request)
        if parcels is None:
            return
        counts = _Counts(len(parcels))
        for parcel in parcels:
            if association.cancelled(request):
                _cancel(association, request, counts)
                return
            counts.add(parcel.uid, _give(association, parcel))
            if counts.left:
                association.respond(request, Status.PENDING, None, **counts.elements())
        _end(association, request, counts)


def _give(association: Association, parcel: Parcel) -> int:
    """Send one instance back; return the status of the sub-operation."""
    taken = {
        one.transfer_syntax: one
        for one in association.contexts.values()
        if one.scp_role and one.abstract_syntax == parcel.sop_class
    }
    if not taken:
        return Status.CLASS_NOT_SUPPORTED
    if (kept := taken.get(parcel.transfer_syntax)) is not None:
        path = association.house.store.path(parcel.sha256)
        return association.send_store(kept, _as_sent(path, parcel))
    try:
        with converted(association.house, parcel, list(taken)) as (path, syntax):
            return association.send_store(taken[syntax], _as_sent(path, parcel))
    except HubError as error:
        log.warning("instance not given", instance=parcel.uid, why=str(error))
        return Status.PROCESSING_FAILURE


def _as_sent(path: Path, parcel: Parcel) -> Instance:
    """Return the data set of a Part 10 file as it goes on the wire."""
    return Instance(path, split_dataset(path)[1], parcel.sop_class, parcel.uid)


class MoveService:
    """Answers C-MOVE: instances go to a node that the house knows."""

    transfer_syntaxes = UNCOMPRESSED

    def allowed(self, node: NodeRecord, abstract_syntax: str) -> bool:
        """Return whether *node* may have instances sent."""
        del abstract_syntax
        return node.may_move

    def handle(self, association: Association, request: Request) -> None:
        """Answer a C-MOVE-RQ (PS3.7, 9.1.4; PS3.4, C.4.2)."""
        if request.field != Field.C_MOVE:
            association.respond(request, Status.UNRECOGNIZED_OPERATION)
            return
        title = str(request.command.get("MoveDestination", "")).strip()
        destination = _destination(association, title)
        if destination is None:
            why = "No node that may receive has this title."
            association.respond(request, DESTINATION_UNKNOWN, ErrorComment=why)
            return
        parcels = _selected(association, request)
        if parcels is not None:
            _move(association, request, destination, parcels)


def _destination(association: Association, title: str) -> NodeRecord | None:
    """Return the node with *title* to which instances may be sent."""
    wanted = select(Node.name).where(Node.ae_title == title)
    with association.house.sessions.begin(write=False) as session:
        name = session.scalar(wanted)
        node = find_node(session, name) if name else None
    usable = node is not None and node.enabled and node.may_receive and node.host
    return node if usable else None


def _move(
    association: Association,
    request: Request,
    destination: NodeRecord,
    parcels: list[Parcel],
) -> None:
    """Send *parcels* to *destination* and tell how far it is.

    Another thread sends, so that a cancel is seen while the destination is slow.
    """
    counts = _Counts(len(parcels))
    if not parcels:
        _end(association, request, counts)
        return
    mission = _Mission(association, destination, parcels, request.message_id)
    mission.start()
    try:
        _follow(association, request, counts, mission)
    finally:
        mission.stop.set()
        mission.join()


class _Mission(threading.Thread):
    """Sends instances to the destination of a C-MOVE."""

    def __init__(
        self,
        association: Association,
        destination: NodeRecord,
        parcels: list[Parcel],
        message_id: int,
    ) -> None:
        """Send nothing yet."""
        super().__init__(name="c-move", daemon=True)
        self._house = association.house
        self._originator = Originator(association.node.ae_title, message_id)
        self._destination = destination
        self._parcels = parcels
        self.stop = threading.Event()
        self.said: queue.Queue[Delivery | None] = queue.Queue()

    def run(self) -> None:
        """Send until all is sent or nobody wants it any more."""
        try:
            for delivery in deliver(
                self._house,
                self._destination,
                self._parcels,
                stop=self.stop.is_set,
                originator=self._originator,
            ):
                self.said.put(delivery)
        except HubError as error:
            log.warning("c-move failed", node=self._destination.name, why=str(error))
        finally:
            self.said.put(None)

    def without(self, seen: set[str]) -> list[str]:
        """Return the UIDs of those instances of which nothing was said."""
        return [one.uid for one in self._parcels if one.uid not in seen]


def _follow(
    association: Association, request: Request, counts: _Counts, mission: _Mission
) -> None:
    """Pass on what the mission says, until it ends or is cancelled."""
    seen: set[str] = set()
    while True:
        if association.cancelled(request):
            mission.stop.set()
            _cancel(association, request, counts)
            return
        try:
            delivery = mission.said.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        if delivery is None:
            break
        seen.add(delivery.uid)
        counts.add(delivery.uid, delivery.status)
        if counts.left:
            association.respond(request, Status.PENDING, None, **counts.elements())
    for uid in mission.without(seen):
        counts.add(uid, UNABLE)
    _end(association, request, counts)


register(GetService(), *GET_CLASSES)
register(MoveService(), *MOVE_CLASSES)
