"""WADO-URI: one instance by the words of a query (PS3.18, 9)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.archive.rendering import Drawing
from rounds_hub.dicomweb.answers import CACHED, DicomwebRoute, not_modified, tag_of
from rounds_hub.dicomweb.drawing import JPEG, PNG, drawn, numbers_in
from rounds_hub.dicomweb.instances import contents, convertible
from rounds_hub.dicomweb.negotiation import accepted, first_of
from rounds_hub.dicomweb.selecting import Place, checked_uid, instance_at
from rounds_hub.errors import BadRequestError, NotAcceptableError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_hub.archive.reading import StoredInstance

__all__ = ["router"]

router = APIRouter(prefix="/dicomweb", route_class=DicomwebRoute)

DICOM = "application/dicom"
MOST_PIXELS = 8192


@router.get("/wado", response_class=Response)
def wado(request: Request, house: HouseDep, principal: PrincipalDep) -> Response:
    """Return an instance, or a picture of one of its frames.

    The query has ``requestType=WADO``, ``studyUID``, ``seriesUID``, ``objectUID`` and
    what PS3.18, 9.4.1 adds for pictures.
    """
    given = dict(request.query_params)
    if given.get("requestType") != "WADO":
        msg = "requestType is to be WADO."
        raise BadRequestError(msg)
    if given.get("anonymize", "no") != "no":
        msg = "Instances are not anonymized here; leave anonymize out."
        raise NotAcceptableError(msg)
    names = ("studyUID", "seriesUID", "objectUID")
    uids = [checked_uid(given.get(name, "")) for name in names]
    place = Place(house, principal, *uids)
    one = instance_at(place)
    kind = _kind(request, given, one)
    tag = tag_of("uri", one.sha256, kind, *sorted(given.items()))
    known = not_modified(request, tag)
    if known is not None:
        return known
    headers = {**CACHED, "ETag": tag}
    if kind != DICOM:
        frame = _frame(given, one)
        content = drawn(house, one, frame, _drawing(given, kind))
        return Response(content, media_type=kind, headers=headers)
    return _instance(place, one, given.get("transferSyntax", ""), headers)


def _kind(request: Request, given: Mapping[str, str], one: StoredInstance) -> str:
    """Return the media type of the answer (PS3.18, 9.4.1.2)."""
    said = given.get("contentType", "")
    if not said:
        return JPEG if one.frames else DICOM
    offered = (JPEG, PNG, DICOM) if one.frames else (DICOM,)
    for kind in said.split(","):
        bare = kind.partition(";")[0].strip().lower()
        if bare in offered or (bare == "*/*" and offered):
            return bare if bare in offered else offered[0]
    kind_of_header = first_of(accepted(request), offered)
    if kind_of_header is None or said:
        msg = f"This instance is given as {', '.join(offered)}."
        raise NotAcceptableError(msg)
    return kind_of_header


def _frame(given: Mapping[str, str], one: StoredInstance) -> int:
    """Return the frame that is asked for, from 0."""
    said = given.get("frameNumber", "1")
    if not (said.isdecimal() and 1 <= int(said[:10]) <= one.frames):
        kind = "frame"
        raise NotFoundError(kind, said[:20], [f"1 to {one.frames}"])
    return int(said) - 1


def _drawing(given: Mapping[str, str], kind: str) -> Drawing:
    """Return how the picture is wanted (PS3.18, 9.4.1.2)."""
    drawing = Drawing(kind=kind)
    if ("windowCenter" in given) != ("windowWidth" in given):
        msg = "A window needs both windowCenter and windowWidth."
        raise BadRequestError(msg)
    if "windowCenter" in given:
        center = numbers_in(given["windowCenter"], "windowCenter", (1,))[0]
        width = numbers_in(given["windowWidth"], "windowWidth", (1,))[0]
        drawing = replace(drawing, window=(center, width))
    if "imageQuality" in given:
        quality = numbers_in(given["imageQuality"], "imageQuality", (1,))[0]
        drawing = replace(drawing, quality=round(quality))
    if "rows" in given or "columns" in given:
        most = str(MOST_PIXELS)
        rows = numbers_in(given.get("rows", most), "rows", (1,))[0]
        columns = numbers_in(given.get("columns", most), "columns", (1,))[0]
        drawing = replace(drawing, size=(round(columns), round(rows)))
    return drawing


def _instance(
    place: Place, one: StoredInstance, asked: str, headers: dict[str, str]
) -> Response:
    """Return the instance itself, in the transfer syntax that is asked for."""
    if not convertible(one, asked):
        msg = f"It is stored as {one.transfer_syntax}; ask with transferSyntax=*."
        raise NotAcceptableError(msg)
    (content,) = contents(place.house, [one], asked)
    kind = f"{DICOM}; transfer-syntax={content.syntax}"
    return StreamingResponse(content.pieces(), media_type=kind, headers=headers)
