"""An object store that goes away in the middle of work: nobody is told a lie."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import select
from tests.conftest import SignInByHeader, serving
from tests.gateway.speaking import UID, know, storescu, write_slices
from tests.servers import free_port

from rounds_hub.archive import placing
from rounds_hub.archive.committing import stage
from rounds_hub.archive.inspecting import Look, inspect
from rounds_hub.archive.intake import Attribution
from rounds_hub.archive.models import Instance
from rounds_hub.archive.service import Offer, Status, instances_of, store
from rounds_hub.archive.store import StoreAwayError
from rounds_hub.archive.volumes import open_stacks
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import HubError
from rounds_hub.gateway.listener import Listener
from rounds_hub.house import House
from rounds_hub.settings import load_settings
from rounds_hub.web import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.archive.conftest import ObjectServer

    from rounds_hub.access.principal import Principal

SERIES = "1.2.826.0.1.3680043.10.1338.1.1"
SENDERS, MOST, PORTION = 4, 2000, 5
STOW = {
    "content-type": 'multipart/related; type="application/dicom"; boundary=mark',
    "accept": "application/dicom+json",
}

pytestmark = pytest.mark.xdist_group("object_server")


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


@pytest.fixture
def far_client(far_house: House) -> Iterator[httpx.Client]:
    """Serve that house over HTTP, and return a client of it for a doctor."""
    app = create_app(far_house, SignInByHeader(), "/services/rounds/")
    port, headers = free_port(), {"x-person": "dora doctor"}
    url = f"http://127.0.0.1:{port}/services/rounds/"
    with (
        serving(app, port),
        httpx.Client(base_url=url, headers=headers, timeout=120) as client,
    ):
        yield client


def test_old_objects_move_to_a_bucket_and_are_read_there(
    tmp_path: Path,
    object_server: ObjectServer,
    monkeypatch: pytest.MonkeyPatch,
    doctor: Principal,
    instance: Callable[..., bytes],
) -> None:
    bucket = object_server.bucket()
    monkeypatch.setenv("ROUNDS_STORE_FAR_KEY", bucket.key)
    monkeypatch.setenv("ROUNDS_STORE_FAR_SECRET", bucket.secret)
    far = {"url": bucket.url, "endpoint": bucket.endpoint}
    settings = load_settings(
        data_dir=str(tmp_path / "data"),
        archive_stores={"near": {"url": str(tmp_path / "near")}, "far": far},
        archive_rules=[{"stores": ["near"]}, {"after_days": 90, "stores": ["far"]}],
    )
    house = House.open(settings)
    store(house, doctor, [Offer("slice", instance(n)) for n in range(1, 6)])
    assert placing.move(house, now=utc_now() + timedelta(days=91)).moved == 5
    assert [one.objects for one in placing.status(house)] == [0, 5]
    assert open_stacks(house, doctor, SERIES)[0].array.shape == (5, 16, 24)
    house.close()


class Senders:
    """Two who send through the committer, two by STOW-RS, and DCMTK's storescu.

    Each sends until it hears of a failure; what it was told is kept lies in *told*.
    """

    def __init__(self, house: House, client: httpx.Client, doctor: Principal) -> None:
        self.house, self.doctor = house, doctor
        self.client = client
        self.told: dict[str, list[str]] = {"committer": [], "stow": [], "dimse": []}
        self.heard = ""
        """What storescu was told last."""

    def send(self, sender: int, instance: Callable[..., bytes]) -> None:
        way = "stow" if sender % 2 else "committer"
        for number in range(1, MOST):
            file = instance(number, sender + 1)
            said = self._stow(file) if way == "stow" else self._commit(file)
            if said is None:
                return
            self.told[way].append(said)

    def store(self, port: int, folder: Path) -> None:
        """Send portion after portion with storescu until one is not taken whole."""
        for first in range(0, MOST, PORTION):
            paths = write_slices(folder, range(first, first + PORTION))
            self.heard = storescu(port, *paths)
            kept = self.heard.count("(Success)")
            numbers = range(first, first + kept)
            self.told["dimse"] += [f"{UID}.1.{100_000 + one}" for one in numbers]
            if kept < PORTION:
                return

    def _commit(self, file: bytes) -> str | None:
        attribution = Attribution(self.doctor, ["everyone"])
        ready = stage(self.house, "slice", file)
        try:
            outcome = self.house.committer.submit(ready, attribution).result(60)
        except StoreAwayError:
            return None
        return outcome.sop_uid

    def _stow(self, file: bytes) -> str | None:
        answer = self.client.post(
            "dicomweb/studies", content=in_parts(file), headers=STOW
        )
        if answer.status_code != 200:
            return None
        (stored,) = answer.json()["00081199"]["Value"]
        return str(stored["00081155"]["Value"][0])


@pytest.fixture
def senders(far_house: House, far_client: httpx.Client, doctor: Principal) -> Senders:
    """Return those who will send to that house."""
    return Senders(far_house, far_client, doctor)


def in_parts(file: bytes) -> bytes:
    head = b"--mark\r\nContent-Type: application/dicom\r\n\r\n"
    return head + file + b"\r\n--mark--\r\n"


def test_what_was_acknowledged_is_there_after_the_store_was_killed(
    far_house: House,
    senders: Senders,
    object_server: ObjectServer,
    instance: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    doctor = senders.doctor
    far_house.settings.gateway_port = 0
    know(far_house, "STORESCU")
    with ThreadPoolExecutor(SENDERS + 1) as pool, Listener(far_house) as gateway:
        sending = [pool.submit(senders.send, n, instance) for n in range(SENDERS)]
        sending += [pool.submit(senders.store, gateway.port, tmp_path / "slices")]
        wait_until(lambda: min(map(len, senders.told.values())) >= 15)
        object_server.kill()
        for one in sending:
            one.result(120)
    assert "Refused: OutOfResources" in senders.heard
    with pytest.raises(HubError, match="does not answer"):
        store(far_house, doctor, [Offer("slice", instance(1, 9))])
    object_server.start()
    told = {uid for some in senders.told.values() for uid in some}
    report = inspect(far_house, Look(deep=True))
    assert [one for one in report.problems if one.kind != "extra"] == []
    assert (report.silent, report.known >= len(told)) == ({}, True)
    with far_house.sessions.begin(write=False) as session:
        assert told <= set(session.scalars(select(Instance.uid)))
    (outcome,) = store(far_house, doctor, [Offer("slice", instance(1, 9))])
    assert outcome.status is Status.TAKEN


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)
