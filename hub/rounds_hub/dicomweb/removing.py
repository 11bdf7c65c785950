"""Delete studies, series and instances by DICOMweb; it can be undone for a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import Response

from rounds_hub.archive.deleting import Level, delete
from rounds_hub.dicomweb.answers import DicomwebRoute
from rounds_hub.dicomweb.selecting import Place, instance_at, place_of, series_at
from rounds_hub.errors import BadRequestError

__all__ = ["router"]

router = APIRouter(prefix="/dicomweb", route_class=DicomwebRoute)

PlaceDep = Annotated[Place, Depends(place_of)]
LONGEST = 500


@router.delete("/studies/{study_uid}", status_code=204)
@router.delete("/studies/{study_uid}/series/{series_uid}", status_code=204)
@router.delete(
    "/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}", status_code=204
)
def remove(
    place: PlaceDep,
    reason: Annotated[str, Query(max_length=LONGEST)] = "",
    x_reason: Annotated[str, Header(max_length=LONGEST)] = "",
) -> Response:
    """Delete a study, a series or an instance, because of a ``reason``.

    The reason is a query parameter, or the header ``X-Reason``; it is kept with what
    was deleted, which an administrator can bring back for a time.
    """
    level, uid = _named(place)
    why = reason or x_reason
    if not why.strip():
        msg = "Deleting needs a reason: add ?reason= to the address."
        raise BadRequestError(msg)
    delete(place.house, place.principal, level, uid, why)
    return Response(status_code=204)


def _named(place: Place) -> tuple[Level, str]:
    """Return the level and UID of what is to go, if it is where the address says."""
    if place.instance:
        return "instance", instance_at(place).uid
    series_at(place)
    if place.series:
        return "series", place.series
    return "study", place.study
