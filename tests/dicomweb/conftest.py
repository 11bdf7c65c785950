"""A house with real instances of every kind, served over HTTP once for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from dicomweb_client.api import DICOMwebClient
from requests import Session

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, Status, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rounds_hub.house import House

OWNER = Principal("tess", frozenset({Role.TEACHER}))
DOCTOR = {"x-person": "dora doctor"}


@pytest.fixture(scope="session")
def formats(shared_data: Path) -> Path:
    """Return the folder of instances in every transfer syntax."""
    return shared_data / "dicom_formats"


@pytest.fixture(scope="session")
def stocked(
    tmp_path_factory: pytest.TempPathFactory,
    serve_house: Callable[[Path], AbstractContextManager[tuple[House, str]]],
    formats: Path,
) -> Iterator[tuple[House, str, dict[str, Path]]]:
    """Serve a house that holds all formats; give its instances' files by their UIDs."""
    with serve_house(tmp_path_factory.mktemp("stocked")) as (house, url):
        paths = sorted(formats.rglob("*.dcm"))
        outcomes = store(house, OWNER, [Offer(str(path), path) for path in paths])
        held = {
            outcome.sop_uid: path
            for path, outcome in zip(paths, outcomes, strict=True)
            if outcome.status is Status.TAKEN
        }
        yield house, f"{url}dicomweb", held


@pytest.fixture
def web(stocked: tuple[House, str, dict[str, Path]]) -> Iterator[httpx.Client]:
    """Return an HTTP client of DICOMweb, signed in as a doctor."""
    base = f"{stocked[1]}/"
    with httpx.Client(base_url=base, headers=DOCTOR, timeout=60) as client:
        yield client


@pytest.fixture
def standard(stocked: tuple[House, str, dict[str, Path]]) -> DICOMwebClient:
    """Return the client that others use, signed in as a doctor."""
    return standard_client(stocked[1])


def standard_client(url: str, who: str = "dora doctor") -> DICOMwebClient:
    """Return a dicomweb-client for somebody."""
    session = Session()
    session.headers["x-person"] = who
    return DICOMwebClient(url, session=session)
