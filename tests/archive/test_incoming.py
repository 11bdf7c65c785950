"""A file that is hashed by another thread while it is written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from rounds_hub.archive.staging import Staging
from rounds_hub.errors import NoSpaceError, TooLargeError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path, free_space_bytes=0)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([], id="nothing"),
        pytest.param([10], id="so little that no thread is told of it"),
        pytest.param([2**17 - 6] * 5, id="units of the wire"),
        pytest.param([2**20 + 1] * 3 + [1], id="large pieces"),
    ],
)
def test_the_hash_is_that_of_all_that_was_written(
    staging: Staging, sizes: list[int]
) -> None:
    pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    incoming = staging.incoming()
    for piece in pieces:
        incoming.write(memoryview(piece))
    incoming.end()
    found = incoming.staged()
    assert found.sha256 == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert found.path.read_bytes() == b"".join(pieces)


def test_what_stays_is_synced_by_its_writer(staging: Staging) -> None:
    stays, goes = staging.incoming(stays=True), staging.incoming()
    assert (stays.staged().synced, goes.staged().synced) == (True, False)


def test_too_much_is_refused_before_it_is_written(staging: Staging) -> None:
    incoming = staging.incoming(limit=10)
    incoming.write(b"0123456789")
    with pytest.raises(TooLargeError, match="more than the 10 bytes"):
        incoming.write(b"0")
    assert incoming.staged().size == 10


def test_a_disk_that_would_be_filled_is_left_alone(staging: Staging) -> None:
    staging.free_space_bytes = 2**60
    with pytest.raises(NoSpaceError):
        staging.incoming().write(b"lung")


def test_what_is_discarded_is_gone_while_it_is_hashed(staging: Staging) -> None:
    incoming = staging.incoming()
    incoming.write(bytes(2**21))
    incoming.discard()
    incoming.discard()
    assert not incoming.path.exists()
