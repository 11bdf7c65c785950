"""The addresses of DICOMweb, all below ``dicomweb/``."""

from __future__ import annotations

from fastapi import APIRouter

__all__ = ["router"]

router = APIRouter(prefix="/dicomweb", tags=["dicomweb"])
