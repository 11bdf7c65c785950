"""The API of the archive: studies, series, volumes, pictures, instances, imports."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, TypeVar

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.access.principal import Principal
from rounds_hub.archive import deletions, imports, pictures, service
from rounds_hub.archive.chunks import npy_of, part_of
from rounds_hub.archive.conformance import instance_report, series_report
from rounds_hub.archive.exporting import export, is_harmless
from rounds_hub.archive.uploads import Spool
from rounds_hub.archive.views import (
    ImportView,
    InstanceView,
    ReportView,
    SeriesDetails,
    SeriesView,
    StudyPageView,
    StudyView,
    VolumeView,
)
from rounds_hub.archive.volumes import open_stacks, stack_folders
from rounds_hub.errors import HubError, InvalidError, NotFoundError
from rounds_hub.house import House
from rounds_kernels.errors import VolumeFormatError

__all__ = ["router"]

router = APIRouter(tags=["archive"])
router.include_router(deletions.router)
Chosen = TypeVar("Chosen")

UID = r"^[0-9.]{1,64}$"
Uid = Annotated[str, InPath(pattern=UID, description="A DICOM UID.")]
AXIS = "stack (as acquired), axial, coronal, sagittal, or an axis of the array."
CACHED = {"Cache-Control": "private, max-age=300", "Vary": "Cookie, Authorization"}
PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {}}, "description": "The picture."},
    304: {"description": "The picture that you have is still right."},
}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "DICOM or NIfTI files, zips, tars.",
                        },
                        "modality": {
                            "type": "string",
                            "description": "What NIfTI volumes are of: CT, MR, PT…",
                        },
                    },
                }
            }
        },
    }
}


@router.get("/api/studies")
def list_studies(
    house: HouseDep,
    principal: PrincipalDep,
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=300)] = "",
    size: Annotated[int, Query(ge=1, le=200)] = 50,
) -> StudyPageView:
    """Return the studies that one may see, newest first, those with the words *q*."""
    page = service.list_studies(house, principal, q, after=after, size=size)
    return StudyPageView.model_validate(page)


@router.get("/api/studies/{uid}")
def get_study(house: HouseDep, principal: PrincipalDep, uid: Uid) -> StudyView:
    """Return a study with those of its series that one may see."""
    return StudyView.model_validate(service.get_study(house, principal, uid))


@router.get("/api/series/{uid}")
def get_series(house: HouseDep, principal: PrincipalDep, uid: Uid) -> SeriesDetails:
    """Return a series with its instances."""
    series = SeriesView.model_validate(service.get_series(house, principal, uid))
    every = service.instances_of(house, principal, uid)
    instances = [InstanceView.model_validate(one) for one in every]
    return SeriesDetails(**series.model_dump(), instances=instances)


@router.get("/api/series/{uid}/conformance")
def get_series_report(house: HouseDep, principal: PrincipalDep, uid: Uid) -> ReportView:
    """Return what is not as the standard wants it in the instances of a series."""
    return ReportView.model_validate(series_report(house, principal, uid))


@router.get("/api/instances/{uid}/conformance")
def get_instance_report(
    house: HouseDep, principal: PrincipalDep, uid: Uid
) -> ReportView:
    """Return what is not as the standard wants it in one instance."""
    return ReportView.model_validate(instance_report(house, principal, uid))


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks for which series, in which house."""

    house: House
    principal: Principal
    uid: str

    @property
    def all(self) -> tuple[House, Principal, str]:
        """The three, as service functions take them."""
        return self.house, self.principal, self.uid


def _reader(house: HouseDep, principal: PrincipalDep, uid: Uid) -> Reader:
    """Return who asks for which series."""
    return Reader(house, principal, uid)


Stack = Annotated[int, Query(ge=0, description="Which stack of the series.")]


@router.get("/api/series/{uid}/volume.json")
def get_volume_header(
    reader: Annotated[Reader, Depends(_reader)], stack: Stack = 0
) -> VolumeView:
    """Return the geometry, units and remarks of a series' volume."""
    stacks = open_stacks(*reader.all)
    return VolumeView(**_chosen(stacks, stack).header(), stacks=len(stacks))


@router.get(
    "/api/series/{uid}/volume.npy",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def get_volume_array(
    request: Request, reader: Annotated[Reader, Depends(_reader)], stack: Stack = 0
) -> Response:
    """Stream a series' volume as a NumPy array file."""
    series = service.get_series(*reader.all)
    headers = {**CACHED, "ETag": f'"{series.content_hash}-{stack}"'}
    if _has(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    array = _chosen(open_stacks(*reader.all), stack).array
    begin, pieces = npy_of(array)
    headers["Content-Length"] = str(len(begin) + array.nbytes)
    return StreamingResponse(
        chain([begin], pieces), media_type="application/octet-stream", headers=headers
    )


@router.get(
    "/api/series/{uid}/stacks/{stack}.zarr/{part:path}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def get_volume_part(
    request: Request,
    reader: Annotated[Reader, Depends(_reader)],
    stack: Annotated[int, InPath(ge=0)],
    part: Annotated[str, InPath(max_length=80)],
) -> Response:
    """Return a part of a series' volume, as a reader of Zarr 3 asks for it."""
    series = service.get_series(*reader.all)
    said = f"{series.content_hash} {stack} {part}"
    tag = f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'
    headers = {**CACHED, "ETag": tag}
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    try:
        found = part_of(_chosen(stack_folders(*reader.all), stack), part)
    except VolumeFormatError:
        open_stacks(*reader.all)  # builds again what is damaged or was just evicted
        found = part_of(_chosen(stack_folders(*reader.all), stack), part)
    kind = "application/json" if part.endswith(".json") else "application/octet-stream"
    return Response(found, media_type=kind, headers=headers)


def _chosen(stacks: Sequence[Chosen], stack: int) -> Chosen:
    """Return one of the stacks of a series."""
    if stack >= len(stacks):
        kind = "stack"
        raise NotFoundError(kind, str(stack), map(str, range(len(stacks))))
    return stacks[stack]


def _asked(
    center: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    width: Annotated[float | None, Query(allow_inf_nan=False)] = None,
    size: int = 512,
    axis: Annotated[str, Query(max_length=20, description=AXIS)] = "stack",
) -> pictures.Asked:
    """Return how a frame is wanted."""
    return pictures.Asked(center, width, size, axis)


@router.get(
    "/api/series/{uid}/frames/{number}.png", response_class=Response, responses=PNG
)
def get_frame(
    request: Request,
    reader: Annotated[Reader, Depends(_reader)],
    number: Annotated[int, InPath(ge=0, le=2**31, description="Counted from 0.")],
    asked: Annotated[pictures.Asked, Depends(_asked)],
) -> Response:
    """Return one slice of a series in a window; a segmentation over its source."""
    series = service.get_series(*reader.all)
    tag = pictures.frame_tag(series, number, asked)
    if _has(request, tag):
        return Response(status_code=304, headers={**CACHED, "ETag": tag})
    return _picture(pictures.frame_picture(*reader.all, number, asked), tag)


@router.get("/api/series/{uid}/thumbnail.png", response_class=Response, responses=PNG)
def get_thumbnail(
    request: Request, reader: Annotated[Reader, Depends(_reader)]
) -> Response:
    """Return a small picture of a series, or a tile with its kind if it has none."""
    content = pictures.thumbnail(*reader.all)
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if _has(request, tag):
        return Response(status_code=304, headers={**CACHED, "ETag": tag})
    return _picture(content, tag)


def _picture(content: bytes, tag: str) -> Response:
    """Return a PNG with what lets a browser keep it."""
    headers = {**CACHED, "ETag": tag}
    return Response(content, media_type="image/png", headers=headers)


def _has(request: Request, tag: str) -> bool:
    """Return whether the one who asks has what *tag* names (RFC 9110, 13.1.2)."""
    known = request.headers.get("if-none-match", "").split(",")
    return tag in {one.strip().removeprefix("W/") for one in known}


@router.get(
    "/api/instances/{uid}.dcm",
    response_class=FileResponse,
    responses={200: {"content": {"application/dicom": {}}}},
)
def get_instance(
    request: Request, house: HouseDep, principal: PrincipalDep, uid: Uid
) -> Response:
    """Return an instance as a Part 10 file: as it is kept, its preamble harmless."""
    found = service.open_instance(house, principal, uid)
    headers = {**CACHED, "ETag": f'"{found.sha256}"'}
    if _has(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if not house.store.has(found.sha256, found.size):
        msg = "The bytes of this instance are missing; tell who runs the house."
        raise HubError(msg)
    kind = "application/dicom"
    if is_harmless(found.path):
        name = f"{uid}.dcm"
        return FileResponse(found.path, media_type=kind, filename=name, headers=headers)
    return StreamingResponse(export(found.path), media_type=kind, headers=headers)


@router.post("/api/imports", status_code=202, openapi_extra=UPLOAD)
async def upload(
    request: Request, house: HouseDep, principal: PrincipalDep, response: Response
) -> ImportView:
    """Take files, zips and tars; a worker imports them, GET tells how far it is.

    The body goes to the disk while it comes. When this answers, it is there for good.
    """
    await run_sync(imports.may_import, house, principal)
    kind = request.headers.get("content-type", "")
    spool = await run_sync(Spool, house, kind)
    try:
        async for piece in request.stream():
            if piece:
                await run_sync(spool.write, piece)
        begun = await run_sync(imports.begin_import, house, principal, spool)
    except ClientDisconnect as error:
        spool.discard()
        msg = "The upload was cut short. Send it again."
        raise InvalidError(msg) from error
    except BaseException:
        spool.discard()
        raise
    response.headers["Location"] = f"imports/{begun.id}"
    return ImportView.model_validate(begun)


@router.get("/api/imports")
def list_imports(
    house: HouseDep,
    principal: PrincipalDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> list[ImportView]:
    """Return one's own newest imports."""
    found = imports.list_imports(house, principal, limit=limit)
    return [ImportView.model_validate(one) for one in found]


@router.get("/api/imports/{import_id}")
def get_import(house: HouseDep, principal: PrincipalDep, import_id: str) -> ImportView:
    """Return how far an import is and what came of each file."""
    return ImportView.model_validate(imports.get_import(house, principal, import_id))
