"""QIDO-RS over real HTTP, as others' clients and people who mean ill ask it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydicom import dcmread
from tests.dicomweb.conftest import standard_client
from tests.querying.library import ROOT, Library, made_library

from rounds_hub.archive.models import Instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rounds_hub.house import House

    ServeHouse = Callable[[Path], AbstractContextManager[tuple[House, str]]]

DICOM_JSON = "application/dicom+json"
MORE = "includefield=OperatorsName,00080021&includefield=PatientID"


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, serve_house: ServeHouse
) -> Iterator[tuple[Library, str]]:
    """Serve a library made by chance; give it and the address of DICOMweb."""
    with serve_house(tmp_path_factory.mktemp("searched")) as (house, url):
        yield made_library(house, random.Random(3)), f"{url}dicomweb"  # noqa: S311 (made)


@pytest.fixture
def search(served: tuple[Library, str]) -> Iterator[httpx.Client]:
    """Return a client of DICOMweb for an administrator."""
    headers = {"x-person": "ann admin"}
    with httpx.Client(base_url=f"{served[1]}/", headers=headers, timeout=60) as client:
        yield client


def said(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the matches of an answer."""
    assert answer.status_code in {200, 204}, answer.text
    if answer.status_code == 204:
        return []
    assert answer.headers["content-type"] == DICOM_JSON
    found: list[dict[str, Any]] = answer.json()
    return found


def values(found: list[dict[str, Any]], tag: str) -> list[Any]:
    """Return the first value of an element of each match."""
    return [one[tag]["Value"][0] for one in found]


def test_the_client_of_others_finds_studies_series_and_instances(
    served: tuple[Library, str],
) -> None:
    client = standard_client(served[1], "ann admin")
    studies = client.search_for_studies(search_filters={"PatientID": "P-*"})
    uid = studies[0]["0020000D"]["Value"][0]
    series = client.search_for_series(uid)
    instances = client.search_for_instances(uid, series[0]["0020000E"]["Value"][0])
    own = [one for one in served[0].instances if one["StudyInstanceUID"] == uid]
    assert len(series) == len({one["SeriesInstanceUID"] for one in own})
    assert len(client.search_for_instances(uid)) == len(own) >= len(instances) > 0


def test_every_address_answers(search: httpx.Client) -> None:
    series = said(search.get("studies", params={"limit": 1}))
    study = values(series, "0020000D")[0]
    one = values(said(search.get(f"studies/{study}/series")), "0020000E")[0]
    for address in (
        "series",
        "instances",
        f"studies/{study}/instances",
        f"studies/{study}/series/{one}/instances",
    ):
        assert said(search.get(address)), address


def test_an_attribute_has_a_keyword_or_a_tag(search: httpx.Client) -> None:
    by_keyword = said(search.get("studies", params={"PatientName": "müller*"}))
    by_tag = said(search.get("studies", params={"00100010": "MULLER*"}))
    assert by_keyword == by_tag != []


def test_names_have_their_three_groups(search: httpx.Client) -> None:
    found = said(search.get("studies", params={"PatientName": "山田*"}))
    assert values(found, "00100010")[0] == {
        "Alphabetic": "Yamada^Tarou",
        "Ideographic": "山田^太郎",
        "Phonetic": "やまだ^たろう",
    }


def test_a_study_has_what_the_standard_asks_for(search: httpx.Client) -> None:
    found = said(search.get("studies", params={"limit": 1}))[0]
    asked = (
        "00080020 00080030 00080050 00080056 00080061 00080090 00080201 00081190 "
        "00100010 00100020 00100030 00100040 0020000D 00200010 00201206 00201208"
    )
    assert set(asked.split()) <= found.keys()
    assert list(found) == sorted(found)


def test_numbers_are_numbers_and_nothing_is_empty(search: httpx.Client) -> None:
    found = said(search.get("instances", params={"limit": 1}))[0]
    assert found["00280010"] == {"vr": "US", "Value": [2]}
    assert isinstance(found["00200013"]["Value"][0], int)
    assert all(one.get("Value") != [] for one in found.values())


def test_the_address_of_a_match_is_where_it_can_be_had(search: httpx.Client) -> None:
    found = said(search.get("instances", params={"limit": 1}))[0]
    address = found["00081190"]["Value"][0]
    accept = {"Accept": 'multipart/related; type="application/dicom"'}
    assert search.get(address, headers=accept).status_code == 200


def test_more_fields_come_where_they_are_asked_for(search: httpx.Client) -> None:
    plain = said(search.get("series", params={"limit": 1}))[0]
    more = said(search.get(f"series?limit=1&{MORE}"))[0]
    every = said(search.get("series", params={"limit": 1, "includefield": "all"}))[0]
    assert more.keys() - plain.keys() == {"00081070", "00080021"}
    assert all("Value" in one for one in every.values())


def test_what_is_left_is_said_in_a_warning(search: httpx.Client) -> None:
    answer = search.get("studies", params={"limit": 1})
    assert "additional results" in answer.headers["warning"]
    assert answer.headers["warning"].startswith("299 ")
    assert "warning" not in search.get("studies", params={"limit": 1000}).headers


def test_pages_go_on_where_the_last_one_ended(search: httpx.Client) -> None:
    every = said(search.get("studies"))
    pages = [said(search.get(f"studies?limit=5&offset={at}")) for at in (0, 5, 10)]
    assert [one for page in pages for one in page] == every


def test_what_is_no_key_is_said_and_not_matched(search: httpx.Client) -> None:
    answer = search.get("studies", params={"PatientBreedDescription": "beagle"})
    assert "PatientBreedDescription" in answer.headers["warning"]
    assert said(answer) == said(search.get("studies"))


def test_keys_inside_a_sequence_are_matched(search: httpx.Client) -> None:
    path = "00400275.RequestedProcedureID"
    assert said(search.get("series", params={path: "none"})) == []
    deep = search.get("series", params={f"{path}.{path}": "x"})
    assert "00400275" not in deep.headers["warning"]
    assert "RequestAttributesSequence" in deep.headers["warning"]


def test_dates_and_times_are_one_range(search: httpx.Client) -> None:
    asked = {"StudyDate": "20191231-20210704", "StudyTime": "235959-0930"}
    found = said(search.get("studies", params=asked))
    apart = {"00080020": "20200101", "00080030": "1030"}
    assert {"20200101", "20200229"} & set(values(found, "00080020"))
    assert said(search.get("studies", params=apart)) != found


def test_fuzzy_matching_is_off_unless_asked_for(search: httpx.Client) -> None:
    asked = {"PatientName": "mary smi"}
    assert said(search.get("studies", params=asked)) == []
    fuzzy = search.get("studies", params=asked | {"fuzzymatching": "true"})
    assert said(fuzzy)
    assert "beginnings of their words" in fuzzy.headers["warning"]


def test_a_hidden_series_is_at_no_address(served: tuple[Library, str]) -> None:
    client = standard_client(served[1], "dora doctor")
    shown = {one["SeriesInstanceUID"] for one in served[0].instances}
    shown -= served[0].hidden
    for found in (client.search_for_series(), client.search_for_instances()):
        assert {one["0020000E"]["Value"][0] for one in found} == shown


def test_nothing_found_is_204(search: httpx.Client) -> None:
    answer = search.get("studies", params={"PatientID": "nobody"})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("kind", ["text/html", "image/png", "application/dicom+xml"])
def test_other_forms_are_refused(search: httpx.Client, kind: str) -> None:
    answer = search.get("studies", headers={"Accept": kind})
    assert answer.status_code == 406
    assert DICOM_JSON in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("limit=-1", id="negative limit"),
        pytest.param("limit=0", id="limit of none"),
        pytest.param("limit=٣", id="other digits"),
        pytest.param("offset=99999999999999999999", id="huge offset"),
        pytest.param("offset=999999999", id="large offset"),
        pytest.param("fuzzymatching=perhaps", id="fuzzy"),
        pytest.param("includefield=Nothing", id="unknown field"),
        pytest.param("Patient=x", id="unknown keyword"),
        pytest.param("0010=x", id="half a tag"),
        pytest.param("=x", id="no name"),
        pytest.param("StudyDate=2020-01-01", id="date"),
        pytest.param("StudyDate=20200101-2020", id="half a range"),
        pytest.param("StudyInstanceUID=%27OR%271", id="SQL"),
        pytest.param("PatientName=a%00b", id="NUL"),
        pytest.param("PatientName=" + "x" * 10_000, id="long value"),
        pytest.param("PatientName=" + "*x" * 500, id="wildcards"),
        pytest.param("x" * 5000 + "=1", id="long name"),
        pytest.param(".".join(["00400275"] * 60) + "=1", id="deep path"),
        pytest.param("&".join(["PatientID=1"] * 500), id="many parameters"),
        pytest.param("accept=nonsense", id="accept"),
    ],
)
def test_nonsense_gets_a_clear_refusal(search: httpx.Client, query: str) -> None:
    answer = search.get(f"studies?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"].endswith(".")
    assert len(answer.json()["detail"]) < 300


def test_a_house_that_still_reads_says_so(
    served: tuple[Library, str], search: httpx.Client
) -> None:
    with served[0].house.sessions.begin() as session:
        session.get_one(Instance, f"{ROOT}.0.0.0").keys_version = 0
    warning = search.get("studies").headers["warning"]
    with served[0].house.sessions.begin() as session:
        session.get_one(Instance, f"{ROOT}.0.0.0").keys_version = 1
    assert "still being read" in warning


def test_names_of_real_files_are_said_as_they_are_written(
    stocked: tuple[House, str, dict[str, Path]],
) -> None:
    client = standard_client(stocked[1], "ann admin")
    filters = {"SOPInstanceUID": ",".join(stocked[2])}
    found = client.search_for_instances(search_filters=filters, fields=["PatientName"])
    assert len(found) == len(stocked[2])
    for one in found:
        path = stocked[2][one["00080018"]["Value"][0]]
        assert name_of(one) == written_name(path), path


def name_of(found: dict[str, Any]) -> str:
    """Return the name in a match, its groups put together."""
    groups = found.get("00100010", {}).get("Value", [{}])[0]
    order = ("Alphabetic", "Ideographic", "Phonetic")
    return "=".join(groups.get(name, "") for name in order).rstrip("=")


def written_name(path: Path) -> str:
    """Return the name in a file as pydicom reads it, without its empty ends.

    pydicom leaves the escape sequences of GB 2312 in it.
    """
    name = str(dcmread(path, stop_before_pixels=True).get("PatientName", ""))
    return name.replace("\x1b$)A", "").rstrip("=^ ")
