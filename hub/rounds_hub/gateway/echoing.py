"""Verification: C-ECHO (PS3.4, annex A)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rounds_hub.gateway.messages import Field, Status
from rounds_hub.gateway.services import UNCOMPRESSED, register

if TYPE_CHECKING:
    from rounds_hub.gateway.association import Association
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.services import Request

__all__ = ["VERIFICATION", "EchoService"]

VERIFICATION = "1.2.840.10008.1.1"


class EchoService:
    """Answers every known node that asks whether somebody is there."""

    transfer_syntaxes = UNCOMPRESSED

    def allowed(self, node: NodeRecord, abstract_syntax: str) -> bool:
        """Return that whoever is known may ask."""
        del node, abstract_syntax
        return True

    def handle(self, association: Association, request: Request) -> None:
        """Answer a C-ECHO-RQ (PS3.7, 9.1.5)."""
        asked = request.field == Field.C_ECHO
        association.respond(
            request, Status.SUCCESS if asked else Status.UNRECOGNIZED_OPERATION
        )


register(EchoService(), VERIFICATION)
