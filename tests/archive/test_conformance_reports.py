"""Every instance is looked at once in the background; what is wrong is listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.data import get_testdata_file

from rounds_hub.archive.conformance import instance_report, series_report
from rounds_hub.archive.conformance_findings import Finding, bounded, of_dciodvfy
from rounds_hub.archive.conformance_rules import known_classes, wanted
from rounds_hub.archive.conformance_work import Inspector, check_waiting
from rounds_hub.archive.deleting import delete, restore
from rounds_hub.archive.service import Offer, Status, store
from rounds_hub.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.conformance import Report
    from rounds_hub.archive.service import Outcome
    from rounds_hub.house import House

    MakeBytes = Callable[..., bytes]

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture(scope="module")
def inspector() -> Iterator[Inspector]:
    """Return one process for all tests here."""
    with Inspector() as opened:
        yield opened


def bring(house: House, who: Principal, *files: bytes) -> Outcome:
    outcomes = store(house, who, [Offer("a file", file) for file in files])
    assert {one.status for one in outcomes} == {Status.TAKEN}
    return outcomes[0]


def report_on(
    house: House, who: Principal, inspector: Inspector, *files: bytes
) -> Report:
    brought = bring(house, who, *files)
    while check_waiting(house, inspector):
        pass
    return series_report(house, who, brought.series_uid)


def texts(report: Report, tool: str = "rounds") -> list[str]:
    return [one.text for one in report.findings if one.tool == tool]


def test_a_missing_attribute_is_found(
    any_house: House, doctor: Principal, instance: MakeBytes, inspector: Inspector
) -> None:
    report = report_on(any_house, doctor, inspector, instance(PatientID=None))
    missing = "Missing attribute Type 2 PatientID of module patient"
    assert missing in texts(report)


def test_the_same_finding_in_many_instances_is_one_with_its_count(
    house: House, doctor: Principal, instance: MakeBytes, inspector: Inspector
) -> None:
    report = report_on(house, doctor, inspector, instance(1), instance(2), instance(3))
    assert (report.instances, report.checked) == (3, 3)
    assert {one.instances for one in report.findings} == {3}


def test_an_empty_attribute_that_needs_a_value_is_found(
    house: House, doctor: Principal, instance: MakeBytes, inspector: Inspector
) -> None:
    report = report_on(house, doctor, inspector, instance(ImageType=""))
    assert "Empty attribute Type 1 ImageType of module ct-image" in texts(report)


def test_a_value_that_its_kind_does_not_have_is_found_and_not_repeated(
    house: House, doctor: Principal, instance: MakeBytes, inspector: Inspector
) -> None:
    made = instance().replace(b"CS\x02\x00CT", b"CS\x02\x00ct")
    report = report_on(house, doctor, inspector, made)
    assert "Value of Modality is none that a CS has" in texts(report)


@pytest.mark.dciodvfy
@pytest.mark.usefixtures("dciodvfy")
def test_the_verifier_is_asked_where_it_is(
    house: House, doctor: Principal, instance: MakeBytes, inspector: Inspector
) -> None:
    report = report_on(house, doctor, inspector, instance(PatientID=None))
    assert report.tools == ("dciodvfy", "rounds 1")
    assert any("PatientID" in text for text in texts(report, "dciodvfy"))


def test_an_instance_is_looked_at_once(
    house: House, doctor: Principal, instance: MakeBytes, inspector: Inspector
) -> None:
    bring(house, doctor, instance(1), instance(2))
    assert check_waiting(house, inspector) == 2
    assert check_waiting(house, inspector) == 0


def test_a_report_goes_and_comes_back_with_its_instance(
    house: House, doctor: Principal, instance: MakeBytes, inspector: Inspector
) -> None:
    report_on(house, doctor, inspector, instance())
    brought = f"{instance_uid(instance())}"
    removed = delete(house, doctor, "instance", brought, "A test.")
    restore(house, doctor, removed.id)
    assert instance_report(house, doctor, brought).checked == 1


def instance_uid(file: bytes) -> str:
    import io

    from pydicom import dcmread

    return str(dcmread(io.BytesIO(file)).SOPInstanceUID)


def test_who_may_not_see_a_series_sees_no_report(
    house: House,
    doctor: Principal,
    student: Principal,
    instance: MakeBytes,
    inspector: Inspector,
) -> None:
    house.settings.import_audience = []
    brought = bring(house, doctor, instance())
    check_waiting(house, inspector)
    with pytest.raises(NotFoundError):
        series_report(house, student, brought.series_uid)


def test_a_process_that_dies_is_a_problem_and_the_next_file_is_looked_at(
    tmp_path: Path, instance: MakeBytes, inspector: Inspector
) -> None:
    (tmp_path / "good.dcm").write_bytes(instance())
    inspector.look(tmp_path / "good.dcm")
    process = inspector._process  # noqa: SLF001 (it is ended from outside, as by memory)
    assert process is not None
    process.kill()
    process.wait()
    assert inspector.look(tmp_path / "good.dcm")["problem"]
    assert inspector.look(tmp_path / "good.dcm")["findings"]


def test_the_api_gives_the_report(
    house: House,
    doctor: Principal,
    instance: MakeBytes,
    inspector: Inspector,
    client_as: Callable[..., httpx.Client],
) -> None:
    report_on(house, doctor, inspector, instance())
    uid = json.loads(client_as("dora", "doctor").get("api/studies").text)
    series = uid["studies"][0]["series"][0]["uid"]
    answer = client_as("dora", "doctor").get(f"api/series/{series}/conformance").json()
    assert answer["errors"] == sum(
        one["level"] == "error" for one in answer["findings"]
    )
    assert answer["checked"] == 1


def test_a_standard_file_has_few_errors_of_ours(
    house: House, doctor: Principal, inspector: Inspector
) -> None:
    path = Path(str(get_testdata_file("MR_small.dcm", download=False)))
    report = report_on(house, doctor, inspector, path.read_bytes())
    ours = [one for one in report.findings if one.tool == "rounds"]
    assert len([one for one in ours if one.level == "error"]) <= 3


@pytest.mark.parametrize(
    ("line", "kind", "text"),
    [
        pytest.param(
            "Error - Missing attribute Type 2C Conditional Element=<Laterality> "
            "Module=<GeneralSeries>",
            "missing",
            "Missing attribute Type 2C Conditional Laterality of GeneralSeries",
            id="missing",
        ),
        pytest.param(
            "Warning - Value dubious for this VR - (0x0010,0x0010) PN Patient's Name  "
            "PN [1] = <Doe^Jane> - Retired Person Name form",
            "retired",
            "",
            id="a name is left out",
        ),
        pytest.param(
            "(0x0013,0x1015)  ?  - Warning - Unrecognized tag - assuming explicit",
            "encoding",
            "Unrecognized tag - assuming explicit - (0013,1015) ?",
            id="of a tag",
        ),
    ],
)
def test_what_the_verifier_says_is_read(line: str, kind: str, text: str) -> None:
    (found,) = of_dciodvfy(line)
    assert (found.kind, "Doe" in found.text) == (kind, False)
    assert text in found.text


def test_much_noise_is_bounded() -> None:
    many = (Finding("warning", "dciodvfy", "other", str(n)) for n in range(100_000))
    assert len(bounded(many)) == 200


def test_the_tables_know_the_common_kinds() -> None:
    assert len(known_classes()) > 100
    assert {one.keyword for one in wanted(CT)} >= {"Modality", "Rows", "ImageType"}
