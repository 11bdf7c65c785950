"""Small cases, series and runs whose way into the index is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Series
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases import service
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.runs.models import Run, RunRequest
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid
from rounds_search.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House

    AddCase = Callable[..., str]
    AddRun = Callable[..., str]
    Found = Callable[..., set[str]]

SMALL = Grid((4, 32, 32), (7.0, 1.5, 1.5))
TEACHER = Principal("teacher", frozenset({Role.TEACHER}))


@pytest.fixture
def teacher() -> Principal:
    return TEACHER


@pytest.fixture
def add_case(any_house: House) -> AddCase:
    """Return a function that publishes a case with a small series of its own."""
    any_house.settings.import_audience = []

    def add(case_id: str, *audience: str, seed: int = 1) -> str:
        instances = phantoms.to_dicom(phantoms.sphere(SMALL, seed=seed))
        offers = [Offer(f"{n}.dcm", one) for n, one in enumerate(instances)]
        uid = store(any_house, TEACHER, offers)[0].series_uid
        told = {"title": "Ball", "audience": list(audience), "series": [uid]}
        service.create(any_house, TEACHER, told, case_id=case_id)
        service.publish(any_house, TEACHER, case_id)
        return uid

    return add


@pytest.fixture
def add_run(any_house: House) -> AddRun:
    """Return a function that records a finished run on a series."""

    def add(run_id: str, series_uid: str, state: str = "done") -> str:
        measured = {"name": "ball_ml", "label": "Ball", "value": 11.5, "unit": "ml"}
        with any_house.sessions.begin() as session:
            content = session.get_one(Series, series_uid).content_hash
            given = {"name": "ct", "series_uid": series_uid, "content_hash": content}
            session.add(
                Run(
                    id=run_id,
                    template="ball_volume",
                    template_hash="f" * 64,
                    inputs=[given],
                    state=state,
                    results={"measurements": [measured]},
                )
            )
            session.flush()
            session.add(RunRequest(run_id=run_id, principal="researcher"))
            session.add(OutboxEvent(kind="run", key=run_id))
        return run_id

    return add


@pytest.fixture
def found(any_house: House) -> Found:
    """Return a function that says what the index itself shows to audiences."""

    def ask(*audience: str, text: str = "") -> set[str]:
        request = Request(audience=frozenset(audience), text=text)
        return {hit.id for hit in any_house.index.search(request).hits}

    return ask
