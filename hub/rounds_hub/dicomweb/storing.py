"""STOW-RS: store instances (PS3.18, 10.5)."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.dicomweb.answers import DicomwebRoute, base_of, warned
from rounds_hub.dicomweb.negotiation import accepted, first_of
from rounds_hub.dicomweb.parts import parts_of
from rounds_hub.dicomweb.receiving import Intake, Reason, Result, may_bring
from rounds_hub.dicomweb.selecting import checked_uid
from rounds_hub.errors import (
    BadRequestError,
    BusyError,
    NotAcceptableError,
    TooSlowError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from rounds_hub.dicomweb.parts import Parts

__all__ = ["answer_of", "router", "status_of"]

router = APIRouter(prefix="/dicomweb", route_class=DicomwebRoute)

JSON = "application/dicom+json"
IDLE_SECONDS = 30.0
"""How long a sender may say nothing in the middle of a body."""

FAIR_SECONDS, LEAST_RATE = 60.0, 4096
"""After so long a body must have come with so many bytes a second on the average."""

PIECE = 2**19
AT_ONCE, AT_ONCE_OF_ONE = 128, 16
"""How many bodies are taken at the same time, and how many of one sender."""

LONGEST_COMMENT = 64
_senders: Counter[str] = Counter()


@router.post("/studies", response_class=Response)
@router.post("/studies/{study_uid}", response_class=Response)
async def store(
    request: Request, house: HouseDep, principal: PrincipalDep, study_uid: str = ""
) -> Response:
    """Store instances; the answer says of each what became of it.

    The body is multipart/related with parts of application/dicom, or one instance. It
    goes to the disk while it comes. What the answer names as stored is there for good.
    """
    study = checked_uid(study_uid) if study_uid else ""
    if first_of(accepted(request), (JSON, "application/json")) is None:
        msg = f"The answer is given as {JSON} only."
        raise NotAcceptableError(msg)
    attribution = await run_sync(may_bring, house, principal)
    with _turn(principal.name):
        intake = Intake(house, attribution, study)
        try:
            parts = parts_of(request.headers.get("content-type", ""), intake)
            await _receive(request, parts)
        except ClientDisconnect as error:
            msg = "The body was cut short. Send it again."
            raise BadRequestError(msg) from error
        finally:
            await run_sync(intake.discard)
        results = await run_sync(intake.results)
    if not results:
        msg = "There is no instance in the body."
        raise BadRequestError(msg)
    content = json.dumps(answer_of(results, base_of(request), study)).encode()
    first = next((one.why for one in results if one.reason), "")
    return Response(
        content, status_of(results), {**warned(_plain(first))}, media_type=JSON
    )


@contextmanager
def _turn(sender: str) -> Iterator[None]:
    """Let a sender go on unless too many bodies come at the same time."""
    if _senders[sender] >= AT_ONCE_OF_ONE or _senders.total() >= AT_ONCE:
        msg = f"{AT_ONCE_OF_ONE} bodies of one sender are taken at once. Wait for one."
        raise BusyError(msg)
    _senders[sender] += 1
    try:
        yield
    finally:
        _senders[sender] -= 1
        if not _senders[sender]:
            del _senders[sender]


async def _receive(request: Request, parts: Parts) -> None:
    """Give the body to *parts*, some at a time, as long as it comes fast enough.

    While one piece is hashed and written, the next one comes.
    """
    waiting: list[bytes] = []
    size = 0
    writing: asyncio.Task[None] | None = None
    try:
        async for piece in _in_time(request):
            waiting.append(piece)
            size += len(piece)
            if size >= PIECE:
                if writing is not None:
                    await writing
                writing = _begun(parts, b"".join(waiting))
                waiting, size = [], 0
    finally:
        if writing is not None:
            await writing
    await run_sync(parts.write, b"".join(waiting))
    await run_sync(parts.finish)


def _begun(parts: Parts, piece: bytes) -> asyncio.Task[None]:
    """Return the task that gives *piece* to *parts*."""
    return asyncio.create_task(run_sync(parts.write, piece))


async def _in_time(request: Request) -> AsyncIterator[bytes]:
    """Give the pieces of a body.

    Raises
    ------
    TooSlowError
        If none comes for long, or they come too slowly.
    """
    began, came = time.monotonic(), 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                piece = await anext(stream, None)
        except TimeoutError as error:
            msg = f"Nothing came for {IDLE_SECONDS:.0f} s in the middle of the body."
            raise TooSlowError(msg) from error
        if piece is None:
            return
        came += len(piece)
        took = time.monotonic() - began
        if took > FAIR_SECONDS and came < LEAST_RATE * took:
            msg = f"The body comes with less than {LEAST_RATE} bytes a second."
            raise TooSlowError(msg)
        if piece:
            yield piece


def status_of(results: Sequence[Result]) -> int:
    """Return 200 if all are stored, 202 if some, else why none (PS3.18, 10.5.3).

    Examples
    --------
    >>> status_of([Result(), Result(Reason.DUPLICATE)])
    202
    """
    failed = [one.reason for one in results if one.reason]
    if not failed:
        return 200
    if len(failed) < len(results):
        return 202
    if all(reason == Reason.NO_RESOURCES for reason in failed):
        return 507
    return 409


def answer_of(results: Sequence[Result], base: str, study: str) -> dict[str, Any]:
    """Return the Store Instances Response (PS3.18, annex I) as DICOM JSON."""
    stored = [one for one in results if not one.reason]
    failed = [one for one in results if one.reason and one.sop_uid]
    unknown = [one for one in results if one.reason and not one.sop_uid]
    named = study or (stored[0].study_uid if stored else "")
    said: dict[str, Any] = {}
    if named:
        said["00081190"] = _value("UR", f"{base}/studies/{named}")
    if failed:
        said["00081198"] = _items([_referenced(one) | _failure(one) for one in failed])
    if stored:
        items = [_referenced(one) | _retrieved(one, base) for one in stored]
        said["00081199"] = _items(items)
    if unknown:
        said["0008119A"] = _items([_failure(one) for one in unknown])
    return said


def _referenced(one: Result) -> dict[str, Any]:
    """Return which instance it is."""
    return {
        "00081150": _value("UI", one.sop_class),
        "00081155": _value("UI", one.sop_uid),
    }


def _failure(one: Result) -> dict[str, Any]:
    """Return why it is not stored."""
    comment = _value("LO", one.why[:LONGEST_COMMENT])
    return {"00000902": comment, "00081197": _value("US", one.reason)}


def _retrieved(one: Result, base: str) -> dict[str, Any]:
    """Return where it is now."""
    series = f"{base}/studies/{one.study_uid}/series/{one.series_uid}"
    return {"00081190": _value("UR", f"{series}/instances/{one.sop_uid}")}


def _value(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def _items(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": items}


def _plain(why: str) -> str:
    """Return a sentence as a header can hold it."""
    letters = why.encode("ascii", "replace").decode("ascii")
    return letters.replace('"', "'").replace("\\", "/")[:200]
