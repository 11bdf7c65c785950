"""C-FIND over real associations, asked for by findscu of DCMTK and by pynetdicom."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from tests.gateway.conftest import run_dcmtk
from tests.querying.library import Library, made_library

from rounds_hub.gateway.listener import Listener
from rounds_hub.gateway.models import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pynetdicom.association import Association

    Find = Callable[..., list[Dataset]]

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
SUCCESS, PENDING, UNSUPPORTED = 0x0000, 0xFF00, 0xFF01
CANCELLED, MISMATCH, TOO_MANY = 0xFE00, 0xA900, 0xA700
STUDIES = 20


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Library, int]]:
    """Let a gateway answer for a library made by chance; give it and the port."""
    from tests.conftest import open_house

    house = open_house(tmp_path_factory.mktemp("asked"))
    library = made_library(house, random.Random(9), STUDIES)  # noqa: S311 (made)
    with house.sessions.begin() as session:
        may = {"may_query": True, "roles": ["doctor"]}
        session.add(Node(name="ward", ae_title="WARD", **may))
        session.add(Node(name="all", ae_title="ALL", may_query=True, roles=["admin"]))
        session.add(Node(name="mute", ae_title="MUTE"))
    house.settings.gateway_port = 0
    with Listener(house) as listening:
        yield library, listening.port
    house.close()


@pytest.fixture
def findscu(asked: tuple[Library, int], tmp_path: Path) -> Find:
    """Return a function that runs findscu and gives the responses."""

    def find(
        level: str, *keys: str, model: str = "-S", title: str = "ALL"
    ) -> list[Dataset]:
        folder = tmp_path / level
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        named = [f"QueryRetrieveLevel={level}", *keys]
        options = [part for key in named for part in ("-k", key)]
        where = ["-aet", title, "-aec", "ROUNDS", "127.0.0.1", str(asked[1])]
        ran = run_dcmtk("findscu", model, "-X", "-od", str(folder), *options, *where)
        assert ran.returncode == 0, ran.stdout
        return [dcmread(path, force=True) for path in sorted(folder.iterdir())]

    return find


@pytest.fixture
def statuses(asked: tuple[Library, int]) -> Callable[..., list[int]]:
    """Return a function that asks with pynetdicom and gives the statuses."""

    def find(model: str, **keys: object) -> list[int]:
        identifier = Dataset()
        for name, value in keys.items():
            setattr(identifier, name, value)
        association = associated(asked[1], model)
        every = association.send_c_find(identifier, model)
        found = [status.Status for status, _ in every]
        association.release()
        return found

    return find


def associated(
    port: int, model: str, title: str = "ALL", options: bytes = b""
) -> Association:
    entity = AE(ae_title=title)
    entity.add_requested_context(model)
    wanted = SOPClassExtendedNegotiation()
    wanted.sop_class_uid = UID(model)
    wanted.service_class_application_information = options
    said: list[Any] = [wanted] if options else []
    return entity.associate("127.0.0.1", port, ae_title="ROUNDS", ext_neg=said)


def uids(found: list[Dataset], name: str) -> set[str]:
    return {str(one[name].value) for one in found}


@pytest.mark.parametrize(
    ("level", "unique"),
    [
        ("STUDY", "StudyInstanceUID"),
        ("SERIES", "SeriesInstanceUID"),
        ("IMAGE", "SOPInstanceUID"),
    ],
)
def test_every_level_is_found(
    asked: tuple[Library, int], findscu: Find, level: str, unique: str
) -> None:
    found = findscu(level, unique)
    assert uids(found, unique) == {one[unique] for one in asked[0].instances}


@pytest.mark.parametrize("level", ["SERIES", "IMAGE"])
def test_a_node_sees_what_its_roles_see(
    asked: tuple[Library, int], findscu: Find, level: str
) -> None:
    found = findscu(level, "SeriesInstanceUID", title="WARD")
    every = {one["SeriesInstanceUID"] for one in asked[0].instances}
    assert uids(found, "SeriesInstanceUID") == every - asked[0].hidden


def test_patients_are_found_in_the_patient_root(
    asked: tuple[Library, int], findscu: Find
) -> None:
    keys = ("PatientID=P*", "PatientName", "NumberOfPatientRelatedStudies")
    found = findscu("PATIENT", *keys, model="-P")
    patients = {one["PatientID"] for one in asked[0].instances}
    assert uids(found, "PatientID") == {one for one in patients if one[:1] == "P"}
    counted = sum(int(one.NumberOfPatientRelatedStudies) for one in found)
    studies = {
        one["StudyInstanceUID"]
        for one in asked[0].instances
        if one["PatientID"][:1] == "P"
    }
    assert counted == len(studies)


def test_names_come_in_unicode_and_are_found_in_it(findscu: Find) -> None:
    found = findscu("STUDY", "SpecificCharacterSet=ISO_IR 192", "PatientName=山田*")
    assert {one.SpecificCharacterSet for one in found} == {"ISO_IR 192"}
    assert {one.PatientName.phonetic for one in found} == {"やまだ^たろう"}


def test_names_come_in_the_character_set_of_the_request(findscu: Find) -> None:
    asked_in = ("SpecificCharacterSet=ISO_IR 100", "PatientName=M*")
    found = findscu("STUDY", *asked_in)
    assert {one.SpecificCharacterSet for one in found} == {"ISO_IR 100"}
    assert "Müller^Hans" in {str(one.PatientName) for one in found}


def test_what_a_character_set_has_not_comes_in_unicode(findscu: Find) -> None:
    found = findscu("STUDY", "SpecificCharacterSet=ISO_IR 100", "PatientName=yamada*")
    assert {one.SpecificCharacterSet for one in found} == {"ISO_IR 192"}


def test_a_response_has_what_was_asked_for(findscu: Find) -> None:
    found = findscu("STUDY", "PatientName", "ModalitiesInStudy", "StudyID")[0]
    assert {one.keyword for one in found} == {
        "SpecificCharacterSet",
        "QueryRetrieveLevel",
        "RetrieveAETitle",
        "PatientName",
        "ModalitiesInStudy",
        "StudyID",
        "StudyInstanceUID",
    }
    assert found.RetrieveAETitle == "ROUNDS"


def test_a_range_of_times_is_not_one_with_a_range_of_dates(
    asked: tuple[Library, int], findscu: Find
) -> None:
    found = findscu("STUDY", "StudyDate=20191231-20210704", "StudyTime=0900-1100")
    early = {
        one["StudyInstanceUID"]
        for one in asked[0].instances
        if one["StudyDate"] and one["StudyTime"] in {"0930", "103000.5"}
    }
    assert uids(found, "StudyInstanceUID") == early


@pytest.mark.parametrize(
    ("asked_for", "agreed"),
    [
        pytest.param(b"\1\1\1\1", b"\1\1\1\0", id="all but the time zone"),
        pytest.param(b"\0\1", b"\0\1", id="as many as were asked"),
    ],
)
def test_options_are_agreed_beforehand(
    asked: tuple[Library, int], asked_for: bytes, agreed: bytes
) -> None:
    association = associated(asked[1], STUDY_ROOT, options=asked_for)
    said = association.acceptor.sop_class_extended
    association.release()
    assert said == {STUDY_ROOT: agreed}


def test_date_and_time_are_one_range_where_that_was_agreed(
    asked: tuple[Library, int],
) -> None:
    one, two = (found_with(asked[1], options) for options in (b"\0\1", b"\0\0"))
    days_between = {
        each["StudyInstanceUID"]
        for each in asked[0].instances
        if "20191231" < each["StudyDate"] < "20210704" and each["StudyTime"]
    }
    assert two < one
    assert days_between <= one


def found_with(port: int, options: bytes) -> set[str]:
    """Return the studies that are found with *options* of extended negotiation."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", ""
    identifier.StudyDate, identifier.StudyTime = "20191231-20210704", "0900-1100"
    association = associated(port, STUDY_ROOT, options=options)
    answers = [found for _, found in association.send_c_find(identifier, STUDY_ROOT)]
    association.release()
    return {str(found.StudyInstanceUID) for found in answers if found is not None}


def test_an_unsupported_key_is_said(statuses: Callable[..., list[int]]) -> None:
    found = statuses(
        STUDY_ROOT, QueryRetrieveLevel="STUDY", PatientBreedDescription="beagle"
    )
    assert found == [UNSUPPORTED] * STUDIES + [SUCCESS]


def test_supported_keys_are_not_called_unsupported(
    statuses: Callable[..., list[int]],
) -> None:
    found = statuses(STUDY_ROOT, QueryRetrieveLevel="STUDY", StudyDate="", Modality="")
    assert found[0] == UNSUPPORTED
    found = statuses(STUDY_ROOT, QueryRetrieveLevel="SERIES", StudyDate="", Modality="")
    assert set(found) == {PENDING, SUCCESS}


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"QueryRetrieveLevel": "PATIENT"}, id="level of another model"),
        pytest.param({"QueryRetrieveLevel": ""}, id="no level"),
        pytest.param({"StudyDescription": "*x" * 30}, id="wildcards"),
        pytest.param({"PatientComments": "x" * 10_000}, id="long"),
        pytest.param(
            {"RequestAttributesSequence": [Dataset(), Dataset()]}, id="two items"
        ),
    ],
)
def test_nonsense_is_a_mismatch(
    statuses: Callable[..., list[int]], keys: dict[str, Any]
) -> None:
    assert statuses(STUDY_ROOT, **({"QueryRetrieveLevel": "STUDY"} | keys)) == [
        MISMATCH
    ]


def test_a_query_can_be_cancelled(asked: tuple[Library, int]) -> None:
    association = associated(asked[1], STUDY_ROOT)
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.SOPInstanceUID = "IMAGE", ""
    responses = association.send_c_find(identifier, STUDY_ROOT, msg_id=7)
    first = next(responses)[0].Status
    association.send_c_cancel(7, query_model=STUDY_ROOT)
    last = [status.Status for status, _ in responses][-1]
    association.release()
    assert first == PENDING
    assert last in {CANCELLED, SUCCESS}


def test_too_many_matches_are_not_called_success(
    asked: tuple[Library, int], statuses: Callable[..., list[int]]
) -> None:
    settings = asked[0].house.settings
    usual, settings.query_limit = settings.query_limit, 5
    found = statuses(PATIENT_ROOT, QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    settings.query_limit = usual
    assert found == [PENDING] * 5 + [TOO_MANY]


def test_a_node_without_the_right_may_not_ask(asked: tuple[Library, int]) -> None:
    association = associated(asked[1], STUDY_ROOT, "MUTE")
    assert not association.accepted_contexts
