"""Several stores that read as one, and the settings that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.archive.store_contract import StoreContract

from rounds_hub.archive.rules import rules_of
from rounds_hub.archive.store import LocalStore, StoreAwayError
from rounds_hub.archive.stores import Stores, open_stores, parts_of
from rounds_hub.errors import NotFoundError, SettingsError
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.archive.conftest import ObjectServer

ONE, TWO = {"url": "one"}, {"url": "two"}


@pytest.fixture
def store(tmp_path: Path) -> Stores:
    parts = {name: LocalStore(tmp_path / name, 0) for name in ("near", "far")}
    return Stores(parts, ["near", "far"])


class TestStores(StoreContract):
    """Two folders that read as one; its ``store`` is the fixture of this module."""


class StoreThatDoesNotAnswer(LocalStore):
    """A store whose server is away."""

    def has(self, sha256: str, size: int | None = None) -> bool:
        raise StoreAwayError(sha256 + str(size))

    def path(self, sha256: str) -> Path:
        raise StoreAwayError(sha256)


def test_new_things_are_in_each_store_for_new_ones(store: Stores) -> None:
    kept = store.put(b"lung")
    assert all(part.has(kept.sha256) for part in store.parts.values())


def test_what_one_store_lost_comes_from_the_other(store: Stores) -> None:
    kept = store.put(b"lung")
    store.parts["near"].remove(kept.sha256)
    assert store.path(kept.sha256).read_bytes() == b"lung"
    assert b"".join(store.read(kept.sha256)) == b"lung"


def test_what_no_store_has_is_said(store: Stores) -> None:
    with pytest.raises(NotFoundError):
        store.path("0" * 64)


def test_a_silent_store_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    away = StoreThatDoesNotAnswer(tmp_path / "away", 0)
    store = Stores({"near": LocalStore(tmp_path / "near", 0), "away": away}, ["near"])
    kept = store.put(b"lung")
    assert store.has(kept.sha256)
    with pytest.raises(StoreAwayError):
        store.has("0" * 64)
    with pytest.raises(StoreAwayError):
        store.path("0" * 64)


def test_a_house_has_one_local_store_by_default(tmp_path: Path) -> None:
    store = open_stores(load_settings(data_dir=str(tmp_path)))
    assert isinstance(store, LocalStore)
    assert list(parts_of(store)) == ["local"]


@pytest.mark.xdist_group("object_server")
def test_a_house_can_have_a_folder_and_a_bucket(
    tmp_path: Path, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = object_server.bucket()
    monkeypatch.setenv("ROUNDS_STORE_BIG_BUCKET_KEY", bucket.key)
    monkeypatch.setenv("ROUNDS_STORE_BIG_BUCKET_SECRET", bucket.secret)
    far = {"url": bucket.url, "endpoint": bucket.endpoint}
    named = {"near": {"url": str(tmp_path / "near")}, "big-bucket": far}
    rules = [{"stores": ["near", "big-bucket"], "copies": 2}]
    settings = load_settings(archive_stores=named, archive_rules=rules)
    kept = open_stores(settings).put(b"lung")
    found = parts_of(open_stores(settings))
    assert [name for name, part in found.items() if part.verify(kept.sha256)] == [
        "near",
        "big-bucket",
    ]


def test_rules_come_in_the_order_of_age() -> None:
    rules = [{"after_days": 90, "stores": ["two"]}, {"stores": ["one"]}]
    settings = load_settings(
        archive_stores={"one": ONE, "two": TWO}, archive_rules=rules
    )
    assert [rule.stores for rule in rules_of(settings)] == [("one",), ("two",)]


@pytest.mark.parametrize(
    ("stores", "rules", "said"),
    [
        pytest.param({"one": {}}, [], "say url", id="no address"),
        pytest.param({"one": {**ONE, "kay": "x"}}, [], "say url", id="a word too much"),
        pytest.param({"one": ONE}, [{"stores": ["two"]}], "Stores: one", id="unknown"),
        pytest.param({"one": ONE}, [{"store": "one"}], "is no rule", id="no stores"),
        pytest.param({"one": ONE}, [{"stores": []}], "is no rule", id="empty"),
        pytest.param(
            {"one": ONE}, [{"stores": ["one"], "copies": 2}], "copies", id="copies"
        ),
        pytest.param(
            {"one": ONE},
            [{"after_days": 9, "stores": ["one"]}],
            "for new objects",
            id="none for new ones",
        ),
        pytest.param(
            {"one": ONE}, [{"stores": ["one"]}] * 2, "the same age", id="twice"
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(
    stores: dict[str, Any], rules: list[dict[str, Any]], said: str
) -> None:
    settings = load_settings(archive_stores=stores, archive_rules=rules)
    with pytest.raises(SettingsError, match=said):
        rules_of(settings)
