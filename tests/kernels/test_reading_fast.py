"""The quick reader gives what pydicom gives, and no bytes can hang or crash either."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from rounds_kernels import phantoms
from rounds_kernels.errors import (
    KernelError,
    SeriesTooLargeError,
    UnreadableInstanceError,
)
from rounds_kernels.guard import Bounds, Encoding, check_structure, inflate
from rounds_kernels.instances import PlainInstance, open_instance
from rounds_kernels.pixels import LIMIT
from rounds_kernels.planes import planes_of
from rounds_kernels.volumes import Volume, read_series
from rounds_kernels.walker import walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.uid import UID

    Series = list[Dataset]
    AsFile = Callable[[Dataset], bytes]

ITEM = b"\xfe\xff\x00\xe0"
garbled = pytest.mark.filterwarnings("ignore")


def one_file() -> bytes:
    buffer = BytesIO()
    dataset = phantoms.to_dicom(phantoms.sphere())[12]
    dataset.ReferencedImageSequence = Sequence([Dataset(), Dataset()])
    dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"
    dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


FILE = one_file()


def in_syntax(dataset: Dataset, syntax: UID) -> bytes:
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    dataset.save_as(
        buffer,
        enforce_file_format=True,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
    )
    return buffer.getvalue()


def by_pydicom(data: bytes) -> Volume | None:
    """Return the volume by the slow way, or None where pydicom gives up."""
    try:
        return read_series([dcmread(BytesIO(data), force=True)], limit=1 << 26)
    except Exception:  # noqa: BLE001 - pydicom raises anything on garbled bytes
        return None


def same(one: Volume, other: Volume) -> bool:
    return one.header() == other.header() and np.array_equal(one.array, other.array)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_plain_files_go_the_quick_way(syntax: UID, series: Series) -> None:
    instance = open_instance(in_syntax(series[0], syntax), LIMIT)
    assert isinstance(instance, PlainInstance)


def test_the_quick_way_passes_sequences_of_undefined_length() -> None:
    assert isinstance(open_instance(FILE, LIMIT), PlainInstance)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_both_ways_give_the_same_volume(syntax: UID, series: Series) -> None:
    files = [in_syntax(dataset, syntax) for dataset in series]
    slow = [dcmread(BytesIO(file)) for file in files]
    assert same(read_series(files), read_series(slow))


def test_both_ways_give_the_same_attributes() -> None:
    quick, slow = (
        next(planes_of(open_instance(source, LIMIT))).attributes
        for source in (FILE, dcmread(BytesIO(FILE)))
    )
    assert quick == slow


def test_both_ways_agree_on_real_series(shared_data: Path) -> None:
    paths = sorted((shared_data / "dicom_formats/dcmqi").rglob("*.dcm"))
    quick = [path for path in paths if walk(path.read_bytes())]
    for path in quick:
        assert same(read_series([path]), read_series([dcmread(path)]))
    assert len(quick) > 5


def test_big_endian_is_read(series: Series) -> None:
    little = read_series(series)
    for dataset in series:
        words = np.frombuffer(dataset.PixelData, "<i2").astype(">i2")
        dataset.PixelData = words.tobytes()
    files = [in_syntax(dataset, ExplicitVRBigEndian) for dataset in series]
    assert np.array_equal(read_series(files).array, little.array)


def test_deflated_is_read(series: Series) -> None:
    expected = read_series(series)
    files = [in_syntax(each, DeflatedExplicitVRLittleEndian) for each in series]
    assert same(read_series(files), expected)


def test_a_data_set_without_prefix_is_read(series: Series) -> None:
    buffer = BytesIO()
    series[0].save_as(buffer, enforce_file_format=False)
    start = FILE.index(b"DICM") + 4
    assert read_series([FILE[start:], FILE]).array.shape[0] == 1


def test_a_long_header_is_read_to_its_end(series: Series, tmp_path: Path) -> None:
    series[0].add_new(0x00291010, "OB", b"\1" * 100_000)
    series[0].save_as(tmp_path / "long.dcm", enforce_file_format=True)
    assert isinstance(open_instance(tmp_path / "long.dcm", LIMIT), PlainInstance)


def test_a_file_that_is_not_there_is_named_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInstanceError) as caught:
        read_series([tmp_path / "secret.dcm"])
    assert "secret" not in str(caught.value)


@garbled
@settings(max_examples=150, deadline=None)
@given(end=st.integers(0, len(FILE) - 1))
def test_a_file_cut_anywhere_is_refused_in_words(end: int) -> None:
    with pytest.raises(KernelError):
        read_series([FILE[:end]])


@garbled
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.lists(
        st.tuples(st.integers(132, 2200), st.integers(0, 255)), min_size=1, max_size=6
    )
)
def test_a_garbled_file_is_read_alike_or_refused_in_words(
    changes: list[tuple[int, int]],
) -> None:
    data = bytearray(FILE)
    for where, value in changes:
        data[min(where, len(data) - 2049)] = value
    try:
        volume = read_series([bytes(data)], limit=1 << 26)
    except KernelError:
        return
    slow = by_pydicom(bytes(data))
    assert slow is None or same(volume, slow)


@garbled
@settings(max_examples=100, deadline=None)
@given(noise=st.binary(max_size=600))
def test_noise_after_the_prefix_is_refused_in_words(noise: bytes) -> None:
    with pytest.raises(KernelError):
        read_series([bytes(128) + b"DICM" + noise])


def test_sequences_nested_without_end_are_refused() -> None:
    opened = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + ITEM + b"\xff\xff\xff\xff"
    start = FILE.index(b"\x08\x00\x16\x00UI")
    with pytest.raises(UnreadableInstanceError, match="deeper than 64"):
        read_series([FILE[:start] + opened * 20_000])


def test_elements_without_end_are_refused() -> None:
    element = struct.pack("<HH2sH", 8, 8, b"CS", 0)
    with pytest.raises(UnreadableInstanceError, match="more than 50 elements"):
        check_structure(element * 100, 0, Encoding(), Bounds(elements=50))


def test_a_small_deflated_file_cannot_grow_without_end() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(bytes(1 << 20)) + packer.flush()
    with pytest.raises(SeriesTooLargeError, match="beyond 4096 bytes"):
        inflate(packed, Bounds(inflated=4096))


def test_a_deflated_file_that_ends_early_is_refused() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(bytes(1 << 10)) + packer.flush()
    with pytest.raises(UnreadableInstanceError, match="ends early"):
        inflate(packed[:-4])


def test_frames_that_no_pixels_back_are_refused(series: Series) -> None:
    series[0].Rows = series[0].Columns = 1
    series[0].NumberOfFrames = 500_000_000
    with pytest.raises(UnreadableInstanceError, match="500000000 frames"):
        read_series(series[:1])
