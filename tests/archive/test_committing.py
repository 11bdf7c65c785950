"""Many hand in at the same time; one thread makes it last, and each hears what came."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pydicom import dcmwrite
from sqlalchemy import select
from tests.gateway.speaking import slice_of

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.committing import Committer, stage
from rounds_hub.archive.growing import content_hash
from rounds_hub.archive.intake import Attribution, Status
from rounds_hub.archive.models import Instance, Series
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import BusyError, ForbiddenError, InvalidError, NoSpaceError
from rounds_hub.routing.models import SeriesState

if TYPE_CHECKING:
    from rounds_hub.archive.intake import Ready
    from rounds_hub.house import House

CT = Attribution(Principal("node:ct", frozenset({Role.NODE})), ["role:doctor"])
MR = Attribution(Principal("node:mr", frozenset({Role.NODE})), ["role:doctor"])
STUDENT = Attribution(Principal("ada", frozenset({Role.STUDENT})))


def staged(house: House, number: int, series: int = 1) -> Ready:
    """Return an instance that is ready to be committed."""
    written = io.BytesIO()
    dcmwrite(written, slice_of(number, series=series), enforce_file_format=True)
    return stage(house, str(number), written.getvalue())


def test_what_waits_becomes_one_group(any_house: House) -> None:
    waiting = [staged(any_house, number) for number in range(5)]
    committer = any_house.committer
    with committer._changed:  # noqa: SLF001 (so that all five wait for the thread)
        futures = [committer.submit(one, CT) for one in waiting]
    assert {future.result().status for future in futures} == {Status.TAKEN}
    with any_house.sessions.begin(write=False) as session:
        assert session.scalars(select(Series.instance_count)).all() == [5]
        assert len(session.scalars(select(OutboxEvent)).all()) == 1


def test_a_group_of_several_senders_keeps_whose_is_what(any_house: House) -> None:
    waiting = [
        (staged(any_house, number, series=1 + number % 2), (CT, MR)[number % 2])
        for number in range(6)
    ]
    futures = [any_house.committer.submit(*one) for one in waiting]
    assert [future.result().name for future in futures] == list("012345")
    with any_house.sessions.begin(write=False) as session:
        owners = set(session.scalars(select(Series.owner)))
    assert owners == {"node:ct", "node:mr"}


def test_who_commits_at_the_same_time_is_told_each_their_own(house: House) -> None:
    ready = [staged(house, number) for number in range(12)]
    with ThreadPoolExecutor(4) as senders:
        found = list(senders.map(lambda one: house.committer.commit(one, CT), ready))
    assert [one.name for one in found] == [one.name for one in ready]
    assert {one.status for one in found} == {Status.TAKEN}


def test_who_may_not_bring_anything_hears_so_and_harms_nobody(house: House) -> None:
    good, bad = staged(house, 1), staged(house, 2)
    committer = house.committer
    with committer._changed:  # noqa: SLF001 (so that both are in one group)
        kept, refused = committer.submit(good, CT), committer.submit(bad, STUDENT)
    assert kept.result().status is Status.TAKEN
    with pytest.raises(ForbiddenError):
        refused.result()
    assert not bad.staged.path.exists()


def test_the_same_twice_in_one_group_is_one_instance(house: House) -> None:
    futures = [house.committer.submit(staged(house, 1), CT) for _ in range(2)]
    found = sorted(future.result().status for future in futures)
    assert found == [Status.SAME, Status.TAKEN]
    with house.sessions.begin(write=False) as session:
        assert len(session.scalars(select(Instance.uid)).all()) == 1


def one_by_one(house: House, numbers: range) -> list[str]:
    """Commit some instances one after the other; return what became of them."""
    brought = (staged(house, number) for number in numbers)
    return [str(house.committer.commit(one, CT).status) for one in brought]


def test_one_by_one_leaves_what_all_together_leave(any_house: House) -> None:
    assert one_by_one(any_house, range(4)) == ["taken"] * 4
    with any_house.sessions.begin(write=False) as session:
        series = session.scalars(select(Series)).one()
        rows = session.execute(select(Instance.sha256, Instance.attributes)).all()
        state = session.get_one(SeriesState, series.uid)
    assert series.content_hash == content_hash(row.sha256 for row in rows)
    assert (series.instance_count, series.frame_count, series.revision) == (4, 4, 4)
    assert (state.content_hash, state.instances) == (series.content_hash, 4)
    assert all(row.attributes for row in rows)


def test_each_of_one_by_one_is_said_to_the_index(any_house: House) -> None:
    one_by_one(any_house, range(3))
    with any_house.sessions.begin(write=False) as session:
        events = session.execute(select(OutboxEvent.kind, OutboxEvent.key)).all()
    assert {tuple(event) for event in events} == {
        ("series", slice_of(1).SeriesInstanceUID)
    }
    assert len(events) == 3


def test_the_same_again_between_new_ones_changes_nothing(any_house: House) -> None:
    one_by_one(any_house, range(3))
    assert one_by_one(any_house, range(2, 5)) == ["same", "taken", "taken"]
    with any_house.sessions.begin(write=False) as session:
        series = session.scalars(select(Series)).one()
        hashes = session.scalars(select(Instance.sha256)).all()
    assert series.instance_count == len(hashes) == 5
    assert series.content_hash == content_hash(hashes)


def test_what_is_remembered_counts_only_as_the_catalogue_has_it(
    any_house: House,
) -> None:
    one_by_one(any_house, range(2))
    with any_house.sessions.begin() as session:  # as another process would leave it
        session.scalars(select(Series)).one().content_hash = "another"
    one_by_one(any_house, range(2, 4))
    with any_house.sessions.begin(write=False) as session:
        hashes = session.scalars(select(Instance.sha256)).all()
        assert session.scalars(select(Series.content_hash)).one() == content_hash(
            hashes
        )


def test_a_series_that_somebody_else_began_stays_closed(any_house: House) -> None:
    one_by_one(any_house, range(2))
    found = any_house.committer.commit(staged(any_house, 2), MR)
    assert found.status is Status.REFUSED


def test_what_is_no_instance_leaves_nothing(house: House) -> None:
    with pytest.raises(InvalidError):
        stage(house, "letter", b"a letter")
    assert not list(house.store.folder.glob("temporary/*/*"))


def test_a_full_disk_is_heard_by_who_hands_in(house: House) -> None:
    house.store.free_space_bytes = 2**62
    with pytest.raises(NoSpaceError):
        staged(house, 1)


def test_a_house_that_closes_writes_what_waits_and_takes_no_more(house: House) -> None:
    committer = Committer(house)
    future = committer.submit(staged(house, 1), CT)
    committer.close()
    assert future.result(0).status is Status.TAKEN
    late = staged(house, 2)
    with pytest.raises(BusyError):
        committer.submit(late, CT)
    assert not late.staged.path.exists()
