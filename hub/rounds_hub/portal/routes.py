"""The pages of the house, and the files that they load."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from rounds_hub.errors import NotFoundError
from rounds_hub.portal import (
    about,
    archivepages,
    case,
    caseform,
    home,
    importpages,
    nodes,
    peers,
    preferences,
    routeform,
    routepages,
    runform,
    runpages,
    search,
    searches,
    studies,
    transfers,
)

__all__ = ["router"]

STATIC = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
A_DAY = "public, max-age=86400"

router = APIRouter(include_in_schema=False)


@router.get("/static/{path:path}")
def static_file(path: str) -> Response:
    """Return a file of the front end; those with a hash in their name for ever."""
    wanted = (STATIC / path).resolve()
    if not wanted.is_relative_to(STATIC) or not wanted.is_file():
        kind = "file"
        raise NotFoundError(kind, path[:200])
    hashed = wanted.parent.name == "dist" and wanted.suffix != ".json"
    return FileResponse(
        wanted, headers={"Cache-Control": FOR_EVER if hashed else A_DAY}
    )


for part in (
    home,
    search,
    searches,
    peers,
    caseform,
    runform,
    case,
    runpages,
    studies,
    archivepages,
    importpages,
    nodes,
    transfers,
    about,
    preferences,
    routepages,
    routeform,
):
    router.include_router(part.router)
