"""Serve one association from its first unit to its last (PS3.8, 7)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from rounds_hub import __version__
from rounds_hub.archive.meta import IMPLEMENTATION
from rounds_hub.errors import HubError
from rounds_hub.gateway.association import Association, Peer
from rounds_hub.gateway.messages import Status
from rounds_hub.gateway.negotiation import negotiate
from rounds_hub.gateway.nodes import calling
from rounds_hub.gateway.pdus import (
    ABORT_BY_PROVIDER,
    PduError,
    Rejection,
    abort,
    accept,
    reject,
)
from rounds_hub.gateway.services import find
from rounds_hub.gateway.storing import status_of
from rounds_hub.gateway.tls import fingerprint
from rounds_hub.gateway.wire import GoneError
from rounds_hub.routing.noting import association_ended

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_hub.gateway.accepting import Arrival
    from rounds_hub.gateway.budget import Budget, Seat
    from rounds_hub.gateway.lines import Sparing
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.services import Request, Service
    from rounds_hub.house import House

__all__ = ["Reception"]

SEAT_SECONDS = 4.0
VERSION_NAME = f"ROUNDS_{__version__}"[:16]
UNKNOWN_CALLING = Rejection(1, 1, 3)
"""Permanent: calling AE title not recognized (PS3.8, 9.3.4)."""

LIMIT_EXCEEDED = Rejection(2, 3, 2)
"""Transient: local limit exceeded."""

log = structlog.get_logger()


class Reception:
    """Receives those who have a seat.

    Parameters
    ----------
    house
        The opened house.
    budget
        Where the seats are.
    services
        What is answered, by abstract syntax.
    lines
        Where it is said who was turned away.
    """

    def __init__(
        self,
        house: House,
        budget: Budget,
        services: Mapping[str, Service],
        lines: Sparing,
    ) -> None:
        """Receive nobody yet."""
        self._house = house
        self._budget = budget
        self._services = services
        self._lines = lines

    def serve(self, seat: Seat, arrival: Arrival) -> None:
        """Answer the request of *arrival*, and then its messages, to the end."""
        farewell, ended, association = ABORT_BY_PROVIDER, "failed", None
        began = time.monotonic()
        try:
            association = self._accepted(seat, arrival)
            if association is None:
                return
            self._converse(association)
            association.release()
            farewell, ended = b"", "released"
        except GoneError as error:
            ended = str(error)
        except PduError as error:
            farewell, ended = abort(error.reason), str(error)
        finally:
            seat.wire.close(farewell)
            if association is not None:
                _say(association, ended, time.monotonic() - began)
                self._note(association)

    def _accepted(self, seat: Seat, arrival: Arrival) -> Association | None:
        """Return the association if *arrival* may have one, None if it was refused."""
        with self._house.sessions.begin(write=False) as session:
            node = calling(session, arrival.request.calling, arrival.address)
        why = _stranger(node, arrival)
        if node is None or why:
            self._reject(seat, arrival, why, UNKNOWN_CALLING)
            return None
        if not self._budget.join(seat, node.name, node.associations, SEAT_SECONDS):
            why = "the node has too many associations"
            self._reject(seat, arrival, why, LIMIT_EXCEEDED)
            return None
        agreed = negotiate(arrival.request, node, self._services)
        seat.wire.send(
            accept(
                arrival.request,
                agreed.answers,
                agreed.roles,
                agreed.extended,
                (IMPLEMENTATION, VERSION_NAME),
            )
        )
        peer = Peer(node, arrival.address, arrival.request, arrival.tls)
        return Association(self._house, peer, agreed.contexts, seat.wire)

    def _reject(
        self, seat: Seat, arrival: Arrival, why: str, answer: Rejection
    ) -> None:
        """Turn *arrival* away and say so in the log."""
        self._lines.warn(
            "association rejected",
            peer=arrival.address,
            calling=arrival.request.calling,
            why=why,
        )
        seat.wire.close(reject(answer), linger=True)

    def _converse(self, association: Association) -> None:
        """Answer requests until the peer releases the association."""
        while (request := association.next_request()) is not None:
            service = self._service_of(request)
            _answer(service, association, request)
            association.finish(request)

    def _note(self, association: Association) -> None:
        """Note which series nobody is sending to any more, so that they are routed."""
        if association.series:
            with self._house.sessions.begin() as session:
                association_ended(session, association.series)

    def _service_of(self, request: Request) -> Service:
        """Return the service of the context on which *request* came."""
        service = find(self._services, request.context.abstract_syntax)
        if service is None:
            msg = "A request came on a context without a service."
            raise PduError(msg)
        return service


def _answer(service: Service, association: Association, request: Request) -> None:
    """Let *service* answer; if it cannot, answer that."""
    try:
        service.handle(association, request)
    except (GoneError, PduError):
        raise
    except HubError as error:
        status, why = status_of(error), str(error)
        log.warning("request failed", node=association.node.name, why=why)
        association.respond(request, status, ErrorComment=why)
    except Exception:
        # The peer hears of it, and the log has where it was.
        log.exception("request failed", node=association.node.name)
        why = "The gateway failed; its log says where."
        association.respond(request, Status.PROCESSING_FAILURE, ErrorComment=why)


def _stranger(node: NodeRecord | None, arrival: Arrival) -> str:
    """Return why *arrival* is not let in, empty if it is."""
    if node is None:
        return "calling title or address not known"
    if node.tls and not arrival.tls:
        return "the node has to call over TLS"
    if node.certificate and node.certificate != fingerprint(arrival.connection):
        return "the node has to show its certificate"
    return ""


def _say(association: Association, ended: str, seconds: float) -> None:
    """Write who called and what became of it, never what was in a data set."""
    log.info(
        "association",
        node=association.node.name,
        peer=association.peer.address,
        tls=association.peer.tls,
        ended=ended,
        seconds=round(seconds, 3),
        **association.counts,
    )
