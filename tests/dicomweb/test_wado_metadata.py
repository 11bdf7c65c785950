"""Metadata by WADO-RS, and the bulk data that they name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmread
from tests.dicomweb.test_wado_pixels import address, instance, uids

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from dicomweb_client.api import DICOMwebClient

    from rounds_hub.house import House

    Stocked = tuple[House, str, dict[str, Path]]

pytestmark = pytest.mark.xdist_group("dicomweb")


def stored_json(found: Dataset) -> dict[str, object]:
    """Return what pydicom itself says of an instance, without what is said apart."""
    said: dict[str, object] = found.to_json_dict()
    return {tag: value for tag, value in said.items() if tag not in LEFT_OUT}


# Pixels stand apart, texts come as UTF-8, padding and lengths of groups say nothing.
LEFT_OUT = {"7FE00010", "00080005", "00083002", "FFFCFFFC"}
LEFT_OUT |= {f"{group:04X}0000" for group in range(0, 2**15, 2)}
NAMES = ("CT1_RLE", "chrGerm", "chrH31", "liver", "sr", "rwvm")


@pytest.mark.parametrize("name", NAMES)
def test_metadata_say_what_the_instance_says(
    stocked: Stocked, web: httpx.Client, name: str
) -> None:
    found = instance(stocked, name)
    given = web.get(f"{address(found)}/metadata").json()[0]
    expected = Dataset.from_json(json.dumps(stored_json(found)))
    for tag, value in list(given.items()):
        if tag in LEFT_OUT or "BulkDataURI" in value:
            del given[tag]
            expected.pop(int(tag, 16), None)
    assert Dataset.from_json(json.dumps(given)) == expected


def test_metadata_of_a_series_are_one_object_an_instance(
    stocked: Stocked, standard: DICOMwebClient
) -> None:
    study, series, _ = uids(instance(stocked, "01"))
    given = standard.retrieve_series_metadata(study, series)
    numbers = [one["00200013"]["Value"][0] for one in given]
    assert numbers == sorted(numbers)


def test_metadata_name_the_transfer_syntax(stocked: Stocked, web: httpx.Client) -> None:
    found = instance(stocked, "CT1_JLSL")
    given = web.get(f"{address(found)}/metadata").json()[0]
    assert given["00083002"]["Value"] == ["1.2.840.10008.1.2.4.80"]


def test_metadata_are_kept_and_tagged(stocked: Stocked, web: httpx.Client) -> None:
    study, series, _ = uids(instance(stocked, "01"))
    where = f"studies/{study}/series/{series}/metadata"
    first = web.get(where)
    again = web.get(where, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert web.get(where).content == first.content


def test_pixels_are_where_the_metadata_say(stocked: Stocked, web: httpx.Client) -> None:
    found = instance(stocked, "01")
    given = web.get(f"{address(found)}/metadata").json()[0]
    where = given["7FE00010"]["BulkDataURI"]
    answer = web.get(where, headers={"accept": "application/octet-stream"})
    assert answer.content == found.PixelData


def test_large_values_are_where_the_metadata_say(
    stocked: Stocked, web: httpx.Client
) -> None:
    for path in stocked[2].values():
        found = dcmread(path)
        if "Rows" not in found:
            continue
        given = web.get(f"{address(found)}/metadata").json()[0]
        large = {
            tag: value["BulkDataURI"]
            for tag, value in given.items()
            if "BulkDataURI" in value and tag != "7FE00010"
        }
        for tag, where in large.items():
            answer = web.get(where, headers={"accept": "application/octet-stream"})
            assert answer.content == found[int(tag, 16)].value
        if large:
            return
    pytest.fail("no instance has a large value")


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param("00091111", id="no such element"),
        pytest.param("00080060/0/00080060", id="inside what is no sequence"),
    ],
)
def test_bulk_data_that_are_not_there_are_not_found(
    stocked: Stocked, web: httpx.Client, tags: str
) -> None:
    where = f"{address(instance(stocked, '01'))}/bulkdata/{tags}"
    asked = {"accept": "application/octet-stream"}
    assert web.get(where, headers=asked).status_code == 404


def test_metadata_are_json_or_nothing(stocked: Stocked, web: httpx.Client) -> None:
    where = f"{address(instance(stocked, '01'))}/metadata"
    answer = web.get(where, headers={"accept": "application/dicom+xml"})
    assert answer.status_code == 406
