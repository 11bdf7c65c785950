"""Folders, zips and tars on their way into the archive."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from rounds_hub.archive.importing import Progress, Summary, import_paths
from rounds_hub.archive.sources import Bounds, Found, opened
from rounds_hub.errors import ForbiddenError, InvalidError, NoSpaceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

    MakeBytes = Callable[..., bytes]


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return path


def why(summary: Summary) -> str:
    (problem,) = summary.problems
    return problem.why


def nested(instance: MakeBytes, depth: int) -> bytes:
    """Return an instance with sequences in sequences."""
    inside = b""
    for _ in range(depth):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(inside)) + inside
        inside = struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, len(item)) + item
    return instance() + inside


def lying(instance: MakeBytes) -> bytes:
    """Return an instance whose pixel data say that they are longer than the file."""
    whole = instance()
    at = whole.rfind(b"\xe0\x7f\x10\x00OW")
    return whole[: at + 8] + b"\xf0\xff\xff\x7f" + whole[at + 12 :]


def other_meta(instance: MakeBytes) -> bytes:
    """Return an instance whose meta information is that of another one."""
    whole = instance(1)
    at = whole.rfind(b".1.1.1\x00")
    return whole[:at] + b".1.1.9\x00" + whole[at + 7 :]


def deflated_bomb(instance: MakeBytes) -> bytes:
    """Return a small deflated instance that would be inflated to 300 MB."""
    whole = instance(7)
    start = whole.find(b"\x08\x00\x16\x00")
    head = whole[:start].replace(b"1.2.840.10008.1.2.1\x00", b"1.2.840.10008.1.2.1.99")
    at = head.find(b"\x02\x00\x10\x00UI") + 6
    head = head[:at] + struct.pack("<H", 22) + head[at + 2 :]
    head = head[:140] + struct.pack("<L", len(head) - 144) + head[144:]
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"".join(packer.compress(bytes(2**20)) for _ in range(300))
    return head + packer.compress(whole[start:]) + zeros + packer.flush()


def broken_files(instance: MakeBytes) -> dict[str, bytes]:
    """Return 20 files, each broken in its own way."""
    whole = instance(50)
    return {
        "empty.dcm": b"",
        "garbage.dcm": os.urandom(4000),
        "letter.txt": b"Dear colleague,",
        "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(500),
        "report.pdf": b"%PDF-1.7" + bytes(500),
        "preamble.dcm": bytes(128) + b"DICM",
        "cut-in-pixels.dcm": whole[:-100],
        "cut-in-header.dcm": whole[:300],
        "cut-in-meta.dcm": whole[:150],
        "trailing.dcm": whole + b"\x00\x01\x02",
        "no-sop-uid.dcm": instance(51, SOPInstanceUID=None),
        "no-study-uid.dcm": instance(52, StudyInstanceUID=None),
        "bad-uid.dcm": instance(53).replace(b".1338.1.1\x00", b"../../etc\x00"),
        "lying-length.dcm": lying(instance),
        "nested.dcm": nested(instance, 5000),
        "deflated-bomb.dcm": deflated_bomb(instance),
        "too-few-pixels.dcm": instance(54, Rows=17),
        "too-many-pixels.dcm": instance(55, Rows=7),
        "no-pixels.dcm": instance(56, PixelData=None),
        "other-meta.dcm": other_meta(instance),
    }


@pytest.fixture
def mixed(tmp_path: Path, instance: MakeBytes) -> Path:
    """Return a folder of 100 files, 20 of them broken."""
    folder = tmp_path / "mixed"
    for number in range(80):
        place = folder / f"series-{number % 4}" / f"{number}.dcm"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(instance(number + 1, number % 4 + 1, number % 2 + 1))
    for name, content in broken_files(instance).items():
        (folder / name).write_bytes(content)
    return folder


def test_of_100_mixed_files_80_are_taken_and_20_named(
    any_house: House, doctor: Principal, mixed: Path, instance: MakeBytes
) -> None:
    summary = import_paths(any_house, doctor, [mixed])
    named = {problem.file.removeprefix("mixed/") for problem in summary.problems}
    assert named == set(broken_files(instance))
    assert (summary.taken, summary.refused, summary.exit_code) == (80, 20, 3)


def test_the_same_folder_again_is_a_no_op(
    any_house: House, doctor: Principal, mixed: Path
) -> None:
    import_paths(any_house, doctor, [mixed])
    summary = import_paths(any_house, doctor, [mixed])
    assert (summary.taken, summary.same, summary.refused) == (0, 80, 20)


def test_no_message_has_a_path_or_a_patient(
    house: House, doctor: Principal, mixed: Path, tmp_path: Path
) -> None:
    summary = import_paths(house, doctor, [mixed])
    said = " ".join(problem.why for problem in summary.problems)
    assert str(tmp_path) not in said
    assert "Phantom" not in said


def test_files_are_named_from_what_was_given(
    house: House, doctor: Principal, mixed: Path
) -> None:
    summary = import_paths(house, doctor, [mixed])
    assert "mixed/letter.txt" in {problem.file for problem in summary.problems}


def test_progress_counts_what_is_there_for_good(
    house: House, doctor: Principal, mixed: Path
) -> None:
    told: list[Progress] = []
    import_paths(house, doctor, [mixed], progress=told.append)
    assert (told[-1].done, told[-1].total) == (100, 100)


def test_a_zip_is_taken(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    files = {f"a/{number}": instance(number) for number in range(1, 6)}
    summary = import_paths(house, doctor, [zipped(tmp_path / "a.zip", files)])
    assert (summary.taken, summary.exit_code) == (5, 0)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.TGZ"])
def test_a_tar_is_taken(
    name: str, house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    files = {f"a/{number}": instance(number) for number in range(1, 6)}
    path = tarred(tmp_path / name.lower(), files).rename(tmp_path / name)
    assert import_paths(house, doctor, [path]).taken == 5


def test_names_in_a_zip_lead_nowhere(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    files = {"../../outside.dcm": instance(1), "/etc/outside.dcm": instance(2)}
    path = zipped(tmp_path / "a.zip", files)
    assert import_paths(house, doctor, [path]).taken == 2
    assert not list(tmp_path.rglob("outside*"))


def test_control_characters_in_a_name_are_not_shown(
    house: House, doctor: Principal, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "a.zip", {"a\x1b[31m\nred": b"text"})
    (problem,) = import_paths(house, doctor, [path]).problems
    assert problem.file == "a.zip/a [31m red"


def test_a_zip_in_a_zip_is_refused_by_name(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    inner = zipped(tmp_path / "inner.zip", {"a": instance()}).read_bytes()
    path = zipped(tmp_path / "a.zip", {"inner.zip": inner, "b": instance()})
    summary = import_paths(house, doctor, [path])
    assert (summary.taken, why(summary)[:32]) == (1, "It is an archive inside an archi")


def test_an_encrypted_entry_is_refused_by_name(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "a.zip", {"secret.dcm": instance(), "b": b"text"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    summary = import_paths(house, doctor, [path])
    assert summary.problems[0].why == "It is encrypted."


def test_an_entry_that_is_packed_in_another_way_is_refused_by_name(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("1.dcm", instance())
    assert "use plain zip" in why(import_paths(house, doctor, [path]))


def test_a_zip_bomb_is_refused(house: House, doctor: Principal, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made,
        made.open("bomb", "w") as entry,
    ):
        for _ in range(100):
            entry.write(bytes(2**20))
    assert "more than 200 times its size" in why(import_paths(house, doctor, [path]))


def test_a_zip_that_unpacks_to_too_much_is_refused(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    house.settings.max_upload_bytes = 1000
    path = zipped(tmp_path / "a.zip", {"a": instance()})
    assert "unpack to more than" in why(import_paths(house, doctor, [path]))


def test_a_gzip_bomb_is_refused(
    house: House, doctor: Principal, tmp_path: Path
) -> None:
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as made:
        for _ in range(80):
            made.write(bytes(2**20))
    assert "are taken at most" in why(import_paths(house, doctor, [path]))


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_an_archive_with_too_many_entries_is_refused(
    name: str, house: House, tmp_path: Path
) -> None:
    make = zipped if name.endswith("zip") else tarred
    path = make(tmp_path / name, {str(number): b"" for number in range(4)})
    with (
        pytest.raises(InvalidError, match="more than 3 entries"),
        opened(Found(name, path), house.store, Bounds(entries=3)) as entries,
    ):
        list(entries)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
def test_an_archive_that_is_none_is_refused(
    name: str, house: House, doctor: Principal, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(os.urandom(5000))
    assert why(import_paths(house, doctor, [path])).startswith("It cannot be unpacked")


def test_what_lies_before_the_cut_of_a_tar_is_taken(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    path = tarred(tmp_path / "a.tar", {str(n): instance(n) for n in range(1, 6)})
    path.write_bytes(path.read_bytes()[:7000])
    summary = import_paths(house, doctor, [path])
    assert summary.taken == 3
    assert summary.refused >= 1


def test_a_directory_of_a_medium_is_passed_over(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    (tmp_path / "disc").mkdir()
    (tmp_path / "disc" / "DICOMDIR").write_bytes(b"index")
    (tmp_path / "disc" / "I1").write_bytes(instance())
    summary = import_paths(house, doctor, [tmp_path / "disc"])
    assert (summary.taken, summary.skipped, summary.exit_code) == (1, 1, 0)
    assert why(summary) == "It is the directory of a medium, not an instance."


def test_a_link_in_a_folder_is_not_followed(
    house: House, doctor: Principal, instance: MakeBytes, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(instance())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder" / "loop").symlink_to(tmp_path / "folder")
    summary = import_paths(house, doctor, [tmp_path / "folder"])
    assert (summary.taken, summary.skipped) == (0, 2)


def test_a_pipe_is_refused(house: House, doctor: Principal, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    summary = import_paths(house, doctor, [tmp_path / "pipe"])
    assert why(summary) == "It is no regular file."


def test_a_file_that_is_not_there_is_named(
    house: House, doctor: Principal, tmp_path: Path
) -> None:
    summary = import_paths(house, doctor, [tmp_path / "nowhere"])
    assert (summary.exit_code, why(summary)) == (1, "There is no such file.")


def test_nifti_needs_a_modality(
    house: House, doctor: Principal, tmp_path: Path
) -> None:
    (tmp_path / "brain.nii").write_bytes(bytes(400))
    summary = import_paths(house, doctor, [tmp_path / "brain.nii"])
    assert "declare it: CT, MR" in why(summary)


def test_a_modality_that_nobody_knows_is_refused(
    house: House, doctor: Principal
) -> None:
    with pytest.raises(InvalidError, match=r"No modality 'XX'\. Known: CT, MR"):
        import_paths(house, doctor, [], modality="XX")


def test_a_student_may_not_import(
    house: House, student: Principal, mixed: Path
) -> None:
    with pytest.raises(ForbiddenError):
        import_paths(house, student, [mixed])


def test_a_full_disk_is_said(house: House, doctor: Principal, mixed: Path) -> None:
    house.store.free_space_bytes = 2**60
    with pytest.raises(NoSpaceError, match="Make room, then send it again"):
        import_paths(house, doctor, [mixed])
    assert not list(house.store.folder.glob("objects/*/*"))
