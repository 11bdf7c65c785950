"""Who reads what: studies, series and instances through cases, runs and roles."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from rounds_hub.access.models import AuditEntry
from rounds_hub.access.principal import SYSTEM, Principal, Role
from rounds_hub.archive.models import Series
from rounds_hub.archive.service import (
    Offer,
    get_series,
    get_study,
    instances_of,
    list_studies,
    open_instance,
    store,
)
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.errors import ForbiddenError, NotFoundError
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House

    MakeBytes = Callable[..., bytes]

READS = [
    pytest.param(get_series, id="series"),
    pytest.param(instances_of, id="instances"),
    pytest.param(lambda h, p, s: get_study(h, p, s.rpartition(".")[0]), id="study"),
    pytest.param(lambda h, p, s: open_instance(h, p, f"{s}.1"), id="instance"),
]


def bring(house: House, who: Principal, *files: bytes, run: str | None = None) -> str:
    offers = [Offer(str(number), file) for number, file in enumerate(files)]
    return store(house, who, offers, run_id=run)[0].series_uid


def put_in_case(
    house: House, series_uid: str, status: str, audience: list[str]
) -> None:
    with house.sessions.begin() as session:
        case = Case(id="c1", title="A case", owner="tea", status=status)
        case.audience = audience
        case.series = [CaseSeries(series_uid=series_uid)]
        session.add(case)


@pytest.mark.parametrize("read", READS)
def test_a_published_case_opens_its_series(
    read: Callable[..., object],
    any_house: House,
    doctor: Principal,
    student: Principal,
    instance: MakeBytes,
) -> None:
    uid = bring(any_house, doctor, instance())
    put_in_case(any_house, uid, "published", ["role:student"])
    assert read(any_house, student, uid)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(("draft", ["role:student"]), id="a draft"),
        pytest.param(("deleted", ["role:student"]), id="a deleted case"),
        pytest.param(("published", ["role:teacher"]), id="for others"),
        pytest.param(("published", ["group:ward-3"]), id="for a group"),
    ],
)
def test_other_cases_open_nothing(
    read: Callable[..., object],
    case: tuple[str, list[str]],
    any_house: House,
    student: Principal,
    instance: MakeBytes,
) -> None:
    any_house.settings.import_audience = ["role:doctor"]
    uid = bring(any_house, SYSTEM, instance())
    put_in_case(any_house, uid, *case)
    with pytest.raises(NotFoundError):
        read(any_house, student, uid)


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        pytest.param(Principal("dora", frozenset({Role.STUDENT})), True, id="owner"),
        pytest.param(Principal("eve", frozenset({Role.ADMIN})), True, id="admin"),
        pytest.param(SYSTEM, True, id="system"),
        pytest.param(Principal("dan", frozenset({Role.DOCTOR})), False, id="doctor"),
        pytest.param(Principal("nobody"), False, id="nobody"),
    ],
)
def test_a_series_without_an_audience_is_its_owners(
    who: Principal, *, sees: bool, house: House, doctor: Principal, instance: MakeBytes
) -> None:
    house.settings.import_audience = []
    uid = bring(house, doctor, instance())
    if sees:
        assert get_series(house, who, uid).uid == uid
    else:
        with pytest.raises(NotFoundError):
            get_series(house, who, uid)


def test_a_group_opens_a_series(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    house.settings.import_audience = ["group:ward-3"]
    uid = bring(house, doctor, instance())
    member = Principal("dan", frozenset({Role.STUDENT}), frozenset({"ward-3"}))
    assert get_series(house, member, uid).uid == uid


def with_run(house: House, asker: str, series_uid: str) -> None:
    with house.sessions.begin() as session:
        given = [{"name": "ct", "series_uid": series_uid, "content_hash": ""}]
        session.add(Run(id="r1", template="lung", template_hash="0", inputs=given))
        session.flush()
        session.add(RunRequest(run_id="r1", principal=asker))


def test_a_result_is_seen_by_who_asked_and_who_sees_its_inputs(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    source = bring(any_house, doctor, instance(1, 1))
    with_run(any_house, "stan", source)
    result = bring(any_house, SYSTEM, instance(1, 2), run="r1")
    people = {
        "asker": Principal("stan", frozenset({Role.STUDENT})),
        "doctor": doctor,
        "student": Principal("sue", frozenset({Role.STUDENT})),
    }
    seen = {name: sees(any_house, who, result) for name, who in people.items()}
    assert seen == {"asker": True, "doctor": True, "student": False}


def sees(house: House, who: Principal, uid: str) -> bool:
    try:
        get_series(house, who, uid)
    except NotFoundError:
        return False
    return True


def test_a_listed_study_has_only_what_one_may_see(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance(1, 1))
    any_house.settings.import_audience = []
    bring(any_house, doctor, instance(1, 2))
    dan = Principal("dan", frozenset({Role.DOCTOR}))
    (study,) = list_studies(any_house, dan).studies
    assert [series.uid[-4:] for series in study.series] == [".1.1"]


def test_a_study_of_which_one_sees_nothing_is_not_listed(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    any_house.settings.import_audience = []
    bring(any_house, doctor, instance())
    dan = Principal("dan", frozenset({Role.DOCTOR}))
    assert list_studies(any_house, dan).studies == ()


def test_pages_go_on_past_what_one_may_not_see(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    for number in range(1, 7):
        shown = number % 2 == 0
        any_house.settings.import_audience = ["role:doctor"] if shown else []
        bring(any_house, doctor, instance(1, 1, number))
    dan = Principal("dan", frozenset({Role.DOCTOR}))
    first = list_studies(any_house, dan, size=2)
    rest = list_studies(any_house, dan, size=2, after=first.after)
    assert (len(first.studies), len(rest.studies), rest.after) == (2, 1, "")


def test_a_student_lists_nothing(any_house: House, student: Principal) -> None:
    with pytest.raises(ForbiddenError):
        list_studies(any_house, student)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        pytest.param("phantom", 1, id="name"),
        pytest.param("P-1", 1, id="number"),
        pytest.param("thorax ct", 1, id="description and modality"),
        pytest.param("THORAX", 1, id="case"),
        pytest.param("thorax mr", 0, id="another modality"),
        pytest.param("1.2.826.0.1.3680043.10.1338.1.1", 1, id="series"),
        pytest.param("_horax", 0, id="no wildcard"),
        pytest.param("'; DROP TABLE study; --", 0, id="no SQL"),
    ],
)
def test_studies_are_found_by_words(
    words: str, count: int, any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance())
    assert len(list_studies(any_house, doctor, words).studies) == count


def test_instances_come_by_their_number(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    uid = bring(any_house, doctor, *(instance(number) for number in (10, 2, 1)))
    found = instances_of(any_house, doctor, uid)
    assert [one.number for one in found] == [1, 2, 10]
    assert all(one.path.stat().st_size == one.size for one in found)


def test_a_read_and_a_refusal_are_in_the_audit_trail(
    any_house: House, instance: MakeBytes
) -> None:
    any_house.settings.import_audience = []
    # The same read by the same person is written once a minute in one process.
    names = [secrets.token_hex(4) for _ in range(2)]
    owner, other = (Principal(name, frozenset({Role.DOCTOR})) for name in names)
    uid = bring(any_house, owner, instance())
    for who in (owner, other):
        sees(any_house, who, uid)
    with any_house.sessions.begin(write=False) as session:
        lines = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "series.read")
        )
        found = {(line.principal, line.key, line.allowed) for line in lines}
    assert found == {(owner.name, uid, True), (other.name, uid, False)}


def test_a_series_that_lost_its_case_is_closed_again(
    any_house: House, doctor: Principal, student: Principal, instance: MakeBytes
) -> None:
    uid = bring(any_house, doctor, instance())
    put_in_case(any_house, uid, "published", ["everyone"])
    assert sees(any_house, student, uid)
    with any_house.sessions.begin() as session:
        session.get_one(Case, "c1").status = "draft"
    assert not sees(any_house, student, uid)


def test_a_series_keeps_what_it_was_first_said_to_be(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    uid = bring(any_house, doctor, instance(1), instance(2, Modality="MR"))
    with any_house.sessions.begin(write=False) as session:
        assert session.get_one(Series, uid).modality == "CT"
