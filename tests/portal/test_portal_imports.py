"""The pages of imports and studies."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.archive.imports import run_import
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from pydicom import Dataset

    from rounds_hub.house import House

    Look = Callable[..., Any]
    ClientAs = Callable[..., httpx.Client]

File = tuple[str, tuple[str, bytes, str]]


def as_file(dataset: Dataset) -> bytes:
    """Return *dataset* as the bytes of a file."""
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return written.getvalue()


@pytest.fixture
def files() -> list[File]:
    """Return three good files, one cut short, one that is no DICOM."""
    made = phantoms.to_dicom(phantoms.sphere(Grid((3, 16, 16), (5.0, 2.0, 2.0))))
    good = [as_file(one) for one in made]
    named = [(f"{number}.dcm", data) for number, data in enumerate(good)]
    named += [("cut.dcm", good[0][: len(good[0]) // 2]), ("bad.dcm", b"\0" * 400)]
    return [("files", (name, data, "application/dicom")) for name, data in named]


def bring(client: httpx.Client, files: list[File]) -> httpx.Response:
    """Send *files* by the form, as a browser without scripts does."""
    return client.post(
        "import", files=files, headers={"accept": "text/html"}, follow_redirects=True
    )


def test_files_sent_without_scripts_lead_to_their_import(
    client_as: ClientAs, files: list[File]
) -> None:
    answer = bring(client_as("doctor"), files)
    assert "/imports/" in str(answer.url)
    assert "Checking and storing" in answer.text


def test_an_import_says_what_became_of_each_file(
    client_as: ClientAs, look: Look, house: House, files: list[File]
) -> None:
    where = str(bring(client_as("doctor"), files).url)
    import_id = where.rsplit("/", 1)[1]
    run_import(house, import_id)
    page = look("doctor", f"imports/{import_id}")
    assert page.has("taken 3", "refused 2", "cut.dcm", "bad.dcm", "Make a case")


def test_an_import_is_its_owners_own_business(
    client_as: ClientAs, look: Look, files: list[File]
) -> None:
    where = str(bring(client_as("doctor"), files).url)
    import_id = where.rsplit("/", 1)[1]
    assert look("teacher", f"imports/{import_id}").status == 404


def test_sending_nothing_says_so_on_the_page(client_as: ClientAs) -> None:
    answer = client_as("doctor").post(
        "import",
        files=[("modality", (None, b"", None))],
        headers={"accept": "text/html"},
    )
    assert answer.status_code == 422
    assert "There is no file in the upload" in answer.text


def test_a_student_sends_nothing(client_as: ClientAs, files: list[File]) -> None:
    assert bring(client_as("student"), files).status_code == 403


def test_the_import_page_offers_what_nifti_can_be(look: Look) -> None:
    page = look("doctor", "import")
    assert page.has("Drop files, folders or zips here", "Choose a folder", "PET")


def test_studies_are_listed_and_found_by_words(look: Look, study_uid: str) -> None:
    assert f"/services/rounds/studies/{study_uid}" in look("doctor", "studies").links()
    assert look("doctor", "studies?words=sphere").has("1 series")
    assert look("doctor", "studies?words=nonsense").has("No study has all")


def test_a_study_shows_its_series_and_what_can_be_done(
    look: Look, study_uid: str
) -> None:
    page = look("doctor", f"studies/{study_uid}")
    assert page.has("6 frames", "32 \u00d7 32", "Make a case", "Study UID")


def test_a_student_sees_no_studies(look: Look, study_uid: str) -> None:
    assert look("student", "studies").status == 403
    assert look("student", f"studies/{study_uid}").status == 404


def test_an_empty_archive_says_how_studies_come(look: Look) -> None:
    assert look("doctor", "studies").has("There are no studies yet", "Import images")
