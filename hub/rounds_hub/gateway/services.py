"""What a DIMSE service is, and which there are.

To add one: a module of this room with a class that has the methods of
:class:`Service`, registered in ``SERVICES`` by its abstract syntaxes at the end of
that module, and the module's name in ``MODULES``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rounds_hub.gateway.association import Association
    from rounds_hub.gateway.messages import Command
    from rounds_hub.gateway.nodes import NodeRecord

__all__ = [
    "MODULES",
    "SERVICES",
    "UNCOMPRESSED",
    "Context",
    "Request",
    "Service",
    "find",
    "load_services",
    "register",
]

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DICOM = "1.2.840.10008."
STORAGE = "1.2.840.10008.5.1.4.1.1."
OTHER = "other"
"""The name under which the service for classes that we do not know is registered."""

UNCOMPRESSED = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG)
"""The transfer syntaxes in which messages without pixel data are read."""

MODULES = (
    "rounds_hub.gateway.echoing",
    "rounds_hub.gateway.finding",
    "rounds_hub.gateway.storing",
    "rounds_hub.gateway.retrieving",
    "rounds_hub.gateway.commitment",
    "rounds_hub.gateway.announcing",
)
"""The modules that register services; imported when the gateway starts."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context (PS3.8, 7.1.1.13).

    *scp_role* says that the peer takes instances on it, as a C-GET needs it
    (PS3.4, C.5.3); *extended* what was agreed by extended negotiation.
    """

    id: int
    abstract_syntax: str
    transfer_syntax: str
    scp_role: bool = False
    extended: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has arrived: its context and its command set.

    The data set, if *has_dataset*, is still on its way: read it with
    :meth:`Association.read_dataset` or :meth:`Association.pieces`.
    """

    context: Context
    command: Command
    has_dataset: bool = False

    @property
    def message_id(self) -> int:
        """The number by which the peer knows the request."""
        return int(self.command.get("MessageID", 0))

    @property
    def field(self) -> int:
        """The command field: which operation is asked for."""
        return int(self.command["CommandField"])


class Service(Protocol):
    """Answers the requests on contexts of its abstract syntaxes.

    A service may also have a method ``peer_may_be_scp(node) -> bool``: whether a peer
    that asks for it gets the role of the SCP (PS3.7, D.3.3.4), which it never does
    otherwise; and ``agreed(asked) -> bytes``: what it answers to a peer's service class
    application information (PS3.7, D.3.3.5), which is passed over otherwise.
    """

    @property
    def transfer_syntaxes(self) -> Iterable[str]:
        """The transfer syntaxes that it takes, the preferred ones first."""

    def allowed(self, node: NodeRecord, abstract_syntax: str) -> bool:
        """Return whether *node* may use it; its contexts are refused otherwise."""

    def handle(self, association: Association, request: Request) -> None:
        """Answer *request*, with one final response.

        A ``HubError`` that it raises is answered with a failure and its message; any
        other exception is logged and answered with «processing failure» (0110H).
        """


SERVICES: dict[str, Service] = {}
"""Every service by abstract syntax."""


def register(service: Service, *abstract_syntaxes: str) -> None:
    """Let *service* answer on these abstract syntaxes."""
    SERVICES.update(dict.fromkeys(abstract_syntaxes, service))


def find(services: Mapping[str, Service], abstract_syntax: str) -> Service | None:
    """Return the service for *abstract_syntax*, None where there is none.

    Storage classes of vendors, and of newer editions of DICOM than ours, have a
    service of their own.
    """
    found = services.get(abstract_syntax)
    storage = abstract_syntax.startswith(STORAGE)
    if found is None and (storage or not abstract_syntax.startswith(DICOM)):
        return services.get(OTHER)
    return found


def load_services() -> dict[str, Service]:
    """Return every service, importing the modules that have them."""
    for module in MODULES:
        import_module(module)
    return SERVICES
