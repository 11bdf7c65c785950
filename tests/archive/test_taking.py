"""What becomes of instances that are offered to the archive."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import func, select

from rounds_hub.access.models import AuditEntry
from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Aside, Instance, Series, Study
from rounds_hub.archive.service import Offer, Status, store
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import ForbiddenError, NoSpaceError, NotFoundError
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House

    MakeBytes = Callable[..., bytes]

ELSEWHERE = "1.2.826.0.1.3680043.10.1338.77"


def bring(house: House, who: Principal, *files: bytes) -> list[Status]:
    offers = [Offer(f"{index}.dcm", file) for index, file in enumerate(files)]
    return [outcome.status for outcome in store(house, who, offers)]


def the_series(house: House) -> Series:
    with house.sessions.begin(write=False) as session:
        return session.scalars(select(Series)).one()


def count(house: House, table: type) -> int:
    with house.sessions.begin(write=False) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_an_instance_is_taken(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    file = instance()
    assert bring(any_house, doctor, file) == [Status.TAKEN]
    assert any_house.store.verify(hashlib.sha256(file).hexdigest())


def test_a_series_counts_its_instances(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance(1), instance(2))
    bring(any_house, doctor, instance(3))
    series = the_series(any_house)
    assert (series.instance_count, series.frame_count, series.revision) == (3, 3, 2)


def test_the_content_hash_does_not_depend_on_the_order(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    files = [instance(number) for number in (3, 1, 2)]
    for file in files:
        bring(any_house, doctor, file)
    hashes = sorted(hashlib.sha256(file).hexdigest() for file in files)
    expected = hashlib.sha256("".join(hashes).encode()).hexdigest()
    assert the_series(any_house).content_hash == expected


def test_the_same_again_is_a_no_op(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance())
    assert bring(any_house, doctor, instance(), instance()) == [Status.SAME] * 2
    assert the_series(any_house).revision == 1
    assert count(any_house, OutboxEvent) == 1


def test_other_bytes_under_the_same_uid_are_kept_aside(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance())
    other = instance(PatientID="P-2")
    assert bring(any_house, doctor, other, other) == [Status.ASIDE] * 2
    assert count(any_house, Aside) == 1
    assert any_house.store.verify(hashlib.sha256(other).hexdigest())


def test_what_is_aside_does_not_change_the_instance(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    first, other = instance(), instance(PatientID="P-2")
    assert bring(any_house, doctor, first, other) == [Status.TAKEN, Status.ASIDE]
    with any_house.sessions.begin(write=False) as session:
        kept = session.scalars(select(Instance.sha256)).one()
    assert kept == hashlib.sha256(first).hexdigest()


def test_a_broken_file_does_not_keep_the_others_out(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    offers = [Offer("good", instance()), Offer("bad", instance(2)[:-9])]
    good, bad = store(any_house, doctor, offers)
    assert (good.status, bad.status) == (Status.TAKEN, Status.REFUSED)
    assert bad.name == "bad"
    assert "cut short" in bad.why


def test_each_new_series_has_an_event_for_the_index(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance(1, 1), instance(1, 2), instance(2, 2))
    with any_house.sessions.begin(write=False) as session:
        events = session.scalars(select(OutboxEvent)).all()
    assert sorted((event.kind, event.key[-4:]) for event in events) == [
        ("series", ".1.1"),
        ("series", ".1.2"),
    ]


def test_a_series_is_its_bringers_and_the_import_audiences(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance())
    series = the_series(any_house)
    assert series.owner == "dora"
    assert series.audience == any_house.settings.import_audience


def test_bringing_is_in_the_audit_trail(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance())
    with any_house.sessions.begin(write=False) as session:
        line = session.scalars(select(AuditEntry)).one()
    assert (line.principal, line.action, line.kind) == (
        "dora",
        "import.create",
        "series",
    )


def test_a_student_may_not_bring_anything(
    any_house: House, student: Principal, instance: MakeBytes
) -> None:
    with pytest.raises(ForbiddenError, match=r"import\.create"):
        bring(any_house, student, instance())
    assert count(any_house, Instance) == 0


def test_a_series_stays_in_its_study(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance(1))
    stray = instance(2, StudyInstanceUID=ELSEWHERE)
    assert bring(any_house, doctor, stray) == [Status.REFUSED]
    assert count(any_house, Study) == 1


def test_one_batch_with_one_series_in_two_studies_takes_the_first(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    stray = instance(2, StudyInstanceUID=ELSEWHERE)
    statuses = bring(any_house, doctor, instance(1), stray)
    assert statuses == [Status.TAKEN, Status.REFUSED]


def test_nobody_adds_to_a_series_that_they_may_not_see(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    any_house.settings.import_audience = []
    bring(any_house, doctor, instance(1))
    other = Principal("dan", frozenset({Role.DOCTOR}))
    assert bring(any_house, other, instance(2)) == [Status.REFUSED]


def test_a_full_disk_takes_nothing(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    any_house.store.free_space_bytes = 2**60
    with pytest.raises(NoSpaceError):
        bring(any_house, doctor, instance(1), instance(2))
    assert count(any_house, Instance) == 0


def test_a_data_set_is_stored_as_a_part_10_file(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    made = dcmread_bytes(instance())
    (outcome,) = store(any_house, doctor, [Offer("result", made)])
    with any_house.sessions.begin(write=False) as session:
        kept = session.scalars(select(Instance)).one()
    assert outcome.status == Status.TAKEN
    assert dcmread(any_house.store.path(kept.sha256)).SOPInstanceUID == outcome.sop_uid


def dcmread_bytes(file: bytes) -> Dataset:
    import io

    return dcmread(io.BytesIO(file))


def test_bytes_without_a_preamble_are_stored_as_a_part_10_file(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    assert bring(any_house, doctor, instance()[132:]) == [Status.TAKEN]
    assert bring(any_house, doctor, instance()) == [Status.SAME]


def test_a_result_is_seen_by_those_who_see_its_run(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    with_run(any_house, "r1", asker="dora")
    store(any_house, doctor, [Offer("seg", instance())], run_id="r1")
    series = the_series(any_house)
    assert (series.run_id, series.audience) == ("r1", [])


def with_run(house: House, run_id: str, asker: str) -> None:
    with house.sessions.begin() as session:
        session.add(Run(id=run_id, template="lung", template_hash="0"))
        session.flush()
        session.add(RunRequest(run_id=run_id, principal=asker))


def test_a_student_stores_the_result_of_their_run(
    any_house: House, student: Principal, instance: MakeBytes
) -> None:
    with_run(any_house, "r1", asker="stan")
    offers = [Offer("seg", instance())]
    assert store(any_house, student, offers, run_id="r1")[0].status == Status.TAKEN


def test_a_result_of_a_run_that_is_not_there_is_refused(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    with pytest.raises(NotFoundError, match="No run 'r1'"):
        store(any_house, doctor, [Offer("seg", instance())], run_id="r1")


def test_nothing_is_added_to_a_result(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    with_run(any_house, "r1", asker="dora")
    store(any_house, doctor, [Offer("seg", instance())], run_id="r1")
    assert bring(any_house, doctor, instance(2)) == [Status.REFUSED]


def test_lost_bytes_are_kept_when_they_come_again(
    any_house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(any_house, doctor, instance())
    path = any_house.store.path(hashlib.sha256(instance()).hexdigest())
    path.unlink()
    bring(any_house, doctor, instance())
    assert any_house.store.verify(path.name)


def test_writers_at_the_same_time_lose_nothing(
    any_house: House, instance: MakeBytes
) -> None:
    files = [instance(number, number % 3) for number in range(60)]
    found: list[Status] = []
    shares = [files[:40], files[20:], files[::-1]]
    threads = [
        threading.Thread(target=lambda own=own: found.extend(slowly(any_house, own)))
        for own in shares
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(Status.TAKEN) == count(any_house, Instance) == 60
    assert found.count(Status.SAME) == 80


def slowly(house: House, files: list[bytes]) -> list[Status]:
    doctor = Principal("dora", frozenset({Role.DOCTOR}))
    return [
        status
        for start in range(0, len(files), 7)
        for status in bring(house, doctor, *files[start : start + 7])
    ]


def test_the_counts_are_right_after_writers_at_the_same_time(
    any_house: House, instance: MakeBytes
) -> None:
    test_writers_at_the_same_time_lose_nothing(any_house, instance)
    with any_house.sessions.begin(write=False) as session:
        counts = session.scalars(select(Series.instance_count)).all()
    assert counts == [20, 20, 20]


def test_no_temporary_file_is_left(
    house: House, doctor: Principal, instance: MakeBytes
) -> None:
    bring(house, doctor, instance(), instance()[132:], instance(2)[:-9], b"text")
    left = list(house.store.folder.glob("temporary/*/*"))
    assert left == []
    assert (house.store.folder / "objects").is_dir()
