"""When a series is complete: by its number, by silence, by its run; and once only."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update
from tests.routing.conftest import (
    ADMIN,
    DOCTOR,
    LABEL,
    THIN,
    bring,
    complete_now,
    route,
    slices,
)

from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import ForbiddenError, InvalidError, NotFoundError
from rounds_hub.routing import arriving, completeness
from rounds_hub.routing.models import Firing, SeriesState
from rounds_hub.runs.models import Run

if TYPE_CHECKING:
    from rounds_hub.house import House


def state_of(house: House, uid: str) -> SeriesState:
    with house.sessions.begin(write=False) as session:
        return session.get_one(SeriesState, uid)


def age(house: House, uid: str, **columns: float) -> None:
    """Let moments in the row of a series be so many seconds ago."""
    moments = {name: utc_now() - timedelta(seconds=s) for name, s in columns.items()}
    with house.sessions.begin() as session:
        wanted = update(SeriesState).where(SeriesState.series_uid == uid)
        session.execute(wanted.values(**moments))


def look(house: House) -> list[str]:
    return completeness.look(house, set())


def firings(house: House) -> int:
    with house.sessions.begin(write=False) as session:
        return session.scalar(select(func.count()).select_from(Firing)) or 0


def test_a_series_is_open_while_instances_come(any_house: House) -> None:
    uid = bring(any_house, slices())
    look(any_house)
    state = state_of(any_house, uid)
    assert (state.state, state.instances, state.complete_at) == ("open", 6, None)


def test_silence_completes_it_and_says_so(any_house: House) -> None:
    uid = bring(any_house, slices())
    age(any_house, uid, changed_at=61)
    look(any_house)
    assert state_of(any_house, uid).why == "Silence for 60 s after 6 instances."


def test_the_end_of_the_association_shortens_the_silence(any_house: House) -> None:
    uid = bring(any_house, slices())
    arriving.ended(any_house, [uid])
    age(any_house, uid, ended_at=6)
    look(any_house)
    assert state_of(any_house, uid).why == "The association ended after 6 instances."


def test_what_comes_after_the_end_is_waited_for_again(any_house: House) -> None:
    made = slices()
    uid = bring(any_house, made[:3])
    arriving.ended(any_house, [uid])
    bring(any_house, made[3:])
    assert state_of(any_house, uid).ended_at is None


def test_the_number_that_the_sender_said_completes_it_at_once(
    any_house: House,
) -> None:
    made = slices()
    uid = bring(any_house, made[:5])
    arriving.expect_by(any_house, DOCTOR, uid, 6)
    look(any_house)
    before = state_of(any_house, uid).state
    bring(any_house, made[5:])
    look(any_house)
    after = state_of(any_house, uid)
    assert (before, after.state) == ("open", "complete")
    assert after.why == "All 6 instances came, as dora said."


def test_the_number_in_the_instances_completes_it_at_once(house: House) -> None:
    made = slices()
    for one in made:
        one.NumberOfSeriesRelatedInstances = 6
    uid = bring(house, made)
    look(house)
    assert state_of(house, uid).why == "All 6 instances came, as its instances said."


def test_a_number_may_be_said_before_the_first_instance(house: House) -> None:
    made = slices()
    uid = str(made[0].SeriesInstanceUID)
    arriving.expect_of(house, DOCTOR, {uid: 6}, "MPPS")
    look(house)
    bring(house, made)
    look(house)
    assert state_of(house, uid).state == "complete"


def test_silence_completes_also_what_lacks_some_and_says_it(house: House) -> None:
    uid = bring(house, slices())
    arriving.expect_by(house, DOCTOR, uid, 9)
    age(house, uid, changed_at=61)
    look(house)
    assert "6 of 9 instances" in state_of(house, uid).why


@pytest.mark.parametrize("count", [0, -1, 10**9])
def test_a_number_that_no_series_has_is_refused(house: House, count: int) -> None:
    uid = bring(house, slices())
    with pytest.raises(InvalidError, match="A series has 1 to"):
        arriving.expect_by(house, DOCTOR, uid, count)


def test_only_who_brought_it_says_how_many_will_come(house: House) -> None:
    from rounds_hub.access.principal import Principal, Role

    uid = bring(house, slices())
    other = Principal("otto", frozenset({Role.DOCTOR}))
    with pytest.raises(ForbiddenError):
        arriving.expect_by(house, other, uid, 6)
    with pytest.raises(NotFoundError):
        arriving.expect_by(house, Principal("stan"), uid, 6)


def test_a_late_instance_opens_it_and_completes_it_with_other_content(
    any_house: House,
) -> None:
    route(any_house, THIN, LABEL)
    made = slices()
    uid = bring(any_house, made[:5])
    first = complete_now(any_house, uid)
    bring(any_house, made[5:])
    assert state_of(any_house, uid).state == "open"
    second = complete_now(any_house, uid)
    assert (len(first), len(second), first == second) == (1, 1, False)


def test_the_same_sent_again_opens_nothing_and_fires_nothing(any_house: House) -> None:
    route(any_house, THIN, LABEL)
    made = slices()
    uid = bring(any_house, made)
    complete_now(any_house, uid)
    bring(any_house, made)
    assert state_of(any_house, uid).state == "complete"
    assert (look(any_house), firings(any_house)) == ([], 1)


def test_what_changed_in_between_is_not_completed(any_house: House) -> None:
    made = slices()
    uid = bring(any_house, made[:5])
    old = completeness.Due(uid, state_of(any_house, uid).content_hash, "old")
    bring(any_house, made[5:])
    completeness.complete(any_house, old)
    assert state_of(any_house, uid).state == "open"


def test_of_many_workers_one_completes_it(any_house: House) -> None:
    route(any_house, THIN, LABEL)
    uid = bring(any_house, slices())
    found: list[list[str]] = []
    workers = [
        threading.Thread(target=lambda: found.append(complete_now(any_house, uid)))
        for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(map(len, found)) == [0, 0, 0, 0, 0, 1]


def test_a_result_is_complete_when_its_run_has_ended(house: House) -> None:
    uid = bring(house, slices())
    age(house, uid, changed_at=100)
    waiting = Run(id="r", template="t", template_hash="", inputs=[], state="running")
    done = Run(id="r", template="t", template_hash="", inputs=[], state="done")
    state = state_of(house, uid)
    said = [
        completeness.why_complete(house, state, run, utc_now())
        for run in (waiting, done, None)
    ]
    assert said == ["", "Its run has ended.", "Silence for 60 s after 6 instances."]


def test_what_came_before_there_were_routes_stays_as_it_is(house: House) -> None:
    route(house, THIN, LABEL)
    uid = bring(house, slices())
    with house.sessions.begin() as session:
        session.delete(session.get_one(SeriesState, uid))
    assert look(house) == []


def test_a_series_whose_tags_cannot_be_read_says_so(house: House) -> None:
    route(house, THIN, LABEL)
    uid = bring(house, slices())
    for path in (house.settings.data / "archive" / "objects").glob("*/*"):
        path.chmod(0o600)
        path.write_bytes(b"damaged")
    complete_now(house, uid)
    assert "cannot be read" in state_of(house, uid).problem


def test_an_administrator_may_say_the_number_too(house: House) -> None:
    uid = bring(house, slices())
    arriving.expect_by(house, ADMIN, uid, 6)
    assert state_of(house, uid).expected_by == "ann"
