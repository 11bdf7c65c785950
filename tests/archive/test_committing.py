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
from rounds_hub.archive.intake import Attribution, Status
from rounds_hub.archive.models import Instance, Series
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import BusyError, ForbiddenError, InvalidError, NoSpaceError

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
