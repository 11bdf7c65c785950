"""The local disk as a store of bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from tests.archive.store_contract import StoreContract

from rounds_hub.archive.store import LocalStore
from rounds_hub.errors import NoSpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
