"""Deleting with a reason, undoing it, and what a case or a stranger forbids."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from rounds_hub.access.models import AuditEntry
from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive import deleting
from rounds_hub.archive.models import Aside, Instance, Series, Study
from rounds_hub.archive.service import Offer, get_series, get_study, store
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House

STUDY = "1.2.826.0.1.3680043.10.1338.1"
SERIES = f"{STUDY}.1"
OTHER = Principal("otto", frozenset({Role.DOCTOR}))
ADMIN = Principal("ada", frozenset({Role.ADMIN}))


def filled(house: House, doctor: Principal, instance: Callable[..., bytes]) -> House:
    """Put one study into *house*: a series of three, and a series of one."""
    places = [(1, 1), (2, 1), (3, 1), (1, 2)]
    store(house, doctor, [Offer("slice", instance(*place)) for place in places])
    return house


@pytest.fixture
def full_house(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> House:
    return filled(house, doctor, instance)


@pytest.fixture
def any_full_house(
    any_house: House, doctor: Principal, instance: Callable[..., bytes]
) -> House:
    return filled(any_house, doctor, instance)


def show_in_a_case(house: House, status: str, owner: str = "dora") -> None:
    with house.sessions.begin() as session:
        shown = [CaseSeries(series_uid=SERIES)]
        case = Case(id="c-7", title="Nodule", owner=owner, status=status, series=shown)
        session.add(case)


def test_a_deleted_series_is_not_there(full_house: House, doctor: Principal) -> None:
    removal = deleting.delete(full_house, doctor, "series", SERIES, "sent twice")
    assert (removal.instance_count, removal.by) == (3, "dora")
    with pytest.raises(NotFoundError):
        get_series(full_house, doctor, SERIES)
    left = get_study(full_house, doctor, STUDY).series
    assert [series.uid for series in left] == [f"{STUDY}.2"]


def test_undo_brings_everything_back(any_full_house: House, doctor: Principal) -> None:
    before = get_study(any_full_house, doctor, STUDY)
    removal = deleting.delete(any_full_house, doctor, "study", STUDY, "wrong patient")
    undone = deleting.restore(any_full_house, doctor, removal.id)
    after = get_study(any_full_house, doctor, STUDY)
    assert undone.state == "undone"
    hashes = [series.content_hash for series in before.series]
    assert [series.content_hash for series in after.series] == hashes
    assert (after.patient_id, after.created_at) == ("P-1", before.created_at)


def test_the_last_series_takes_its_study_along(
    full_house: House, doctor: Principal
) -> None:
    for uid in (SERIES, f"{STUDY}.2"):
        deleting.delete(full_house, doctor, "series", uid, "sent twice")
    with full_house.sessions.begin(write=False) as session:
        assert session.scalars(select(Study)).all() == []


def test_removals_are_undone_in_any_order(full_house: House, doctor: Principal) -> None:
    first = deleting.delete(full_house, doctor, "series", SERIES, "sent twice")
    second = deleting.delete(full_house, doctor, "series", f"{STUDY}.2", "sent twice")
    deleting.restore(full_house, doctor, first.id)
    assert len(get_study(full_house, doctor, STUDY).series) == 1
    deleting.restore(full_house, doctor, second.id)
    assert len(get_study(full_house, doctor, STUDY).series) == 2


def test_one_instance_leaves_a_shorter_series(
    any_full_house: House, doctor: Principal
) -> None:
    before = get_series(any_full_house, doctor, SERIES)
    removal = deleting.delete(
        any_full_house, doctor, "instance", f"{SERIES}.2", "blurred"
    )
    shorter = get_series(any_full_house, doctor, SERIES)
    assert (shorter.instance_count, shorter.frame_count) == (2, 2)
    assert shorter.content_hash != before.content_hash
    deleting.restore(any_full_house, doctor, removal.id)
    assert (
        get_series(any_full_house, doctor, SERIES).content_hash == before.content_hash
    )


def test_the_index_hears_of_it(full_house: House, doctor: Principal) -> None:
    removal = deleting.delete(full_house, doctor, "study", STUDY, "wrong patient")
    deleting.restore(full_house, doctor, removal.id)
    wanted = select(OutboxEvent.key).where(OutboxEvent.kind == "series")
    with full_house.sessions.begin(write=False) as session:
        assert list(session.scalars(wanted)).count(SERIES) == 3


def test_the_reason_is_in_the_audit_trail(full_house: House, doctor: Principal) -> None:
    deleting.delete(full_house, doctor, "series", SERIES, "sent twice")
    wanted = select(AuditEntry).where(AuditEntry.action == "series.delete")
    with full_house.sessions.begin(write=False) as session:
        (entry,) = session.scalars(wanted)
    assert (entry.principal, entry.key, entry.why) == ("dora", SERIES, "sent twice")


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("", id="nothing"),
        pytest.param(" \n", id="blanks"),
        pytest.param("x" * 501, id="too long"),
    ],
)
def test_a_reason_is_needed(full_house: House, doctor: Principal, reason: str) -> None:
    with pytest.raises(InvalidError, match="Say why"):
        deleting.delete(full_house, doctor, "series", SERIES, reason)


def test_what_is_somebody_elses_stays(full_house: House) -> None:
    with pytest.raises(ForbiddenError):
        deleting.delete(full_house, OTHER, "series", SERIES, "tidying")
    assert get_series(full_house, OTHER, SERIES).instance_count == 3


def test_what_one_may_not_see_is_not_there(
    full_house: House, student: Principal
) -> None:
    for level, uid in (("study", STUDY), ("series", SERIES)):
        with pytest.raises(NotFoundError):
            deleting.delete(full_house, student, level, uid, "tidying")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["draft", "published"])
def test_what_a_case_shows_stays(
    full_house: House, doctor: Principal, status: str
) -> None:
    show_in_a_case(full_house, status)
    with pytest.raises(ConflictError, match="Case 'c-7' shows it"):
        deleting.delete(full_house, doctor, "study", STUDY, "wrong patient")
    assert len(get_study(full_house, doctor, STUDY).series) == 2


def test_a_strangers_draft_is_not_named(full_house: House, doctor: Principal) -> None:
    show_in_a_case(full_house, "draft", owner="otto")
    with pytest.raises(ConflictError, match="A case of somebody else shows it"):
        deleting.delete(full_house, doctor, "series", SERIES, "sent twice")


def test_a_deleted_case_gets_its_series_back(
    full_house: House, doctor: Principal
) -> None:
    show_in_a_case(full_house, "deleted")
    removal = deleting.delete(full_house, doctor, "series", SERIES, "sent twice")
    deleting.restore(full_house, doctor, removal.id)
    with full_house.sessions.begin(write=False) as session:
        assert session.scalar(select(CaseSeries.case_id)) == "c-7"


def test_it_is_undone_once(full_house: House, doctor: Principal) -> None:
    removal = deleting.delete(full_house, doctor, "series", SERIES, "sent twice")
    deleting.restore(full_house, doctor, removal.id)
    with pytest.raises(ConflictError, match="can no longer be undone"):
        deleting.restore(full_house, doctor, removal.id)


def test_a_stranger_may_not_undo(full_house: House, doctor: Principal) -> None:
    removal = deleting.delete(full_house, doctor, "series", SERIES, "sent twice")
    with pytest.raises(NotFoundError, match="No deletion"):
        deleting.restore(full_house, OTHER, removal.id)


def test_what_came_meanwhile_under_its_name_stays(
    any_full_house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    removal = deleting.delete(any_full_house, doctor, "series", SERIES, "sent twice")
    newer = instance(2, 1, StudyDescription="Corrected")
    store(any_full_house, doctor, [Offer("newer", newer)])
    deleting.restore(any_full_house, doctor, removal.id)
    with any_full_house.sessions.begin(write=False) as session:
        stands = session.get_one(Instance, f"{SERIES}.2").sha256
        aside = session.scalars(select(Aside.sha256)).all()
        count = session.get_one(Series, SERIES).instance_count
    assert (stands, count) == (hashlib.sha256(newer).hexdigest(), 3)
    assert aside == [hashlib.sha256(instance(2, 1)).hexdigest()]


def test_only_administrators_see_the_list(full_house: House, doctor: Principal) -> None:
    deleting.delete(full_house, doctor, "series", SERIES, "sent twice")
    with pytest.raises(ForbiddenError):
        deleting.list_removals(full_house, doctor)
    (found,) = deleting.list_removals(full_house, ADMIN)
    assert (found.by, found.reason, found.undoable) == ("dora", "sent twice", True)
