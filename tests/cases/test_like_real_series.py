"""Real series find their like, over HTTP, on each kind of index."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydicom import dcmread

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases import service
from rounds_hub.indexing.consumer import rebuild, run_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rounds_hub.house import House

    ServeHouse = Callable[..., AbstractContextManager[tuple[House, str]]]

TEACHER = Principal("teacher", frozenset({Role.TEACHER}))
LIBRARY = {
    "Knee, T1": ("mr_knee/t1", "knee"),
    "Knee, T2": ("mr_knee/t2", "knee"),
    "Glioblastoma, T1": ("mr_tumor/t1post", "brain"),
    "Glioblastoma, FLAIR": ("mr_tumor/flair_reg", "brain"),
    "Head": ("ct_head_thin/5mm", "head"),
}
CODE = {"value": "C71.9", "scheme": "ICD10", "meaning": "Malignant neoplasm of brain"}


def files_of(shared_data: Path, name: str) -> list[Path]:
    return sorted((shared_data / name).glob("*.dcm"))


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, shared_data: Path, serve_house: ServeHouse
) -> tuple[Path, dict[str, str]]:
    """Return a folder with a small library, and the series of each case."""
    folder = tmp_path_factory.mktemp("library")
    series: dict[str, str] = {}
    with serve_house(folder) as (house, _):
        for title, (name, part) in LIBRARY.items():
            files = files_of(shared_data, name)
            offers = [Offer(file.name, dcmread(file)) for file in files]
            series[title] = store(house, TEACHER, offers)[0].series_uid
            told = {
                "title": title,
                "body_part": part,
                "audience": ["everyone"],
                "series": [series[title]],
                "codes": [CODE] if title.startswith("Glio") else [],
            }
            case = service.create(house, TEACHER, told)
            service.publish(house, TEACHER, case.id)
        while run_once(house):
            pass
    return folder, series


class Library:
    """The library behind a service: ask it, and name a series."""

    def __init__(self, url: str, series: dict[str, str]) -> None:
        headers = {"x-person": "student student"}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=300)
        self.series = series

    def ask(self, *files: Path | bytes, **request: object) -> dict[str, Any]:
        """Return the answer to a request, with files where there are some."""
        read = [one if isinstance(one, bytes) else one.read_bytes() for one in files]
        parts = [("files", (str(n), one)) for n, one in enumerate(read)]
        said = {"request": json.dumps(request)}
        answer = (
            self.client.post("api/search", files=parts, data=said)
            if files
            else self.client.post("api/search", json=request)
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def like(self, title: str, **more: object) -> dict[str, Any]:
        """Return the example of the series of a case, or of a part of it."""
        kind = "region" if "rectangle" in more else "slice" if more else "series"
        return {"kind": kind, "series_uid": self.series[title]} | more

    def titles(self, *files: Path | bytes, **request: object) -> list[str]:
        """Return what an answer found, the best first."""
        return [hit["title"] for hit in self.ask(*files, **request)["hits"]]


@pytest.fixture(scope="module", params=["sqlite", "elasticsearch"])
def library(
    request: pytest.FixtureRequest,
    built: tuple[Path, dict[str, str]],
    serve_house: ServeHouse,
) -> Iterator[Library]:
    """Serve the library on each kind of index."""
    folder, series = built
    given: dict[str, str] = {}
    if request.param == "elasticsearch":
        url = request.getfixturevalue("elasticsearch")
        given = {"search_url": url, "search_prefix": f"like-{folder.name}"}
    with serve_house(folder, **given) as (house, url):
        if given:
            rebuild(house)
        made = Library(url, series)
        yield made
        made.client.close()
    if given:
        forget(given["search_url"], given["search_prefix"])


def forget(url: str, prefix: str) -> None:
    """Delete the indices of a house from a cluster."""
    from elasticsearch import Elasticsearch

    with Elasticsearch(url, request_timeout=120) as client:
        found = client.indices.get(index=f"{prefix}-*", allow_no_indices=True)
        if found.body:
            client.indices.delete(index=list(found.body))


def test_a_slice_that_was_sent_finds_its_body_part(
    library: Library, shared_data: Path
) -> None:
    knee = files_of(shared_data, "mr_knee/t2")
    assert set(library.titles(knee[12])[:2]) == {"Knee, T1", "Knee, T2"}


def test_a_series_that_was_sent_finds_its_like(
    library: Library, shared_data: Path
) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for file in files_of(shared_data, "mr_tumor/t2_reg"):
            archive.write(file, file.name)
    found = library.titles(written.getvalue())
    assert set(found[:2]) == {"Glioblastoma, T1", "Glioblastoma, FLAIR"}


def test_a_series_finds_the_other_of_its_kind_with_the_slices_side_by_side(
    library: Library,
) -> None:
    found = library.ask(like=[library.like("Knee, T1")], leave_out=["copies"])
    best = found["hits"][0]
    assert best["title"] == "Knee, T2"
    for pair in best["pairs"]:
        for side in (pair["asked"], pair["found"]):
            assert library.client.get(side["picture_url"]).status_code == 200


def test_a_slice_finds_the_series_at_the_same_height(library: Library) -> None:
    asked = library.like("Glioblastoma, T1", slice=11)
    found = library.ask(like=[asked], where={"body_part": ["brain"]})
    hit = next(one for one in found["hits"] if one["title"] == "Glioblastoma, FLAIR")
    assert abs(hit["pairs"][0]["found"]["slice"] - 11) <= 3


def test_the_patients_other_cases_are_left_out(library: Library) -> None:
    asked = [library.like("Glioblastoma, T1")]
    assert "Glioblastoma, FLAIR" in library.titles(like=asked)
    left = library.titles(like=asked, leave_out=["patient"])
    assert left
    assert not [title for title in left if title.startswith("Glio")]


def test_copies_are_left_out(library: Library) -> None:
    asked = [library.like("Head")]
    assert library.titles(like=asked)[0] == "Head"
    assert "Head" not in library.titles(like=asked, leave_out=["copies"])


def test_the_series_that_a_region_was_drawn_on_is_left_out_as_a_copy(
    library: Library,
) -> None:
    box = {"left": 80, "top": 60, "right": 130, "bottom": 110}
    asked = [library.like("Glioblastoma, T1", slice=11, rectangle=box)]
    assert "Glioblastoma, T1" in library.titles(like=asked)
    found = library.titles(like=asked, leave_out=["copies"])
    assert found[0] == "Glioblastoma, FLAIR"
    assert "Glioblastoma, T1" not in found


def test_a_region_finds_the_same_region_of_another_series(library: Library) -> None:
    box = {"left": 80, "top": 60, "right": 130, "bottom": 110}
    asked = library.like("Glioblastoma, T1", slice=11, rectangle=box)
    found = library.ask(like=[asked], where={"body_part": ["brain"]})
    hit = next(one for one in found["hits"] if one["title"] == "Glioblastoma, FLAIR")
    left, top, right, bottom = hit["pairs"][0]["found"]["region"]
    assert left <= 105 <= right
    assert top <= 85 <= bottom


def test_words_and_a_region_are_one_request(library: Library) -> None:
    box = {"left": 80, "top": 60, "right": 130, "bottom": 110}
    asked = library.like("Glioblastoma, T1", slice=11, rectangle=box)
    found = library.ask(text="flair", like=[asked])
    best = found["hits"][0]
    assert best["title"] == "Glioblastoma, FLAIR"
    assert set(best["ranks"]) == {"text", "region"}


def test_a_shared_code_is_a_reason(library: Library) -> None:
    (case,) = library.ask(text="glioblastoma T1", where={"modality": ["MR"]})["hits"][
        :1
    ]
    asked = {"kind": "case", "case_id": case["case_id"]}
    best = library.ask(like=[asked])["hits"][0]
    assert best["title"].startswith("Glioblastoma")
    assert best["same_codes"] == ["ICD10:C71.9"]
    assert "same code" in best["why"]
