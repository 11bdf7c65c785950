"""Search for studies, series and instances: QIDO-RS (PS3.18, 10.6)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, Request
from pydicom.datadict import dictionary_VR, keyword_for_tag
from starlette.responses import Response, StreamingResponse

from rounds_hub.archive.attributes import tag_of
from rounds_hub.archive.texts import clean
from rounds_hub.dicomweb.answers import DicomwebRoute, base_of
from rounds_hub.dicomweb.negotiation import accepted, first_of
from rounds_hub.dicomweb.selecting import Place, place_of
from rounds_hub.errors import BadRequestError, NotAcceptableError
from rounds_hub.querying.answers import dicom_json
from rounds_hub.querying.keys import DEFAULTS, Level, at_or_above
from rounds_hub.querying.service import Answer, Query, find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_hub.querying.service import Match

__all__ = ["router"]

router = APIRouter(prefix="/dicomweb", route_class=DicomwebRoute)

JSON: Final = "application/dicom+json"
KINDS: Final = (JSON, "application/json")
MOST_PARAMETERS: Final = 64
LONGEST_NAME: Final = 64
DEEPEST: Final = 8
AT_ONCE: Final = 100
_LISTS: Final = frozenset({"UI", "CS"})
"""Kinds of values that have no comma, so that a comma divides them."""
_WHOLE_TEXTS: Final = frozenset({"LT", "ST", "UT"})
_UNSIGNED: Final = re.compile(r"\d{1,9}", re.ASCII)
_HEX: Final = re.compile(r"[0-9A-Fa-f]{8}")
_PLACE: Final = {
    "StudyInstanceUID": "studies",
    "SeriesInstanceUID": "series",
    "SOPInstanceUID": "instances",
}


@dataclass(slots=True)
class _Parameters:
    """The query parameters of a search, sorted out."""

    keys: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)
    fuzzy: bool = False
    limit: int = 0
    offset: int = 0


PlaceDep = Annotated[Place, Depends(place_of)]


@router.get("/studies", response_class=Response)
def search_studies(request: Request, place: PlaceDep) -> Response:
    """Return the studies that match."""
    return _search(request, place, Level.STUDY)


@router.get("/series", response_class=Response)
@router.get("/studies/{study_uid}/series", response_class=Response)
def search_series(request: Request, place: PlaceDep) -> Response:
    """Return the series that match, of one study or of all."""
    return _search(request, place, Level.SERIES)


@router.get("/instances", response_class=Response)
@router.get("/studies/{study_uid}/instances", response_class=Response)
@router.get(
    "/studies/{study_uid}/series/{series_uid}/instances", response_class=Response
)
def search_instances(request: Request, place: PlaceDep) -> Response:
    """Return the instances that match, of one series, of one study or of all."""
    return _search(request, place, Level.IMAGE)


def _search(request: Request, place: Place, level: Level) -> Response:
    """Answer a search for rows of *level* at *place*."""
    kind = first_of(accepted(request), KINDS)
    if kind is None:
        msg = f"Answers of a search come as {JSON} alone; accept that."
        raise NotAcceptableError(msg)
    asked = _parameters(request)
    for keyword, uid in (
        ("StudyInstanceUID", place.study),
        ("SeriesInstanceUID", place.series),
    ):
        if uid:
            asked.keys[(keyword,)] = (uid,)
    query = _query(asked, place, level)
    answer = find(place.house, place.principal, query)
    headers = _warnings(answer, fuzzy=asked.fuzzy)
    if not answer.matches:
        return Response(status_code=204, headers=headers)
    pieces = _written(answer, level, base_of(request), every=query.wanted is None)
    return StreamingResponse(pieces, headers=headers, media_type=kind)


def _query(asked: _Parameters, place: Place, level: Level) -> Query:
    """Return the query for what was asked."""
    above = [one for one in at_or_above(level) if one is not Level.PATIENT]
    if place.series:
        above = [Level.IMAGE]
    elif place.study:
        above.remove(Level.STUDY)
    wanted = {keyword for one in above for keyword in DEFAULTS[one]}
    return Query(
        level,
        keys=asked.keys,
        wanted=None if "all" in asked.fields else frozenset(wanted | asked.fields),
        fuzzy=asked.fuzzy,
        limit=asked.limit,
        offset=asked.offset,
    )


def _parameters(request: Request) -> _Parameters:
    """Return what the query parameters say.

    Raises
    ------
    BadRequestError
        If one is not understood.
    """
    found = _Parameters()
    given = request.query_params.multi_items()
    if len(given) > MOST_PARAMETERS:
        msg = f"A search has up to {MOST_PARAMETERS} parameters, got {len(given)}."
        raise BadRequestError(msg)
    for name, value in given:
        match name:
            case "limit":
                found.limit = _unsigned(name, value, least=1)
            case "offset":
                found.offset = _unsigned(name, value)
            case "fuzzymatching":
                found.fuzzy = _truth(name, value)
            case "includefield":
                found.fields.update(_field(one) for one in value.split(",") if one)
            case "accept" | "charset":
                continue
            case _:
                path = _path(name)
                found.keys[path] = found.keys.get(path, ()) + _values(path, value)
    return found


def _unsigned(name: str, value: str, *, least: int = 0) -> int:
    """Return a whole number that is not negative."""
    if not _UNSIGNED.fullmatch(value) or int(value) < least:
        msg = f"{name} takes a whole number from {least}, got {_said(value)!r}."
        raise BadRequestError(msg)
    return int(value)


def _truth(name: str, value: str) -> bool:
    """Return true or false."""
    if value.lower() not in {"true", "false"}:
        msg = f"{name} takes true or false, got {_said(value)!r}."
        raise BadRequestError(msg)
    return value.lower() == "true"


def _field(said: str) -> str:
    """Return what is to be included: ``all``, or the keyword of an attribute.

    What lies inside a sequence comes with the whole of it.
    """
    return "all" if said == "all" else _path(said)[0]


def _path(name: str) -> tuple[str, ...]:
    """Return the keywords of an attribute, one for each level of sequences.

    Raises
    ------
    BadRequestError
        If it names none.
    """
    parts = name.split(".")
    if len(name) > DEEPEST * LONGEST_NAME or len(parts) > DEEPEST:
        msg = f"An attribute is named by up to {DEEPEST} keywords or tags."
        raise BadRequestError(msg)
    return tuple(map(_keyword, parts))


def _keyword(said: str) -> str:
    """Return the keyword of an attribute, or its tag where PS3.6 does not have it."""
    if _HEX.fullmatch(said):
        return keyword_for_tag(int(said, 16)) or said.upper()
    try:
        tag_of(said)
    except ValueError as error:
        msg = f"{_said(said)!r} is neither a parameter nor a keyword or tag of PS3.6."
        raise BadRequestError(msg) from error
    return said


def _values(path: tuple[str, ...], value: str) -> tuple[str, ...]:
    """Return the values that a parameter has; each is enough for a match."""
    vr = "UN" if _HEX.fullmatch(path[-1]) else dictionary_VR(tag_of(path[-1]))
    if vr in _LISTS:
        return tuple(re.split(r"[,\\]", value))
    return (value,) if vr in _WHOLE_TEXTS else tuple(value.split("\\"))


def _said(value: str) -> str:
    """Return what came for a message, cut short."""
    return clean(value)[:LONGEST_NAME]


def _warnings(answer: Answer, *, fuzzy: bool) -> dict[str, str]:
    """Return the header with what the one who asks has to know (PS3.18, 8.3.4)."""
    said = []
    if answer.unmatched:
        names = ", ".join(answer.unmatched)
        said.append(f"Not matched, since it is no key here: {names}")
    if answer.more:
        said.append("There are additional results that can be requested")
    if answer.unread:
        said.append("Older instances are still being read and may not be found yet")
    if fuzzy:
        said.append("Names were matched by the beginnings of their words")
    texts = ", ".join(f'299 rounds "{text}"' for text in said)
    return {"Warning": texts} if texts else {}


def _written(
    answer: Answer, level: Level, base: str, *, every: bool
) -> Iterator[bytes]:
    """Give the matches as one JSON array, some at a time."""
    before = "["
    for start in range(0, len(answer.matches), AT_ONCE):
        some = answer.matches[start : start + AT_ONCE]
        said = (_json(match, level, base, every=every) for match in some)
        yield (before + ",".join(said)).encode()
        before = ","
    yield b"]"


def _json(match: Match, level: Level, base: str, *, every: bool) -> str:
    """Return one match as JSON, with where it can be had."""
    found = dicom_json(match, empty=not every)
    uids = {name: values[0] for name in _PLACE if (values := match.get(name))}
    where = "".join(f"/{_PLACE[name]}/{uid}" for name, uid in uids.items())
    found["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    found["00081190"] = {"vr": "UR", "Value": [base + where]}
    if level is not Level.SERIES:
        found["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
    kept = dict(sorted(found.items()))
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
