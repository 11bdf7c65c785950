"""The index says what the catalogue says, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from rounds_hub.access.sight import touched
from rounds_hub.archive.models import Series
from rounds_hub.cases import service
from rounds_hub.cases.models import Case
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.indexing import consumer
from rounds_hub.indexing.lease import sole_writer
from rounds_search.errors import IndexUnavailableError
from rounds_search.requests import Request, VectorQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

    AddCase = Callable[..., str]
    AddRun = Callable[..., str]
    Found = Callable[..., set[str]]


def drain(house: House) -> None:
    while consumer.run_once(house):
        pass


def poison(house: House, kind: str = "nonsense") -> int:
    """Leave an event that cannot be applied, older than all others."""
    with house.sessions.begin() as session:
        event = OutboxEvent(kind=kind, key="x")
        session.add(event)
        session.flush()
        return event.id


def event(house: House, number: int) -> OutboxEvent:
    with house.sessions.begin(write=False) as session:
        return session.get_one(OutboxEvent, number)


def test_a_change_is_found_after_one_round(
    any_house: House, add_case: AddCase, found: Found
) -> None:
    add_case("c1", "everyone")
    assert found("everyone") == set()
    assert consumer.run_once(any_house) > 0
    assert found("everyone", text="ball") == {"c1"}


def test_when_all_is_done_nothing_is_done(any_house: House, add_case: AddCase) -> None:
    add_case("c1", "everyone")
    drain(any_house)
    assert (consumer.run_once(any_house), consumer.waiting(any_house)) == (0, 0)


def test_events_that_come_twice_change_nothing(
    any_house: House, add_case: AddCase, found: Found
) -> None:
    add_case("c1", "everyone")
    drain(any_house)
    with any_house.sessions.begin() as session:
        session.execute(update(OutboxEvent).values(done_at=None))
    drain(any_house)
    assert found("everyone") == {"c1"}


def test_a_crash_between_index_and_catalogue_is_made_good(
    any_house: House, add_case: AddCase, found: Found, teacher: Principal
) -> None:
    add_case("c1", "everyone")
    with any_house.sessions.begin(write=False) as session:
        before = list(session.scalars(select(OutboxEvent.id)))
    drain(any_house)
    service.delete(any_house, teacher, "c1")
    drain(any_house)
    with any_house.sessions.begin() as session:
        late = update(OutboxEvent).where(OutboxEvent.id.in_(before))
        session.execute(late.values(done_at=None))
    drain(any_house)
    assert found("everyone", "role:admin") == set()


@pytest.mark.parametrize("step", ["withdraw", "delete"])
def test_a_case_that_goes_takes_its_images_along(
    any_house: House, add_case: AddCase, teacher: Principal, step: str
) -> None:
    uid = add_case("c1", "everyone")
    drain(any_house)
    getattr(service, step)(any_house, teacher, "c1")
    drain(any_house)
    vectors = VectorQuery("rounds-gist-1", like="c1")
    request = Request(audience=frozenset({"everyone"}), vectors=(vectors,))
    with pytest.raises(Exception, match="No document 'c1'"):
        any_house.index.search(request)
    assert uid


def test_a_new_audience_reaches_results_on_the_case(
    any_house: House, add_case: AddCase, add_run: AddRun, teacher: Principal
) -> None:
    add_run("r1", add_case("c1", "everyone"))
    drain(any_house)
    revision = service.get(any_house, teacher, "c1").revision
    told = {"audience": ["role:doctor"]}
    service.update(any_house, teacher, "c1", told, revision=revision)
    drain(any_house)
    asked = {
        who: any_house.index.search(Request(audience=frozenset({who}))).total
        for who in ("everyone", "role:doctor", "user:researcher")
    }
    assert asked == {"everyone": 0, "role:doctor": 2, "user:researcher": 1}


def test_only_finished_runs_are_found(
    add_case: AddCase, add_run: AddRun, any_house: House, found: Found
) -> None:
    uid = add_case("c1", "everyone")
    add_run("r1", uid)
    add_run("r2", uid, state="failed")
    drain(any_house)
    assert found("everyone", text="volume") == {"run-r1"}


def test_a_result_says_nothing_of_hidden_cases(
    any_house: House, add_case: AddCase, add_run: AddRun, found: Found
) -> None:
    add_run("r1", add_case("c1", "everyone"))
    with any_house.sessions.begin() as session:
        session.execute(update(Case).values(title="Secret", findings="Secret"))
        touched(session, [])
    drain(any_house)
    assert found("user:researcher", text="secret") == set()


def test_a_poisoned_event_is_named_and_does_not_block(
    any_house: House, add_case: AddCase, found: Found
) -> None:
    number = poison(any_house)
    add_case("c1", "everyone")
    drain(any_house)
    assert found("everyone") == {"c1"}
    told = event(any_house, number)
    assert told.done_at is None
    assert told.tries >= 1  # a slow machine comes round again
    assert "No event of kind 'nonsense'" in told.error


def test_a_failed_event_waits_longer_each_time(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "FIRST_PAUSE", 30.0)
    number = poison(any_house)
    assert consumer.run_once(any_house) == 0
    assert consumer.run_once(any_house) == 0
    assert event(any_house, number).tries == 1
    with any_house.sessions.begin() as session:
        early = utc_now() - timedelta(seconds=180)
        session.execute(update(OutboxEvent).values(at=early))
    for _ in range(4):
        consumer.run_once(any_house)
    assert event(any_house, number).tries == 3


def test_an_event_whose_cause_is_gone_heals(
    any_house: House, add_case: AddCase
) -> None:
    number = poison(any_house)
    consumer.run_once(any_house)
    add_case("c1", "everyone")
    with any_house.sessions.begin() as session:
        early = utc_now() - timedelta(seconds=60)
        session.execute(
            update(OutboxEvent)
            .where(OutboxEvent.id == number)
            .values(at=early, kind="case", key="c1")
        )
    drain(any_house)
    healed = event(any_house, number)
    assert healed.done_at is not None
    assert healed.error == ""


def test_one_worker_writes_at_a_time(any_house: House, add_case: AddCase) -> None:
    add_case("c1", "everyone")
    with sole_writer(any_house) as ours:
        assert ours
        assert consumer.run_once(any_house) == 0
    assert consumer.run_once(any_house) > 0


def test_many_workers_bring_in_everything_once(
    any_house: House, add_case: AddCase, found: Found
) -> None:
    for number in range(6):
        add_case(f"c{number}", "everyone", seed=number)
    counts: list[int] = []

    def work() -> None:
        while consumer.waiting(any_house):
            counts.append(consumer.run_once(any_house))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    with any_house.sessions.begin(write=False) as session:
        assert sum(counts) == session.scalar(select(func.count(OutboxEvent.id)))
    assert len(found("everyone")) == 6


def test_the_loop_is_quick_and_ends_when_told(
    any_house: House, add_case: AddCase, found: Found
) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=consumer.loop, args=(any_house, stop))
    worker.start()
    try:
        add_case("c1", "everyone")
        since = time.monotonic()
        while not found("everyone") and time.monotonic() - since < 30:
            time.sleep(0.01)
        assert time.monotonic() - since < 10
    finally:
        stop.set()
        worker.join(10)
    assert not worker.is_alive()


def test_a_rebuilt_index_is_the_one_that_was(
    any_house: House, add_case: AddCase, add_run: AddRun, found: Found
) -> None:
    add_run("r1", add_case("c1", "everyone"))
    add_case("c2", "role:doctor", seed=2)
    drain(any_house)
    before = found("everyone"), found("role:doctor"), found("role:admin")
    assert consumer.rebuild(any_house) == 7
    assert (found("everyone"), found("role:doctor"), found("role:admin")) == before


def test_a_rebuild_makes_good_what_events_could_not(
    any_house: House, add_case: AddCase, found: Found
) -> None:
    add_case("c1", "everyone")
    with any_house.sessions.begin() as session:
        session.execute(update(OutboxEvent).values(done_at=utc_now()))
    drain(any_house)
    assert found("everyone") == set()
    consumer.rebuild(any_house)
    assert found("everyone") == {"c1"}


def test_a_rebuild_waits_for_its_turn(
    any_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "REBUILD_WAIT_SECONDS", 0.1)
    with (
        sole_writer(any_house),
        pytest.raises(IndexUnavailableError, match="keeps the index busy"),
    ):
        consumer.rebuild(any_house)


def test_images_are_encoded_once_for_their_content(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    uid = add_case("c1", "everyone")
    drain(any_house)
    kept = list((any_house.settings.data / "vectors").rglob("*.npz"))
    with any_house.sessions.begin(write=False) as session:
        content = session.get_one(Series, uid).content_hash
    assert [path.stem.partition("-")[0] for path in kept] == [content] * 2
    written = [path.stat().st_mtime_ns for path in kept]
    service.withdraw(any_house, teacher, "c1")
    drain(any_house)
    assert [path.stat().st_mtime_ns for path in kept] == written


WORKER = """
import sys, threading
from rounds_hub.house import House
from rounds_hub.indexing import consumer
from rounds_hub.settings import load_settings
consumer.loop(House.open(load_settings(data_dir=sys.argv[1])), threading.Event())
"""


def test_a_killed_worker_loses_nothing(house: House, teacher: Principal) -> None:
    command = [sys.executable, "-c", WORKER, str(house.settings.data)]
    written = set()
    for moment in range(3):
        with subprocess.Popen(command) as worker:
            time.sleep(1.5)
            for _ in range(20):
                written.add(service.create(house, teacher, {"title": "Ball"}).id)
                time.sleep(0.005 * moment)
            worker.kill()
    drain(house)
    asked = Request(audience=frozenset({"user:teacher"}), size=100)
    assert {hit.id for hit in house.index.search(asked).hits} == written
    assert consumer.waiting(house) == 0
