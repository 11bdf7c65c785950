"""The contract of a store of bytes, and the local disk that keeps it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from rounds_hub.archive.store import LocalStore
from rounds_hub.errors import InvalidError, NoSpaceError, NotFoundError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator
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


class TestLocalStore(StoreContract):
    """The local disk."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "archive", free_space_bytes=0)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_altered_bytes_do_not_verify(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, free_space_bytes=0)
    path = store.path(store.put(b"lung").sha256)
    path.chmod(0o600)
    path.write_bytes(b"lunG")
    assert not store.verify(path.name)


def test_cut_short_bytes_are_replaced_when_they_come_again(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, free_space_bytes=0)
    path = store.path(store.put(b"lung").sha256)
    path.chmod(0o600)
    path.write_bytes(b"lu")
    store.put(b"lung")
    assert store.verify(path.name)


def test_the_disk_is_never_filled(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, free_space_bytes=2**60)
    with pytest.raises(NoSpaceError, match="stay free"):
        store.put(b"lung")
    assert [path.suffix for path in files_below(tmp_path)] == [".lock"]


def test_a_source_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"lung"
        raise ConnectionResetError

    store = LocalStore(tmp_path, free_space_bytes=0)
    with pytest.raises(ConnectionResetError):
        store.put(breaking())
    assert [path.suffix for path in files_below(tmp_path)] == [".lock"]


def test_a_full_disk_leaves_nothing_half_stored(small_disk: Path) -> None:
    store = LocalStore(small_disk / "archive", free_space_bytes=0)
    first = store.put(os.urandom(2**19))
    with pytest.raises(NoSpaceError):
        store.put(os.urandom(2**23))
    kept = [path for path in files_below(small_disk) if path.suffix != ".lock"]
    assert [path.name for path in kept] == [first.sha256]
    assert store.verify(first.sha256)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 4 MiB, or skip where that is not allowed."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


DIES_IN_THE_MIDDLE = """
    import os, pathlib, signal, sys
    from rounds_hub.archive.store import LocalStore
    store = LocalStore(pathlib.Path(sys.argv[1]), free_space_bytes=0)
    store.stage(b"lung")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    script = textwrap.dedent(DIES_IN_THE_MIDDLE)
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(files_below(tmp_path / "temporary")) == 2
    assert LocalStore(tmp_path, 0).sweep_temporaries() == 1
    assert files_below(tmp_path / "temporary") == []


def test_what_a_living_process_writes_is_not_swept(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, free_space_bytes=0)
    staged = store.stage(b"lung")
    assert LocalStore(tmp_path, 0).sweep_temporaries() == 0
    assert store.keep([staged])[0].size == 4


def test_a_closed_store_leaves_no_temporary_folder(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, free_space_bytes=0)
    store.stage(b"lung")
    del store
    assert files_below(tmp_path / "temporary") == []
