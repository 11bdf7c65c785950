"""WADO-RS: studies, series, instances, metadata and bulk data (PS3.18, 10.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from fastapi import Path as InPath
from starlette.responses import FileResponse, Response, StreamingResponse

from rounds_hub.archive.exporting import is_harmless
from rounds_hub.dicomweb.answers import (
    CACHED,
    DicomwebRoute,
    base_of,
    multipart,
    not_modified,
    tag_of,
    warned,
)
from rounds_hub.dicomweb.frames import Wanted, answer_frames
from rounds_hub.dicomweb.instances import (
    EXPLICIT,
    bulk_of,
    contents,
    convertible,
    syntax_for,
)
from rounds_hub.dicomweb.metadata import metadata_of
from rounds_hub.dicomweb.negotiation import Accepted, accepted, first_of
from rounds_hub.dicomweb.selecting import (
    Place,
    instance_at,
    instances_at,
    path_of,
    place_of,
)
from rounds_hub.errors import BadRequestError, NotAcceptableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rounds_hub.archive.reading import StoredInstance
    from rounds_hub.dicomweb.answers import Part

__all__ = ["router"]

router = APIRouter(prefix="/dicomweb", route_class=DicomwebRoute)

PlaceDep = Annotated[Place, Depends(place_of)]
DICOM, JSON = "application/dicom", "application/dicom+json"
MOST_FRAMES = 100_000
PIXELS = frozenset({"7FE00008", "7FE00009", "7FE00010"})
Numbers = Annotated[
    str,
    InPath(
        pattern=r"^[0-9]{1,9}(,[0-9]{1,9})*$",
        max_length=10 * MOST_FRAMES,
        description="Numbers of frames from 1, with commas between them.",
    ),
]
Bulk = Annotated[
    str,
    InPath(
        pattern=r"^[0-9A-Fa-f]{8}(/[0-9]{1,9}/[0-9A-Fa-f]{8})*$",
        max_length=1200,
        description="Tags and numbers of items, from 0, with slashes between them.",
    ),
]


@router.get("/studies/{study_uid}", response_class=Response)
@router.get("/studies/{study_uid}/series/{series_uid}", response_class=Response)
@router.get(
    "/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}",
    response_class=Response,
)
def retrieve(request: Request, place: PlaceDep) -> Response:
    """Return the instances of a study, a series or an instance as Part 10 files.

    They come as explicit VR little endian unless another ``transfer-syntax`` is asked
    for; ``*`` gives them as they are stored.
    """
    every = instances_at(place)
    form = _form(accepted(request), every, single=bool(place.instance))
    tag = tag_of(form.syntax, form.multipart, *(one.sha256 for one in every))
    known = not_modified(request, tag)
    if known is not None:
        return known
    if not form.multipart:
        return _one(place, every[0], form, tag)
    fit = [one for one in every if convertible(one, form.syntax)]
    left_out = len(every) - len(fit)
    why = f"{left_out} instances cannot be given in that form" if left_out else ""
    headers = {**CACHED, "ETag": tag, **warned(why)}
    parts = _parts(place, fit, form.syntax, base_of(request))
    return multipart(parts, DICOM, headers, 206 if left_out else 200)


def _form(
    every: list[Accepted], instances: Sequence[StoredInstance], *, single: bool
) -> Accepted:
    """Return the form that is liked best and in which something can be given."""
    for one in every:
        if not one.allows(DICOM) or (one.multipart is False and not single):
            continue
        if any(convertible(found, one.syntax) for found in instances):
            several = one.multipart is not False
            return Accepted(DICOM, several, one.syntax or EXPLICIT)
    msg = (
        f'Instances are given as multipart/related; type="{DICOM}", a single one also '
        f"as {DICOM}, in transfer-syntax=* (as stored) or one that they can be "
        f"converted to without loss; a video only as it is stored."
    )
    raise NotAcceptableError(msg)


def _one(place: Place, one: StoredInstance, form: Accepted, tag: str) -> Response:
    """Return one instance as the whole body."""
    headers = {**CACHED, "ETag": tag}
    syntax = syntax_for(one, form.syntax)
    kind = f"{DICOM}; transfer-syntax={syntax}"
    path = path_of(place.house, one)
    if syntax == one.transfer_syntax and is_harmless(path):
        # It knows ranges of bytes (RFC 9110, 14).
        return FileResponse(path, media_type=kind, headers=headers)
    (content,) = contents(place.house, [one], form.syntax)
    return StreamingResponse(content.pieces(), media_type=kind, headers=headers)


def _parts(
    place: Place, every: Sequence[StoredInstance], syntax: str, base: str
) -> Iterator[Part]:
    """Give an instance a part."""
    for content in contents(place.house, every, syntax):
        headers = {
            "Content-Type": f"{DICOM}; transfer-syntax={content.syntax}",
            "Content-Location": f"{base}{place.at(content.instance)}",
        }
        yield headers, content.pieces()


@router.get("/studies/{study_uid}/metadata", response_class=Response)
@router.get(
    "/studies/{study_uid}/series/{series_uid}/metadata", response_class=Response
)
@router.get(
    "/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/metadata",
    response_class=Response,
)
def retrieve_metadata(request: Request, place: PlaceDep) -> Response:
    """Return what instances say of themselves, as DICOM JSON without the pixels."""
    kind = first_of(accepted(request), (JSON, "application/json"))
    if kind is None:
        msg = f"Metadata are given as {JSON} only."
        raise NotAcceptableError(msg)
    base = base_of(request)
    found = metadata_of(place, base)
    tag = tag_of("metadata", base, *found.hashes)
    known = not_modified(request, tag)
    if known is not None:
        return known
    headers = {**CACHED, "ETag": tag}
    return StreamingResponse(found.pieces(), media_type=kind, headers=headers)


@router.get(
    "/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/frames/{numbers}",
    response_class=Response,
)
def retrieve_frames(request: Request, place: PlaceDep, numbers: Numbers) -> Response:
    """Return frames, each a part: as they are stored, or unpacked."""
    chosen = [int(number) for number in numbers.split(",")]
    if len(chosen) > MOST_FRAMES or 0 in chosen:
        msg = f"Frames are counted from 1; {MOST_FRAMES} at most are given at once."
        raise BadRequestError(msg)
    one = instance_at(place)
    return answer_frames(request, place, Wanted(one, tuple(n - 1 for n in chosen)))


@router.get(
    "/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}/bulkdata/{tags:path}",
    response_class=Response,
)
def retrieve_bulk(request: Request, place: PlaceDep, tags: Bulk) -> Response:
    """Return one large value by the place that the metadata name."""
    one = instance_at(place)
    if tags.upper() in PIXELS:
        return answer_frames(request, place, Wanted(one, None))
    kind = "application/octet-stream"
    fits = [form for form in accepted(request) if form.allows(kind)]
    if not fits:
        msg = f'Bulk data are given as {kind}, or multipart/related; type="{kind}".'
        raise NotAcceptableError(msg)
    tag = tag_of(one.sha256, tags)
    known = not_modified(request, tag)
    if known is not None:
        return known
    headers = {**CACHED, "ETag": tag}
    pieces = bulk_of(place.house, one, tags.upper())
    if fits[0].multipart is False:
        return StreamingResponse(pieces, media_type=kind, headers=headers)
    where = f"{base_of(request)}{place.path}/bulkdata/{tags}"
    part = {"Content-Type": kind, "Content-Location": where}
    return multipart([(part, pieces)], kind, headers)
