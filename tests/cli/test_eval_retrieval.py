"""``rounds eval retrieval``: rankings and figures of folders of labelled pictures."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from rounds_hub.cli.evaluate import What, command
from rounds_hub.errors import InvalidError, SettingsError
from rounds_search.encoders import ENCODER

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = ("stripes", "rings", "blobs")
COLUMNS = ("id", "dataset", "group", "region")
SIDE = 96


def picture(region: str, seed: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a picture of one of three kinds, each a little different."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    shift = chance.uniform(0, 0.1)
    drawn = {
        "stripes": np.sin(60 * (columns + shift)),
        "rings": np.sin(50 * np.hypot(rows - 0.5 + shift, columns - 0.5)),
        "blobs": np.cos(12 * (rows + shift)) * np.cos(12 * columns),
    }[region]
    noisy = drawn + chance.normal(0, 0.1, drawn.shape)
    scaled: np.ndarray[Any, np.dtype[np.uint8]] = (
        255 * (noisy - noisy.min()) / np.ptp(noisy)
    ).astype(np.uint8)
    return scaled


def folder_of(path: Path, prefix: str, each: int, columns: object = COLUMNS) -> Path:
    """Write *each* pictures of every kind below *path*."""
    (path / "images").mkdir(parents=True)
    with (path / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)  # type: ignore[arg-type] # some tests say another
        for kind, region in enumerate(REGIONS):
            for number in range(each):
                name = f"{prefix}{region}{number}"
                seed = 1000 * kind + number + len(prefix) * 100
                Image.fromarray(picture(region, seed)).save(
                    path / "images" / f"{name}.png"
                )
                table.writerow((name, "drawn", f"{prefix}{name}", region))
    return path


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("gallery"), "g", 6)


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("queries"), "qq", 4)


def asked(
    capsys: pytest.CaptureFixture[str],
    gallery: Path,
    queries: Path,
    **options: Any,  # noqa: ANN401 - any option
) -> list[dict[str, Any]]:
    """Return the lines that the command says."""
    command(What.RETRIEVAL, gallery=gallery, queries=queries, as_json=True, **options)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_query_ranks_the_whole_gallery(
    capsys: pytest.CaptureFixture[str], gallery: Path, queries: Path
) -> None:
    *lines, _ = asked(capsys, gallery, queries, encoder=ENCODER)
    assert len(lines) == 4 * len(REGIONS)
    every = {path.stem for path in (gallery / "images").iterdir()}
    for line in lines:
        if not line.get("refused"):
            assert set(line["ranked"]) == every
            assert len(line["ranked"]) == len(every)


def test_like_pictures_come_first(
    capsys: pytest.CaptureFixture[str], gallery: Path, queries: Path
) -> None:
    *lines, _ = asked(capsys, gallery, queries, encoder=ENCODER)
    for line in lines:
        region = next(one for one in REGIONS if one in line["query"])
        assert region in line["ranked"][0]


def test_the_figures_come_last(
    capsys: pytest.CaptureFixture[str], gallery: Path, queries: Path
) -> None:
    said = asked(capsys, gallery, queries, encoder=ENCODER)[-1]
    assert (said["encoder"], said["queries"], said["refused"]) == (ENCODER, 12, 0)
    region = next(one for one in said["figures"] if one["label"] == "region")
    assert region["dataset"] == "drawn"
    assert region["queries"] == 12


def test_vectors_that_are_kept_give_the_same_rankings(
    capsys: pytest.CaptureFixture[str], gallery: Path, queries: Path, tmp_path: Path
) -> None:
    first = asked(capsys, gallery, queries, encoder=ENCODER, kept=tmp_path)
    assert any(tmp_path.iterdir())
    assert asked(capsys, gallery, queries, encoder=ENCODER, kept=tmp_path) == first


def test_a_folder_without_pictures_is_refused(gallery: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"manifest\.csv"):
        command(What.RETRIEVAL, gallery=gallery, queries=tmp_path, as_json=True)


def test_a_manifest_without_ids_is_refused(gallery: Path, tmp_path: Path) -> None:
    broken = folder_of(tmp_path / "broken", "b", 1, ("name", "dataset", "group", "x"))
    with pytest.raises(InvalidError, match="id"):
        command(What.RETRIEVAL, gallery=gallery, queries=broken, as_json=True)


def test_an_encoder_that_there_is_not_is_named(gallery: Path, queries: Path) -> None:
    with pytest.raises((InvalidError, SettingsError), match="nowhere-1"):
        command(What.RETRIEVAL, gallery=gallery, queries=queries, encoder="nowhere-1")
