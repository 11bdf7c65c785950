"""What routes do with a series: each action, what keeps it, and that it is once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from tests.routing.conftest import (
    ADMIN,
    DOCTOR,
    LABEL,
    THIN,
    act_on,
    bring,
    complete_now,
    route,
    slices,
)

from rounds_hub.access.models import AuditEntry
from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.reading import get_series, list_studies
from rounds_hub.cases import service as cases
from rounds_hub.cases.models import Case
from rounds_hub.errors import ConflictError, ForbiddenError, NotFoundError
from rounds_hub.gateway.models import Node, Sending
from rounds_hub.routing import firings, holding, service
from rounds_hub.routing.models import Firing
from rounds_hub.routing.workflow import RouteWork
from rounds_hub.runs import service as runs

if TYPE_CHECKING:
    from rounds_hub.house import House

TESS = Principal("tess", frozenset({Role.TEACHER}))
CASE = {"kind": "case", "owner": "tess", "title": "{Modality}: {StudyDescription}"}
HOLD = {"kind": "hold", "reason": "Names in the pixels."}


@pytest.fixture
def pacs(house: House) -> str:
    """Return the name of a node to which series can be sent."""
    with house.sessions.begin() as session:
        session.add(Node(name="pacs", ae_title="PACS", host="127.0.0.1", port=1))
    return "pacs"


def test_a_label_is_put_on_the_series_and_found_by(any_house: House) -> None:
    route(any_house, THIN, LABEL)
    uid = bring(any_house, slices())
    assert act_on(any_house, uid) == ["done"]
    with any_house.sessions.begin(write=False) as session:
        assert holding.labels_of(session, [uid]) == {uid: ["thin"]}
    found = list_studies(any_house, DOCTOR, "thin").studies
    assert [one.uid for one in found[0].series] == [uid]


def test_a_run_is_asked_for_by_the_route(house: House) -> None:
    made = route(house, THIN, {"kind": "run", "template": "lung_volume"})
    uid = bring(house, slices(count=24))
    act_on(house, uid)
    (run,) = runs.list_runs(house, ADMIN)
    assert [one.principal for one in run.requests] == [f"route:{made.id}"]
    assert run.inputs[0]["series_uid"] == uid


def test_a_case_is_drafted_for_its_owner_with_text_from_the_tags(
    any_house: House,
) -> None:
    route(any_house, THIN, {**CASE, "history": "{BodyPartExamined}, {Rows} rows"})
    uid = bring(any_house, slices())
    act_on(any_house, uid)
    (case,) = cases.drafts(any_house, TESS)
    assert (case.owner, [one.uid for one in case.series]) == ("tess", [uid])
    assert case.title.startswith("CT: ")
    assert case.history.endswith("32 rows")


def test_other_series_of_the_study_join_the_same_draft(house: House) -> None:
    route(house, THIN, CASE)
    first, second = slices(), slices(seed=4)
    for one in second:
        one.StudyInstanceUID = first[0].StudyInstanceUID
    for made in (first, second):
        act_on(house, bring(house, made))
    (case,) = cases.drafts(house, TESS)
    assert len(case.series) == 2


def test_a_case_that_is_published_already_stays_as_it_is(house: House) -> None:
    route(house, THIN, CASE)
    made = slices()
    act_on(house, bring(house, made[:5]))
    with house.sessions.begin() as session:
        for case in session.scalars(select(Case)):
            case.status = "published"
    assert act_on(house, bring(house, made[5:])) == ["done"]
    newest = firings.list_firings(house, ADMIN)[0]
    assert "no draft any more" in newest.result["note"]


def test_a_held_series_is_seen_by_administrators_alone(any_house: House) -> None:
    route(any_house, THIN, HOLD)
    uid = bring(any_house, slices())
    act_on(any_house, uid)
    with pytest.raises(NotFoundError):
        get_series(any_house, DOCTOR, uid)
    assert list_studies(any_house, DOCTOR).studies == ()
    assert get_series(any_house, ADMIN, uid).uid == uid
    assert [one.uid for one in holding.list_held(any_house, ADMIN)] == [uid]


def test_a_case_does_not_show_a_held_series_and_does_not_lose_it(
    house: House,
) -> None:
    uids = [bring(house, slices(seed=number)) for number in (3, 4)]
    shown = [{"uid": uid} for uid in uids]
    case = cases.create(house, TESS, {"title": "A case", "series": shown})
    holding.hold(house, ADMIN, uids[0])
    seen = cases.get(house, TESS, case.id)
    assert [one.uid for one in seen.series] == uids[1:]
    changes = {"series": shown[1:]}
    cases.update(house, TESS, case.id, changes, revision=seen.revision)
    holding.release(house, ADMIN, uids[0])
    again = cases.get(house, TESS, case.id)
    assert {one.uid for one in again.series} == set(uids)


def test_what_comes_late_to_a_held_series_is_taken(house: House) -> None:
    route(house, THIN, HOLD)
    made = slices()
    uid = bring(house, made[:5])
    act_on(house, uid)
    assert bring(house, made[5:]) == uid
    assert get_series(house, ADMIN, uid).instance_count == 6


def test_what_stands_after_a_hold_waits_for_the_release(any_house: House) -> None:
    route(any_house, THIN, HOLD, LABEL)
    uid = bring(any_house, slices())
    act_on(any_house, uid)
    before = {one.action["kind"]: one.state for one in _did(any_house)}
    holding.release(any_house, ADMIN, uid)
    after = {one.action["kind"]: one.state for one in _did(any_house)}
    assert before == {"hold": "done", "label": "held"}
    assert after == {"hold": "done", "label": "waiting"}
    assert get_series(any_house, DOCTOR, uid).uid == uid


def _did(house: House) -> list[firings.FiringRecord]:
    return firings.list_firings(house, ADMIN)


def test_a_release_is_for_administrators_and_in_the_audit_trail(house: House) -> None:
    uid = bring(house, slices())
    with pytest.raises(ForbiddenError):
        holding.hold(house, DOCTOR, uid)
    holding.hold(house, ADMIN, uid)
    with pytest.raises(NotFoundError):
        holding.release(house, DOCTOR, uid)
    holding.release(house, ADMIN, uid)
    with house.sessions.begin(write=False) as session:
        rows = select(AuditEntry).where(AuditEntry.key == uid, AuditEntry.allowed)
        said = [one.action for one in session.scalars(rows)]
    assert said[-2:] == ["series.hold", "series.release"]


def test_a_series_is_handed_to_the_queue_of_the_node(house: House, pacs: str) -> None:
    made = route(house, THIN, {"kind": "send", "node": pacs})
    act_on(house, bring(house, slices()))
    with house.sessions.begin(write=False) as session:
        (sending,) = session.scalars(select(Sending))
    assert (sending.node, sending.total) == ("pacs", 6)
    assert sending.owner == f"route:{made.id}"


def test_a_series_is_not_sent_back_where_it_came_from(house: House, pacs: str) -> None:
    route(house, THIN, {"kind": "send", "node": pacs})
    sender = Principal("node:pacs", frozenset({Role.NODE}))
    act_on(house, bring(house, slices(), sender))
    assert "came from there" in _did(house)[0].result["note"]


def test_an_action_that_was_done_is_not_done_again(any_house: House) -> None:
    route(any_house, THIN, LABEL)
    uid = bring(any_house, slices())
    (key,) = complete_now(any_house, uid)
    work = RouteWork(any_house)
    assert [work.act(key), work.act(key)] == ["done", "gone"]


def test_a_step_that_was_cut_short_is_repeated_to_the_same_end(
    any_house: House,
) -> None:
    route(any_house, THIN, CASE)
    uid = bring(any_house, slices())
    (key,) = complete_now(any_house, uid)
    work = RouteWork(any_house)
    work.act(key)
    with any_house.sessions.begin() as session:
        for firing in session.scalars(select(Firing)):
            firing.state = "running"
    assert work.act(key) == "done"
    assert len(cases.drafts(any_house, TESS)) == 1


def test_what_cannot_be_done_fails_with_its_reason_and_is_tried_again(
    house: House, pacs: str
) -> None:
    route(house, THIN, {"kind": "send", "node": pacs})
    uid = bring(house, slices())
    with house.sessions.begin() as session:
        session.get_one(Node, pacs).enabled = False
    assert act_on(house, uid) == ["failed"]
    failed = _did(house)[0]
    assert "pacs" in failed.error
    with house.sessions.begin() as session:
        session.get_one(Node, pacs).enabled = True
    firings.retry(house, ADMIN, failed.id)
    with house.sessions.begin(write=False) as session:
        key = session.get_one(Firing, failed.id).key
    assert RouteWork(house).act(f"{key}:2") == "done"


def test_only_what_failed_is_tried_again(house: House) -> None:
    route(house, THIN, LABEL)
    act_on(house, bring(house, slices()))
    with pytest.raises(ConflictError, match="only one that failed"):
        firings.retry(house, ADMIN, _did(house)[0].id)


def test_a_new_version_of_a_route_has_actions_of_its_own(house: House) -> None:
    made = route(house, THIN, LABEL)
    series = slices()
    act_on(house, bring(house, series[:5]))
    service.change(
        house, ADMIN, made.id, service.Draft("New", THIN, [LABEL]), version=1
    )
    act_on(house, bring(house, series[5:]))
    assert [one.version for one in _did(house)] == [2, 1]


def test_a_route_that_is_off_or_deleted_does_nothing(house: House) -> None:
    off, gone = route(house, THIN, LABEL), route(house, THIN, LABEL)
    service.switch(house, ADMIN, off.id, enabled=False)
    service.delete(house, ADMIN, gone.id)
    assert act_on(house, bring(house, slices())) == []
