"""A volume arrives whole and as announced, or not at all."""

from __future__ import annotations

import io
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds.errors import VolumeStreamError
from rounds.streaming import KEPT, VolumeShelf, fetch_volume, read_npy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from rounds.client import Service
    from rounds_kernels.volumes import Volume

    MakeVolume = Callable[..., Volume]
    Answering = Callable[[type[BaseHTTPRequestHandler]], Service]

BLOCK = np.arange(24 * 1000, dtype=np.int16).reshape(4, 60, 100)


def npy(array: npt.NDArray[Any], *, pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=pickle)
    return file.getvalue()


def pieces(data: bytes, size: int = 1000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.fixture(autouse=True)
def empty_shelf() -> None:
    KEPT.clear()


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_an_array_comes_out_as_it_went_in(size: int) -> None:
    data = npy(BLOCK)
    array = read_npy(pieces(data, size), str(len(data)))
    assert np.array_equal(array, BLOCK)


def test_what_has_arrived_is_told() -> None:
    told: list[int] = []
    read_npy(pieces(npy(BLOCK)), arrived=told.append)
    assert (told == sorted(told), told[-1]) == (True, BLOCK.nbytes)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(npy(BLOCK)[:-1], "Only 47999 of the 48000", id="cut short"),
        pytest.param(npy(BLOCK) + b"x", "More than the 48000", id="too long"),
        pytest.param(b"<html>no</html>", "no .npy file", id="a page instead"),
        pytest.param(b"", "no .npy file", id="nothing"),
        pytest.param(
            npy(np.array([{}]), pickle=True), "comes as object", id="code in it"
        ),
        pytest.param(npy(np.asfortranarray(BLOCK)), "C order", id="turned order"),
    ],
)
def test_another_thing_than_a_volume_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(VolumeStreamError, match=words):
        read_npy(pieces(data))


def test_a_wrong_length_is_refused_before_memory_is_filled() -> None:
    data = npy(BLOCK)
    with pytest.raises(VolumeStreamError, match="the house announces 5"):
        read_npy(pieces(data), "5")


def test_a_huge_header_is_not_read() -> None:
    head = b"\x93NUMPY\x02\x00" + (1 << 30).to_bytes(4, "little") + b" " * 9000
    with pytest.raises(VolumeStreamError):
        read_npy(pieces(head))


class HouseWithOneSeries(BaseHTTPRequestHandler):
    """Answers the two addresses of a volume, and counts who asks."""

    header: dict[str, Any]
    data: bytes
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        is_header = self.path.endswith("volume.json")
        body = json.dumps(self.header).encode() if is_header else self.data
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Say nothing."""


def house_with(header: dict[str, Any], data: bytes) -> type[HouseWithOneSeries]:
    said = {"header": header, "data": data, "asked": 0}
    return type("House", (HouseWithOneSeries,), said)


def test_a_volume_is_streamed_once(
    answering: Answering, make_volume: MakeVolume
) -> None:
    answers = house_with(make_volume(BLOCK).header(), npy(BLOCK))
    house = answering(answers)
    first, again = fetch_volume(house, "1.2.3"), fetch_volume(house, "1.2.3")
    assert (first is again, first.spacing, answers.asked) == (True, (5, 2, 1), 2)


def test_a_volume_that_its_header_belies_is_refused(
    answering: Answering, make_volume: MakeVolume
) -> None:
    answers = house_with(make_volume(BLOCK[1:]).header(), npy(BLOCK))
    with pytest.raises(VolumeStreamError, match="header claims"):
        fetch_volume(answering(answers), "1.2.3")


def test_the_shelf_drops_what_was_used_longest_ago(make_volume: MakeVolume) -> None:
    shelf = VolumeShelf(limit=2 * BLOCK.nbytes)
    one, two, three = (make_volume(BLOCK) for _ in range(3))
    shelf.put("one", one)
    shelf.put("two", two)
    shelf.get("one")
    shelf.put("three", three)
    kept = [shelf.get(key) for key in ("one", "two", "three")]
    assert kept == [one, None, three]


def test_a_volume_larger_than_the_shelf_is_not_kept(make_volume: MakeVolume) -> None:
    shelf = VolumeShelf(limit=10)
    shelf.put("one", make_volume(BLOCK))
    assert shelf.get("one") is None
