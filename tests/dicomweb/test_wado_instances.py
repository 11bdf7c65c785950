"""Studies, series and instances by WADO-RS: what comes, for whom, and when again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread
from tests.dicomweb.conftest import standard_client
from tests.dicomweb.test_wado_pixels import address, instance, uids

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from dicomweb_client.api import DICOMwebClient

    from rounds_hub.house import House

    Stocked = tuple[House, str, dict[str, Path]]

pytestmark = pytest.mark.xdist_group("dicomweb")

ANY = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


def in_series(stocked: Stocked, series: str) -> set[str]:
    """Return the SOP Instance UIDs that were stored in a series."""
    headers = (dcmread(path, stop_before_pixels=True) for path in stocked[2].values())
    return {one.SOPInstanceUID for one in headers if one.SeriesInstanceUID == series}


def test_a_series_comes_whole(stocked: Stocked, standard: DICOMwebClient) -> None:
    study, series, _ = uids(instance(stocked, "01"))
    given = standard.retrieve_series(study, series)
    assert {one.SOPInstanceUID for one in given} == in_series(stocked, series)


def test_a_study_comes_whole(stocked: Stocked, standard: DICOMwebClient) -> None:
    study, _, _ = uids(instance(stocked, "CT1_RLE"))
    given = standard.retrieve_study(study)
    assert study in {one.StudyInstanceUID for one in given}


def test_parts_say_where_they_are_and_how_they_are_packed(
    stocked: Stocked, web: httpx.Client
) -> None:
    found = instance(stocked, "CT1_JLSL")
    body = web.get(address(found), headers=ANY).content
    head = body[: body.index(b"\r\n\r\n")].decode()
    assert f"Content-Location: {web.base_url}{address(found)}" in head
    assert "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80" in head


def test_what_one_has_is_not_sent_again(stocked: Stocked, web: httpx.Client) -> None:
    where = address(instance(stocked, "01"))
    tag = web.get(where, headers=ANY).headers["etag"]
    assert web.get(where, headers={**ANY, "if-none-match": tag}).status_code == 304


def test_a_range_of_one_instance_can_be_had(
    stocked: Stocked, web: httpx.Client
) -> None:
    found = instance(stocked, "01")
    kind = "application/dicom; transfer-syntax=*"
    asked = {"accept": kind, "range": "bytes=128-131"}
    given = web.get(address(found), headers=asked)
    assert (given.status_code, given.content) == (206, b"DICM")


@pytest.mark.parametrize(
    ("study", "series", "sop"),
    [
        pytest.param("1.2.3", "", "", id="no such study"),
        pytest.param("{study}", "1.2.3", "", id="no such series"),
        pytest.param("{study}", "{series}", "1.2.3", id="no such instance"),
        pytest.param("{other}", "{series}", "", id="a series of another study"),
        pytest.param("{study}", "{series}", "{alien}", id="of another series"),
    ],
)
def test_what_is_not_at_an_address_is_not_found(
    stocked: Stocked, web: httpx.Client, study: str, series: str, sop: str
) -> None:
    here, there = instance(stocked, "01"), instance(stocked, "CT1_RLE")
    known = {"other": uids(there)[0], "alien": uids(there)[2]}
    known |= dict(zip(("study", "series"), uids(here)[:2], strict=True))
    levels = zip(("studies", "series", "instances"), (study, series, sop), strict=True)
    where = "/".join(f"{level}/{uid.format(**known)}" for level, uid in levels if uid)
    assert web.get(where).status_code == 404


def test_nobody_gets_what_they_may_not_see(stocked: Stocked) -> None:
    student = standard_client(stocked[1], "sam student")
    with pytest.raises(Exception, match="404"):
        student.retrieve_series(*uids(instance(stocked, "01"))[:2])


def test_a_uid_that_is_none_is_not_understood(web: httpx.Client) -> None:
    answer = web.get("studies/1.2.x")
    assert (answer.status_code, answer.json()["title"]) == (400, "Not understood")


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param("text/html", id="a page"),
        pytest.param("application/dicom; transfer-syntax=1.2.3", id="no syntax"),
        pytest.param(
            "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", id="with loss"
        ),
    ],
)
def test_a_form_that_there_is_not_is_named(
    stocked: Stocked, web: httpx.Client, accept: str
) -> None:
    where = address(instance(stocked, "01"))
    answer = web.get(where, headers={"accept": accept})
    assert answer.status_code == 406
    assert "multipart/related" in answer.json()["detail"]


def test_a_query_says_what_is_accepted(stocked: Stocked, web: httpx.Client) -> None:
    where = f"{address(instance(stocked, '01'))}?accept=application/dicom"
    assert web.get(where).headers["content-type"].startswith("application/dicom;")


def test_a_series_is_given_by_one_instance_only_in_parts(
    stocked: Stocked, web: httpx.Client
) -> None:
    study, series, _ = uids(instance(stocked, "01"))
    asked = {"accept": "application/dicom"}
    answer = web.get(f"studies/{study}/series/{series}", headers=asked)
    assert answer.status_code == 406
