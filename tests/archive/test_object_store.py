"""Object storage as a store of bytes, against a real S3-compatible server."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import obstore
import pytest
from tests.archive.conftest import object_store
from tests.archive.store_contract import StoreContract
from tests.servers import free_port

from rounds_hub.archive.fetched import DamagedError
from rounds_hub.archive.objects import WHOLE, Bucket, ObjectStore, open_bucket
from rounds_hub.errors import BusyError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.archive.conftest import ObjectServer

pytestmark = pytest.mark.xdist_group("object_server")


@pytest.fixture
def bucket(object_server: ObjectServer) -> Bucket:
    return object_server.bucket()


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path) -> ObjectStore:
    return object_store(bucket, tmp_path)


class TestObjectStore(StoreContract):
    """S3-compatible object storage; its ``store`` is the fixture of this module."""


def damage(bucket: Bucket, sha256: str, data: bytes) -> None:
    obstore.put(open_bucket(bucket), f"objects/{sha256[:2]}/{sha256}", data)


def fetched(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "fetched").glob("??/*"))


def test_what_was_sent_is_not_fetched_again(
    store: ObjectStore, bucket: Bucket, tmp_path: Path
) -> None:
    kept = store.put(b"lung")
    assert fetched(tmp_path) == [kept.sha256]
    elsewhere = object_store(bucket, tmp_path / "elsewhere")
    assert elsewhere.path(kept.sha256).read_bytes() == b"lung"


def test_large_bytes_go_in_pieces(store: ObjectStore) -> None:
    kept = store.put(os.urandom(WHOLE + 7))
    assert store.has(kept.sha256, WHOLE + 7)
    assert store.verify(kept.sha256)


def test_damaged_bytes_are_not_handed_out(
    store: ObjectStore, bucket: Bucket, tmp_path: Path
) -> None:
    kept = store.put(b"lung")
    damage(bucket, kept.sha256, b"lunG")
    elsewhere = object_store(bucket, tmp_path / "elsewhere")
    assert not elsewhere.verify(kept.sha256)
    with pytest.raises(DamagedError, match="is damaged"):
        elsewhere.path(kept.sha256)
    assert fetched(tmp_path / "elsewhere") == []


def test_cut_short_bytes_are_replaced_when_they_come_again(
    store: ObjectStore, bucket: Bucket
) -> None:
    kept = store.put(b"lung")
    damage(bucket, kept.sha256, b"lu")
    store.put(b"lung")
    assert store.verify(kept.sha256)


def test_the_cache_makes_room_for_what_is_used(bucket: Bucket, tmp_path: Path) -> None:
    store = object_store(bucket, tmp_path, cache=2500, in_use_seconds=0)
    hashes = [store.put(os.urandom(1000)).sha256 for _ in range(4)]
    assert len(fetched(tmp_path)) == 2
    assert all(store.path(sha256).stat().st_size == 1000 for sha256 in hashes)


def test_what_was_just_handed_out_stays(bucket: Bucket, tmp_path: Path) -> None:
    store = object_store(bucket, tmp_path, cache=0)
    paths = store.paths([store.put(os.urandom(1000)).sha256 for _ in range(4)])
    assert all(path.exists() for path in paths)


def test_a_wrong_key_is_a_setting(bucket: Bucket, tmp_path: Path) -> None:
    wrong = replace(bucket, key="somebody")
    with pytest.raises(SettingsError, match="refuses the key"):
        object_store(wrong, tmp_path).put(b"lung")


def test_a_server_that_is_not_there_is_said(bucket: Bucket, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    store = object_store(replace(bucket, name="cold", endpoint=nowhere), tmp_path)
    with pytest.raises(BusyError, match="'cold' does not answer"):
        store.put(b"lung")
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.suffix for path in left] == [".lock"]


def test_an_address_that_names_no_bucket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="s3://bucket/path"):
        object_store(Bucket("cold", "nowhere"), tmp_path)
