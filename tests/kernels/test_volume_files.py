"""A volume is kept as two files and comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rounds_kernels.errors import VolumeFormatError
from rounds_kernels.geometry import lps_affine, orientation_name, ras_from_lps
from rounds_kernels.keeping import GROUP
from rounds_kernels.volumes import SliceSource, Volume, open_volume, write_volume

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_kernels.phantoms import Phantom


def test_a_kept_volume_comes_back(ball: Phantom, tmp_path: Path) -> None:
    kept = replace(ball.volume, remarks=("A slice is missing.",), inverted=True)
    write_volume(kept, tmp_path / "new")
    back = open_volume(tmp_path / "new")
    assert back.header() == kept.header()
    assert np.array_equal(back.array, kept.array)


def test_a_film_of_many_frames_comes_back(ball: Phantom, tmp_path: Path) -> None:
    uid = f"1.2.{'3' * 60}"
    sources = tuple(SliceSource(uid, n, float(n)) for n in range(60_000))
    film = replace(ball.volume, array=np.zeros((60_000, 2, 2), np.int16))
    write_volume(replace(film, sources=sources), tmp_path)
    assert open_volume(tmp_path).sources == sources


def test_a_kept_array_is_mapped_not_read(ball: Phantom, tmp_path: Path) -> None:
    write_volume(ball.volume, tmp_path)
    assert isinstance(open_volume(tmp_path).array, np.memmap)


def test_a_header_is_json(ball: Phantom) -> None:
    header = json.loads(json.dumps(ball.volume.header()))
    assert Volume.from_parts(ball.volume.array, header).header() == header


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"shape": [1, 2, 3]}, id="another shape"),
        pytest.param({"dtype": "float32"}, id="another type"),
        pytest.param({"format": 99}, id="a format to come"),
        pytest.param({"spacing": [1, 2]}, id="two spacings"),
        pytest.param({"origin": [1, 2, float("nan")]}, id="nowhere"),
        pytest.param({"sources": [["1.2"]]}, id="half a source"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(
    change: dict[str, Any], ball: Phantom
) -> None:
    with pytest.raises(VolumeFormatError, match="read the series again"):
        Volume.from_parts(ball.volume.array, ball.volume.header() | change)


def test_an_empty_folder_holds_no_volume(tmp_path: Path) -> None:
    with pytest.raises(VolumeFormatError, match="no whole volume"):
        open_volume(tmp_path)


def shard(folder: Path, level: int = 0) -> Path:
    return folder / GROUP / str(level) / "c" / "0" / "0" / "0"


def test_a_cut_array_is_refused(ball: Phantom, tmp_path: Path) -> None:
    write_volume(ball.volume, tmp_path)
    shard(tmp_path).write_bytes(shard(tmp_path).read_bytes()[:1000])
    with pytest.raises(VolumeFormatError):
        open_volume(tmp_path)


def test_a_damaged_index_is_refused(ball: Phantom, tmp_path: Path) -> None:
    write_volume(ball.volume, tmp_path)
    damaged = bytearray(shard(tmp_path).read_bytes())
    damaged[-1] ^= 1
    shard(tmp_path).write_bytes(damaged)
    with pytest.raises(VolumeFormatError):
        open_volume(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"dtype": "object"}, id="objects"),
        pytest.param({"shape": [2**40, 2, 2]}, id="more than there is"),
        pytest.param({"shape": []}, id="no shape"),
        pytest.param({"spacing": [0, 0, 0]}, id="no spacing"),
        pytest.param({"spacing": None}, id="nothing"),
    ],
)
def test_a_description_that_lies_is_refused(
    change: dict[str, Any], ball: Phantom, tmp_path: Path
) -> None:
    write_volume(ball.volume, tmp_path)
    path = tmp_path / GROUP / "zarr.json"
    told = json.loads(path.read_text())
    told["attributes"]["rounds"] |= change
    path.write_text(json.dumps(told))
    with pytest.raises(VolumeFormatError):
        open_volume(tmp_path)


def test_ras_turns_two_axes(ball: Phantom) -> None:
    corner = ball.volume.ras_affine @ [0, 0, 0, 1]
    x, y, z = ball.volume.origin
    assert corner[:3].tolist() == [-x, -y, z]


def test_ras_counts_columns_first(ball: Phantom) -> None:
    steps = ras_from_lps(ball.volume.affine)
    assert [steps[0, 0], steps[1, 1], steps[2, 2]] == [-1.5, -1.5, 2.0]


@pytest.mark.parametrize(
    ("orientation", "name"),
    [
        ([1, 0, 0, 0, 1, 0], "axial"),
        ([1, 0, 0, 0, 0, -1], "coronal"),
        ([0, 1, 0, 0, 0, -1], "sagittal"),
        ([1, 0, 0, 0, 0.8, -0.6], "oblique axial"),
    ],
)
def test_planes_have_names(orientation: list[float], name: str) -> None:
    assert orientation_name(orientation) == name


def test_an_affine_leads_from_index_to_place() -> None:
    affine = lps_affine((3, 2, 1), (10, 20, 30), (0, 0, 1, 0, 1, 0, 1, 0, 0))
    assert (affine @ [1, 1, 1, 1]).tolist() == [11, 22, 33, 1]
