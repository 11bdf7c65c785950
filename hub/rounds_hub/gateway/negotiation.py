"""Decide which of the proposed contexts are accepted (PS3.8, 7.1.1.13 and annex B)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.gateway.pdus import Accepted, Roles
from rounds_hub.gateway.services import EXPLICIT_BIG, IMPLICIT_LITTLE, Context, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.pdus import AssociateRequest, Proposed
    from rounds_hub.gateway.services import Service

__all__ = ["Agreement", "negotiate"]

ACCEPTED = 0
USER_REJECTS = 1
ABSTRACT_NOT_SUPPORTED = 3
TRANSFER_NOT_SUPPORTED = 4
LESS_LIKED = frozenset({IMPLICIT_LITTLE, EXPLICIT_BIG})
"""Taken only where nothing else is offered: explicit VRs lose nothing."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed: the answer to every context, those accepted, and the roles.

    *extended* is what a service says of its SOP class where the peer asked
    (PS3.7, D.3.3.5).
    """

    answers: tuple[Accepted, ...]
    contexts: Mapping[int, Context]
    roles: Mapping[str, Roles]
    extended: Mapping[str, bytes]


def negotiate(
    request: AssociateRequest, node: NodeRecord, services: Mapping[str, Service]
) -> Agreement:
    """Return what *node* gets of what it asks for.

    A context is accepted in the first transfer syntax that is offered and known;
    implicit VR and big endian only where the peer offers nothing else.
    """
    contexts: dict[int, Context] = {}
    answers, roles, extended = [], {}, {}
    for proposed in request.contexts:
        service = find(services, proposed.abstract_syntax)
        answer = _answer(proposed, node, service)
        answers.append(answer)
        if answer.result != ACCEPTED or service is None:
            continue
        name = proposed.abstract_syntax
        asked = request.roles.get(name)
        scp = bool(asked and asked.scp and _may_be_scp(service, node))
        if asked is not None:
            roles[name] = Roles(asked.scu, scp)
        if said := _extended(service, request.extended.get(name, b"")):
            extended[name] = said
        contexts[proposed.id] = Context(
            proposed.id, name, answer.transfer_syntax, scp, said
        )
    return Agreement(tuple(answers), contexts, roles, extended)


def _answer(proposed: Proposed, node: NodeRecord, service: Service | None) -> Accepted:
    """Return the answer to one context."""
    if service is None:
        return Accepted(proposed.id, ABSTRACT_NOT_SUPPORTED)
    if not service.allowed(node, proposed.abstract_syntax):
        return Accepted(proposed.id, USER_REJECTS)
    known = frozenset(service.transfer_syntaxes)
    chosen = _chosen([one for one in proposed.transfer_syntaxes if one in known])
    if not chosen:
        return Accepted(proposed.id, TRANSFER_NOT_SUPPORTED)
    return Accepted(proposed.id, ACCEPTED, chosen)


def _chosen(offered: Iterable[str]) -> str:
    """Return the best of what is *offered* and known, empty where nothing is.

    Examples
    --------
    >>> _chosen(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
    '1.2.840.10008.1.2.1'
    """
    in_order = list(offered)
    liked = [one for one in in_order if one not in LESS_LIKED]
    return next(iter(liked or in_order), "")


def _extended(service: Service, asked: bytes) -> bytes:
    """Return what *service* agrees to of what was *asked*, empty where nothing was."""
    agreed = getattr(service, "agreed", None)
    return bytes(agreed(asked)) if asked and agreed is not None else b""


def _may_be_scp(service: Service, node: NodeRecord) -> bool:
    """Return whether *service* lets *node* be the SCP (PS3.7, D.3.3.4)."""
    may = getattr(service, "peer_may_be_scp", None)
    return bool(may is not None and may(node))
