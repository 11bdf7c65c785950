"""Small series in the archive, and cases with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases import service
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddSeries = Callable[..., str]
    AddCase = Callable[..., CaseView]

SMALL = Grid((4, 32, 32), (7.0, 1.5, 1.5))


def who(name: str, *roles: Role) -> Principal:
    return Principal(name, frozenset(roles or (Role(name),)))


@pytest.fixture
def teacher() -> Principal:
    return who("teacher")


@pytest.fixture
def doctor() -> Principal:
    return who("doctor")


@pytest.fixture
def student() -> Principal:
    return who("student")


@pytest.fixture
def add_series(house: House, teacher: Principal) -> AddSeries:
    """Return a function that stores a small CT series, another one for each seed."""

    def add(seed: int = 1, owner: Principal = teacher, *, shared: bool = True) -> str:
        if not shared:
            house.settings.import_audience = []
        instances = phantoms.to_dicom(phantoms.sphere(SMALL, seed=seed))
        offers = [Offer(f"{n}.dcm", one) for n, one in enumerate(instances)]
        return store(house, owner, offers)[0].series_uid

    return add


@pytest.fixture
def add_case(house: House, teacher: Principal, add_series: AddSeries) -> AddCase:
    """Return a function that makes a case with a series, published to an audience."""
    made = 0

    def add(*audience: str, publish: bool = True, **fields: object) -> CaseView:
        nonlocal made
        made += 1
        told: dict[str, object] = {
            "title": f"Ball of water {made}",
            "audience": list(audience),
        } | fields
        told.setdefault("series", [add_series(seed=made)])
        case = service.create(house, teacher, told)
        return service.publish(house, teacher, case.id) if publish else case

    return add
