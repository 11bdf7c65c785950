"""What a worker does for a pull: C-GET where the node takes it, else C-MOVE to us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import structlog
from pydicom import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.presentation import StoragePresentationContexts
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from rounds_hub.archive.committing import stage
from rounds_hub.archive.intake import Attribution, Outcome, Status
from rounds_hub.archive.meta import part10_head
from rounds_hub.archive.texts import clean
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import HubError, NoSpaceError
from rounds_hub.gateway.models import Pull
from rounds_hub.gateway.nodes import principal_of_node
from rounds_hub.gateway.orders import OPEN
from rounds_hub.gateway.reaching import Call, NothingTakenError, UnreachedError, reach
from rounds_hub.gateway.registry import require_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BytesIO

    from pynetdicom.association import Association
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.events import Event

    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.house import House

__all__ = ["fetch", "hand_over_pulls"]

MOST_SECONDS = 6 * 3600.0
LARGEST_BY_GET = 128 * 2**20
"""C-GET brings an instance through memory; a larger one comes by C-MOVE to the disk."""
LONGEST_WHY = 500
PENDING = (0xFF00, 0xFF01)
SUCCESS, WARNING, CANCELLED = 0x0000, 0xB000, 0xFE00
FULL, NOT_UNDERSTOOD = 0xA700, 0xC000
GET = (
    StudyRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelGet,
)
MOVE = (
    StudyRootQueryRetrieveInformationModelMove,
    PatientRootQueryRetrieveInformationModelMove,
)
SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.102",
)
"""What a node may send by C-GET: first what loses nothing."""

log = structlog.get_logger()


class _NotThisWayError(UnreachedError):
    """The node does not bring anything this way; another way may do."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """One pull that is under way."""

    house: House
    node: NodeRecord
    pull: Pull

    def stop(self) -> bool:
        """Return whether it is not wanted any more."""
        with self.house.sessions.begin(write=False) as session:
            return session.get_one(Pull, self.pull.id).state != "running"

    def count(self, status: Any) -> None:  # noqa: ANN401 (a pydicom data set)
        """Write the counts of sub-operations of a response (PS3.7, 9.3.3.2)."""
        names = ("Remaining", "Completed", "Failed", "Warning")
        left, done, failed, warned = (
            int(status.get(f"NumberOf{name}Suboperations", 0) or 0) for name in names
        )
        total = left + done + failed + warned
        if total:
            counts = {"total": total, "done": done + warned, "failed": failed}
            _change(self.house, self.pull.id, **counts)

    def came(self, kept: int) -> None:
        """Write what was kept: not every node counts in its responses."""
        with self.house.sessions.begin() as session:
            row = session.get_one(Pull, self.pull.id)
            row.done = max(row.done, kept)
            row.total = max(row.total, row.done + row.failed)


def _nothing(node: str) -> str:
    """Return what is said where a node sent nothing and calls that success."""
    return f"The node {node!r} sent nothing: it may not have this study any more."


def fetch(house: House, pull_id: str) -> str:
    """Bring the study of the pull *pull_id*; return its state afterwards.

    Done again after a crash it begins anew: what is here already changes nothing.
    """
    with house.sessions.begin() as session:
        pull = session.get(Pull, pull_id, with_for_update=True)
        if pull is None or pull.state not in OPEN:
            return "gone" if pull is None else pull.state
        pull.state = "running"
    try:
        why = _fetch(house, pull)
    except HubError as error:
        why = str(error)
    except Exception:
        # Whoever runs the house reads the traceback in the worker's log.
        _end(house, pull_id, "Something went wrong here; try it again.")
        raise
    return _end(house, pull_id, why)


def hand_over_pulls(house: House) -> None:
    """Give pulls that wait and are in no queue to the queue, once more."""
    with house.sessions.begin(write=False) as session:
        rows = session.query(Pull).where(Pull.state.in_(OPEN)).all()
    for row in rows:
        state = house.work.state("pull", row.id)
        if state is None:
            house.work.enqueue("pull", row.id)
        elif state not in OPEN:
            _end(house, row.id, "The work on it ended without a result. Try it again.")


def _fetch(house: House, pull: Pull) -> str:
    """Bring a study; return what went wrong, empty if nothing did."""
    with house.sessions.begin(write=False) as session:
        node = require_node(session, pull.node)
    errand = _Errand(house, node, pull)
    try:
        _change(house, pull.id, method="C-GET")
        return _get(errand)
    except _NotThisWayError:
        _change(house, pull.id, method="C-MOVE", total=0, done=0, failed=0)
        return _move(errand)


def _get(errand: _Errand) -> str:
    """Bring a study by C-GET (PS3.4, C.4.3)."""
    storage = [
        build_context(str(one.abstract_syntax), list(SYNTAXES))
        for one in StoragePresentationContexts
    ]
    taking = _Taking(errand)
    call = Call(
        [*(build_context(one) for one in GET), *storage],
        roles=[build_role(str(one.abstract_syntax), scp_role=True) for one in storage],
        handlers=[(evt.EVT_C_STORE, taking.store)],
        seconds=MOST_SECONDS,
        message_bytes=LARGEST_BY_GET,
        stop=errand.stop,
    )
    try:
        with reach(errand.house, errand.node, call) as association:
            root = _accepted(association, GET)
            if root is None:
                msg = "It does not offer C-GET."
                raise _NotThisWayError(msg)
            said = association.send_c_get(_identifier(errand.pull, root), root)
            why = _followed(errand, said)
    except NothingTakenError as error:
        raise _NotThisWayError(str(error)) from error
    if why and not taking.kept and not errand.stop():
        raise _NotThisWayError(why)
    errand.came(taking.kept)
    return taking.why or why


def _move(errand: _Errand) -> str:
    """Bring a study by C-MOVE to ourselves (PS3.4, C.4.2)."""
    call = Call(
        [build_context(one) for one in MOVE], seconds=MOST_SECONDS, stop=errand.stop
    )
    title = errand.house.settings.ae_title
    with reach(errand.house, errand.node, call) as association:
        root = _accepted(association, MOVE)
        if root is None:
            msg = f"The node {errand.node.name!r} offers neither C-GET nor C-MOVE."
            raise UnreachedError(msg)
        identifier = _identifier(errand.pull, root)
        return _followed(errand, association.send_c_move(identifier, title, root))


def _accepted(association: Association, roots: Iterable[str]) -> str | None:
    """Return the first of *roots* that the node took."""
    taken = {one.abstract_syntax for one in association.accepted_contexts}
    return next((one for one in roots if one in taken), None)


def _identifier(pull: Pull, root: str) -> Dataset:
    """Return what names the study (PS3.4, C.4.2.1.4)."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = pull.study_uid
    if root in {GET[1], MOVE[1]}:
        identifier.PatientID = pull.patient_id
    return identifier


def _followed(errand: _Errand, said: Iterator[tuple[Dataset, Dataset | None]]) -> str:
    """Count while responses come; return what went wrong, empty if nothing did."""
    last = Dataset()
    for status, _ in said:
        last = status
        if "Status" in status:
            errand.count(status)
    code = int(getattr(last, "Status", -1))
    name = f"The node {errand.node.name!r}"
    if code == SUCCESS or (code == CANCELLED and errand.stop()):
        return ""
    if code == -1 or code in PENDING:
        return f"{name} broke off in the middle."
    if code == WARNING:
        return f"{name} could not send everything."
    said_why = clean(str(last.get("ErrorComment", "")))[:LONGEST_WHY]
    meaning = MEANINGS.get(code, "it failed")
    return f"{name} answered {code:04X}: {said_why or meaning}."


MEANINGS = {
    0xA701: "it is out of room",
    0xA702: "it could not send anything to us",
    0xA801: "it does not know our title as a destination",
    0xA900: "it does not understand what was asked for",
    0x0122: "it does not offer this",
}
"""What some statuses of C-GET and C-MOVE mean (PS3.4, C.4.2 and C.4.3)."""


class _Taking:
    """Keeps what comes by C-GET, and remembers what could not be kept."""

    def __init__(self, errand: _Errand) -> None:
        """Nothing has come yet."""
        self._house = errand.house
        node = errand.node
        audience = list(node.audience or errand.house.settings.import_audience)
        self._attribution = Attribution(principal_of_node(node), audience)
        self.kept = 0
        self.why = ""

    def store(self, event: Event) -> int:
        """Keep one instance and return the status of the C-STORE (PS3.4, B.2.3)."""
        try:
            outcome = self._keep(event)
        except NoSpaceError as error:
            self.why = str(error)
            return FULL
        except HubError as error:
            self.why = str(error)
            return NOT_UNDERSTOOD
        if outcome.status in {Status.TAKEN, Status.SAME}:
            self.kept += 1
            return SUCCESS
        self.why = outcome.why
        return NOT_UNDERSTOOD

    def _keep(self, event: Event) -> Outcome:
        """Make one instance last."""
        request, context = cast("C_STORE", event.request), event.context
        uid = str(request.AffectedSOPInstanceUID)
        head = part10_head(
            str(request.AffectedSOPClassUID), uid, str(context.transfer_syntax)
        )
        data = cast("BytesIO", request.DataSet).getbuffer()
        ready = stage(self._house, uid, cast("list[bytes]", [head, data]))
        return self._house.committer.submit(ready, self._attribution).result()


def _end(house: House, pull_id: str, why: str) -> str:
    """Write how a pull ended, unless it was cancelled; return its state."""
    with house.sessions.begin() as session:
        row = session.get_one(Pull, pull_id, with_for_update=True)
        if row.state not in OPEN:
            return row.state
        why = why or ("" if row.done or row.failed else _nothing(row.node))
        row.state = "failed" if why or row.failed else "done"
        row.why = (why or ("Not everything came." if row.failed else ""))[:LONGEST_WHY]
        row.finished_at = utc_now()
        log.info("pull ended", id=row.id, node=row.node, state=row.state)
        return row.state


def _change(house: House, pull_id: str, **values: object) -> None:
    """Change the row of a pull."""
    with house.sessions.begin() as session:
        row = session.get_one(Pull, pull_id)
        for name, value in values.items():
            setattr(row, name, value)
