"""One search request over HTTP: words, filters and pictures that are the question."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from rounds_hub.indexing.consumer import run_once
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from pydicom import Dataset

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddCase = Callable[..., CaseView]
    ClientAs = Callable[..., httpx.Client]

SMALL = Grid((4, 32, 32), (7.0, 1.5, 1.5))


def instances(seed: int = 77) -> list[Dataset]:
    return phantoms.to_dicom(phantoms.sphere(SMALL, seed=seed))


def as_file(dataset: Dataset) -> bytes:
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return written.getvalue()


def zipped(datasets: list[Dataset]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for number, dataset in enumerate(datasets):
            archive.writestr(f"study/{number}.dcm", as_file(dataset))
    return written.getvalue()


def a_picture() -> bytes:
    grey = np.clip((phantoms.sphere(SMALL).volume.array[2] + 1000) / 5, 0, 255)
    written = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(written, "PNG")
    return written.getvalue()


def ask(client: httpx.Client, **request: object) -> dict[str, Any]:
    answer = client.post("api/search", json=request)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def send(client: httpx.Client, *files: bytes, **request: object) -> httpx.Response:
    parts = [("files", (f"{n}", one)) for n, one in enumerate(files)]
    data = {"request": json.dumps(request)} if request else {}
    return client.post("api/search", files=parts, data=data)


def titles(found: dict[str, Any]) -> list[str]:
    return [hit["title"] for hit in found["hits"]]


def test_a_case_is_an_example_and_says_which_slices_are_alike(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone", title="This")
    other = add_case("everyone", title="Like it")
    run_once(house)
    found = ask(client_as("student"), like=[{"kind": "case", "case_id": case.id}])
    assert titles(found) == ["Like it"]
    pair = found["hits"][0]["pairs"][0]
    assert pair["asked"]["series_uid"] == case.series[0].uid
    assert pair["found"]["series_uid"] == other.series[0].uid
    assert client_as("student").get(pair["found"]["picture_url"]).status_code == 200


def test_a_slice_is_an_example(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone", title="This")
    run_once(house)
    one = {"kind": "slice", "series_uid": case.series[0].uid, "slice": 2}
    (hit,) = ask(client_as("student"), like=[one])["hits"]
    assert (hit["title"], hit["why"]) == ("This", ["picture 1"])
    assert hit["pairs"][0]["asked"]["slice"] == 2
    assert hit["pairs"][0]["found"]["slice"] == 2


def test_words_and_pictures_are_fused_and_each_rank_is_told(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone", title="A ball")
    add_case("everyone", title="A box")
    run_once(house)
    one = {"kind": "series", "series_uid": case.series[0].uid}
    found = ask(client_as("student"), text="box", like=[one])
    ranks = {hit["title"]: hit["ranks"] for hit in found["hits"]}
    assert ranks["A box"]["text"] == 1
    assert set(ranks["A ball"]) == {"picture"}
    assert found["weights"] == {"text": 2.0, "picture": 1.0}


def test_filters_hold_for_what_is_like(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone", title="Easy", level="primary")
    add_case("everyone", title="Hard", level="advanced")
    run_once(house)
    one = {"kind": "series", "series_uid": case.series[0].uid}
    found = ask(client_as("student"), like=[one], where={"level": ["advanced"]})
    assert titles(found) == ["Hard"]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([a_picture()], id="a picture"),
        pytest.param([as_file(one) for one in instances()], id="a series"),
        pytest.param([zipped(instances())], id="a zip of a series"),
    ],
)
def test_what_is_sent_finds_its_like_and_is_not_kept(
    house: House, client_as: ClientAs, add_case: AddCase, files: list[bytes]
) -> None:
    add_case("everyone", title="A ball")
    run_once(house)
    answer = send(client_as("student"), *files).json()
    assert titles(answer) == ["A ball"]
    assert answer["asked"][0]["picture_url"].startswith("data:image/png;base64,")
    assert list((house.settings.data / "cache" / "questions").iterdir()) == []


def test_a_region_finds_the_part_that_it_was_drawn_on(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    case = add_case("everyone", title="This")
    run_once(house)
    uid = case.series[0].uid
    box = {"left": 8, "top": 8, "right": 20, "bottom": 20}
    one = {"kind": "region", "series_uid": uid, "slice": 2, "rectangle": box}
    (hit,) = ask(client_as("student"), like=[one])["hits"]
    pair = hit["pairs"][0]
    assert (hit["why"], pair["leg"], pair["found"]["slice"]) == (
        ["region 1"],
        "region",
        2,
    )
    left, top, right, bottom = pair["found"]["region"]
    assert left <= 14 <= right
    assert top <= 14 <= bottom


def test_a_region_of_a_sent_picture_is_an_example(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    add_case("everyone", title="A ball")
    run_once(house)
    corners = [[6, 6], [24, 8], [15, 26]]
    one = {"kind": "upload", "polygon": corners}
    (hit,) = send(client_as("student"), a_picture(), like=[one]).json()["hits"]
    assert hit["ranks"] == {"region": 1}


def test_every_picture_that_was_sent_is_asked_with(
    house: House, client_as: ClientAs, add_case: AddCase
) -> None:
    add_case("everyone", title="A ball")
    run_once(house)
    answer = send(client_as("student"), a_picture(), a_picture()).json()
    assert [one["slice"] for one in answer["asked"]] == [0, 1]
    assert titles(answer) == ["A ball"]
