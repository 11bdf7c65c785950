"""What is found in folders and archives before anything is read."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds_hub.archive.overlays import COLOURS, over
from rounds_hub.archive.sources import (
    Bounds,
    Found,
    is_archive,
    look,
    opened,
    unpacked,
    why_skipped,
)
from rounds_hub.archive.store import LocalStore
from rounds_hub.errors import InvalidError, TooLargeError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Return a store for temporary files."""
    return LocalStore(tmp_path / "archive", free_space_bytes=0)


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def names_in(path: Path, store: LocalStore, bounds: Bounds | None = None) -> list[str]:
    found = Found(path.name, path)
    with opened(found, store, bounds or Bounds()) as entries:
        return [entry.name for entry in entries]


def test_a_folder_is_gone_over_in_order(tmp_path: Path) -> None:
    folder = filled(tmp_path / "disc", "b", "a", "sub/2", "sub/1", "other/3")
    assert [found.name for found in look([folder]).files] == [
        "disc/a",
        "disc/b",
        "disc/sub/1",
        "disc/sub/2",
        "disc/other/3",
    ]


def test_archives_come_after_single_files(tmp_path: Path) -> None:
    folder = filled(tmp_path / "disc", "a.zip", "b", "c.tar.gz")
    listing = look([folder])
    assert [found.name for found in listing.archives] == [
        "disc/a.zip",
        "disc/c.tar.gz",
    ]
    assert listing.total == 1


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert look([tmp_path]).total == 0


def test_a_link_that_a_person_names_is_followed(tmp_path: Path) -> None:
    filled(tmp_path / "disc", "a")
    (tmp_path / "link").symlink_to(tmp_path / "disc")
    assert [found.name for found in look([tmp_path / "link"]).files] == ["link/a"]


def test_a_link_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (found,) = look([tmp_path / "link"]).files
    assert found.why == "It is no regular file."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    closed = filled(tmp_path / "disc", "closed/a") / "closed"
    closed.chmod(0)
    (found,) = look([tmp_path / "disc"]).files
    closed.chmod(0o700)
    assert found.why == "It cannot be read: Permission denied."


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("DICOMDIR", True),
        ("disc/dicomdir", True),
        (".DS_Store", True),
        ("__MACOSX/a/._1.dcm", True),
        ("._1.dcm", True),
        ("Thumbs.db", True),
        ("1.dcm", False),
        ("DICOMDIR.dcm", False),
        (".hidden", False),
    ],
)
def test_what_is_no_fault_of_anybody_is_passed_over(
    name: str, *, skipped: bool
) -> None:
    assert bool(why_skipped(name)) == skipped


@pytest.mark.parametrize(
    ("name", "archive"),
    [("a.zip", True), ("a.TGZ", True), ("a.gz", False), ("a.zip.dcm", False)],
)
def test_an_archive_is_known_by_its_name(name: str, *, archive: bool) -> None:
    assert is_archive(name) == archive


def test_a_zip_with_a_comment_is_opened(tmp_path: Path, store: LocalStore) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("1", b"x")
        made.comment = b"from the scanner" * 100
    assert names_in(path, store) == ["a.zip/1"]


def test_a_large_zip_is_opened(tmp_path: Path, store: LocalStore) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", allowZip64=True) as made:
        for number in range(66_000):  # more than a plain zip can have
            made.writestr(zipfile.ZipInfo(str(number)), b"")
    assert len(names_in(path, store)) == 66_000


def test_a_list_of_names_that_would_fill_the_memory_is_refused(
    tmp_path: Path, store: LocalStore
) -> None:
    path = tmp_path / "a.zip"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 2**31, 0, 0)
    path.write_bytes(bytes(1000) + end)
    with pytest.raises(InvalidError, match="list of names has more than 16 MiB"):
        names_in(path, store)


def test_a_list_of_names_hidden_in_a_zip64_record_is_refused(
    tmp_path: Path, store: LocalStore
) -> None:
    path = tmp_path / "a.zip"
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, 2**40, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 100, 0, 0)
    path.write_bytes(record + locator + end)
    with pytest.raises(InvalidError, match="list of names"):
        names_in(path, store)


def test_links_and_devices_in_a_tar_are_passed_over(
    tmp_path: Path, store: LocalStore
) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as made:
        for name, kind in (("l", tarfile.SYMTYPE), ("d", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            made.addfile(info)
        plain = tarfile.TarInfo("1")
        plain.size = 1
        made.addfile(plain, io.BytesIO(b"x"))
    assert names_in(path, store) == ["a.tar/1"]


def test_a_header_of_a_tar_that_would_fill_the_memory_is_refused(
    tmp_path: Path, store: LocalStore
) -> None:
    path = tmp_path / "a.tar"
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 2**30
    path.write_bytes(header.tobuf() + bytes(10_240))
    with pytest.raises(InvalidError, match="cannot be unpacked"):
        names_in(path, store)


def test_a_tar_that_would_unpack_to_too_much_is_refused(
    tmp_path: Path, store: LocalStore
) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as made:
        info = tarfile.TarInfo("1")
        info.size = 2000
        made.addfile(info, io.BytesIO(bytes(2000)))
    with pytest.raises(TooLargeError, match="unpack to more than"):
        names_in(path, store, Bounds(size=1000))


def test_an_archive_in_an_archive_is_not_opened(store: LocalStore) -> None:
    with (
        pytest.raises(InvalidError, match="unpack it first"),
        opened(Found("a.zip", lambda: iter(())), store, Bounds()),
    ):
        pass


def test_a_very_long_name_is_shortened(tmp_path: Path, store: LocalStore) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("n" * 5000, b"x")
    assert len(names_in(path, store)[0]) == 400


def test_a_gzip_is_unpacked_within_bounds(tmp_path: Path, store: LocalStore) -> None:
    import gzip

    packed, plain = tmp_path / "a.gz", tmp_path / "a"
    packed.write_bytes(gzip.compress(b"lung" * 1000))
    unpacked(packed, plain, store, Bounds())
    assert plain.read_bytes() == b"lung" * 1000
    with pytest.raises(TooLargeError):
        unpacked(packed, plain, store, Bounds(size=100))


def test_a_segment_colours_what_it_covers() -> None:
    picture = np.full((4, 4), 100, np.uint8)
    labels = np.zeros((4, 4), np.uint8)
    labels[:2] = 1
    shown = over(picture, labels)
    assert shown[3, 0].tolist() == [100, 100, 100]
    assert shown[0, 0].tolist() == pytest.approx(
        (100 * 0.55 + COLOURS[0] * 0.45).tolist(), abs=1
    )


def test_segments_have_colours_of_their_own() -> None:
    labels = np.arange(1, 9, dtype=np.uint8).reshape(1, 8)
    shown = over(np.zeros((1, 8), np.uint8), labels)[0]
    assert len({tuple(colour) for colour in shown[:7].tolist()}) == 7
    assert shown[7].tolist() == shown[0].tolist()


def test_a_colour_picture_keeps_its_colours_where_nothing_is_laid() -> None:
    picture = np.dstack([np.full((2, 2), value, np.uint8) for value in (9, 8, 7)])
    assert np.array_equal(over(picture, np.zeros((2, 2), np.uint8)), picture)
