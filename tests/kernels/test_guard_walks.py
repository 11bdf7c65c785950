"""The walk over untrusted bytes counts what is there and enters what it must."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rounds_kernels.errors import UnreadableInstanceError
from rounds_kernels.guard import Bounds, Encoding, check_structure, inflate

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD
LONG = {b"SQ", b"OB", b"OW", b"UN"}


def element(tag: int, vr: bytes, value: bytes, order: str = "<") -> bytes:
    """Return one element in explicit VR."""
    head = struct.pack(f"{order}HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in LONG:
        return head + struct.pack(f"{order}HI", 0, len(value)) + value
    return head + struct.pack(f"{order}H", len(value)) + value


def opened(tag: int, order: str = "<") -> bytes:
    """Return the start of a sequence of undefined length."""
    head = struct.pack(f"{order}HH2sH", tag >> 16, tag & 0xFFFF, b"SQ", 0)
    return head + struct.pack(f"{order}I", UNDEFINED)


def mark(which: int, length: int = 0, order: str = "<") -> bytes:
    return struct.pack(f"{order}HHI", 0xFFFE, which, length)


def nested(depth: int, order: str = "<") -> bytes:
    """Return *depth* sequences of undefined length, each in the one before."""
    start = (opened(0x00081140, order) + mark(ITEM, UNDEFINED, order)) * depth
    end = (mark(ITEM_END, 0, order) + mark(SEQUENCE_END, 0, order)) * depth
    return start + element(0x00080060, b"CS", b"CT", order) + end


@pytest.mark.parametrize("order", ["<", ">"])
def test_nesting_up_to_the_bound_is_let_through(order: str) -> None:
    encoding = Encoding(little=order == "<")
    check_structure(nested(64, order), 0, encoding, Bounds(depth=64))


@pytest.mark.parametrize("order", ["<", ">"])
def test_nesting_beyond_the_bound_is_refused(order: str) -> None:
    encoding = Encoding(little=order == "<")
    with pytest.raises(UnreadableInstanceError, match="deeper than 8"):
        check_structure(nested(9, order), 0, encoding, Bounds(depth=8))


def test_nesting_by_lengths_is_counted_too() -> None:
    inner = element(0x00080060, b"CS", b"CT")
    for _ in range(9):
        inner = element(0x00081140, b"SQ", mark(ITEM, len(inner)) + inner)
    with pytest.raises(UnreadableInstanceError, match="deeper than 8"):
        check_structure(inner, 0, Encoding(), Bounds(depth=8))


def test_sequences_side_by_side_are_not_deep() -> None:
    flat = nested(1) * 500
    check_structure(flat, 0, Encoding(), Bounds(depth=2))


def test_elements_inside_sequences_are_counted() -> None:
    inner = element(0x00080060, b"CS", b"CT") * 60
    whole = opened(0x00081140) + mark(ITEM, len(inner)) + inner
    with pytest.raises(UnreadableInstanceError, match="more than 50 elements"):
        check_structure(whole, 0, Encoding(), Bounds(elements=50))


def test_packed_pixels_are_no_elements() -> None:
    noise = bytes(range(256)) * 40
    head = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, UNDEFINED)
    packed = head + mark(ITEM) + mark(ITEM, len(noise)) + noise + mark(SEQUENCE_END)
    after = element(0xFFFCFFFC, b"OB", b"")
    check_structure(packed + after, 0, Encoding(), Bounds(depth=1, elements=5))


def test_a_length_beyond_the_end_ends_the_walk() -> None:
    head = struct.pack("<HH2sHI", 0x0042, 0x11, b"OB", 0, 0xFFFFFFF0)
    check_structure(head + b"short", 0, Encoding())


def test_what_stands_before_the_data_set_does_not_count() -> None:
    before = nested(30)
    check_structure(before + nested(1), len(before), Encoding(), Bounds(depth=2))


@settings(max_examples=200, deadline=None)
@given(noise=st.binary(max_size=2000), explicit=st.booleans(), little=st.booleans())
def test_noise_never_hangs_the_walk(
    noise: bytes, *, explicit: bool, little: bool
) -> None:
    try:
        check_structure(noise, 0, Encoding(explicit, little), Bounds(elements=5000))
    except UnreadableInstanceError as error:
        said = str(error)
    else:
        said = ""
    assert said == "" or "refused" in said


@settings(max_examples=100, deadline=None)
@given(noise=st.binary(min_size=1, max_size=500))
def test_noise_is_no_deflated_data_set(noise: bytes) -> None:
    try:
        plain = inflate(noise)
    except UnreadableInstanceError:
        return
    assert isinstance(plain, bytes)
