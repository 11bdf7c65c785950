"""The index of a header has the values that pydicom gives, and bounds of its own."""

from __future__ import annotations

import logging
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from rounds_hub.bench.base import run
from rounds_hub.bench.header_index import races
from rounds_kernels.errors import KernelError, UnreadableInstanceError
from rounds_kernels.header_values import of_header
from rounds_kernels.headers import index_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_kernels.attributes import Attributes

DATA = Path(pydicom.__file__).parent / "data"
BUNDLED = sorted(path.relative_to(DATA) for path in DATA.rglob("*.dcm"))
CT = (DATA / "test_files" / "CT_small.dcm").read_bytes()
META = (
    bytes(128)
    + b"DICM"
    + struct.pack("<HH2sH20s", 2, 16, b"UI", 20, b"1.2.840.10008.1.2.1\0")
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("pydicom").setLevel(logging.CRITICAL)
        yield


def by_pydicom(source: Path | BytesIO) -> Attributes | None:
    """Return what pydicom gives, None where it is no DICOM for it."""
    try:
        return of_header(dcmread(source, stop_before_pixels=True))
    except (InvalidDicomError, AttributeError, ValueError, LookupError):
        return None


def ours(source: Path | bytes) -> Attributes | None:
    try:
        return index_header(source).attributes
    except KernelError:
        return None


@pytest.mark.parametrize("name", BUNDLED, ids=str)
def test_a_file_has_the_values_that_pydicom_gives(name: Path) -> None:
    assert by_name(ours(DATA / name)) == by_name(by_pydicom(DATA / name))


def by_name(found: Attributes | None) -> str:
    return "nothing" if found is None else repr(sorted(found.items()))


def test_real_files_have_the_values_that_pydicom_gives(shared_data: Path) -> None:
    paths = sorted(shared_data.rglob("*.dcm"))[::4]
    assert len(paths) > 100
    otherwise = [path.name for path in paths if ours(path) != by_pydicom(path)]
    assert otherwise == []


def test_most_files_need_no_pydicom() -> None:
    read = [name for name in BUNDLED if ours(DATA / name) is not None]
    quick = [name for name in read if index_header(DATA / name).quick]
    assert len(quick) > 0.9 * len(read)


def test_the_index_names_the_transfer_syntax() -> None:
    assert index_header(CT).syntax == "1.2.840.10008.1.2.1"


def test_bytes_and_file_give_the_same() -> None:
    assert index_header(CT) == index_header(DATA / "test_files" / "CT_small.dcm")


def test_a_file_that_is_not_there_is_told_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInstanceError, match="cannot be opened") as caught:
        index_header(tmp_path / "secret.dcm")
    assert "secret" not in str(caught.value)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "nothing.dcm").touch()
    with pytest.raises(UnreadableInstanceError, match="It is empty"):
        index_header(tmp_path / "nothing.dcm")


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(b"\x08\x00\x40\x11SQ\0\0" + b"\xff" * 4, id="sequences"),
        pytest.param(b"\x09\x00\x10\x10UN\0\0" + b"\xff" * 4, id="unknown"),
    ],
)
def test_nesting_without_end_is_refused(made: bytes) -> None:
    opened = made + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(UnreadableInstanceError, match="deeper than 64"):
        index_header(META + opened * 10_000)


def test_what_is_deflated_cannot_grow_without_end() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(bytes(70 << 20)) + packer.flush()
    meta = META.replace(b"1.2.1\0", b"1.2.1.99")
    meta = meta.replace(b"UI\x14\0", b"UI\x16\0")
    with pytest.raises(KernelError, match="grows beyond"):
        index_header(meta + packed)


@example(changes=[(1370, 0)], end=None)  # a number that begins with a NUL
@settings(max_examples=150, deadline=None)
@given(
    changes=some.lists(
        some.tuples(some.integers(132, 6000), some.integers(0, 255)), max_size=6
    ),
    end=some.one_of(some.none(), some.integers(0, len(CT))),
)
def test_a_garbled_header_has_the_values_that_pydicom_gives_or_is_refused(
    changes: list[tuple[int, int]], end: int | None
) -> None:
    data = bytearray(CT)
    for where, value in changes:
        data[where] = value
    try:
        found = index_header(bytes(data[:end]))
    except KernelError:
        return
    expected = by_pydicom(BytesIO(bytes(data[:end])))
    assert by_name(found.attributes) == by_name(expected)


def test_the_row_header_is_fair() -> None:
    rows = [run(race) for race in races(quick=True)]
    assert [(row.peer, row.equal) for row in rows] == [("pydicom", True)] * 2
