"""``rounds search`` with pictures and regions, on a house with two cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases import service
from rounds_hub.cli.program import main
from rounds_hub.house import House
from rounds_hub.indexing.consumer import rebuild
from rounds_hub.settings import load_settings
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    Found = Callable[..., dict[str, Any]]

TEACHER = Principal("teacher", frozenset({Role.TEACHER}))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a house with a ball and a thorax, and a file of each."""
    folder = tmp_path_factory.mktemp("shell")
    house = House.open(load_settings(data_dir=str(folder / "house")))
    said: dict[str, Any] = {"data": str(folder / "house")}
    made = {
        "ball": phantoms.sphere(Grid((4, 64, 64), (7.0, 1.5, 1.5))),
        "thorax": phantoms.thorax(Grid((8, 64, 64), (36.0, 6.0, 6.0))),
    }
    for name, phantom in made.items():
        files = phantoms.to_dicom(phantom, folder / name)
        offers = [Offer(f"{n}.dcm", one) for n, one in enumerate(files)]
        uid = store(house, TEACHER, offers)[0].series_uid
        told = {"title": f"The {name}", "audience": ["everyone"], "series": [uid]}
        service.create(house, TEACHER, told, case_id=name)
        service.publish(house, TEACHER, name)
        paths = sorted(path for path in (folder / name).rglob("*") if path.is_file())
        said[name] = {"uid": uid, "file": str(paths[len(paths) // 2])}
    rebuild(house)
    house.close()
    return said


@pytest.fixture
def found(shelf: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> Found:
    """Return a function that says what ``rounds search`` finds."""

    def search(*arguments: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as ended:
            main(["search", *arguments, "--json", "--data", shelf["data"]])
        told = capsys.readouterr()
        assert ended.value.code in (0, None), told.err
        said: dict[str, Any] = json.loads(told.out)
        return said

    return search


def test_a_file_of_dicom_finds_its_case(found: Found, shelf: dict[str, Any]) -> None:
    said = found("--picture", shelf["thorax"]["file"])
    assert said["hits"][0]["case_id"] == "thorax"
    assert said["hits"][0]["pairs"]


def test_words_and_a_picture_are_fused(found: Found, shelf: dict[str, Any]) -> None:
    said = found("thorax", "--picture", shelf["thorax"]["file"], "--modality", "CT")
    assert said["hits"][0]["ranks"] == {"text": 1, "picture": 1}


def test_a_case_is_like_another(found: Found) -> None:
    assert [hit["id"] for hit in found("--like", "ball")["hits"]] == ["thorax"]


def test_a_region_of_a_slice_finds_its_like(
    found: Found, shelf: dict[str, Any]
) -> None:
    series = shelf["ball"]["uid"]
    said = found("--like", series, "--slice", "2", "--region", "10,10,50,50")
    assert said["hits"][0]["ranks"] == {"region": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--region", "1,2,30"], "is no region"),
        (["--region", "1,2,30,40"], "A slice or a region is of something"),
        (["--like", "nobody"], "No case 'nobody'"),
        (["--leave-out", "everything"], "No leave_out 'everything'"),
    ],
)
def test_what_cannot_be_asked_is_said(
    shelf: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["search", *arguments, "--data", shelf["data"]])
    assert words in capsys.readouterr().err
