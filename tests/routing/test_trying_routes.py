"""The dry run: what would come of a series, clause by clause, and nothing done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.routing.conftest import (
    ADMIN,
    DOCTOR,
    LABEL,
    THIN,
    act_on,
    bring,
    route,
    slices,
)

from rounds_hub.archive.models import Series
from rounds_hub.errors import ForbiddenError, InvalidError, NotFoundError
from rounds_hub.routing import firings, service, trying
from rounds_hub.routing.matching import RouteRecord, routes_behind
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from rounds_hub.house import House


def outcomes(house: House, uid: str) -> dict[str, str]:
    found = trying.dry_run(house, ADMIN, uid)
    return {one.verdict.route.condition: one.verdict.outcome for one in found.tried}


def test_it_says_route_by_route_what_would_come(any_house: House) -> None:
    for condition in (THIN, 'Modality == "MR"', "EchoTime > 30"):
        route(any_house, condition, LABEL)
    off = route(any_house, "IsVolume", LABEL)
    service.switch(any_house, ADMIN, off.id, enabled=False)
    uid = bring(any_house, slices())
    assert outcomes(any_house, uid) == {
        THIN: "fires",
        'Modality == "MR"': "no",
        "EchoTime > 30": "unknown",
        "IsVolume": "off",
    }


def test_it_does_nothing(any_house: House) -> None:
    route(any_house, THIN, LABEL)
    uid = bring(any_house, slices())
    found = trying.dry_run(any_house, ADMIN, uid)
    assert (found.state, found.tried[0].states) == ("open", ("new",))
    assert firings.list_firings(any_house, ADMIN) == []


def test_it_says_the_values_that_each_clause_found(house: House) -> None:
    route(house, THIN, LABEL)
    uid = bring(house, slices())
    explained = trying.dry_run(house, ADMIN, uid).tried[0].verdict.explained
    assert explained is not None
    first, second = explained.parts
    assert (first.text, first.values) == ('Modality == "CT"', ("CT",))
    assert (second.text, second.answer) == ("SliceThickness <= 1.25", True)


def test_it_says_what_was_done_already_on_this_content(house: House) -> None:
    route(house, THIN, LABEL)
    uid = bring(house, slices())
    act_on(house, uid)
    assert trying.dry_run(house, ADMIN, uid).tried[0].states == ("done",)


def test_a_route_that_is_not_saved_can_be_tried(house: House) -> None:
    uid = bring(house, slices())
    draft = RouteRecord(
        "", "", "", "Rows == 32", (), enabled=True, position=0, version=0
    )
    (tried,) = trying.dry_run(house, ADMIN, uid, draft=draft).tried
    assert tried.verdict.outcome == "fires"


def test_it_shows_which_of_the_newest_series_a_condition_is_for(
    any_house: House,
) -> None:
    thin, thick = slices(), slices(seed=4)
    for one in thick:
        one.SliceThickness = 5
    uids = [bring(any_house, made) for made in (thin, thick)]
    found = trying.preview(any_house, ADMIN, THIN)
    assert [one.uid for one in found.matches] == uids[:1]
    assert (found.tried, trying.preview(any_house, ADMIN, "EchoTime > 1").tried) == (
        2,
        2,
    )


def test_a_preview_of_what_cannot_be_read_says_where(house: House) -> None:
    with pytest.raises(InvalidError, match="sign 6"):
        trying.preview(house, ADMIN, "Rows @ 3")


def test_it_is_for_administrators_and_for_series_that_are_there(house: House) -> None:
    uid = bring(house, slices())
    with pytest.raises(ForbiddenError):
        trying.dry_run(house, DOCTOR, uid)
    with pytest.raises(NotFoundError):
        trying.dry_run(house, ADMIN, "1.2.3")


def test_a_route_is_not_for_what_it_made_itself(house: House) -> None:
    made = route(house, "IsResult or IsVolume", LABEL)
    other = route(house, "IsResult", LABEL)
    source = bring(house, slices())
    result = bring(house, slices(seed=4))
    with house.sessions.begin() as session:
        given = {"name": "ct", "series_uid": source, "content_hash": ""}
        asked = [RunRequest(principal=f"route:{made.id}")]
        run = Run(id="r1", template="t", template_hash="", inputs=[given])
        run.requests = asked
        run.started_at = run.finished_at = None
        session.add(run)
        session.get_one(Series, result).run_id = "r1"
    found = trying.dry_run(house, ADMIN, result).tried
    said = {one.verdict.route.id: one.verdict.outcome for one in found}
    assert said == {made.id: "loop", other.id: "fires"}


def test_a_run_that_feeds_itself_does_not_hang_the_search_for_loops(
    house: House,
) -> None:
    uid = bring(house, slices())
    with house.sessions.begin() as session:
        given = {"name": "ct", "series_uid": uid, "content_hash": ""}
        run = Run(id="r1", template="t", template_hash="", inputs=[given])
        run.started_at = run.finished_at = None
        session.add(run)
        series = session.get_one(Series, uid)
        series.run_id = "r1"
        assert routes_behind(session, series) == frozenset()
