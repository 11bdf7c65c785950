"""What is over is purged: the rows at once, the bytes when nobody needs them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from rounds_hub.archive import deleting, placing, purging
from rounds_hub.archive.inspecting import Look, inspect
from rounds_hub.archive.models import Removal
from rounds_hub.archive.service import Offer, get_series, store
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

SERIES = "1.2.826.0.1.3680043.10.1338.1.1"
OVER, AN_HOUR = timedelta(days=31), timedelta(days=31, hours=2)


@pytest.fixture
def removal(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> deleting.RemovalRecord:
    """Delete a series of two."""
    store(house, doctor, [Offer("slice", instance(n)) for n in (1, 2)])
    return deleting.delete(house, doctor, "series", SERIES, "sent twice")


def objects(house: House) -> int:
    return len(list(house.store.every()))


@pytest.mark.usefixtures("removal")
def test_nothing_is_purged_before_its_time(house: House) -> None:
    assert purging.once(house) == 0
    assert objects(house) == 2


def test_what_is_over_is_purged_in_two_steps(
    house: House, doctor: Principal, removal: deleting.RemovalRecord
) -> None:
    purging.once(house, utc_now() + OVER)
    assert (objects(house), quarantined(house)) == (0, 2)
    purging.once(house, utc_now() + AN_HOUR)
    assert (objects(house), quarantined(house)) == (0, 0)
    assert deleting.get_removal(house, doctor, removal.id).state == "purged"
    with pytest.raises(ConflictError, match="no longer"):
        deleting.restore(house, doctor, removal.id)


def quarantined(house: House) -> int:
    return len(list(house.store.folder.glob("quarantine/*")))


@pytest.mark.usefixtures("removal")
def test_nothing_of_the_patient_is_left(house: House) -> None:
    purging.once(house, utc_now() + OVER)
    with house.sessions.begin(write=False) as session:
        assert session.scalar(select(Removal.rows)) == {}


@pytest.mark.usefixtures("removal")
def test_bytes_that_came_again_stay(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    store(house, doctor, [Offer("again", instance(1))])
    purging.once(house, utc_now() + OVER)
    purging.once(house, utc_now() + AN_HOUR)
    assert objects(house) == 1
    assert get_series(house, doctor, SERIES).instance_count == 1


@pytest.mark.usefixtures("removal")
def test_bytes_that_come_in_the_middle_stay(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    purging.once(house, utc_now() + OVER)
    store(house, doctor, [Offer("again", instance(1))])
    purging.once(house, utc_now() + AN_HOUR)
    assert objects(house) == 1


@pytest.mark.usefixtures("removal")
def test_bytes_whose_row_came_in_the_middle_come_back(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    store(house, doctor, [Offer("again", instance(1))])
    for one in list(house.store.every()):
        house.store.set_aside(one.sha256)
    with house.sessions.begin() as session:
        found = session.scalars(select(Removal)).one()
        found.state, found.ended_at = "leaving", utc_now() + OVER
    purging.once(house, utc_now() + AN_HOUR)
    assert objects(house) == 1


def test_what_another_deletion_can_bring_back_stays(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    for _ in range(2):
        store(house, doctor, [Offer("slice", instance(1))])
        removal = deleting.delete(house, doctor, "series", SERIES, "sent twice")
    with house.sessions.begin() as session:
        first = session.scalars(select(Removal).order_by(Removal.at)).first()
        assert first is not None
        first.until = utc_now()
    purging.once(house)
    purging.once(house, utc_now() + timedelta(hours=2))
    deleting.restore(house, doctor, removal.id)
    assert objects(house) == 1


def test_each_database_purges_and_passes_the_doctor(
    any_house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    store(any_house, doctor, [Offer("slice", instance(1, n)) for n in (1, 2)])
    deleting.delete(any_house, doctor, "series", SERIES, "sent twice")
    for later in (OVER, AN_HOUR):
        purging.once(any_house, utc_now() + later)
    report = inspect(any_house, Look(deep=True))
    assert (report.known, report.problems) == (1, [])
    assert placing.move(any_house, everything=True) == placing.Moved(0)
