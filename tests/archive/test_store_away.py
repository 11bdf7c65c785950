"""An object store that goes away in the middle of work: nobody is told a lie."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from rounds_hub.archive.committing import stage
from rounds_hub.archive.inspecting import Look, inspect
from rounds_hub.archive.intake import Attribution
from rounds_hub.archive.service import Offer, Status, instances_of, store
from rounds_hub.archive.store import StoreAwayError
from rounds_hub.archive.volumes import open_stacks
from rounds_hub.errors import HubError
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.archive.conftest import ObjectServer

    from rounds_hub.access.principal import Principal

SERIES = "1.2.826.0.1.3680043.10.1338.1.1"
SENDERS, MOST = 4, 2000


@pytest.fixture
def far_house(
    tmp_path: Path, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[House]:
    """Return a house whose archive is in a bucket alone."""
    bucket = object_server.bucket()
    monkeypatch.setenv("ROUNDS_STORE_FAR_KEY", bucket.key)
    monkeypatch.setenv("ROUNDS_STORE_FAR_SECRET", bucket.secret)
    far = {"url": bucket.url, "endpoint": bucket.endpoint}
    folder = str(tmp_path / "data")
    house = House.open(load_settings(data_dir=folder, archive_stores={"far": far}))
    yield house
    house.close()


def test_a_volume_is_built_from_a_bucket(
    far_house: House, doctor: Principal, instance: Callable[..., bytes], tmp_path: Path
) -> None:
    store(far_house, doctor, [Offer("slice", instance(n)) for n in range(1, 6)])
    for path in (tmp_path / "data" / "cache" / "objects").rglob("*/*/*"):
        path.unlink()
    (stack,) = open_stacks(far_house, doctor, SERIES)
    assert stack.array.shape == (5, 16, 24)
    found = instances_of(far_house, doctor, SERIES)
    assert all(one.path.stat().st_size == one.size for one in found)


def test_what_was_acknowledged_is_there_after_the_store_was_killed(
    far_house: House,
    object_server: ObjectServer,
    doctor: Principal,
    instance: Callable[..., bytes],
) -> None:
    acknowledged: list[str] = []
    failed, enough = threading.Event(), threading.Event()

    def send(sender: int) -> None:
        attribution = Attribution(doctor, ["everyone"])
        for number in range(1, MOST):
            ready = stage(far_house, "slice", instance(number, sender + 1))
            try:
                outcome = far_house.committer.submit(ready, attribution).result(60)
            except StoreAwayError:
                failed.set()
                return
            assert outcome.status is Status.TAKEN
            acknowledged.append(outcome.sop_uid)
            if len(acknowledged) >= 40:
                enough.set()

    with ThreadPoolExecutor(SENDERS) as pool:
        sending = [pool.submit(send, sender) for sender in range(SENDERS)]
        assert enough.wait(60)
        object_server.kill()
        for one in sending:
            one.result(120)
    assert failed.is_set()
    with pytest.raises(HubError, match="does not answer"):
        store(far_house, doctor, [Offer("slice", instance(1, 9))])
    object_server.start()
    report = inspect(far_house, Look(deep=True))
    assert (report.known, report.silent) == (len(acknowledged), {})
    assert [one for one in report.problems if one.kind != "extra"] == []
    (outcome,) = store(far_house, doctor, [Offer("slice", instance(1, 9))])
    assert outcome.status is Status.TAKEN
