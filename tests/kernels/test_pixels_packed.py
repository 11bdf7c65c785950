"""Packed pixels are unpacked by every installed decoder, and damaged ones refused."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from rounds_kernels import isolated, isolated_decoder
from rounds_kernels.errors import KernelError, PixelDecodeError
from rounds_kernels.instances import PlainInstance, open_instance
from rounds_kernels.pixels import LIMIT, codestream_size
from rounds_kernels.planes import planes_of
from rounds_kernels.volumes import read_series

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    from pydicom.dataset import Dataset
    from pydicom.uid import UID

    Series = list[Dataset]
    AsFile = Callable[[Dataset], bytes]


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_packing_changes_nothing(
    syntax: UID, series: Series, as_file: AsFile
) -> None:
    expected = read_series(series).array
    for dataset in series:
        dataset.compress(syntax, generate_instance_uid=False)
    assert np.array_equal(read_series(map(as_file, series)).array, expected)


@pytest.mark.parametrize("picture", ["CT1", "MR3", "MR4", "NM1", "XA1"])
def test_one_picture_is_the_same_in_every_lossless_syntax(
    picture: str, shared_data: Path
) -> None:
    arrays = [
        read_series([shared_data / f"dicom_formats/wg04/{kind}/{picture}_{kind}.dcm"])
        for kind in ("RLE", "JPLL", "JLSL", "J2KR")
    ]
    assert all(np.array_equal(arrays[0].array, other.array) for other in arrays)


@pytest.mark.parametrize("picture", ["MR3", "MR4", "NM1"])
def test_12_bit_jpeg_is_near_its_original(picture: str, shared_data: Path) -> None:
    lossy, exact = (
        read_series([shared_data / f"dicom_formats/wg04/{kind}/{picture}_{kind}.dcm"])
        for kind in ("JPLY", "JPLL")
    )
    off = np.abs(lossy.array - exact.array.astype(np.float64))
    assert off.mean() < 0.01 * np.ptp(exact.array)


def test_a_stream_of_another_size_than_claimed_is_refused(
    series: Series, as_file: AsFile
) -> None:
    series[0].compress(JPEGLSLossless)
    series[0].Rows = 31
    with pytest.raises(PixelDecodeError, match=r"packed as 32 x 32 .* claims 31 x 32"):
        read_series([as_file(series[0])])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_damaged_streams_are_refused_in_words(syntax: UID, series: Series) -> None:
    series[0].compress(syntax)
    series[0].PixelData = encapsulate([series[0].PixelData[16:60]])
    with pytest.raises(KernelError, match=r"Frame 1"):
        read_series(series[:1])


class InstanceWhosePictureIsSmaller(PlainInstance):
    """One that unpacks to fewer rows than its header claims."""

    def picture(self, index: int) -> npt.NDArray[Any]:
        return super().picture(index)[1:]


def test_a_picture_of_another_shape_than_claimed_is_refused(
    series: Series, as_file: AsFile
) -> None:
    plain = open_instance(as_file(series[0]), LIMIT)
    assert isinstance(plain, PlainInstance)
    odd = InstanceWhosePictureIsSmaller(plain.source, plain.header)
    with pytest.raises(PixelDecodeError, match=r"\(31, 32\) was claimed"):
        next(planes_of(odd)).picture()


def test_a_data_set_with_a_broken_value_is_refused_in_words(series: Series) -> None:
    tag = Tag("Rows")
    series[0][tag] = RawDataElement(tag, "US", 1, b"\1", 0, False, True)  # noqa: FBT003
    with pytest.raises(KernelError, match="Instance 1"):
        read_series(series)


def lossless_jpeg(shared_data: Path) -> Dataset:
    return dcmread(shared_data / "dicom_formats/wg04/JPLL/MR4_JPLL.dcm")


def test_a_decoder_that_comes_to_an_end_takes_nobody_with_it(
    shared_data: Path,
) -> None:
    dataset = lossless_jpeg(shared_data)
    expected, _ = isolated.decode(dataset, 0)
    isolated._running[0].kill()  # noqa: SLF001 - as a damaged frame would
    isolated._running[0].wait()  # noqa: SLF001
    assert np.array_equal(isolated.decode(dataset, 0)[0], expected)


def test_a_forked_process_asks_a_decoder_of_its_own(shared_data: Path) -> None:
    dataset = lossless_jpeg(shared_data)
    expected, _ = isolated.decode(dataset, 0)
    child = os.fork()
    if child == 0:
        same = np.array_equal(isolated.decode(dataset, 0)[0], expected)
        isolated._end()  # noqa: SLF001 - this process ends without its exit handlers
        os._exit(0 if same else 1)
    assert np.array_equal(isolated.decode(dataset, 0)[0], expected)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_threads_are_served_in_turn(shared_data: Path) -> None:
    dataset = lossless_jpeg(shared_data)
    expected, _ = isolated.decode(dataset, 0)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: isolated.decode(dataset, 0)[0], range(8)))
    assert all(np.array_equal(one, expected) for one in found)


def test_garbled_jpeg_is_refused_in_words(shared_data: Path) -> None:
    dataset = lossless_jpeg(shared_data)
    noise = np.random.default_rng(3)
    good = bytearray(dataset.PixelData)
    for _ in range(12):
        bad = good.copy()
        for where in noise.integers(20, 400, 6):
            bad[where] = noise.integers(256)
        dataset.PixelData = bytes(bad)
        with suppress(KernelError):
            read_series([dataset])
    dataset.PixelData = bytes(good)
    assert read_series([dataset]).array.shape == (1, 512, 512)


def test_the_decoder_serves_until_nobody_asks_more(shared_data: Path) -> None:
    request = isolated._one_frame(lossless_jpeg(shared_data), 0)  # noqa: SLF001
    answer = isolated_decoder.answer(request)
    assert b'"shape": [512, 512]' in answer[:200]


def test_the_decoder_says_what_it_cannot_read() -> None:
    assert b"InvalidDicomError" in isolated_decoder.answer(b"noise")


def test_a_whole_number_of_frames_of_a_loop_is_read(
    series: Series, as_file: AsFile
) -> None:
    first = series[0]
    first.NumberOfFrames = 24
    first.PixelData = b"".join(dataset.PixelData for dataset in series)
    expected = np.stack([read_series([dcmread(BytesIO(as_file(first)))]).array])[0]
    first.compress(JPEGLSLossless)
    assert np.array_equal(read_series([as_file(first)]).array, expected)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xd8\xff", id="ends in a marker"),
        pytest.param(b"\xff\x4f\xff\x51\0", id="ends in a size"),
        pytest.param(b"\xff\xd8\xff\xe0\0\x02\0\0", id="no frame header"),
    ],
)
def test_a_stream_without_a_size_has_none(stream: bytes) -> None:
    assert codestream_size(stream) is None
