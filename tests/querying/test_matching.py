"""Matching by the catalogue, against a plain model that looks at every instance."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.querying.library import (
    ADMIN,
    DOCTOR,
    OWNER,
    ROOT,
    Library,
    a_query,
    as_bytes,
    expected,
    made_library,
)

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.deleting import delete, restore
from rounds_hub.archive.reading import list_studies
from rounds_hub.archive.service import Offer, store
from rounds_hub.errors import ForbiddenError, InvalidError
from rounds_hub.querying.keys import Level
from rounds_hub.querying.service import Answer, Query, find

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_hub.house import House

QUERIES = 100


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    """Return a library on each kind of database, made once."""
    folder: Path = tmp_path_factory.mktemp(f"library-{request.param}")
    house = opened(request, folder)
    yield made_library(house, random.Random(5))  # noqa: S311 (the same each time)
    house.close()


def opened(request: pytest.FixtureRequest, folder: Path) -> House:
    from tests.conftest import open_house
    from tests.newborn import fresh_database

    if request.param == "sqlite":
        return open_house(folder)
    url = fresh_database(request.getfixturevalue("postgresql"))
    return open_house(folder, database_url=url)


def ask(
    library: Library, level: str, principal: Principal = DOCTOR, **keys: str
) -> Answer:
    """Return what a query finds; ``A__B`` is the key B inside the sequence A."""
    asked = {tuple(name.split("__")): split(value) for name, value in keys.items()}
    query = Query(Level(level), asked, combined=False)
    return find(library.house, principal, query)


def split(value: str) -> tuple[str, ...]:
    return tuple(value.split("\\"))


UNIQUE = {
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


def uids(answer: Answer, level: str) -> set[str]:
    return {str(match[UNIQUE[level]][0]) for match in answer.matches}


@pytest.mark.parametrize("principal", [DOCTOR, ADMIN], ids=["doctor", "admin"])
def test_queries_by_chance_find_what_a_plain_search_finds(
    library: Library, principal: Principal
) -> None:
    chance = random.Random(11)  # noqa: S311 (the same queries each time)
    seen, something = library.seen_by(principal), 0
    for _ in range(QUERIES):
        level, asked = a_query(chance)
        found = uids(ask(library, level, principal, **asked), level)
        assert found == expected(seen, level, asked), (level, asked)
        something += bool(found)
    assert something > QUERIES / 4


@pytest.mark.parametrize("level", UNIQUE)
def test_a_hidden_series_is_hidden_at_every_level(library: Library, level: str) -> None:
    found = uids(ask(library, level), level)
    assert found == expected(library.seen_by(DOCTOR), level, {})
    assert uids(ask(library, level, ADMIN), level) > found


def test_a_hidden_series_cannot_be_asked_for_by_its_uid(library: Library) -> None:
    hidden = "\\".join(sorted(library.hidden))
    for level in UNIQUE:
        assert ask(library, level, SeriesInstanceUID=hidden).matches == ()


def test_counts_and_lists_are_of_what_one_may_see(library: Library) -> None:
    counted = ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances")
    wanted = dict.fromkeys([*counted, "ModalitiesInStudy"], "")
    answer = ask(library, "STUDY", DOCTOR, **wanted)
    seen = library.seen_by(DOCTOR)
    for match in answer.matches:
        own = [
            one for one in seen if one["StudyInstanceUID"] in match["StudyInstanceUID"]
        ]
        series = {one["SeriesInstanceUID"] for one in own}
        assert [match[name] for name in counted] == [
            (f"{len(series)}",),
            (f"{len(own)}",),
        ]
        assert match["ModalitiesInStudy"] == tuple(
            sorted({one["Modality"] for one in own})
        )


def test_a_study_whose_only_ct_is_hidden_has_no_ct(library: Library) -> None:
    found = uids(ask(library, "STUDY", ModalitiesInStudy="CT"), "STUDY")
    assert found == expected(library.seen_by(DOCTOR), "STUDY", {"Modality": "CT"})


def test_patients_are_counted_over_what_one_may_see(library: Library) -> None:
    counted = {"NumberOfPatientRelatedInstances": "", "PatientID": "P-1"}
    answer = ask(library, "PATIENT", DOCTOR, **counted)
    own = [one for one in library.seen_by(DOCTOR) if one["PatientID"] == "P-1"]
    assert len(answer.matches) == bool(own)
    assert answer.matches[0]["NumberOfPatientRelatedInstances"] == (f"{len(own)}",)


def test_pages_in_a_row_have_each_study_once(library: Library) -> None:
    whole = [match["StudyInstanceUID"] for match in ask(library, "STUDY").matches]
    pages = [
        find(library.house, DOCTOR, Query(Level.STUDY, limit=2, offset=start))
        for start in range(0, len(whole), 2)
    ]
    assert [one["StudyInstanceUID"] for page in pages for one in page.matches] == whole
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]


def test_what_is_no_key_is_said(library: Library) -> None:
    answer = ask(library, "STUDY", ADMIN, PatientBreedDescription="x", StudyID="")
    assert answer.unmatched == ("PatientBreedDescription",)
    assert len(answer.matches) == len(ask(library, "STUDY", ADMIN).matches)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        pytest.param({"StudyDate": "yesterday"}, "YYYYMMDD", id="no date"),
        pytest.param({"StudyDate": "20200231"}, "YYYYMMDD", id="no day"),
        pytest.param({"StudyDate": "-"}, "YYYYMMDD", id="no ends"),
        pytest.param({"StudyTime": "2561"}, "HHMMSS", id="no time"),
        pytest.param({"AcquisitionDateTime": "x"}, "range of two", id="no moment"),
        pytest.param({"StudyInstanceUID": "1.2;3"}, "UIDs", id="no UID"),
        pytest.param({"SeriesNumber": "one"}, "a number", id="no number"),
        pytest.param({"SeriesNumber": "9" * 400}, "a number", id="too large"),
        pytest.param({"PatientName": "*a" * 40}, "wildcards", id="wildcards"),
        pytest.param({"PatientName": "a" * 10_000}, "10000 letters", id="long"),
        pytest.param({"PatientName": "a\x00b"}, "control", id="NUL"),
        pytest.param({"TimezoneOffsetFromUTC": "9"}, "HHMM", id="no zone"),
        pytest.param(
            {"RequestAttributesSequence__ScheduledProcedureStepID": "a\nb"},
            "control",
            id="inside a sequence",
        ),
        pytest.param(
            {"StudyInstanceUID": "1\\" * 1001 + "1"}, "1000 at once", id="many"
        ),
    ],
)
def test_nonsense_is_refused_clearly(
    library: Library, keys: dict[str, str], why: str
) -> None:
    with pytest.raises(InvalidError, match=why):
        ask(library, "STUDY", ADMIN, **keys)


@pytest.mark.parametrize(
    "value",
    [
        "' OR 1=1 --",
        '"; DROP TABLE study;',
        "%",
        "_",
        "[a-z]",
        "^",
        "{}",
        "$.",
    ],
)
def test_signs_of_sql_and_json_are_only_letters(library: Library, value: str) -> None:
    for name in ("PatientID", "StudyDescription", "ImageType", "Modality"):
        assert ask(library, "STUDY", ADMIN, **{name: value}).matches == ()


def test_many_stars_take_no_time(library: Library) -> None:
    asked = {"StudyDescription": "*a" * 16, "PatientName": "*a" * 16}
    assert ask(library, "STUDY", ADMIN, **asked).matches == ()


def test_fuzzy_names_match_by_the_beginnings_of_words(library: Library) -> None:
    keys: dict[tuple[str, ...], tuple[str, ...]] = {("PatientName",): ("ann smi",)}
    found = find(library.house, ADMIN, Query(Level.STUDY, keys, fuzzy=True))
    names = {match["PatientName"][0] for match in found.matches}
    assert names == {"Smith^Ann Mary"}
    assert find(library.house, ADMIN, Query(Level.STUDY, keys)).matches == ()


def test_a_student_may_ask_for_named_studies_only(library: Library) -> None:
    student = Principal("stan", frozenset({Role.STUDENT}))
    named = ask(library, "SERIES", student, StudyInstanceUID=f"{ROOT}.0")
    assert named.matches == ()
    for everything in ("*", "", "1.2\\*"):
        with pytest.raises(ForbiddenError):
            ask(library, "STUDY", student, StudyInstanceUID=everything)


def test_the_list_of_studies_shows_what_one_may_see(library: Library) -> None:
    shown = {
        series.uid
        for study in list_studies(library.house, DOCTOR).studies
        for series in study.series
    }
    assert shown == {one["SeriesInstanceUID"] for one in library.seen_by(DOCTOR)}


def test_words_of_a_hidden_series_find_no_study(library: Library) -> None:
    for uid in library.hidden:
        assert list_studies(library.house, DOCTOR, uid).studies == ()
        assert len(list_studies(library.house, ADMIN, uid).studies) == 1


def test_studies_that_know_their_zone_are_compared_in_utc(house: House) -> None:
    common = {"SeriesInstanceUID": "1.2.1.1", "StudyInstanceUID": "1.2.1"}
    late = {"StudyDate": "20200101", "StudyTime": "0130", "SOPInstanceUID": "1.2.1.1.1"}
    zone = {"TimezoneOffsetFromUTC": "+0200"}
    store(house, OWNER, [Offer("one", as_bytes(common | late | zone))])
    library = Library(house)
    in_zone = {"TimezoneOffsetFromUTC": "+0000"}
    before = ask(library, "STUDY", ADMIN, StudyDate="20191231", **in_zone)
    assert len(before.matches) == 1
    assert ask(library, "STUDY", ADMIN, StudyDate="20191231").matches == ()
    assert ask(library, "STUDY", ADMIN, StudyDate="20200101", **in_zone).matches == ()


def test_a_deleted_series_that_comes_back_is_seen_as_before(house: House) -> None:
    library = made_library(house, random.Random(4), 2)  # noqa: S311 (made)
    uid = next(iter(library.hidden))
    before = [uids(ask(library, "SERIES", who), "SERIES") for who in (DOCTOR, ADMIN)]
    removal = delete(house, ADMIN, "series", uid, "a trial")
    assert uid not in uids(ask(library, "SERIES", ADMIN), "SERIES")
    restore(house, ADMIN, removal.id)
    after = [uids(ask(library, "SERIES", who), "SERIES") for who in (DOCTOR, ADMIN)]
    assert after == before
