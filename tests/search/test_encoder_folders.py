"""Encoders in folders: an ONNX file, its sidecar, and all that may be wrong."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds_search.encoders import ENCODERS, encode, open_folder, window_for
from rounds_search.encoders.shelf import Shelf
from rounds_search.encoders.sidecar import read_sidecar
from rounds_search.errors import EncoderError, UnknownEncoderError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

onnx: Any = pytest.importorskip("onnx", reason="ONNX comes with the extra 'pictures'")
pytest.importorskip("onnxruntime", reason="it comes with the extra 'pictures'")

SITE = "site-medical-1"
SIDE, NUMBERS = 16, 6


def stand_in(weights: np.ndarray | None = None) -> bytes:
    """Return a small network, as a site could bring a large one."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    if weights is None:
        weights = np.random.default_rng(0).normal(size=(SIDE * SIDE, NUMBERS))
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["pixels"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["embedding"]),
        ],
        "stand-in",
        [helper.make_tensor_value_info("pixels", kind, ["n", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", kind, ["n", NUMBERS])],
        [onnx.numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    content: bytes = model.SerializeToString()
    return content


def sidecar(content: bytes, **changed: object) -> dict[str, Any]:
    sha256 = hashlib.sha256(content).hexdigest()
    plain = {
        "id": SITE,
        "licence": "MIT",
        "model": {"file": "model.onnx", "sha256": sha256},
        "dimension": NUMBERS,
        "input": {
            "name": "pixels",
            "side": SIDE,
            "channels": 1,
            "mean": [120.0],
            "deviation": [60.0],
        },
        "output": "embedding",
        "windows": {"CT": {"": [40, 400], "chest": [-600, 1500]}},
    }
    return plain | changed


def put(folder: Path, model: bytes, described: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    (folder / "encoder.json").write_text(json.dumps(described))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """Return a shelf with the stand-in."""
    model = stand_in()
    put(tmp_path / SITE, model, sidecar(model))
    shelf = Shelf()
    shelf.open_folder(tmp_path)
    yield shelf
    shelf.close_folder(tmp_path)


def picture() -> np.ndarray:
    shown: np.ndarray = np.add.outer(np.arange(40.0), np.arange(60.0) ** 1.5)
    return shown


def test_a_site_brings_its_own_encoder(shelf: Shelf) -> None:
    vector = shelf.named(SITE).encode(picture())
    assert vector.shape == (NUMBERS,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_the_built_in_encoder_stays_beside_it(shelf: Shelf) -> None:
    assert list(shelf) == ["rounds-gist-1", SITE]
    assert len(shelf) == 2


def test_the_window_of_a_body_part_is_in_the_sidecar(
    shelf: Shelf, tmp_path: Path
) -> None:
    del shelf
    windows = read_sidecar(tmp_path / SITE).windows
    assert windows["CT"]["chest"] == (-600.0, 1500.0)


@pytest.mark.parametrize(
    ("modality", "part", "window"),
    [
        pytest.param("CT", "chest", (-600.0, 1500.0), id="named part"),
        pytest.param("CT", "knee", (40.0, 400.0), id="any other part"),
        pytest.param("MR", "knee", None, id="another modality"),
    ],
)
def test_an_encoder_has_windows_by_body_part(
    shelf: Shelf, tmp_path: Path, modality: str, part: str, window: object
) -> None:
    del shelf
    open_folder(tmp_path)
    assert window_for(SITE, modality, part) == window
    ENCODERS.close_folder(tmp_path)


def test_the_mean_is_taken_off(shelf: Shelf, tmp_path: Path) -> None:
    model = stand_in()
    moved = "site-medical-2"
    raw = shelf.named(SITE).encode(picture())
    described = sidecar(model, id=moved, subtract=[1e5] * NUMBERS)
    put(tmp_path / moved, model, described)
    other = shelf.named(moved).encode(picture())
    assert np.allclose(other, -np.ones(NUMBERS) / np.sqrt(NUMBERS), atol=0.1)
    assert not np.allclose(other, raw, atol=0.1)


def test_an_encoder_that_comes_later_is_known(shelf: Shelf, tmp_path: Path) -> None:
    model = stand_in()
    put(tmp_path / "later-1", model, sidecar(model, id="later-1"))
    assert shelf.named("later-1").dimension == NUMBERS


def test_one_that_is_not_there_is_named(shelf: Shelf) -> None:
    with pytest.raises(UnknownEncoderError, match=r"No encoder 'merlin'.*rounds-gist"):
        shelf.named("merlin")


@pytest.mark.parametrize("name", ["..", "../x", ".hidden", "a/b", ""])
def test_a_name_is_no_path(shelf: Shelf, name: str) -> None:
    with pytest.raises(UnknownEncoderError):
        shelf.named(name)


def test_a_changed_file_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / SITE / "model.onnx").write_bytes(stand_in() + b"\0")
    with pytest.raises(EncoderError, match=r"SHA-256 .* needs a new id"):
        shelf.named(SITE).encode(picture())


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    put(tmp_path / SITE, b"nothing", sidecar(b"nothing"))
    with pytest.raises(EncoderError, match="cannot read the encoder's file"):
        shelf_of(tmp_path).named(SITE).encode(picture())


def shelf_of(folder: Path) -> Shelf:
    shelf = Shelf()
    shelf.open_folder(folder)
    return shelf


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param(
            {"dimension": 7}, r"output .* says float, \('n', 7\)", id="output"
        ),
        pytest.param({"output": "other"}, "no output 'other'", id="output's name"),
        pytest.param(
            {"input": {"name": "pixels", "side": 32, "channels": 1}},
            r"input 'pixels' .* \('n', 1, 32, 32\)",
            id="input",
        ),
    ],
)
def test_other_shapes_than_the_networks_are_refused(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    model = stand_in()
    put(tmp_path / SITE, model, sidecar(model, **changed))
    with pytest.raises(EncoderError, match=words):
        shelf_of(tmp_path).named(SITE).encode(picture())


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"id": "Upper Case"}, id="id"),
        pytest.param({"id": "another"}, id="id of another folder"),
        pytest.param({"dimension": 0}, id="no dimension"),
        pytest.param({"dimension": 10**9}, id="huge dimension"),
        pytest.param({"dimension": True}, id="dimension is a flag"),
        pytest.param({"licence": None}, id="no licence"),
        pytest.param({"licence": "x" * 501}, id="long licence"),
        pytest.param({"model": {"file": "../m", "sha256": "0" * 64}}, id="path"),
        pytest.param({"model": {"file": "m", "sha256": "0"}}, id="hash"),
        pytest.param({"model": []}, id="no model"),
        pytest.param({"input": {"side": 100_000}}, id="huge side"),
        pytest.param({"input": {"channels": 2}}, id="two channels"),
        pytest.param({"input": {"deviation": [0, 1, 1]}}, id="deviation of nothing"),
        pytest.param({"input": {"mean": [1]}}, id="mean of other channels"),
        pytest.param({"subtract": [0.0]}, id="mean of other length"),
        pytest.param({"subtract": ["a"] * NUMBERS}, id="words as mean"),
        pytest.param({"windows": {"CT": {"": [40, 0]}}}, id="window of no width"),
        pytest.param({"windows": {"CT": [40, 400]}}, id="window without part"),
        pytest.param({"base": "missing"}, id="base that is not there"),
        pytest.param({"base": SITE}, id="base is itself"),
    ],
)
def test_a_sidecar_out_of_bounds_is_refused(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    model = stand_in()
    put(tmp_path / SITE, model, sidecar(model, **changed))
    with pytest.raises(EncoderError):
        shelf_of(tmp_path).named(SITE)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"id": 1e999}', id="huge number"),
    ],
)
def test_a_sidecar_that_is_no_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SITE).mkdir()
    (tmp_path / SITE / "encoder.json").write_bytes(content)
    with pytest.raises(EncoderError):
        read_sidecar(tmp_path / SITE)


def test_a_network_without_finite_numbers_is_refused(tmp_path: Path) -> None:
    model = stand_in(weights=np.full((SIDE * SIDE, NUMBERS), 1e38))
    put(tmp_path / SITE, model, sidecar(model))
    with pytest.raises(EncoderError, match="finite numbers"):
        shelf_of(tmp_path).named(SITE).encode(picture())


def test_what_knows_no_folder_has_the_built_in_encoder() -> None:
    assert encode(picture()).shape == (368,)
