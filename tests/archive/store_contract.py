"""The contract of a store of bytes, which every store of bytes inherits."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from rounds_hub.errors import InvalidError, NotFoundError, TooLargeError

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.archive.store import Store


class StoreContract:
    """What every store of bytes must do; a store's own test supplies ``store``."""

    def test_bytes_come_back(self, store: Store) -> None:
        kept = store.put(b"lung")
        with store.open(kept.sha256) as file:
            assert file.read() == b"lung"

    def test_the_name_is_the_hash(self, store: Store) -> None:
        assert store.put(b"lung").sha256 == hashlib.sha256(b"lung").hexdigest()

    def test_the_same_again_changes_nothing(self, store: Store) -> None:
        assert store.put(b"lung") == store.put([b"lu", b"ng"])

    def test_a_file_is_kept_without_being_moved(
        self, store: Store, tmp_path: Path
    ) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"lung" * 2**19)
        kept = store.put(source)
        assert (kept.size, source.exists()) == (2**21, True)

    def test_staged_bytes_are_not_there_yet(self, store: Store) -> None:
        staged = store.stage(b"lung")
        assert not store.has(staged.sha256)

    def test_dropping_twice_changes_nothing(self, store: Store) -> None:
        staged = store.stage(b"lung")
        store.drop(staged)
        store.drop(staged)
        assert not store.has(staged.sha256)

    def test_a_batch_may_have_the_same_bytes_twice(self, store: Store) -> None:
        kept = store.keep([store.stage(b"lung"), store.stage(b"lung")])
        assert kept[0] == kept[1]
        assert store.verify(kept[0].sha256)

    def test_too_much_is_refused(self, store: Store) -> None:
        with pytest.raises(TooLargeError, match="more than the 3 bytes"):
            store.put(b"lung", limit=3)

    def test_what_is_not_there_is_said(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="No object"):
            store.open("0" * 64)

    def test_what_is_not_there_does_not_verify(self, store: Store) -> None:
        assert not store.verify("0" * 64)

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("../../etc/passwd", id="a path"),
            pytest.param("A" * 64, id="upper case"),
            pytest.param("", id="nothing"),
        ],
    )
    def test_a_name_that_is_no_hash_is_refused(self, store: Store, name: str) -> None:
        with pytest.raises(InvalidError, match="64 hexadecimal digits"):
            store.path(name)

    def test_a_file_on_this_machine_holds_the_bytes(self, store: Store) -> None:
        kept = store.put(b"lung")
        assert store.path(kept.sha256).read_bytes() == b"lung"

    def test_many_files_come_in_order(self, store: Store) -> None:
        hashes = [store.put(b"%d" % number).sha256 for number in range(5)]
        found = [path.read_bytes() for path in store.paths(hashes)]
        assert found == [b"0", b"1", b"2", b"3", b"4"]

    def test_what_lies_there_is_listed(self, store: Store) -> None:
        kept = {store.put(b"lung").sha256: 4, store.put(b"liver").sha256: 5}
        assert {one.sha256: one.size for one in store.every()} == kept
        first = min(kept)
        assert [one.sha256 for one in store.every(first[:2])] == [first]

    def test_removing_twice_changes_nothing(self, store: Store) -> None:
        kept = store.put(b"lung")
        store.remove(kept.sha256)
        store.remove(kept.sha256)
        assert not store.has(kept.sha256)

    def test_what_was_set_aside_comes_back(self, store: Store) -> None:
        sha256 = store.put(b"lung").sha256
        assert store.set_aside(sha256)
        assert (store.has(sha256), list(store.every())) == (False, [])
        assert store.bring_back(sha256)
        assert store.verify(sha256)

    def test_what_was_set_aside_can_be_forgotten(self, store: Store) -> None:
        sha256 = store.put(b"lung").sha256
        store.set_aside(sha256)
        store.forget_aside(sha256)
        store.forget_aside(sha256)
        assert not store.bring_back(sha256)

    def test_nothing_is_set_aside_where_nothing_is(self, store: Store) -> None:
        assert not store.set_aside("0" * 64)

    def test_bytes_of_another_size_are_not_these(self, store: Store) -> None:
        kept = store.put(b"lung")
        assert store.has(kept.sha256, 4)
        assert not store.has(kept.sha256, 5)
