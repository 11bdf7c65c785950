"""The search over HTTP: one request in JSON, or with files beside it."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.access.policy import Action, decide
from rounds_hub.cases import searching
from rounds_hub.cases.pictures import LARGEST_PICTURE
from rounds_hub.cases.searchmodels import (
    FoundModel,
    SearchQuery,
    SearchRequest,
    UploadExample,
)
from rounds_hub.cases.uploads import MOST_FILES
from rounds_hub.errors import BadRequestError, BusyError, TooLargeError

__all__ = ["router"]

router = APIRouter(tags=["search"])

AT_ONCE = 4
"""How many searches with files are received at the same time by one process."""
RECEIVE_SECONDS = 120.0
"""How long files may take to come: one that sends slowly keeps a place of few."""
MOST_JSON = 2**20
_RECEIVING = asyncio.Semaphore(AT_ONCE)
Size = Annotated[int, Query(ge=1, le=200, description="How many hits at most.")]
Language = Annotated[str, Query(description="In which language titles are shown.")]

_REQUEST = {"$ref": "#/components/schemas/SearchRequest"}
_FILES = {
    "type": "array",
    "items": {"type": "string", "format": "binary"},
    "description": "PNG, JPEG, the DICOM instances of one series, or a zip of them; "
    "256 MiB in all. They are not kept.",
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _REQUEST},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {"request": _REQUEST, "files": _FILES},
                },
                "encoding": {"request": {"contentType": "application/json"}},
            },
        },
    }
}


@dataclass
class _Sent:
    """What came: the request and the files beside it."""

    request: SearchRequest
    files: list[UploadFile]


async def _sent(request: Request, principal: PrincipalDep) -> AsyncIterator[_Sent]:
    """Give what came in either form; its files are gone afterwards."""
    if not decide(principal, Action.SEARCH):
        # The search itself refuses, and writes that down; nothing is read before.
        yield _Sent(SearchRequest.model_validate({}), [])
        return
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        yield _Sent(_understood(await _json(request)), [])
        return
    if _RECEIVING.locked():
        msg = "Too many pictures are being received at once. Ask again in a moment."
        raise BusyError(msg)
    async with _RECEIVING:
        try:
            async with asyncio.timeout(RECEIVE_SECONDS):
                form = await request.form(
                    max_files=MOST_FILES, max_fields=4, max_part_size=MOST_JSON
                )
        except TimeoutError as error:
            msg = f"The pictures did not come within {RECEIVE_SECONDS:g} s."
            raise BadRequestError(msg) from error
        except HTTPException as error:
            msg = f"The form cannot be read: {error.detail}"
            raise BadRequestError(msg) from error
        try:
            yield _Sent(*_parts(form))
        finally:
            await form.close()


def _parts(form: Any) -> tuple[SearchRequest, list[UploadFile]]:  # noqa: ANN401 (Starlette's)
    """Return the request and the files of a form."""
    files = [one for one in form.getlist("files") if not isinstance(one, str)]
    said = form.get("request") or "{}"
    if not isinstance(said, str):
        msg = "The part 'request' is JSON, not a file."
        raise BadRequestError(msg)
    asked = _understood(said.encode())
    if files and not asked.like:
        whole = UploadExample.model_validate({"kind": "upload"})
        asked = asked.model_copy(update={"like": [whole]})
    return asked, files


async def _json(request: Request) -> bytes:
    """Return the body, of which no more is read than a request may have."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_JSON:
            msg = f"A request has at most {MOST_JSON} bytes; send pictures as files."
            raise TooLargeError(msg)
    return bytes(body) or b"{}"


def _understood(said: bytes) -> SearchRequest:
    """Return the request that *said* is, or say what is wrong with it."""
    try:
        return SearchRequest.model_validate_json(said)
    except ValidationError as error:
        told = error.errors(include_url=False, include_context=False)
        found = [one | {"loc": ("body", *one["loc"])} for one in told]
        raise RequestValidationError(found) from error


@router.get("/api/search")
def search_cases(
    house: HouseDep, principal: PrincipalDep, asked: Annotated[SearchQuery, Query()]
) -> FoundModel:
    """Find cases and results by words and facets."""
    found = searching.search(house, principal, asked.question())
    return FoundModel.model_validate(found, from_attributes=True)


@router.post("/api/search", openapi_extra=BODY)
def search_cases_by_body(
    house: HouseDep,
    principal: PrincipalDep,
    sent: Annotated[_Sent, Depends(_sent)],
) -> FoundModel:
    """Find cases and results by words, facets and examples, fused by rank.

    Send JSON, or a form with the JSON in the part ``request`` and pictures or one
    DICOM series in parts ``files``, for examples of the kind ``upload``.
    """
    files = [one.file for one in sent.files]
    found = searching.search(house, principal, sent.request.question(), files)
    return FoundModel.model_validate(found, from_attributes=True)


@router.post("/api/search/picture")
def search_cases_by_picture(
    house: HouseDep,
    principal: PrincipalDep,
    picture: Annotated[UploadFile, File(description="PNG, JPEG or DICOM.")],
    size: Annotated[int, Form(ge=1, le=200)] = 24,
    language: Annotated[str, Form()] = "en",
) -> FoundModel:
    """Find the cases with images like a picture of at most 16 MiB."""
    data = picture.file.read(LARGEST_PICTURE + 1)
    question = searching.Question(size=size, language=language)
    found = searching.search_picture(house, principal, data, question)
    return FoundModel.model_validate(found, from_attributes=True)


@router.get("/api/cases/{case_id}/similar")
def similar_cases(
    house: HouseDep,
    principal: PrincipalDep,
    case_id: str,
    size: Size = 12,
    language: Language = "en",
) -> FoundModel:
    """Return the cases whose images are like those of this one."""
    found = searching.similar(house, principal, case_id, size=size, language=language)
    return FoundModel.model_validate(found, from_attributes=True)
