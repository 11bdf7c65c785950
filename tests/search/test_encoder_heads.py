"""Heads trained on labels, the folder that they become, and rankings made with them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from rounds_search.encoders.headed import put_on_shelf
from rounds_search.encoders.heads import train
from rounds_search.encoders.knowing import Known
from rounds_search.encoders.shelf import Shelf
from rounds_search.errors import EncoderError, RequestError, UnlikePictureError
from rounds_search.labelled import read_labelled, vectors_of
from rounds_search.retrieval import qualities, rankings

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("onnx", reason="ONNX comes with the extra 'pictures'")

COUNT = 60
CASES = [f"case {at // 2}" for at in range(COUNT)]
COLOURS = [("red", "green", "blue")[at // 2 % 3] for at in range(COUNT)]


def rows(spread: float = 0.6) -> np.ndarray:
    """Return vectors that lie around one of three corners, by their colour."""
    chance = np.random.default_rng(0)
    corner = np.eye(3, 40)[[("red", "green", "blue").index(one) for one in COLOURS]]
    made = corner + chance.normal(scale=spread / np.sqrt(40), size=(COUNT, 40))
    scaled: np.ndarray = made / np.linalg.norm(made, axis=1, keepdims=True)
    return scaled.astype(np.float32)


def test_like_labels_come_nearer() -> None:
    trained = train(rows(2.0), {"colour": COLOURS}, CASES)
    same = np.equal.outer(COLOURS, COLOURS) & ~np.eye(COUNT, dtype=bool)
    joined, plain = trained.joined(rows(2.0)), rows(2.0)
    gained = (joined @ joined.T)[same].mean() - (joined @ joined.T)[~same].mean()
    assert gained > 2 * (
        (plain @ plain.T)[same].mean() - (plain @ plain.T)[~same].mean()
    )


def test_what_is_known_counts_more_than_what_is_guessed() -> None:
    trained = train(rows(), {"colour": COLOURS}, CASES)
    told = trained.joined(rows()[:1], {"colour": ["blue"]})[0, -3:]
    assert told.argmax() == trained.heads[0].classes.index("blue")


def test_a_rare_class_and_one_of_a_single_case_are_left_out() -> None:
    labels = [*COLOURS[:-4], "rare", "rare", "rare", "rare"]
    trained = train(rows(), {"colour": labels}, CASES)
    assert trained.heads[0].classes == ("blue", "green", "red")


@pytest.mark.parametrize(
    "labels", [[""] * COUNT, ["same"] * COUNT], ids=["none", "one"]
)
def test_nothing_to_tell_apart_is_refused(labels: list[str]) -> None:
    with pytest.raises(RequestError, match="No label has two classes"):
        train(rows(), {"colour": labels}, CASES)


def test_heads_become_a_folder_that_gives_the_same(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="it comes with the extra 'pictures'")
    shelf = Shelf()
    shelf.open_folder(tmp_path)
    base = shelf.named("rounds-gist-1")
    chance = np.random.default_rng(0)
    shown = [picture(colour, chance) for colour in COLOURS]
    vectors = np.stack([base.encode(one) for one in shown])
    trained = train(vectors, {"colour": COLOURS}, CASES)
    name = put_on_shelf(tmp_path, "rounds-gist-1", trained)
    made = shelf.named(name).encode(shown[0])
    assert np.allclose(made, trained.joined(vectors[:1])[0], atol=1e-4)
    assert put_on_shelf(tmp_path, "rounds-gist-1", trained) == name


def picture(colour: str, chance: np.random.Generator) -> np.ndarray:
    """Return a bar that lies, stands or leans, with noise."""
    down, across = np.mgrid[-1:1:48j, -1:1:48j]
    leaning = {"red": down, "green": across, "blue": down + across}[colour]
    shown: np.ndarray = (abs(leaning) < 0.3) * 200 + chance.integers(0, 40, (48, 48))
    return shown.astype(np.uint8)


def test_what_is_far_from_everything_is_refused() -> None:
    known = Known.of(rows(), CASES)
    assert known is not None
    known.check(rows()[:3], "some-1")
    with pytest.raises(UnlikePictureError, match=r"some-1: distance \d.*, at most"):
        known.check(-rows()[:3], "some-1")


def test_one_like_picture_of_several_is_enough() -> None:
    known = Known.of(rows(), CASES)
    assert known is not None
    known.check(np.concatenate([-rows()[:3], rows()[:1]]), "some-1")


def test_too_few_pictures_let_nothing_be_known() -> None:
    assert Known.of(rows()[:30], CASES[:30]) is None


def test_what_is_known_is_read_as_it_was_written() -> None:
    known = Known(rows(), 0.5)
    again = Known.read(known.written())
    assert again.limit == 0.5
    assert np.allclose(again.sample, known.sample, atol=1e-3)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY"], ids=repr)
def test_a_damaged_sample_is_refused(content: bytes) -> None:
    with pytest.raises(EncoderError, match="must be an NPZ file"):
        Known.read(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return labelled pictures of bars."""
    chance = np.random.default_rng(1)
    (tmp_path / "images").mkdir()
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "dataset", "group", "region"])
        for at, colour in enumerate(COLOURS):
            table.writerow([f"p{at}", "bars", CASES[at], colour])
            shown = Image.fromarray(picture(colour, chance))
            shown.save(tmp_path / "images" / f"p{at}.png")
    return tmp_path


def test_a_folder_is_ranked_without_the_querys_own_case(folder: Path) -> None:
    pictures = read_labelled(folder)
    vectors = vectors_of(pictures, Shelf().named("rounds-gist-1"))
    found = list(rankings(pictures, vectors, pictures, vectors))
    assert sorted(one.query.id for one in found) == sorted(one.id for one in pictures)
    of_case = {one.id: one.case for one in pictures}
    for one in found:
        assert one.query.case not in {of_case[name] for name in one.ranked}
    figure = qualities(found, pictures)[0]
    assert (figure.label, figure.queries) == ("region", COUNT)
    assert figure.precision_1 > 0.9
    assert figure.precision_1_low <= figure.precision_1 <= figure.precision_1_high


def test_vectors_are_kept_by_the_hash_of_the_picture(folder: Path) -> None:
    pictures = read_labelled(folder)[:3]
    encoder, kept = Shelf().named("rounds-gist-1"), folder / "kept"
    first = vectors_of(pictures, encoder, kept)
    assert np.array_equal(vectors_of(pictures, encoder, kept), first)
    assert [one.name for one in kept.iterdir()] == ["rounds-gist-1.npz"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        pytest.param("id,region\n../x,a\n", "a file name without", id="path"),
        pytest.param("id,region\nx,a\nx,b\n", "there once", id="twice"),
        pytest.param("id,region\n", "The number of pictures", id="empty"),
        pytest.param("a,b\n1,2\n", "An id of manifest", id="no id"),
    ],
)
def test_a_manifest_out_of_bounds_is_refused(
    tmp_path: Path, table: str, words: str
) -> None:
    (tmp_path / "manifest.csv").write_text(table)
    with pytest.raises(RequestError, match=words):
        read_labelled(tmp_path)


def test_a_missing_picture_is_named(folder: Path) -> None:
    (folder / "images" / "p0.png").write_bytes(b"no picture")
    with pytest.raises(RequestError, match="'p0' cannot be read"):
        vectors_of(read_labelled(folder), Shelf().named("rounds-gist-1"))
