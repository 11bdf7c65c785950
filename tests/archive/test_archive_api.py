"""The archive over HTTP: who sees what, pictures, volumes, uploads."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from rounds_hub.archive.imports import get_import
from rounds_hub.archive.service import (
    Offer,
    get_series,
    get_study,
    list_studies,
    open_instance,
    store,
)
from rounds_hub.errors import NotFoundError
from rounds_kernels import phantoms
from rounds_kernels.volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

    MakeBytes = Callable[..., bytes]
    ClientAs = Callable[..., httpx.Client]


@pytest.fixture
def sphere(house: House, doctor: Principal) -> str:
    """Bring a phantom in; return the UID of its series."""
    made = phantoms.to_dicom(phantoms.sphere())
    offers = [Offer(str(number), one) for number, one in enumerate(made)]
    return store(house, doctor, offers)[0].series_uid


def picture(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def test_a_study_is_listed_and_read(sphere: str, client_as: ClientAs) -> None:
    client = client_as("doctor")
    (study,) = client.get("api/studies").json()["studies"]
    found = client.get(f"api/studies/{study['uid']}").json()
    assert [series["uid"] for series in found["series"]] == [sphere]


def test_a_series_has_its_instances(sphere: str, client_as: ClientAs) -> None:
    found = client_as("doctor").get(f"api/series/{sphere}").json()
    assert found["instance_count"] == len(found["instances"])


@pytest.mark.parametrize(
    "path", ["", "/volume.json", "/volume.npy", "/frames/0.png", "/thumbnail.png"]
)
def test_a_student_sees_nothing_of_a_series_in_no_case(
    path: str, sphere: str, client_as: ClientAs
) -> None:
    assert client_as("student").get(f"api/series/{sphere}{path}").status_code == 404


def test_a_student_may_not_list_studies(sphere: str, client_as: ClientAs) -> None:
    assert sphere
    assert client_as("student").get("api/studies").status_code == 403


def test_an_instance_comes_back_byte_for_byte(
    house: House, doctor: Principal, instance: MakeBytes, client_as: ClientAs
) -> None:
    (outcome,) = store(house, doctor, [Offer("one", instance())])
    answer = client_as("doctor").get(f"api/instances/{outcome.sop_uid}.dcm")
    assert answer.content == instance()
    assert answer.headers["content-type"] == "application/dicom"


def test_a_volume_streams_as_the_kernels_read_it(
    sphere: str, client_as: ClientAs
) -> None:
    client = client_as("researcher")
    header = client.get(f"api/series/{sphere}/volume.json").json()
    answer = client.get(f"api/series/{sphere}/volume.npy")
    volume = Volume.from_parts(np.load(io.BytesIO(answer.content)), header)
    truth = phantoms.sphere().volume
    assert np.array_equal(volume.array, truth.array)
    assert np.allclose(volume.affine, truth.affine)


def test_a_volume_that_one_has_is_not_sent_again(
    sphere: str, client_as: ClientAs
) -> None:
    client = client_as("doctor")
    tag = client.get(f"api/series/{sphere}/volume.npy").headers["etag"]
    again = client.get(
        f"api/series/{sphere}/volume.npy", headers={"If-None-Match": tag}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_stack_that_is_not_there_is_said(sphere: str, client_as: ClientAs) -> None:
    answer = client_as("doctor").get(f"api/series/{sphere}/volume.json?stack=7")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "No stack '7'. Known: 0.",
    )


@pytest.mark.parametrize("axis", ["stack", "axial", "coronal", "sagittal", "1", "2"])
def test_a_frame_is_cut_across_each_axis(
    axis: str, sphere: str, client_as: ClientAs
) -> None:
    answer = client_as("doctor").get(
        f"api/series/{sphere}/frames/10.png", params={"axis": axis, "size": 128}
    )
    assert max(picture(answer).size) == 128


def test_a_window_changes_the_picture(sphere: str, client_as: ClientAs) -> None:
    address = f"api/series/{sphere}/frames/10.png"
    client = client_as("doctor")
    dark = picture(client.get(address, params={"center": 3000, "width": 10}))
    bright = picture(client.get(address, params={"center": -3000, "width": 10}))
    assert (np.asarray(dark).max(), np.asarray(bright).min()) == (0, 255)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param("center=1", "both a center and a width", id="half a window"),
        pytest.param("center=1&width=0", "wider than 0", id="no window"),
        pytest.param("center=nan&width=1", "finite", id="no number"),
        pytest.param("size=100000", "16 to 2048 pixels", id="too large"),
        pytest.param("axis=oblique", "Known: 0, 1, 2, axial", id="unknown axis"),
    ],
)
def test_a_frame_that_cannot_be_is_refused(
    query: str, said: str, sphere: str, client_as: ClientAs
) -> None:
    answer = client_as("doctor").get(f"api/series/{sphere}/frames/0.png?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_a_frame_that_is_not_there_is_said(sphere: str, client_as: ClientAs) -> None:
    answer = client_as("doctor").get(f"api/series/{sphere}/frames/100000.png")
    assert (answer.status_code, answer.json()["detail"]) == (404, "No frame '100000'.")


def test_a_frame_that_one_has_is_not_drawn_again(
    sphere: str, client_as: ClientAs
) -> None:
    client = client_as("doctor")
    first = client.get(f"api/series/{sphere}/frames/3.png")
    headers = {"If-None-Match": first.headers["etag"]}
    again = client.get(f"api/series/{sphere}/frames/3.png", headers=headers)
    assert (again.status_code, first.headers["cache-control"][:7]) == (304, "private")


def test_a_thumbnail_is_small(sphere: str, client_as: ClientAs) -> None:
    answer = client_as("doctor").get(f"api/series/{sphere}/thumbnail.png")
    assert max(picture(answer).size) == 256


def test_what_has_no_picture_has_a_tile(
    house: House, doctor: Principal, instance: MakeBytes, client_as: ClientAs
) -> None:
    no_image = dict.fromkeys(("PixelData", "Rows", "Columns"))
    (outcome,) = store(
        house, doctor, [Offer("sr", instance(Modality="SR", **no_image))]
    )
    client = client_as("doctor")
    tile = client.get(f"api/series/{outcome.series_uid}/thumbnail.png")
    assert picture(tile).size == (256, 256)
    frame = client.get(f"api/series/{outcome.series_uid}/frames/0.png")
    assert (frame.status_code, frame.json()["detail"]) == (
        422,
        "A series of SR has no pictures.",
    )


def test_an_address_that_is_no_uid_is_refused(client_as: ClientAs) -> None:
    assert client_as("doctor").get("api/series/..%2F..%2Fetc").status_code in {404, 422}


def test_nobody_sees_anything_without_signing_in(
    sphere: str, client_as: ClientAs
) -> None:
    assert client_as("").get(f"api/series/{sphere}").status_code == 401


def test_studies_are_found_by_their_words(
    house: House, doctor: Principal, instance: MakeBytes, client_as: ClientAs
) -> None:
    other = instance(1, 2, 2, StudyDescription="Knie links", PatientID="K%1")
    store(house, doctor, [Offer("a", instance()), Offer("b", other)])
    client = client_as("doctor")
    found = {
        words: len(client.get("api/studies", params={"q": words}).json()["studies"])
        for words in ("knie ct", "KNIE mr", "k%", "%", "", "phantom")
    }
    assert found == {"knie ct": 1, "KNIE mr": 0, "k%": 1, "%": 1, "": 2, "phantom": 2}


def test_studies_come_page_by_page(
    house: House, doctor: Principal, instance: MakeBytes, client_as: ClientAs
) -> None:
    for number in range(1, 8):
        store(house, doctor, [Offer("one", instance(1, 1, number))])
    client = client_as("doctor")
    seen, after = [], ""
    while True:
        page = client.get("api/studies", params={"size": 3, "after": after}).json()
        seen += [study["uid"] for study in page["studies"]]
        after = page["after"]
        if not after:
            break
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize(
    "after",
    [
        pytest.param("nowhere", id="no base64"),
        pytest.param("eA", id="no place"),
        pytest.param("MjAyNi0wMS0wMVQwMDowMDowMCAx\u00e9", id="no ASCII"),
        pytest.param("MjAyNi0wMS0wMVQwMDowMDowMCAA", id="no UID"),
    ],
)
def test_a_page_that_is_none_of_ours_is_refused(
    after: str, client_as: ClientAs
) -> None:
    answer = client_as("doctor").get("api/studies", params={"after": after})
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["1.2\x00", "1.2\n", "", "x" * 300, "1.2%"])
def test_a_name_that_is_no_uid_names_nothing(
    name: str, any_house: House, doctor: Principal
) -> None:
    for read in (get_series, get_study, open_instance, get_import):
        with pytest.raises(NotFoundError):
            read(any_house, doctor, name)


def test_words_with_control_characters_find_nothing(
    any_house: House, doctor: Principal
) -> None:
    assert list_studies(any_house, doctor, "a\x00b \x1b").studies == ()


def test_a_study_shows_only_the_series_that_one_may_see(
    house: House, doctor: Principal, instance: MakeBytes, client_as: ClientAs
) -> None:
    store(house, doctor, [Offer("a", instance(1, 1))])
    house.settings.import_audience = []
    store(house, doctor, [Offer("b", instance(1, 2))])
    (study,) = list_studies(house, doctor).studies
    found = client_as("other", "doctor").get(f"api/studies/{study.uid}").json()
    assert [series["uid"][-4:] for series in found["series"]] == [".1.1"]


def test_an_instance_that_the_disk_lost_is_said(
    house: House, doctor: Principal, instance: MakeBytes, client_as: ClientAs
) -> None:
    (outcome,) = store(house, doctor, [Offer("one", instance())])
    uid = outcome.sop_uid
    next(house.store.folder.glob("objects/*/*")).unlink()
    answer = client_as("doctor").get(f"api/instances/{uid}.dcm")
    assert (answer.status_code, "missing" in answer.text) == (500, True)


def test_a_data_set_can_be_read_from_what_is_sent(
    sphere: str, client_as: ClientAs
) -> None:
    client = client_as("doctor")
    uid = client.get(f"api/series/{sphere}").json()["instances"][0]["uid"]
    answer = client.get(f"api/instances/{uid}.dcm")
    assert dcmread(io.BytesIO(answer.content)).SOPInstanceUID == uid
