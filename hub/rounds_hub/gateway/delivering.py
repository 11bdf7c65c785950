"""Deliver instances to a remote node (C-STORE as SCU, PS3.4, annex B)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydicom.uid import UID
from pynetdicom import build_context

from rounds_hub.errors import BusyError, HubError
from rounds_hub.gateway.converting import UNCOMPRESSED, Parcel, converted
from rounds_hub.gateway.reaching import Call, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pydicom import Dataset
    from pynetdicom.association import Association
    from pynetdicom.presentation import PresentationContext

    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.house import House

__all__ = ["Delivery", "Originator", "Parcel", "Verdict", "deliver"]

Verdict: TypeAlias = Literal["sent", "refused", "later"]

MOST_CONTEXTS = 120
"""Below the 128 of PS3.8, 9.3.2.2."""
TAKEN = {0x0000, 0xB000, 0xB006, 0xB007, 0x0111}
"""Success, warnings, and «I have it already»: the node has the instance."""
MEANINGS = {
    0x0105: "it has no such attribute",
    0x0110: "it could not process it",
    0x0117: "it calls its UID invalid",
    0x0122: "it does not take its SOP class",
    0x0124: "it does not let us",
    0xB000: "it changed some values",
    0xB006: "it left some values out",
    0xB007: "it says that the data set does not match its SOP class",
}
"""What some statuses mean (PS3.7, annex C; PS3.4, B.2.3)."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one instance; *status* is what the node answered, -1 for nothing.

    *later* means that it was not taken, and may be when it is tried again.
    """

    uid: str
    verdict: Verdict
    why: str = ""
    status: int = -1


@dataclass(frozen=True, slots=True)
class Originator:
    """Who asked for a C-MOVE whose sub-operations these are (PS3.7, 9.1.1.1)."""

    ae_title: str
    message_id: int


def deliver(
    house: House,
    node: NodeRecord,
    instances: Sequence[Parcel],
    *,
    stop: Callable[[], bool] = lambda: False,
    originator: Originator | None = None,
) -> Iterator[Delivery]:
    """Send *instances* to *node* one after the other; yield what became of each.

    Each goes as it is kept where the node takes that transfer syntax, else in another
    one that keeps every pixel. When the node falls silent, or *stop* returns true,
    the rest is not yielded.

    Raises
    ------
    ConflictError
        If nothing can be sent to the node.
    UnreachedError
        If it does not answer at all.
    """
    for some in _batches(instances):
        call = Call(_proposed(some), stop=stop)
        with reach(house, node, call) as association:
            errand = _Errand(house, node, association, originator)
            for instance in some:
                if stop():
                    return
                delivery = errand.send(instance)
                yield delivery
                if delivery.verdict == "later":
                    return


@dataclass(frozen=True, slots=True)
class _Errand:
    """One association on which instances are sent."""

    house: House
    node: NodeRecord
    association: Association
    originator: Originator | None

    def send(self, instance: Parcel) -> Delivery:
        """Send one instance in a transfer syntax that the node takes."""
        taken = self._taken(instance.sop_class)
        if not taken:
            name = UID(instance.sop_class).name
            return Delivery(instance.uid, "refused", f"It does not take {name}.")
        if instance.transfer_syntax in taken:
            return self._store(instance, self.house.store.path(instance.sha256))
        try:
            with converted(self.house, instance, taken) as (path, _):
                return self._store(instance, path)
        except BusyError as error:
            return Delivery(instance.uid, "later", str(error))
        except HubError as error:
            return Delivery(instance.uid, "refused", str(error))

    def _taken(self, sop_class: str) -> list[str]:
        """Return the transfer syntaxes that the node takes for *sop_class*."""
        return [
            str(context.transfer_syntax[0])
            for context in self.association.accepted_contexts
            if context.abstract_syntax == sop_class
        ]

    def _store(self, instance: Parcel, path: Path) -> Delivery:
        """Send the file at *path* and return what the node made of it."""
        if not self.association.is_established:
            return Delivery(instance.uid, "later", _silence(self.node))
        asked = self.originator
        status = self.association.send_c_store(
            path,
            originator_aet=asked.ae_title if asked else None,
            originator_id=asked.message_id if asked else None,
        )
        return _judged(self.node, instance.uid, status)


def _judged(node: NodeRecord, uid: str, status: Dataset) -> Delivery:
    """Return what a C-STORE response means."""
    if "Status" not in status:
        return Delivery(uid, "later", _silence(node))
    code = int(status.Status)
    meaning = MEANINGS.get(code, _by_class(code))
    if code in TAKEN:
        return Delivery(uid, "sent", f"It was taken: {meaning}." if code else "", code)
    full = code >> 8 == 0xA7  # noqa: PLR2004 (out of resources, PS3.4, B.2.3)
    why = f"The node {node.name!r} answered {code:04X}: {meaning}."
    return Delivery(uid, "later" if full else "refused", why, code)


def _by_class(code: int) -> str:
    """Return what a class of statuses means."""
    if code == 0:
        return "it has it"
    classes = {
        0xA7: "it is out of room",
        0xA9: "the data set does not match its SOP class",
    }
    if code >> 12 == 0xC:  # noqa: PLR2004 (PS3.4, B.2.3)
        return "it cannot understand it"
    return classes.get(code >> 8, "it gave no reason that we know")


def _silence(node: NodeRecord) -> str:
    """Return what is said of a node that ended the association."""
    return f"The node {node.name!r} broke off in the middle."


def _batches(instances: Sequence[Parcel]) -> Iterator[list[Parcel]]:
    """Yield *instances* in parts that one association has enough contexts for."""
    part: list[Parcel] = []
    contexts: set[tuple[str, str]] = set()
    for one in instances:
        wanted = {(one.sop_class, one.transfer_syntax), (one.sop_class, "")}
        if len(contexts | wanted) > MOST_CONTEXTS:
            yield part
            part, contexts = [], set()
        part.append(one)
        contexts |= wanted
    if part:
        yield part


def _proposed(instances: Sequence[Parcel]) -> list[PresentationContext]:
    """Return contexts for *instances*: each as it is kept, and uncompressed.

    Each transfer syntax has a context of its own, so that the node says of each
    whether it takes it (PS3.8, 9.3.3.2).
    """
    kept = dict.fromkeys((one.sop_class, one.transfer_syntax) for one in instances)
    contexts = [build_context(*pair) for pair in kept]
    for sop_class in dict.fromkeys(one.sop_class for one in instances):
        others = [one for one in UNCOMPRESSED if (sop_class, one) not in kept]
        if others:
            contexts.append(build_context(sop_class, others))
    return contexts
