"""Pictures by WADO-RS and WADO-URI, and deleting."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.archive.conftest import make_instance
from tests.dicomweb.test_stow import body_of, file_of, held, send
from tests.dicomweb.test_wado_pixels import address, instance, uids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx
    from dicomweb_client.api import DICOMwebClient

    from rounds_hub.house import House

    Stocked = tuple[House, str, dict[str, Path]]
    ClientAs = Callable[..., httpx.Client]

pytestmark = pytest.mark.xdist_group("dicomweb")

PNG = {"accept": "image/png"}


def picture_of(answer: httpx.Response) -> Image.Image:
    """Return the picture in an answer."""
    return Image.open(io.BytesIO(answer.raise_for_status().content))


def test_a_window_is_applied(stocked: Stocked, web: httpx.Client) -> None:
    found = instance(stocked, "01")
    where = f"{address(found)}/rendered?window=40,400,linear-exact"
    values = found.pixel_array * float(found.RescaleSlope) + found.RescaleIntercept
    expected = ((values - (40 - 200)) / 400 * 255).clip(0, 255)
    shown = np.asarray(picture_of(web.get(where, headers=PNG)))
    assert np.abs(shown.astype(float) - expected).max() <= 1


def test_the_standard_client_gets_a_picture(
    stocked: Stocked, standard: DICOMwebClient
) -> None:
    found = instance(stocked, "CT1_J2KR")
    given = standard.retrieve_instance_rendered(
        *uids(found), media_types=("image/png",), params={"viewport": "100,100"}
    )
    assert Image.open(io.BytesIO(given)).size == (100, 100)


@pytest.mark.parametrize(
    ("accept", "kind"), [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("*/*", "JPEG")]
)
def test_a_picture_is_of_the_kind_that_is_asked_for(
    stocked: Stocked, web: httpx.Client, accept: str, kind: str
) -> None:
    where = f"{address(instance(stocked, 'US1_RLE'))}/rendered"
    given = picture_of(web.get(where, headers={"accept": accept}))
    assert (given.format, given.mode) == (kind, "RGB")


def test_a_part_of_a_picture_can_be_shown(stocked: Stocked, web: httpx.Client) -> None:
    where = f"{address(instance(stocked, '01'))}/rendered"
    whole = picture_of(web.get(where, headers=PNG))
    part = web.get(f"{where}?viewport=64,64,10,20,64,64", headers=PNG)
    assert np.array_equal(np.asarray(whole)[20:84, 10:74], np.asarray(picture_of(part)))


def test_what_is_passed_over_is_said(stocked: Stocked, web: httpx.Client) -> None:
    where = f"{address(instance(stocked, '01'))}/rendered?annotation=patient"
    assert "annotation passed over" in web.get(where).headers["warning"]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("window=40", id="half a window"),
        pytest.param("window=40,0", id="a window of nothing"),
        pytest.param("window=40,400,cubic", id="no function"),
        pytest.param("viewport=0,0", id="no pixels"),
        pytest.param("viewport=99999999,1", id="too many pixels"),
        pytest.param("viewport=1,2,3", id="half a part"),
        pytest.param("quality=101", id="too good"),
    ],
)
def test_a_wish_that_cannot_be_is_not_understood(
    stocked: Stocked, web: httpx.Client, query: str
) -> None:
    where = f"{address(instance(stocked, '01'))}/rendered?{query}"
    assert web.get(where).status_code == 400


def test_a_series_is_drawn_picture_by_picture(
    stocked: Stocked, web: httpx.Client
) -> None:
    study, series, _ = uids(instance(stocked, "01"))
    answer = web.get(f"studies/{study}/series/{series}/rendered")
    assert answer.content.count(b"Content-Type: image/jpeg") == 3


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_level_has_a_thumbnail(
    stocked: Stocked, web: httpx.Client, level: int
) -> None:
    named = zip(("studies", "series", "instances"), uids(instance(stocked, "01")),
                strict=True)  # fmt: skip
    where = "/".join(f"{name}/{uid}" for name, uid in list(named)[:level])
    given = picture_of(web.get(f"{where}/thumbnail", headers=PNG))
    assert max(given.size) == 256


def test_what_has_no_picture_says_so(stocked: Stocked, web: httpx.Client) -> None:
    answer = web.get(f"{address(instance(stocked, 'sr'))}/rendered")
    assert (answer.status_code, "no pictures" in answer.text) == (406, True)


def uri(found: object, **more: str) -> dict[str, str]:
    """Return the query of WADO-URI for an instance."""
    study, series, sop = uids(found)  # type: ignore[arg-type] # a data set
    known = {"studyUID": study, "seriesUID": series, "objectUID": sop}
    return {"requestType": "WADO"} | known | more


def test_wado_uri_gives_a_picture(stocked: Stocked, web: httpx.Client) -> None:
    query = uri(instance(stocked, "CT1_RLE"), rows="64", windowCenter="40",
                windowWidth="400")  # fmt: skip
    given = picture_of(web.get("wado", params=query))
    assert (given.format, given.size) == ("JPEG", (64, 64))


def test_wado_uri_gives_the_instance(stocked: Stocked, web: httpx.Client) -> None:
    found = instance(stocked, "CT1_RLE")
    query = uri(found, contentType="application/dicom", transferSyntax="*")
    content = web.get("wado", params=query).content
    assert content[128:] == stocked[2][found.SOPInstanceUID].read_bytes()[128:]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        pytest.param({"requestType": "OTHER"}, 400, id="another request"),
        pytest.param({"contentType": "video/mp4"}, 406, id="a film"),
        pytest.param({"frameNumber": "7"}, 404, id="no such frame"),
        pytest.param({"windowCenter": "1"}, 400, id="half a window"),
        pytest.param({"anonymize": "yes"}, 406, id="anonymized"),
        pytest.param({"objectUID": "1.2.3"}, 404, id="no such instance"),
        pytest.param({"objectUID": "../etc"}, 400, id="no UID"),
    ],
)
def test_wado_uri_says_what_cannot_be(
    stocked: Stocked, web: httpx.Client, more: dict[str, str], status: int
) -> None:
    query = uri(instance(stocked, "CT1_RLE")) | more
    assert web.get("wado", params=query).status_code == status


@pytest.mark.parametrize("level", [1, 2, 3])
def test_what_is_one_s_own_can_be_deleted_with_a_reason(
    house: House, client_as: ClientAs, level: int
) -> None:
    client, made = client_as("doctor"), make_instance()
    send(client, body_of([file_of(made)]))
    named = zip(("studies", "series", "instances"), uids(made), strict=True)
    where = "/".join(f"{name}/{uid}" for name, uid in list(named)[:level])
    assert client.delete(f"dicomweb/{where}").status_code == 400
    answer = client.delete(f"dicomweb/{where}", params={"reason": "sent by mistake"})
    assert (answer.status_code, held(house)) == (204, set())


def test_what_is_somebody_else_s_is_not_deleted(
    house: House, client_as: ClientAs
) -> None:
    send(client_as("tess", "teacher"), body_of([file_of(make_instance())]))
    where = f"dicomweb/studies/{make_instance().StudyInstanceUID}"
    answer = client_as("doctor").delete(where, params={"reason": "why not"})
    assert (answer.status_code, len(held(house))) == (403, 1)
