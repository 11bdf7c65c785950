"""The addresses of DICOMweb, all below ``dicomweb/``."""

from __future__ import annotations

from fastapi import APIRouter

from rounds_hub.dicomweb import drawing, removing, retrieving, searching, storing, uri

__all__ = ["router"]

router = APIRouter(tags=["dicomweb"])
for _part in (searching, retrieving, drawing, storing, removing, uri):
    router.include_router(_part.router)
