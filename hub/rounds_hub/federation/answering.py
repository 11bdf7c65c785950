"""Answer another hub: who it is, how much it may ask, and what it is told.

It sees the cases whose audience names ``peers``, and of these what a list shows. What
it may not see is not counted either.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from rounds_hub.access.policy import Action, require
from rounds_hub.access.principal import Principal, Role
from rounds_hub.cases.searching import Question, search
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import (
    BusyError,
    ForbiddenError,
    InvalidError,
    NotSignedInError,
    TooLargeError,
)
from rounds_hub.federation.models import Peer, PeerMessage
from rounds_hub.federation.signing import (
    LEEWAY_SECONDS,
    LIFE_SECONDS,
    check,
    named_key,
    own_key,
    peer_key,
    sign,
)
from rounds_hub.federation.words import (
    ANSWER,
    LONGEST_BODY,
    QUESTION,
    PeerAnswer,
    PeerHit,
    PeerQuestion,
)

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey
    from sqlalchemy.orm import Session

    from rounds_hub.cases.found import Found
    from rounds_hub.house import House

__all__ = ["answer", "principal_of_peer"]

MINUTE: Final = timedelta(minutes=1)
KEPT: Final = timedelta(seconds=LIFE_SECONDS + 2 * LEEWAY_SECONDS + 60)
"""How long the number of a message is kept: as long as it could be sent again."""


def principal_of_peer(name: str) -> Principal:
    """Return as whom the hub called *name* asks: one of ``peers``, and nobody else.

    Examples
    --------
    >>> eyes = principal_of_peer("north").audiences
    >>> sorted(one for one in eyes if not one.startswith("learns"))
    ['peers', 'user:peer:north']
    """
    return Principal(f"peer:{name}", frozenset({Role.PEER}))


def answer(house: House, token: str, body: bytes) -> tuple[bytes, str]:
    """Return what the hub that signed *body* with *token* is told, and our signature.

    Raises
    ------
    NotSignedInError
        If no hub that is known here signed it, just now, for the first time.
    ForbiddenError
        If that hub may not search here.
    BusyError
        If it asks more often than it may.
    InvalidError
        If the question is none.
    """
    if len(body) > LONGEST_BODY:
        msg = f"A question has at most {LONGEST_BODY} bytes."
        raise TooLargeError(msg)
    ours = own_key(house.settings.data)
    peer = _sender(house, ours, token, body)
    question = _understood(body)
    size = min(question.size, peer.most_hits)
    asker = principal_of_peer(peer.name)
    with house.sessions.begin(write=False) as session:
        require(session, asker, Action.SEARCH)
    # Results of runs have names that nobody wrote for other hubs.
    where = {name: tuple(values) for name, values in question.where.items()}
    found = search(
        house,
        asker,
        Question(
            text=question.text,
            where=where | {"kind": ("case",)},
            language=question.language,
            size=size,
            counted=False,
        ),
    )
    said = _said(found).model_dump_json().encode()
    receiver = named_key(peer_key(peer.public_key))
    return said, sign(ours, receiver, f"{ANSWER} {_digest(token)}", said)


def _said(found: Found) -> PeerAnswer:
    """Return what of *found* another hub is told."""
    hits = [
        PeerHit(
            id=hit.case_id,
            title=hit.title[:200],
            modality=list(hit.modality),
            body_part=list(hit.body_part),
            level=hit.level,
            language=hit.language,
        )
        for hit in found.hits
    ]
    return PeerAnswer(hits=hits, total=found.total)


def _digest(token: str) -> str:
    """Return by what an answer says to which question it is one."""
    return hashlib.sha256(token.encode()).hexdigest()


def _sender(house: House, ours: OKPKey, token: str, body: bytes) -> Peer:
    """Return the hub that sent this, which may ask, and has not sent it before."""
    with house.sessions.begin(write=False) as session:
        by_key = {
            named_key(peer_key(one.public_key)): one
            for one in session.scalars(select(Peer).where(Peer.enabled))
        }

    def find(name: str) -> OKPKey:
        if name not in by_key:
            msg = "This is not signed by a hub that is known here."
            raise NotSignedInError(msg)
        return peer_key(by_key[name].public_key)

    message = check(token, find, named_key(ours), (QUESTION, body))
    peer = by_key[message.sender]
    if not peer.may_ask:
        msg = "This hub may not search here."
        raise ForbiddenError(msg)
    _count(house, peer, message.number)
    return peer


def _count(house: House, peer: Peer, number: str) -> None:
    """Take the message in, unless it came before or too many came."""
    try:
        with house.sessions.begin() as session:
            _forget(session)
            sent = select(func.count()).select_from(PeerMessage)
            lately = sent.where(
                PeerMessage.peer == peer.name, PeerMessage.at > utc_now() - MINUTE
            )
            if (session.scalar(lately) or 0) >= peer.per_minute:
                msg = f"At most {peer.per_minute} searches a minute; ask again later."
                raise BusyError(msg)
            session.add(PeerMessage(id=number, peer=peer.name))
    except IntegrityError as error:
        msg = "This was sent before."
        raise NotSignedInError(msg) from error


def _forget(session: Session) -> None:
    """Remove numbers of messages that have ended."""
    old = PeerMessage.at < utc_now() - KEPT
    session.execute(delete(PeerMessage).where(old))


def _understood(body: bytes) -> PeerQuestion:
    """Return the question in *body*."""
    try:
        return PeerQuestion.model_validate_json(body)
    except ValidationError as error:
        places = {
            ".".join(map(str, one["loc"])): str(one["msg"])
            for one in error.errors(include_url=False, include_input=False)[:10]
        }
        msg = f"This is no question: {'; '.join(places.values())}."
        raise InvalidError(msg, places) from None
