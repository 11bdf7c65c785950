"""Rendered pictures and thumbnails (PS3.18, 10.4.1.1.4 and 10.4.1.1.5)."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request
from PIL import Image
from starlette.responses import Response

from rounds_hub.archive import decoding, pictures
from rounds_hub.archive.rendering import KINDS, Drawing
from rounds_hub.dicomweb.answers import (
    CACHED,
    DicomwebRoute,
    base_of,
    multipart,
    not_modified,
    tag_of,
    warned,
)
from rounds_hub.dicomweb.negotiation import accepted
from rounds_hub.dicomweb.selecting import (
    Place,
    instance_at,
    instances_at,
    path_of,
    place_of,
    series_at,
)
from rounds_hub.errors import (
    BadRequestError,
    InvalidError,
    NotAcceptableError,
    NotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rounds_hub.archive.reading import StoredInstance
    from rounds_hub.dicomweb.answers import Part
    from rounds_hub.house import House

__all__ = ["drawn", "numbers_in", "router"]

router = APIRouter(prefix="/dicomweb", route_class=DicomwebRoute)

PlaceDep = Annotated[Place, Depends(place_of)]
JPEG, PNG = "image/jpeg", "image/png"
THUMBNAIL = 256
MOST_PICTURES = 2000
LONGEST = 200
INSTANCE = "/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}"


@dataclass(frozen=True, slots=True)
class Asked:
    """How pictures are asked for, and what of it is passed over."""

    drawing: Drawing
    passed_over: str = ""


def asked_of(
    window: Annotated[str, Query(max_length=LONGEST)] = "",
    viewport: Annotated[str, Query(max_length=LONGEST)] = "",
    quality: Annotated[int, Query(ge=1, le=100)] = 90,
    annotation: Annotated[str, Query(max_length=LONGEST)] = "",
    iccprofile: Annotated[str, Query(max_length=LONGEST)] = "",
) -> Asked:
    """Return how pictures are asked for (PS3.18, 8.3.5.1)."""
    said = {"annotation": annotation, "iccprofile": iccprofile.replace("no", "")}
    names = [name for name, value in said.items() if value]
    passed_over = f"{' and '.join(names)} passed over" if names else ""
    return Asked(_drawing(window, viewport, quality), passed_over)


AskedDep = Annotated[Asked, Depends(asked_of)]


def _drawing(window: str, viewport: str, quality: int) -> Drawing:
    """Return what the query parameters ask for."""
    drawing = Drawing(quality=quality)
    if window:
        center, _, rest = window.partition(",")
        width, _, function = rest.partition(",")
        level = numbers_in(f"{center},{width}", "window", (2,))
        named = function.strip().lower() or "linear"
        chosen = (level[0], level[1])
        drawing = replace(drawing, window=chosen, function=named)
    if viewport:
        box = numbers_in(viewport, "viewport", (2, 6))
        drawing = replace(drawing, size=(round(box[0]), round(box[1])))
        if len(box) > 2:  # noqa: PLR2004 (a part of the picture is named, too)
            drawing = replace(drawing, region=(box[2], box[3], box[4], box[5]))
    return drawing


def numbers_in(said: str, name: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    """Return the numbers of a query parameter.

    Raises
    ------
    BadRequestError
        If they are none, or not as many as they must be.

    Examples
    --------
    >>> numbers_in("40,400", "window", (2,))
    (40.0, 400.0)
    """
    try:
        found = tuple(float(one) for one in said.split(","))
    except ValueError:
        found = ()
    if len(found) not in counts or any(abs(one) > 1e9 for one in found):  # noqa: PLR2004
        many = " or ".join(map(str, counts))
        msg = f"{name} has {many} numbers with commas between them."
        raise BadRequestError(msg)
    return found


@router.get("/studies/{study_uid}/rendered", response_class=Response)
@router.get(
    "/studies/{study_uid}/series/{series_uid}/rendered", response_class=Response
)
@router.get(f"{INSTANCE}/rendered", response_class=Response)
@router.get(f"{INSTANCE}/frames/{{numbers}}/rendered", response_class=Response)
def rendered(
    request: Request, place: PlaceDep, asked: AskedDep, numbers: str = ""
) -> Response:
    """Return pictures as people look at them, in the window that is asked for."""
    kind, several = _kind(request)
    drawing = replace(asked.drawing, kind=kind)
    chosen = _chosen(place, numbers)
    tag = tag_of(drawing, *((one.sha256, frame) for one, frame in chosen))
    known = not_modified(request, tag)
    if known is not None:
        return known
    single = place.instance and not several
    left_out = len(chosen) - 1 if single else 0
    more = f"{left_out} more frames are not shown" if left_out else ""
    why = "; ".join(filter(None, (asked.passed_over, more)))
    headers = {**CACHED, "ETag": tag, **warned(why)}
    if single:
        one, frame = chosen[0]
        content = drawn(place.house, one, frame, drawing)
        return Response(content, media_type=kind, headers=headers)
    parts = _parts(place, chosen, drawing, base_of(request))
    return multipart(parts, kind, headers)


def _kind(request: Request) -> tuple[str, bool]:
    """Return the kind of picture that is liked best, and whether several may come."""
    for form in accepted(request):
        for kind in (JPEG, PNG):
            if form.allows(kind):
                return kind, form.multipart is True
    msg = f"Pictures are given as {JPEG} or {PNG}."
    raise NotAcceptableError(msg)


def _chosen(place: Place, numbers: str) -> list[tuple[StoredInstance, int]]:
    """Return the frames, from 0, that are to be drawn."""
    if numbers:
        frames = [int(one) - 1 for one in numbers.split(",") if one.isdecimal()]
        one = instance_at(place)
        beyond = [frame for frame in frames if not 0 <= frame < one.frames]
        if beyond or len(frames) != numbers.count(",") + 1:
            kind = "frame"
            raise NotFoundError(kind, numbers[:40], [f"1 to {one.frames}"])
        chosen = [(one, frame) for frame in frames]
    else:
        chosen = [
            (one, frame) for one in instances_at(place) for frame in range(one.frames)
        ]
    if not chosen:
        msg = "There are no pictures in it."
        raise NotAcceptableError(msg)
    if len(chosen) > MOST_PICTURES:
        msg = f"{len(chosen)} pictures are too many at once; ask series by series."
        raise NotAcceptableError(msg)
    return chosen


def _parts(
    place: Place,
    chosen: Sequence[tuple[StoredInstance, int]],
    drawing: Drawing,
    base: str,
) -> Iterator[Part]:
    """Give a picture a part."""
    for one, frame in chosen:
        where = f"{base}{place.at(one)}/frames/{frame + 1}/rendered"
        headers = {"Content-Type": drawing.kind, "Content-Location": where}
        yield headers, iter((drawn(place.house, one, frame, drawing),))


def drawn(house: House, one: StoredInstance, frame: int, drawing: Drawing) -> bytes:
    """Return a picture of *frame*, from 0.

    Raises
    ------
    NotAcceptableError
        If there is none to draw.
    """
    try:
        return decoding.draw(path_of(house, one), frame, drawing)
    except InvalidError as error:
        raise NotAcceptableError(str(error)) from error


@router.get("/studies/{study_uid}/thumbnail", response_class=Response)
@router.get(
    "/studies/{study_uid}/series/{series_uid}/thumbnail", response_class=Response
)
@router.get(f"{INSTANCE}/thumbnail", response_class=Response)
@router.get(f"{INSTANCE}/frames/{{numbers}}/thumbnail", response_class=Response)
def thumbnail(
    request: Request, place: PlaceDep, asked: AskedDep, numbers: str = ""
) -> Response:
    """Return one small picture that stands for all there is."""
    kind, _ = _kind(request)
    size = asked.drawing.size or (THUMBNAIL, THUMBNAIL)
    if place.instance:
        chosen = _chosen(place, numbers)
        one, frame = chosen[len(chosen) // 2]
        small = replace(asked.drawing, kind=kind, size=size)
        content = drawn(place.house, one, frame, small)
    else:
        content = _of_series(place, kind, size)
    headers = {**CACHED, "ETag": tag_of(content), **warned(asked.passed_over)}
    known = not_modified(request, headers["ETag"])
    return known or Response(content, media_type=kind, headers=headers)


def _of_series(place: Place, kind: str, size: tuple[int, int]) -> bytes:
    """Return the picture of a series, or of the study's first that has pictures."""
    every = series_at(place)
    chosen = next((one for one in every if one.rows), every[0])
    made = pictures.thumbnail(place.house, place.principal, chosen.uid)
    if kind == PNG and size == (THUMBNAIL, THUMBNAIL):
        return made
    with Image.open(io.BytesIO(made)) as picture:
        picture.thumbnail(size)
        written = io.BytesIO()
        picture.save(written, KINDS[kind])
        return written.getvalue()
