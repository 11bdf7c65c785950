"""A case from its first draft to what a class reads, and back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Series
from rounds_hub.cases import service
from rounds_hub.cases.models import Case
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddSeries = Callable[..., str]
    AddCase = Callable[..., CaseView]

OTHER_TEACHER = Principal("tom", frozenset({Role.TEACHER}))
ADMIN = Principal("dee", frozenset({Role.ADMIN}))


def events(house: House, kind: str = "case") -> int:
    with house.sessions.begin(write=False) as session:
        counted = select(func.count()).where(OutboxEvent.kind == kind)
        return session.scalar(counted) or 0


@pytest.mark.parametrize("role", ["doctor", "researcher", "teacher", "admin"])
def test_who_may_write_a_case_gets_a_draft(house: House, role: str) -> None:
    author = Principal("ada", frozenset({Role(role)}))
    made = service.create(house, author, {"title": "Brain"})
    assert (made.status, made.owner, made.revision, made.may_write) == (
        "draft",
        "ada",
        1,
        True,
    )


def test_a_student_writes_no_case(house: House, student: Principal) -> None:
    with pytest.raises(ForbiddenError):
        service.create(house, student, {"title": "Brain"})
    assert events(house) == 0


def test_a_case_needs_a_title(house: House, teacher: Principal) -> None:
    with pytest.raises(InvalidError, match="needs a title"):
        service.create(house, teacher, {"history": "Fell."})


def test_a_refused_case_leaves_nothing(house: House, teacher: Principal) -> None:
    with pytest.raises(NotFoundError):
        service.create(house, teacher, {"title": "Brain", "series": ["1.2.3"]})
    with house.sessions.begin(write=False) as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 0
    assert events(house) == 0


def test_a_series_that_one_may_not_see_cannot_be_shown(
    house: House, doctor: Principal, add_series: AddSeries
) -> None:
    uid = add_series(shared=False)
    with pytest.raises(NotFoundError, match=uid):
        service.create(house, doctor, {"title": "Mine", "series": [uid]})


def test_every_write_leaves_an_event_and_a_revision(
    house: House, teacher: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone")
    service.update(house, teacher, case.id, {"title": "Water"}, revision=case.revision)
    service.withdraw(house, teacher, case.id)
    assert service.get(house, teacher, case.id).revision == 4
    assert events(house) == 4


def test_a_draft_is_seen_by_its_owner_and_administrators_alone(
    house: House, add_case: AddCase
) -> None:
    case = add_case("everyone", publish=False)
    assert service.get(house, ADMIN, case.id).status == "draft"
    with pytest.raises(NotFoundError):
        service.get(house, OTHER_TEACHER, case.id)


def test_a_published_case_is_seen_by_its_audience(
    house: House, student: Principal, doctor: Principal, add_case: AddCase
) -> None:
    case = add_case("role:student")
    assert service.get(house, student, case.id).title == case.title
    with pytest.raises(NotFoundError):
        service.get(house, doctor, case.id)


def test_a_reader_may_not_change_a_case(
    house: House, doctor: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone")
    assert not service.get(house, doctor, case.id).may_write
    with pytest.raises(ForbiddenError):
        service.update(house, doctor, case.id, {"title": "x"}, revision=case.revision)


def test_a_lost_update_is_refused_and_says_what_differs(
    house: House, teacher: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone", history="Old")
    service.update(house, teacher, case.id, {"title": "Hers"}, revision=case.revision)
    changes = {"title": "His", "history": "Old"}
    with pytest.raises(ConflictError, match=r"revision 3, yours was 2.*in: title\."):
        service.update(house, teacher, case.id, changes, revision=case.revision)
    assert service.get(house, teacher, case.id).title == "Hers"


def test_publishing_says_all_that_is_missing(house: House, teacher: Principal) -> None:
    case = service.create(house, teacher, {"title": "Brain"})
    with pytest.raises(InvalidError) as caught:
        service.publish(house, teacher, case.id)
    assert caught.value.problems.keys() == {"series", "audience"}


def test_a_published_case_cannot_be_emptied(
    house: House, teacher: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone")
    with pytest.raises(InvalidError, match="pictures is needed"):
        service.remove_series(house, teacher, case.id, case.series[0].uid)
    assert len(service.get(house, teacher, case.id).series) == 1


def test_publishing_twice_changes_nothing(
    house: House, teacher: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone")
    again = service.publish(house, teacher, case.id)
    assert (again.revision, again.published_at) == (case.revision, case.published_at)


@pytest.mark.parametrize("publish", [True, False], ids=["published", "draft"])
def test_a_deleted_case_comes_back_as_it_was(
    house: House, teacher: Principal, add_case: AddCase, *, publish: bool
) -> None:
    case = add_case("everyone", publish=publish)
    assert service.delete(house, teacher, case.id).status == "deleted"
    assert service.restore(house, teacher, case.id).status == case.status


def test_a_deleted_case_is_gone_for_others_and_cannot_be_changed(
    house: House, teacher: Principal, student: Principal, add_case: AddCase
) -> None:
    case = add_case("everyone")
    service.delete(house, teacher, case.id)
    with pytest.raises(NotFoundError):
        service.get(house, student, case.id)
    with pytest.raises(ConflictError, match="restore it first"):
        service.publish(house, teacher, case.id)


def test_own_drafts_are_listed_newest_first(
    house: House, teacher: Principal, add_case: AddCase
) -> None:
    first, second = add_case(publish=False), add_case(publish=False)
    add_case("everyone")
    assert [one.id for one in service.drafts(house, teacher)] == [second.id, first.id]
    assert service.drafts(house, OTHER_TEACHER) == ()


def test_series_are_added_ordered_and_removed(
    house: House, teacher: Principal, add_case: AddCase, add_series: AddSeries
) -> None:
    case = add_case("everyone")
    first, second = case.series[0].uid, add_series(seed=9)
    service.add_series(house, teacher, case.id, second, label="Later")
    shown = service.order_series(house, teacher, case.id, [second]).series
    assert [(one.uid, one.label) for one in shown] == [(second, "Later"), (first, "")]
    left = service.remove_series(house, teacher, case.id, first).series
    assert [one.uid for one in left] == [second]


def test_a_series_that_leaves_a_case_is_indexed_anew(
    house: House, teacher: Principal, add_case: AddCase, add_series: AddSeries
) -> None:
    uids = [add_series(seed=1), add_series(seed=2)]
    case = add_case("everyone", series=uids)
    before = events(house, "series")
    service.remove_series(house, teacher, case.id, uids[0])
    assert events(house, "series") == before + 1


def test_a_study_becomes_a_case_in_one_action(
    house: House, doctor: Principal, add_series: AddSeries
) -> None:
    uid = add_series()
    with house.sessions.begin(write=False) as session:
        study_uid = session.get_one(Series, uid).study_uid
    made = service.create_from_study(house, doctor, study_uid)
    assert [one.uid for one in made.series] == [uid]
    assert (made.status, made.owner, bool(made.title)) == ("draft", "doctor", True)


@pytest.mark.parametrize(
    ("says", "part"),
    [
        pytest.param(("THORAX", "Knee"), "chest", id="what the series says counts"),
        pytest.param(("", "MR_Left_Knee routine"), "knee", id="else the description"),
        pytest.param(("", "Routine"), "", id="else nothing"),
    ],
)
def test_the_body_part_is_guessed(
    house: House, add_series: AddSeries, says: tuple[str, str], part: str
) -> None:
    uid = add_series()
    with house.sessions.begin() as session:
        series = session.get_one(Series, uid)
        series.body_part, series.study.description = says
        study_uid = series.study_uid
    made = service.create_from_study(house, ADMIN, study_uid)
    assert (made.body_part, made.title) == (part, says[1])


def test_results_are_no_pictures_of_a_new_case(
    house: House, teacher: Principal, add_series: AddSeries
) -> None:
    uid = add_series()
    with house.sessions.begin() as session:
        series = session.get_one(Series, uid)
        series.modality = "SEG"
        study_uid = series.study_uid
    with pytest.raises(InvalidError, match="no series with pictures"):
        service.create_from_study(house, teacher, study_uid)


def test_a_study_that_one_may_not_see_does_not_exist(
    house: House, doctor: Principal, add_series: AddSeries
) -> None:
    uid = add_series(shared=False)
    with house.sessions.begin(write=False) as session:
        study_uid = session.get_one(Series, uid).study_uid
    with pytest.raises(NotFoundError):
        service.create_from_study(house, doctor, study_uid)


def test_of_changes_at_once_one_wins(any_house: House, teacher: Principal) -> None:
    case = service.create(any_house, teacher, {"title": "Start"})
    start = threading.Barrier(4)

    def change(title: str) -> str:
        start.wait(10)
        try:
            changes = {"title": title}
            service.update(any_house, teacher, case.id, changes, revision=1)
        except ConflictError:
            return ""
        return title

    with ThreadPoolExecutor(4) as pool:
        won = [title for title in pool.map(change, "abcd") if title]
    assert won == [service.get(any_house, teacher, case.id).title]
