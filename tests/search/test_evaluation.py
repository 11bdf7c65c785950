from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rounds_search.encoders import encode
from rounds_search.errors import LimitError
from rounds_search.evaluation import (
    average_precision,
    main,
    measure,
    measure_folder,
    ndcg,
    precision,
    recall,
)

if TYPE_CHECKING:
    from pathlib import Path

Image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra 'search'")


def test_precision_of_a_short_list_counts_its_missing_places() -> None:
    assert precision(["a"], {"a"}, 10) == pytest.approx(0.1)


def test_recall_of_nothing_relevant_is_nothing() -> None:
    assert recall(["a"], set(), 10) == 0


def test_average_precision_of_a_perfect_list_is_one() -> None:
    assert average_precision(["a", "b", "x"], {"a", "b"}) == 1


def test_average_precision_counts_what_was_not_found() -> None:
    assert average_precision(["a"], {"a", "b"}) == pytest.approx(0.5)


def test_ndcg_follows_the_formula() -> None:
    # gains 1, 0, 3 in this order against 3, 1 at best
    got = 1 + 3 / np.log2(4)
    best = 3 + 1 / np.log2(3)
    assert ndcg(["b", "x", "a"], {"a": 3, "b": 1}, 3) == pytest.approx(got / best)


@pytest.mark.parametrize("k", [0, -1])
def test_a_depth_must_be_positive(k: int) -> None:
    with pytest.raises(LimitError, match="k must be at least 1"):
        precision(["a"], {"a"}, k)


def test_a_picture_is_not_compared_with_its_own_case() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]] * 4, np.float32)
    labels = ["x", "y", "z"] * 4
    groups = [str(at // 3) for at in range(12)]
    same, largest = measure(vectors, labels, groups)
    assert same.shape == (12, 10)
    assert largest == pytest.approx(1 / 3)
    assert not same[:, 9].any()


def labelled(folder: Path) -> Path:
    """Write discs and stripes under two labels."""
    (folder / "images").mkdir()
    chance = np.random.default_rng(4)
    rows = []
    for at in range(24):
        down, across = np.mgrid[-1:1:48j, -1:1:48j]
        shape = (np.hypot(down, across) < 0.7) if at % 2 else (np.sin(20 * down) > 0)
        picture = shape * 200 + chance.normal(20, 5, (48, 48))
        name = f"p{at}"
        Image.fromarray(picture.clip(0, 255).astype("u1")).save(
            folder / "images" / f"{name}.png"
        )
        rows.append({"id": name, "dataset": "d", "group": "", "region": str(at % 2)})
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        names = ["id", "dataset", "group", "modality", "region", "plane", "detail"]
        writer = csv.DictWriter(file, [*names, "pathology"], restval="")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_folder_is_measured_by_label(tmp_path: Path) -> None:
    (figure,) = measure_folder(labelled(tmp_path), encode)
    assert (figure.dataset, figure.label, figure.pictures) == ("d", "region", 24)
    assert figure.precision_1 == 1
    assert figure.low <= figure.precision_1 <= figure.high
    assert figure.largest == 0.5


def test_the_command_prints_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(labelled(tmp_path)), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "region"
    assert main([str(tmp_path)]) == 0
    assert "region" in capsys.readouterr().out


def test_the_command_refuses_another_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert "no manifest.csv" in capsys.readouterr().err


def test_the_encoder_tells_real_pictures_apart(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "retrieval"
    if not folder.is_dir():
        pytest.skip("labelled pictures are not here: data/retrieval is missing")
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"][:3] == "med"]
    with (tmp_path / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows[::2])
    (tmp_path / "images").symlink_to(folder / "images")
    figures = {
        (one.dataset, one.label): one.precision_1
        for one in measure_folder(tmp_path, encode)
    }
    assert figures["medpix", "modality"] > 0.8
    assert figures["medpix", "region"] > 0.6
    assert figures["mednist", "region"] > 0.95
