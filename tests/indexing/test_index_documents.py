"""What the index is told of cases, results and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from rounds_hub.access.sight import touched
from rounds_hub.archive.models import Series, Study
from rounds_hub.cases import service
from rounds_hub.indexing.documents import image_id
from rounds_hub.indexing.entries import Entries
from rounds_hub.runs.models import Run
from rounds_search.documents import Delete, Document, ImageDocument

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

    AddCase = Callable[..., str]
    AddRun = Callable[..., str]
    Entry = Document | ImageDocument | Delete

ADMINS = "role:admin"
CODE = {"value": "J43.9", "scheme": "ICD10", "meaning": "Emphysema, unspecified"}


def entries(house: House, kind: str, key: str) -> dict[tuple[str, str], Entry]:
    """Return what an event makes of the index now."""
    with house.sessions.begin(write=False) as session:
        return dict(Entries(house, session, 7).changed_by(kind, key))


def case_document(house: House, case_id: str = "c1") -> Document:
    found = entries(house, "case", case_id)["case", case_id]
    assert isinstance(found, Document)
    return found


def result_document(house: House, run_id: str = "r1") -> Document:
    found = entries(house, "run", run_id)["run", run_id]
    assert isinstance(found, Document)
    return found


def change(house: House, teacher: Principal, **fields: object) -> None:
    revision = service.get(house, teacher, "c1").revision
    service.update(house, teacher, "c1", fields, revision=revision)


def test_texts_of_all_languages_are_in_one_document(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    add_case("c1", "everyone")
    told = {"title": "球", "findings": "水"}
    change(any_house, teacher, findings="Water.", translations={"zh": told})
    document = case_document(any_house)
    assert document.title == "Ball · 球"
    assert document.text["findings"] == "Water.\n\n水"
    assert document.values("language") == ("en", "zh")


def test_a_translation_that_says_the_same_is_not_told_twice(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    add_case("c1", "everyone")
    change(any_house, teacher, translations={"de": {"title": "Ball"}})
    assert case_document(any_house).title == "Ball"


def test_codes_are_found_by_value_by_meaning_and_as_a_filter(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    add_case("c1", "everyone")
    change(any_house, teacher, codes=[CODE])
    document = case_document(any_house)
    assert document.text["codes_text"] == "J43.9 Emphysema, unspecified"
    assert document.values("code") == ("ICD10:J43.9",)


def test_facets_come_from_case_and_series(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    uid = add_case("c1", "everyone")
    change(any_house, teacher, body_part="KNEE", level="advanced")
    document = case_document(any_house)
    facets = [document.values(name) for name in ("modality", "body_part", "level")]
    assert facets == [("CT",), ("knee",), ("advanced",)]
    assert (document.thumbnail, document.revision) == (uid, 7)


def test_the_audience_is_that_of_the_policy(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    add_case("c1", "role:student")
    own = {"user:teacher", ADMINS}
    assert case_document(any_house).audience == own | {"role:student"}
    service.withdraw(any_house, teacher, "c1")
    assert case_document(any_house).audience == own


def test_the_patient_is_not_told(any_house: House, add_case: AddCase) -> None:
    add_case("c1", "everyone")
    with any_house.sessions.begin() as session:
        session.execute(update(Study).values(patient_name="Doe^Jane", patient_id="P7"))
    told = str(case_document(any_house).to_json())
    assert "Doe" not in told
    assert "P7" not in told


def test_a_deleted_case_is_taken_out_with_its_images(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    uid = add_case("c1", "everyone")
    service.delete(any_house, teacher, "c1")
    found = entries(any_house, "case", "c1")
    assert found["case", "c1"] == Delete("c1", 7)
    assert found["series", uid] == Delete(image_id(uid), 7, pictures=True)


def test_what_does_not_exist_is_taken_out(any_house: House) -> None:
    gone = {("case", "c9"): Delete("c9", 7), ("masked", "c9"): Delete("c9~", 7)}
    assert entries(any_house, "case", "c9") == gone
    assert entries(any_house, "run", "r9") == {("run", "r9"): Delete("run-r9", 7)}


def test_images_lead_to_every_case_that_shows_them(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    uid = add_case("c1", "everyone")
    told = {"title": "Other", "series": [uid]}
    service.create(any_house, teacher, told, case_id="c2")
    found = entries(any_house, "series", uid)
    images = found["series", uid]
    assert isinstance(images, ImageDocument)
    assert images.case_ids == ("c1", "c2")
    assert images.audience == {"everyone", "user:teacher", ADMINS}
    assert {("case", "c1"), ("case", "c2")} <= found.keys()


def test_images_in_no_case_are_not_indexed(
    any_house: House, add_case: AddCase, teacher: Principal
) -> None:
    uid = add_case("c1", "everyone")
    service.withdraw(any_house, teacher, "c1")
    service.remove_series(any_house, teacher, "c1", uid)
    assert isinstance(entries(any_house, "series", uid)["series", uid], Delete)


@pytest.mark.parametrize("modality", ["SEG", "SR", "KO"])
def test_what_is_no_picture_has_no_images(
    any_house: House, add_case: AddCase, modality: str
) -> None:
    uid = add_case("c1", "everyone")
    with any_house.sessions.begin() as session:
        session.execute(update(Series).values(modality=modality))
        touched(session, [uid])
    assert isinstance(entries(any_house, "series", uid)["series", uid], Delete)
    assert case_document(any_house).values("modality") == ()


def test_a_result_says_template_inputs_and_numbers(
    any_house: House, add_case: AddCase, add_run: AddRun
) -> None:
    uid = add_case("c1", "everyone")
    add_run("r1", uid)
    document = result_document(any_house)
    assert document.title == "Ball volume: Phantom sphere"
    assert document.text["findings"] == "Ball 11.5 ml"
    assert (document.values("kind"), document.thumbnail) == (("result",), uid)


def test_a_result_is_seen_by_who_asked_and_who_sees_its_inputs(
    any_house: House, add_case: AddCase, add_run: AddRun
) -> None:
    add_run("r1", add_case("c1", "role:student"))
    seen = {"user:researcher", "user:teacher", "role:student", ADMINS}
    assert result_document(any_house).audience == seen


def test_a_result_of_a_lost_input_is_seen_by_who_asked_alone(
    any_house: House, add_case: AddCase, add_run: AddRun
) -> None:
    add_run("r1", add_case("c1", "everyone"))
    lost = [{"name": "ct", "series_uid": "1.2.3", "content_hash": ""}]
    with any_house.sessions.begin() as session:
        session.execute(update(Run).values(inputs=lost))
    document = result_document(any_house)
    assert document.audience == {"user:researcher", ADMINS}
    assert document.title == "Ball volume"


@pytest.mark.parametrize("state", ["waiting", "running", "failed", "cancelled"])
def test_an_unfinished_run_is_no_result(
    any_house: House, add_case: AddCase, add_run: AddRun, state: str
) -> None:
    add_run("r1", add_case("c1", "everyone"), state=state)
    assert isinstance(entries(any_house, "run", "r1")["run", "r1"], Delete)


def test_an_unknown_kind_names_the_known_ones(any_house: House) -> None:
    with pytest.raises(ValueError, match=r"'study'.*series, case, run"):
        entries(any_house, "study", "x")
