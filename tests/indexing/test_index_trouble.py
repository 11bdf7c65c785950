"""Broken images, a broken index, killed holders of the lease: the rest goes on."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from rounds_hub.access.sight import touched
from rounds_hub.archive.models import Instance
from rounds_hub.cases import service
from rounds_hub.cases.models import Case
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.indexing import consumer
from rounds_hub.indexing.lease import sole_writer
from rounds_search.errors import IndexUnavailableError
from rounds_search.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_search.backends.base import Backend
    from rounds_search.documents import WriteReport

    AddCase = Callable[..., str]
    Found = Callable[..., set[str]]


class BackendThatIsAway:
    """An index that cannot be reached for its first writes."""

    def __init__(self, behind: Backend, times: int) -> None:
        self.behind = behind
        self.left = times

    def write(self, *what: object) -> WriteReport:
        if self.left:
            self.left -= 1
            msg = "The index is away."
            raise IndexUnavailableError(msg)
        return self.behind.write(*what)  # type: ignore[arg-type] # passed through

    def close(self) -> None:
        self.behind.close()


class BackendThatChokesOn:
    """An index that fails on whatever batch holds one document."""

    def __init__(self, behind: Backend, name: str) -> None:
        self.behind = behind
        self.name = name

    def write(self, documents: list[object], deletes: list[object]) -> WriteReport:
        if any(getattr(one, "id", "") == self.name for one in documents):
            msg = f"choked on {self.name}"
            raise RuntimeError(msg)
        return self.behind.write(documents, deletes)  # type: ignore[arg-type] # as above

    def close(self) -> None:
        self.behind.close()


def set_index(house: House, backend: object) -> None:
    house.__dict__["index"] = backend


def undone(house: House) -> list[OutboxEvent]:
    with house.sessions.begin(write=False) as session:
        wanted = select(OutboxEvent).where(OutboxEvent.done_at.is_(None))
        return list(session.scalars(wanted))


def damage_all_files(house: House) -> None:
    with house.sessions.begin(write=False) as session:
        hashes = list(session.scalars(select(Instance.sha256)))
    for sha256 in hashes:
        path = house.store.path(sha256)
        path.chmod(0o600)
        path.write_bytes(b"damaged")


def test_a_case_with_damaged_images_is_still_found_by_words(
    any_house: House, add_case: AddCase, found: Found
) -> None:
    add_case("c1", "everyone")
    damage_all_files(any_house)
    while consumer.run_once(any_house):
        pass
    assert found("everyone", text="ball") == {"c1"}
    assert undone(any_house) == []


def test_an_index_that_is_away_costs_no_try(
    any_house: House, add_case: AddCase
) -> None:
    add_case("c1", "everyone")
    set_index(any_house, BackendThatIsAway(any_house.index, times=1))
    with pytest.raises(IndexUnavailableError):
        consumer.run_once(any_house)
    assert {event.tries for event in undone(any_house)} == {0}
    assert consumer.run_once(any_house) > 0


def test_the_loop_goes_on_when_the_index_comes_back(
    any_house: House, add_case: AddCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "TROUBLE_SECONDS", 0.05)
    add_case("c1", "everyone")
    set_index(any_house, BackendThatIsAway(any_house.index, times=3))
    stop = threading.Event()
    worker = threading.Thread(target=consumer.loop, args=(any_house, stop))
    worker.start()
    while undone(any_house) and worker.is_alive():
        stop.wait(0.05)
    stop.set()
    worker.join(10)
    assert undone(any_house) == []


def test_one_bad_document_does_not_keep_its_batch_out(
    any_house: House, add_case: AddCase, found: Found
) -> None:
    add_case("bad", "everyone", seed=1)
    add_case("good", "everyone", seed=2)
    whole = any_house.index
    set_index(any_house, BackendThatChokesOn(whole, "bad"))
    consumer.run_once(any_house)
    failed = undone(any_house)
    set_index(any_house, whole)
    assert "good" in found("everyone")
    assert ("case", "bad") in {(event.kind, event.key) for event in failed}
    assert {event.error for event in failed} == {"RuntimeError: choked on bad"}


def test_a_case_that_no_document_can_hold_is_named(
    any_house: House, teacher: Principal
) -> None:
    service.create(any_house, teacher, {"title": "Ball"}, case_id="c1")
    crowd = [f"group:{number}" for number in range(10_001)]
    with any_house.sessions.begin() as session:
        session.execute(update(Case).values(audience=crowd, status="published"))
        touched(session, [])
    consumer.run_once(any_house)
    (event,) = undone(any_house)
    assert event.tries == 1
    assert event.error.startswith("LimitError: ")


def test_a_rebuild_leaves_out_what_cannot_be_indexed(
    any_house: House, teacher: Principal, found: Found
) -> None:
    for name in ("bad", "good"):
        service.create(any_house, teacher, {"title": "Ball"}, case_id=name)
    crowd = [f"group:{number}" for number in range(10_001)]
    with any_house.sessions.begin() as session:
        spoilt = update(Case).where(Case.id == "bad")
        session.execute(spoilt.values(audience=crowd, status="published"))
        touched(session, [])
    assert consumer.rebuild(any_house) == 1
    assert found("user:teacher") == {"good"}


def test_old_events_are_forgotten_but_the_newest(
    any_house: House, teacher: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "POLL_SECONDS", 0.01)
    for _ in range(3):
        service.create(any_house, teacher, {"title": "Ball"})
    long_ago = utc_now() - timedelta(days=30)
    with any_house.sessions.begin() as session:
        session.execute(update(OutboxEvent).values(done_at=long_ago))
    stop = threading.Event()
    worker = threading.Thread(target=consumer.loop, args=(any_house, stop))
    worker.start()
    stop.wait(0.5)
    stop.set()
    worker.join(10)
    with any_house.sessions.begin(write=False) as session:
        assert session.scalar(select(func.count(OutboxEvent.id))) == 1
        assert consumer.newest_event(session) == 3


HOLDER = """
import sys, time
from rounds_hub.house import House
from rounds_hub.indexing.lease import sole_writer
from rounds_hub.settings import load_settings
data, url = sys.argv[1:]
house = House.open(load_settings(data_dir=data, database_url=url))
with sole_writer(house) as ours:
    print(ours, flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_gives_the_lease_back(any_house: House) -> None:
    settings = any_house.settings
    where = (str(settings.data), settings.catalogue_url)
    command = [sys.executable, "-c", HOLDER, *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "True"
        with sole_writer(any_house) as ours:
            assert not ours
        holder.kill()
    with sole_writer(any_house, wait_seconds=10) as ours:
        assert ours


def test_who_waits_gets_the_lease_when_it_is_free(any_house: House) -> None:
    got: list[bool] = []

    def wait() -> None:
        with sole_writer(any_house, wait_seconds=10) as ours:
            got.append(ours)

    with sole_writer(any_house):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.2)
        assert got == []
    waiting.join(10)
    assert got == [True]


def test_an_error_inside_gives_the_lease_back(any_house: House) -> None:
    with pytest.raises(KeyError), sole_writer(any_house):
        raise KeyError
    with sole_writer(any_house) as ours:
        assert ours


def test_searches_go_on_while_the_index_is_rebuilt(
    any_house: House, add_case: AddCase
) -> None:
    add_case("c1", "everyone")
    while consumer.run_once(any_house):
        pass
    asked = Request(audience=frozenset({"everyone"}))
    totals: set[int] = set()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            totals.add(any_house.index.search(asked).total)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(3):
        consumer.rebuild(any_house)
    done.set()
    asking.join(10)
    assert totals == {1}
