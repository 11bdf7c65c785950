"""Ask other hubs, all at once, and put together what comes in time.

Where one is called is in its record and nowhere else: a redirect is not followed, and
an answer holds no addresses. What an answer says is bounded and checked; one that is
late, wrong or missing is told by its name, and the others are shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx
import structlog
from pydantic import ValidationError

from rounds_hub.access.policy import Action, require
from rounds_hub.cases.searching import search
from rounds_hub.errors import HubError, NotSignedInError
from rounds_hub.federation.registry import PeerRecord, asked_peers
from rounds_hub.federation.signing import check, named_key, own_key, peer_key, sign
from rounds_hub.federation.words import (
    ANSWER,
    QUESTION,
    PeerAnswer,
    PeerQuestion,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from joserfc.jwk import OKPKey

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.asking import Question
    from rounds_hub.cases.found import Found
    from rounds_hub.house import House

__all__ = ["SIGNATURE", "Elsewhere", "RemoteHit", "Told", "ask_peers", "everywhere"]

SIGNATURE: Final = "Rounds-Signature"
"""The header with the signature, of a question and of its answer."""
PATH: Final = "api/federation/search"
LARGEST_ANSWER: Final = 2**20
STEADY: Final = 60.0
"""The constant of reciprocal rank fusion."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RemoteHit:
    """A case that was found, and where; *peer* is empty for this hub.

    *rank* is its place there, from 1; *url* is the address of its page.
    """

    id: str
    title: str
    peer: str
    whence: str
    rank: int
    url: str
    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    level: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What one hub said: *state* is ``answered``, ``slow``, ``down`` or ``refused``."""

    peer: str
    title: str
    state: str
    total: int = 0
    seconds: float = 0.0
    hits: tuple[RemoteHit, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What was found in all hubs; *told* names each, also those that did not answer."""

    hits: tuple[RemoteHit, ...] = ()
    told: tuple[Told, ...] = ()
    total: int = 0
    complete: bool = field(default=True)
    """Whether every hub that was asked answered."""


def ask_peers(house: House, principal: Principal, question: Question) -> Elsewhere:
    """Return what other hubs find with the words and filters of *question*.

    Its examples stay here: no picture leaves the house.

    Raises
    ------
    NotFoundError
        If *principal* may not search.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.SEARCH)
        require(session, principal, Action.PEER_ASK)
        peers = asked_peers(session)
    if not peers:
        return Elsewhere()
    ours = own_key(house.settings.data)
    asked = PeerQuestion(
        text=question.text[:500],
        where={name: list(values)[:50] for name, values in question.where.items()},
        language=question.language[:200],
        size=min(question.size, 100),
    )
    body = asked.model_dump_json().encode()
    return _together(asyncio.run(_told_by_all(ours, peers, body)))


def everywhere(
    house: House, principal: Principal, question: Question
) -> tuple[Found, Elsewhere]:
    """Return what is found here, and what is found here and in other hubs together."""
    here = search(house, principal, question)
    hits = tuple(
        RemoteHit(
            id=hit.id,
            title=hit.title,
            peer="",
            whence="",
            rank=rank,
            url=hit.url,
            modality=hit.modality,
            body_part=hit.body_part,
            level=hit.level,
            language=hit.language,
        )
        for rank, hit in enumerate(here.hits, start=1)
    )
    own = Told("", "", "answered", here.total, 0.0, hits)
    return here, _together([own, *ask_peers(house, principal, question).told])


def _together(told: Sequence[Told]) -> Elsewhere:
    """Return the hits of all, fused by rank; where ranks tie, in the order of hubs."""
    hits = [hit for one in told for hit in one.hits]
    hits.sort(key=lambda hit: -1.0 / (STEADY + hit.rank))
    return Elsewhere(
        tuple(hits),
        tuple(told),
        sum(one.total for one in told),
        all(one.state == "answered" for one in told),
    )


async def _told_by_all(
    ours: OKPKey, peers: Sequence[PeerRecord], body: bytes
) -> list[Told]:
    """Ask all at once, and return what each said, in their order."""
    return list(await asyncio.gather(*(_told(ours, peer, body) for peer in peers)))


async def _told(ours: OKPKey, peer: PeerRecord, body: bytes) -> Told:
    """Return what *peer* answers in its time, or how it failed to."""
    began = time.monotonic()
    try:
        # The limits of the client are for each piece: a hub that sends a byte now and
        # then would never meet them.
        async with asyncio.timeout(peer.seconds):
            answer = await _answer(ours, peer, body)
    except (TimeoutError, httpx.TimeoutException):
        state = "slow"
    except (httpx.HTTPError, httpx.InvalidURL):
        state = "down"
    except (HubError, ValidationError) as error:
        log.warning("peer refused or broken", peer=peer.name, why=type(error).__name__)
        state = "refused"
    else:
        seconds = time.monotonic() - began
        hits = tuple(_hits(peer, answer))
        return Told(peer.name, peer.called, "answered", answer.total, seconds, hits)
    return Told(peer.name, peer.called, state, seconds=time.monotonic() - began)


async def _answer(ours: OKPKey, peer: PeerRecord, body: bytes) -> PeerAnswer:
    """Ask *peer* once and return its answer, checked."""
    theirs = peer_key(peer.public_key)
    token = sign(ours, named_key(theirs), QUESTION, body)
    said, signature = await _exchange(peer, token, body)
    digest = hashlib.sha256(token.encode()).hexdigest()
    check(signature, lambda _: theirs, named_key(ours), (f"{ANSWER} {digest}", said))
    return PeerAnswer.model_validate_json(said)


async def _exchange(peer: PeerRecord, token: str, body: bytes) -> tuple[bytes, str]:
    """Send the question and return the bytes of the answer with their signature."""
    headers = {"Content-Type": "application/json", SIGNATURE: token}
    async with (
        httpx.AsyncClient(timeout=peer.seconds, trust_env=False) as client,
        client.stream("POST", peer.url + PATH, content=body, headers=headers) as got,
    ):
        if got.status_code != httpx.codes.OK:
            # A redirect is refused, too: nobody but the record says where we go.
            msg = f"The hub {peer.name!r} answers {got.status_code}."
            raise NotSignedInError(msg)
        said = bytearray()
        async for piece in got.aiter_raw():
            said += piece
            if len(said) > LARGEST_ANSWER:
                msg = f"The hub {peer.name!r} answers too much."
                raise NotSignedInError(msg)
        return bytes(said), got.headers.get(SIGNATURE, "")


def _hits(peer: PeerRecord, answer: PeerAnswer) -> list[RemoteHit]:
    """Return the hits of *peer*, each with its place and where it is from."""
    return [
        RemoteHit(
            id=hit.id,
            title=hit.title,
            peer=peer.name,
            whence=peer.called,
            rank=rank,
            url=f"{peer.url}cases/{hit.id}",
            modality=tuple(hit.modality),
            body_part=tuple(hit.body_part),
            level=hit.level,
            language=hit.language,
        )
        for rank, hit in enumerate(answer.hits[: peer.most_hits], start=1)
    ]
