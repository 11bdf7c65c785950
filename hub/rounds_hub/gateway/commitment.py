"""Storage commitment, push model: say what is really kept (PS3.4, annex J)."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from pydicom import Dataset
from pydicom.sequence import Sequence
from pynetdicom import build_context, build_role

from rounds_hub.access.policy import series_resource, visible
from rounds_hub.archive.models import Instance, Series
from rounds_hub.errors import HubError, InvalidError
from rounds_hub.gateway.messages import Field, Status
from rounds_hub.gateway.reaching import Call, reach
from rounds_hub.gateway.services import UNCOMPRESSED, register
from rounds_hub.gateway.wire import GoneError

if TYPE_CHECKING:
    from rounds_hub.access.principal import Principal
    from rounds_hub.gateway.association import Association
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.services import Request
    from rounds_hub.house import House

__all__ = ["COMMITMENT", "CommitmentService"]

COMMITMENT = "1.2.840.10008.1.20.1"
WELL_KNOWN = "1.2.840.10008.1.20.1.1"
REQUEST_ACTION = 1
ALL_KEPT, SOME_FAILED = 1, 2
MOST_NAMED = 10_000
CLASS_CONFLICT = 0x0119
NO_SUCH_ACTION = 0x0123
PAUSES = (0.0, 5.0, 30.0, 120.0)
REPORT_SECONDS = 60.0
_UID = re.compile(r"[0-9.]{1,64}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Named:
    """An instance of which somebody wants to know that it is kept."""

    sop_class: str
    sop_uid: str


class CommitmentService:
    """Takes requests for commitment from nodes that may store, and reports.

    The report goes to the host of the node's record, on an association of its own;
    where the record names none, on the association of the request.
    """

    transfer_syntaxes = UNCOMPRESSED

    def allowed(self, node: NodeRecord, abstract_syntax: str) -> bool:
        """Return whether *node* may store, and so ask what became of it."""
        del abstract_syntax
        return node.may_store

    def handle(self, association: Association, request: Request) -> None:
        """Answer an N-ACTION-RQ, then report (PS3.4, J.3.2 and J.3.3)."""
        if request.field != Field.N_ACTION:
            association.respond(request, Status.UNRECOGNIZED_OPERATION)
            return
        if request.command.get("ActionTypeID") != REQUEST_ACTION:
            association.respond(request, NO_SUCH_ACTION)
            return
        if request.command.get("RequestedSOPInstanceUID") != WELL_KNOWN:
            association.respond(request, Status.NO_SUCH_INSTANCE)
            return
        transaction, named = _asked(association.read_dataset(request))
        association.respond(request, Status.SUCCESS, None, ActionTypeID=REQUEST_ACTION)
        house, who = association.house, association.principal
        report = _report(house, who, transaction, named)
        if association.node.host:
            _Reporting(house, association.node, report).start()
        else:
            _report_here(association, request, report)


def _asked(dataset: Dataset) -> tuple[str, list[_Named]]:
    """Return the transaction and the instances of a request (PS3.4, J.3.2.1).

    Raises
    ------
    InvalidError
        If a UID is missing or is none, or more is named than is looked at.
    """
    transaction = str(dataset.get("TransactionUID", ""))
    items = dataset.get("ReferencedSOPSequence") or []
    if not 0 < len(items) <= MOST_NAMED:
        msg = f"A request names 1 to {MOST_NAMED} instances, this one {len(items)}."
        raise InvalidError(msg)
    named = [
        _Named(
            str(item.get("ReferencedSOPClassUID", "")),
            str(item.get("ReferencedSOPInstanceUID", "")),
        )
        for item in items
    ]
    uids = [transaction, *(one.sop_uid for one in named)]
    uids += [one.sop_class for one in named]
    if not all(map(_UID.fullmatch, uids)):
        msg = "A UID of the request is missing or is none."
        raise InvalidError(msg)
    return transaction, named


def _report(
    house: House, principal: Principal, transaction: str, named: list[_Named]
) -> Dataset:
    """Return the report: each instance with its bytes read, or why it is not kept."""
    kept, failed = [], []
    for one in named:
        reason = _reason(house, principal, one)
        item = Dataset()
        item.ReferencedSOPClassUID = one.sop_class
        item.ReferencedSOPInstanceUID = one.sop_uid
        if reason:
            item.FailureReason = reason
            failed.append(item)
        else:
            kept.append(item)
    report = Dataset()
    report.TransactionUID = transaction
    report.RetrieveAETitle = house.settings.ae_title
    if kept:
        report.ReferencedSOPSequence = Sequence(kept)
    if failed:
        report.FailedSOPSequence = Sequence(failed)
    return report


def _reason(house: House, principal: Principal, named: _Named) -> int:
    """Return why *named* is not kept, 0 if it is (PS3.3, C.14.1.1)."""
    with house.sessions.begin(write=False) as session:
        found = session.get(Instance, named.sop_uid)
        if found is None:
            return Status.NO_SUCH_INSTANCE
        series = session.get_one(Series, found.series_uid)
        if not visible(principal, series_resource(session, series)):
            return Status.NO_SUCH_INSTANCE
        sha256, sop_class = found.sha256, found.sop_class
    if sop_class != named.sop_class:
        return CLASS_CONFLICT
    if not house.store.verify(sha256):
        log.error("an instance is not in the store as it was", instance=named.sop_uid)
        return Status.PROCESSING_FAILURE
    return 0


def _event_of(report: Dataset) -> int:
    """Return which event *report* is (PS3.4, J.3.3.1)."""
    return SOME_FAILED if "FailedSOPSequence" in report else ALL_KEPT


def _report_here(association: Association, request: Request, report: Dataset) -> None:
    """Report on the association of the request (PS3.7, 10.1.1)."""
    command = {
        "CommandField": Field.N_EVENT_REPORT,
        "AffectedSOPClassUID": COMMITMENT,
        "AffectedSOPInstanceUID": WELL_KNOWN,
        "EventTypeID": _event_of(report),
    }
    try:
        association.invoke(request.context, command, report)
    except GoneError:
        log.warning("a commitment was not reported", node=association.node.name)
        raise


class _Reporting(threading.Thread):
    """Reports to a node on an association of its own, a few times if it must."""

    def __init__(self, house: House, node: NodeRecord, report: Dataset) -> None:
        """Report nothing yet."""
        super().__init__(name="commitment", daemon=True)
        self._house, self._node, self._content = house, node, report

    def run(self) -> None:
        """Report until the node has taken it or the pauses are used up."""
        why = ""
        for pause in PAUSES:
            threading.Event().wait(pause)
            try:
                self._report()
            except HubError as error:
                why = str(error)
            else:
                return
        log.warning("a commitment was not reported", node=self._node.name, why=why)

    def _report(self) -> None:
        """Call the node, as the provider of the service (PS3.4, J.3.3)."""
        role = build_role(COMMITMENT, scu_role=False, scp_role=True)
        call = Call([build_context(COMMITMENT)], roles=[role], seconds=REPORT_SECONDS)
        with reach(self._house, self._node, call) as association:
            status, _ = association.send_n_event_report(
                self._content, _event_of(self._content), COMMITMENT, WELL_KNOWN
            )
        if getattr(status, "Status", None) != Status.SUCCESS:
            msg = f"The node {self._node.name!r} did not take the report."
            raise InvalidError(msg)


register(CommitmentService(), COMMITMENT)
