"""Query: C-FIND of the patient root and study root models (PS3.4, C.4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom.datadict import dictionary_VR, keyword_for_tag

from rounds_hub.archive.attributes import tag_of
from rounds_hub.errors import InvalidError
from rounds_hub.gateway.identifiers import (
    AVAILABILITY,
    LEVEL,
    TITLE,
    Element,
    encoded,
    read_identifier,
)
from rounds_hub.gateway.messages import Field, Status
from rounds_hub.gateway.services import EXPLICIT_BIG, UNCOMPRESSED, register
from rounds_hub.querying.keys import ZONE, Level, at_or_above, key_of
from rounds_hub.querying.service import Query, find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_hub.gateway.association import Association
    from rounds_hub.gateway.identifiers import Identifier
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.gateway.services import Request
    from rounds_hub.querying.service import Answer, Match

__all__ = ["MODELS", "FindService"]

PATIENT_ROOT: Final = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT: Final = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_STUDY_ONLY: Final = "1.2.840.10008.5.1.4.1.2.3.1"
MODELS: Final = {
    PATIENT_ROOT: tuple(Level),
    STUDY_ROOT: (Level.STUDY, Level.SERIES, Level.IMAGE),
    PATIENT_STUDY_ONLY: (Level.PATIENT, Level.STUDY),
}
"""The information models and their levels."""
LONGEST_COMMENT: Final = 64
_OPTIONS: Final = {
    "relations": 1,
    "date and time": 1,
    "words of names": 1,
    "time zone": 0,
}
"""What may be agreed beforehand, in order, and whether it is done (PS3.4, C.5.1.1)."""


class FindService:
    """Answers what a node may see of what it asks for.

    All keys of all levels may be asked for at once (relational queries, C.4.1.3.2).
    """

    transfer_syntaxes = UNCOMPRESSED

    def allowed(self, node: NodeRecord, abstract_syntax: str) -> bool:
        """Return whether *node* may ask."""
        del abstract_syntax
        return node.may_query

    def agreed(self, asked: bytes) -> bytes:
        """Return which options are agreed of those *asked* for (PS3.4, C.5.1.1).

        A byte for each: relational queries, ranges of date and time as one, names by
        the beginnings of their words, and adjustment to a time zone, which is not done.
        """
        able = _OPTIONS.values()
        return bytes(one == can == 1 for one, can in zip(asked, able, strict=False))

    def handle(self, association: Association, request: Request) -> None:
        """Answer a C-FIND-RQ (PS3.7, 9.1.2; PS3.4, C.4.1.3)."""
        if request.field != Field.C_FIND:
            association.respond(request, Status.UNRECOGNIZED_OPERATION)
            return
        order = ">" if request.context.transfer_syntax == EXPLICIT_BIG else "<"
        levels = MODELS[request.context.abstract_syntax]
        try:
            dataset = association.read_dataset(request)
            asked = read_identifier(dataset, levels, order)
            query = _query(asked, request.context.extended)
            answer = find(association.house, association.principal, query)
        except InvalidError as error:
            # The command set has ASCII alone (PS3.7, 6.3.1).
            comment = str(error).encode("ascii", "replace").decode()[:LONGEST_COMMENT]
            association.respond(request, Status.DATA_SET_MISMATCH, ErrorComment=comment)
            return
        _respond(association, request, asked, answer)


def _query(asked: Identifier, agreed: bytes) -> Query:
    """Return the query for an identifier, by the options that were *agreed*."""
    options = dict(zip(_OPTIONS, agreed.ljust(len(_OPTIONS), b"\0"), strict=True))
    return Query(
        asked.level,
        keys=asked.keys,
        combined=options["date and time"] == 1,
        fuzzy=options["words of names"] == 1,
    )


def _respond(
    association: Association, request: Request, asked: Identifier, answer: Answer
) -> None:
    """Send a response for each match, and the last one."""
    whole = not answer.unmatched and not _unsupported(asked)
    pending = Status.PENDING if whole else Status.PENDING_OPTIONAL
    title = association.house.settings.ae_title
    syntax = request.context.transfer_syntax
    for match in answer.matches:
        if association.cancelled(request):
            association.respond(request, Status.CANCEL)
            return
        elements = _elements(asked, match, title)
        association.respond(request, pending, encoded(elements, asked.charset, syntax))
    if answer.more:
        comment = f"Over {len(answer.matches)} match; ask for less."
        association.respond(request, Status.OUT_OF_RESOURCES, ErrorComment=comment)
        return
    association.respond(request, Status.SUCCESS)


def _unsupported(asked: Identifier) -> bool:
    """Return whether something is asked for that cannot be returned."""
    levels = at_or_above(asked.level)
    for tag in asked.asked - {AVAILABILITY}:
        keyword = keyword_for_tag(tag)
        key = key_of(keyword)
        if keyword != ZONE and (key is None or key.level not in levels):
            return True
        if key and asked.inner.get(keyword, frozenset()) - {*key.inner}:
            return True
    return asked.unknown


def _elements(asked: Identifier, match: Match, title: str) -> Iterator[Element]:
    """Yield the elements of a response (PS3.4, C.4.1.1.3.2)."""
    yield Element(LEVEL, "CS", (asked.level.value,))
    yield Element(TITLE, "AE", (title,))
    if AVAILABILITY in asked.asked:
        yield Element(AVAILABILITY, "CS", ("ONLINE",))
    for keyword, values in match.items():
        tag = tag_of(keyword)
        shown = values
        if isinstance(values, list) and (names := asked.inner.get(keyword)):
            shown = [
                {name: item.get(name, "") for name in sorted(names & item.keys())}
                for item in values
            ]
        yield Element(tag, dictionary_VR(tag), shown)


register(FindService(), *MODELS)
