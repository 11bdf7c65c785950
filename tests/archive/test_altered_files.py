"""Files altered at random: examined or refused, and nothing else."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pydicom import dcmread

from rounds_hub.archive.checking import Examined, examine
from rounds_hub.archive.codestreams import size_of
from rounds_hub.archive.conformance_rules import look
from rounds_hub.archive.texts import Texts
from rounds_hub.archive.walking import Limits
from rounds_hub.errors import InvalidError
from rounds_kernels.errors import KernelError
from rounds_kernels.headers import index_header
from rounds_kernels.volumes import read_series

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SMALL = Limits(depth=64, elements=20_000, items=5000, size=2**24)

SEEDS = [
    (TEST_FILES / name).read_bytes()
    for name in (
        "CT_small.dcm",
        "MR_small_RLE.dcm",
        "image_dfl.dcm",
        "UN_sequence.dcm",
        "test-SR.dcm",
        "rtplan.dcm",
        "MR_small_bigendian.dcm",
        "nested_priv_SQ.dcm",
    )
]


@settings(max_examples=400, deadline=2000)
@given(
    seed=some.sampled_from(SEEDS),
    changes=some.lists(
        some.tuples(some.floats(0, 1), some.binary(min_size=1, max_size=8)), max_size=8
    ),
    cut=some.one_of(some.none(), some.floats(0, 1)),
)
def test_altered_files_are_examined_or_refused_and_nothing_else(
    seed: bytes, changes: list[tuple[float, bytes]], cut: float | None
) -> None:
    altered = bytearray(seed)
    for place, put in changes:
        at = int(place * (len(altered) - 1))
        altered[at : at + len(put)] = put
    data = bytes(altered[: int(cut * len(altered))] if cut is not None else altered)
    assert said_of(data)


def said_of(data: bytes) -> Examined | str:
    """Return what is said of *data*; any other error goes through."""
    try:
        return examine(data, SMALL)
    except InvalidError as error:
        return str(error)


@settings(max_examples=200, deadline=2000)
@given(some.binary(max_size=400))
def test_bytes_of_no_kind_are_refused(data: bytes) -> None:
    whole = bytes(128) + b"DICM\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00" + data
    with pytest.raises(InvalidError):
        examine(whole, SMALL)


@settings(max_examples=200, deadline=2000)
@given(some.binary(max_size=200))
def test_a_packed_frame_of_any_bytes_has_a_size_or_none(data: bytes) -> None:
    for begin in (b"\xff\xd8\xff", b"\xff\x4f\xff\x51"):
        size = size_of(begin + data, 0, len(data) + len(begin))
        assert size is None or len(size) == 2


@settings(max_examples=200, deadline=2000)
@given(
    charset=some.sampled_from(
        [
            b"",
            b"ISO_IR 100",
            b"ISO_IR 192",
            b"GB18030",
            b"ISO 2022 IR 13\\ISO 2022 IR 87",
            b"\\ISO 2022 IR 149",
            b"\\ISO 2022 IR 58",
            b"\xff\xfe",
            b"ISO_IR 192\\GB18030",
        ]
    ),
    raw=some.binary(max_size=100),
)
def test_text_of_any_bytes_can_be_kept(charset: bytes, raw: bytes) -> None:
    text = Texts({0x00080005: charset, 0x00100010: raw}).text(0x00100010)
    assert "\x00" not in text
    assert text.encode("utf-8").decode("utf-8") == text


@settings(max_examples=200, deadline=2000)
@given(some.text(max_size=30))
def test_a_number_of_any_letters_is_one_or_refused(written: str) -> None:
    texts = Texts({0x00200013: written.encode("utf-8", "replace")})
    try:
        assert isinstance(texts.integer(0x00200013), int)
    except InvalidError as error:
        said = str(error)
        assert said == "(0020,0013) is no whole number."


PICTURES = [
    (TEST_FILES / name).read_bytes()
    for name in (
        "CT_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
        "SC_rgb_small_odd.dcm",
        "examples_palette.dcm",
    )
]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60, deadline=None)
@given(
    seed=some.sampled_from(PICTURES),
    changes=some.lists(
        some.tuples(some.floats(0, 1), some.binary(min_size=1, max_size=6)),
        min_size=1,
        max_size=5,
    ),
)
def test_an_altered_picture_that_is_taken_is_read_or_refused_in_words(
    seed: bytes, changes: list[tuple[float, bytes]]
) -> None:
    altered = bytearray(seed)
    for place, put in changes:
        at = int(place * (len(altered) - 1))
        altered[at : at + len(put)] = put
    data = bytes(altered)
    if isinstance(said_of(data), Examined):
        assert read_of(data)


def read_of(data: bytes) -> object:
    """Return what readers make of *data*: header, volume and findings."""
    found: list[object] = []
    for read in (index_header, lambda one: read_series([one], limit=2**24)):
        try:
            found.append(read(data))
        except KernelError as error:
            found.append(str(error))
    with contextlib.suppress(Exception):  # pydicom raises anything: a finding then
        found.extend(look(dcmread(io.BytesIO(data), stop_before_pixels=True)))
    return found
