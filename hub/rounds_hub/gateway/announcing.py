"""What modalities announce: procedure steps (MPPS) and available instances (IAN).

Both say how many instances a series has, so that it is complete when they have come;
nothing else of what they say is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.uid import generate_uid

from rounds_hub.errors import ConflictError, InvalidError, NotFoundError
from rounds_hub.gateway.messages import Field, Status
from rounds_hub.gateway.services import UNCOMPRESSED, register
from rounds_hub.routing import arriving, steps

if TYPE_CHECKING:
    from rounds_hub.gateway.association import Association
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.services import Request

__all__ = [
    "INSTANCE_AVAILABILITY",
    "PERFORMED_PROCEDURE_STEP",
    "AvailabilityService",
    "ProcedureStepService",
]

PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"
INVALID_VALUE = 0x0106
"""Invalid attribute value (PS3.7, C.5.2)."""


class _FromSenders:
    """A service for nodes that may store, who say what they will have stored."""

    transfer_syntaxes = UNCOMPRESSED

    def allowed(self, node: NodeRecord, abstract_syntax: str) -> bool:
        """Return whether *node* may store, and so say what it stores."""
        del abstract_syntax
        return node.may_store


class ProcedureStepService(_FromSenders):
    """Takes N-CREATE and N-SET of procedure steps (PS3.4, annex F.7)."""

    def handle(self, association: Association, request: Request) -> None:
        """Answer an N-CREATE-RQ or an N-SET-RQ (PS3.4, F.7.2.1 and F.7.2.2)."""
        if request.field not in {Field.N_CREATE, Field.N_SET}:
            association.respond(request, Status.UNRECOGNIZED_OPERATION)
            return
        try:
            ours = self._done(association, request)
        except NotFoundError:
            association.respond(request, Status.NO_SUCH_INSTANCE)
        except InvalidError:
            association.respond(request, INVALID_VALUE)
        except ConflictError:
            created = request.field == Field.N_CREATE
            again = Status.DUPLICATE_INSTANCE
            association.respond(
                request, again if created else Status.PROCESSING_FAILURE
            )
        else:
            association.respond(request, Status.SUCCESS, None, **ours)

    def _done(self, association: Association, request: Request) -> dict[str, str]:
        """Write down what was said; return what the answer names beside its status."""
        said = association.read_dataset(request)
        house, who = association.house, association.principal
        if request.field == Field.N_CREATE:
            uid = _own_or_new(request)
            steps.begin_step(house, who, uid, said)
            return {"AffectedSOPInstanceUID": uid}
        uid = str(request.command.get("RequestedSOPInstanceUID", ""))
        steps.set_step(house, who, uid, said)
        return {}


class AvailabilityService(_FromSenders):
    """Takes notifications that instances are available (PS3.4, annex R)."""

    def handle(self, association: Association, request: Request) -> None:
        """Answer an N-CREATE-RQ (PS3.4, R.3.2)."""
        if request.field != Field.N_CREATE:
            association.respond(request, Status.UNRECOGNIZED_OPERATION)
            return
        counts = steps.announced(association.read_dataset(request))
        by = "the notification of the instances"
        arriving.expect_of(association.house, association.principal, counts, by)
        ours = {"AffectedSOPInstanceUID": _own_or_new(request)}
        association.respond(request, Status.SUCCESS, None, **ours)


def _own_or_new(request: Request) -> str:
    """Return the UID that the sender gave, or a new one (PS3.7, 10.1.5.1.4)."""
    return str(request.command.get("AffectedSOPInstanceUID", "") or generate_uid())


register(ProcedureStepService(), PERFORMED_PROCEDURE_STEP)
register(AvailabilityService(), INSTANCE_AVAILABILITY)
