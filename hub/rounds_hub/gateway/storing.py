"""Storage: C-STORE, from the wire to the disk while it arrives (PS3.4, annex B).

Success is answered when file and folder are synced and the rows are committed. A data
set is kept as it was sent, byte for byte, behind a Part 10 head of ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import structlog
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined] # its table

from rounds_hub.archive import intake
from rounds_hub.archive.checking import SYNTAXES, MismatchError
from rounds_hub.archive.committing import stage
from rounds_hub.archive.intake import Attribution
from rounds_hub.archive.meta import part10_head
from rounds_hub.errors import (
    BusyError,
    ForbiddenError,
    HubError,
    InvalidError,
    NoSpaceError,
    TooLargeError,
)
from rounds_hub.gateway.messages import Field, Status
from rounds_hub.gateway.pdus import PduError
from rounds_hub.gateway.services import OTHER, STORAGE, register

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rounds_hub.archive.intake import Outcome
    from rounds_hub.gateway.association import Association
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.services import Request

__all__ = ["STORAGE_CLASSES", "StoreService", "status_of"]

STORAGE_CLASSES: Final = frozenset(
    uid
    for uid, (name, kind, *_) in UID_dictionary.items()
    if kind == "SOP Class"
    and "Storage" in name
    and not name.startswith(("Storage Commitment", "Media Storage Directory"))
)
"""Every storage SOP class of PS3.6, annex A, retired ones as well."""

LONGEST_UID = 64
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_OUTCOMES: Final = {
    intake.Status.TAKEN: Status.SUCCESS,
    intake.Status.SAME: Status.SUCCESS,
    intake.Status.ASIDE: Status.DUPLICATE_INSTANCE,
    intake.Status.REFUSED: Status.REFUSED_BY_ARCHIVE,
    intake.Status.SKIPPED: Status.CANNOT_UNDERSTAND,
}
_ERRORS: Final[dict[type[HubError], Status]] = {
    MismatchError: Status.DATA_SET_MISMATCH,
    InvalidError: Status.CANNOT_UNDERSTAND,
    NoSpaceError: Status.OUT_OF_RESOURCES,
    TooLargeError: Status.OUT_OF_RESOURCES,
    BusyError: Status.BUSY,
    ForbiddenError: Status.NOT_AUTHORIZED,
}

log = structlog.get_logger()


class StoreService:
    """Keeps what nodes send that may store; *private* is for classes of vendors."""

    transfer_syntaxes: Iterable[str] = SYNTAXES

    def __init__(self, *, private: bool = False) -> None:
        """Answer for DICOM's classes, or for those that it does not have."""
        self._private = private

    def allowed(self, node: NodeRecord, abstract_syntax: str) -> bool:
        """Return whether *node* may store here, or have instances sent by C-GET."""
        if self._private and not _may_be_unknown(node, abstract_syntax):
            return False
        return _is_uid(abstract_syntax) and (node.may_store or node.may_move)

    def peer_may_be_scp(self, node: NodeRecord) -> bool:
        """Return whether *node* may have instances sent to it (PS3.4, C.5.3)."""
        return node.may_move

    def handle(self, association: Association, request: Request) -> None:
        """Answer a C-STORE-RQ (PS3.7, 9.1.1)."""
        status, why = _wrong(association, request)
        series = ""
        if status == Status.SUCCESS:
            try:
                outcome = _kept(association, request)
                status, why = _OUTCOMES[outcome.status], outcome.why
                series = outcome.series_uid if status == Status.SUCCESS else ""
            except HubError as error:
                status, why = status_of(error), str(error)
        if why:
            log.warning(
                "instance refused",
                node=association.node.name,
                instance=_shown(request.command.get("AffectedSOPInstanceUID", "")),
                status=f"{status:04X}",
                why=why,
            )
        association.drain(request, association.house.settings.max_instance_bytes)
        association.stored(series)
        if why:
            association.respond(request, status, ErrorComment=why)
        else:
            association.respond(request, status)


def status_of(error: HubError) -> Status:
    """Return the status that says what *error* says (PS3.4, B.2.3; PS3.7, annex C).

    Examples
    --------
    >>> status_of(NoSpaceError("The disk is full.")).name
    'OUT_OF_RESOURCES'
    """
    for kind in type(error).__mro__:
        if kind in _ERRORS:
            return _ERRORS[kind]
    return Status.PROCESSING_FAILURE


def _wrong(association: Association, request: Request) -> tuple[Status, str]:
    """Return what is wrong with the command set, success where nothing is."""
    command = request.command
    if request.field != Field.C_STORE:
        return Status.UNRECOGNIZED_OPERATION, ""
    if not association.node.may_store:
        return Status.NOT_AUTHORIZED, "This node may not store here."
    if not _is_uid(command.get("AffectedSOPInstanceUID", "")):
        return Status.INVALID_INSTANCE, "AffectedSOPInstanceUID is not a UID."
    if command.get("AffectedSOPClassUID") != request.context.abstract_syntax:
        why = "AffectedSOPClassUID is not that of the presentation context."
        return Status.CLASS_NOT_SUPPORTED, why
    if not request.has_dataset:
        return Status.MISTYPED_ARGUMENT, "There is no data set."
    return Status.SUCCESS, ""


def _kept(association: Association, request: Request) -> Outcome:
    """Keep the data set of *request*; return what became of it when it lasts."""
    house, node = association.house, association.node
    uid = request.command["AffectedSOPInstanceUID"]
    ready = stage(house, uid, _file(association, request))
    audience = list(node.audience or house.settings.import_audience)
    attribution = Attribution(association.principal, audience)
    return house.committer.commit(ready, attribution)


def _file(association: Association, request: Request) -> Iterator[bytes]:
    """Yield the bytes of the Part 10 file as they come from the wire."""
    command, context = request.command, request.context
    head = part10_head(
        command["AffectedSOPClassUID"],
        command["AffectedSOPInstanceUID"],
        context.transfer_syntax,
    )
    yield head
    room = association.house.settings.max_instance_bytes - len(head)
    for piece in association.pieces(request):
        room -= len(piece)
        if room < 0:
            # It may have no end, so that no answer could ever be given.
            msg = "An instance is larger than Rounds.max_instance_bytes."
            raise PduError(msg)
        yield piece  # type: ignore[misc] # a memoryview: written as it is


def _may_be_unknown(node: NodeRecord, abstract_syntax: str) -> bool:
    """Return whether *node* may send a class that we do not know.

    DICOM's own of a newer edition it may: all of them begin alike (PS3.6, annex A).
    """
    newer = abstract_syntax.startswith(STORAGE)
    return abstract_syntax not in UID_dictionary and (newer or node.private_classes)


def _is_uid(value: str) -> bool:
    """Return whether *value* is a UID (PS3.5, 9.1)."""
    return len(value) <= LONGEST_UID and bool(_UID.fullmatch(value))


def _shown(uid: str) -> str:
    """Return *uid* for the log if it is one: what is not may be anybody's name."""
    return uid if _is_uid(uid) else "not a UID"


register(StoreService(), *STORAGE_CLASSES)
register(StoreService(private=True), OTHER)
