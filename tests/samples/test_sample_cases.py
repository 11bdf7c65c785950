"""The sample cases: complete, correct in form, and what a new house comes with."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset, dcmwrite

from rounds_hub import samples
from rounds_hub.access.principal import Principal, Role
from rounds_hub.cases import searching, service
from rounds_hub.cases.content import TEXTS, checked
from rounds_hub.cases.searching import Question
from rounds_hub.errors import NotFoundError
from rounds_hub.samples import installing
from rounds_hub.samples.images import MissingPackageError, locate, offers_of
from rounds_hub.samples.teaching import SampleImages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_hub.house import House
    from rounds_hub.samples import SampleCase

ALL = samples.sample_cases()
STUDENT = Principal("student", frozenset({Role.STUDENT}))
DOCTOR = Principal("doctor", frozenset({Role.DOCTOR}))
OURS = [
    (case, one)
    for case in ALL
    for one in case.images
    if one.kind in {"nifti", "phantom"}
]


def datasets_of(one: SampleImages) -> list[Dataset]:
    """Return what is made of *one* anew."""
    made = [offer.source for offer in offers_of(one)]
    return [dataset for dataset in made if isinstance(dataset, Dataset)]


each_case = pytest.mark.parametrize("case", [pytest.param(c, id=c.id) for c in ALL])


@pytest.fixture(scope="module")
def full_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house with the sample cases."""
    from tests.conftest import open_house

    opened = open_house(tmp_path_factory.mktemp("samples"))
    samples.install(opened)
    yield opened
    opened.close()


@each_case
def test_a_sample_case_passes_the_checks_of_cases(case: SampleCase) -> None:
    assert checked(case.fields).keys() == case.fields.keys()


@each_case
def test_a_sample_case_is_worth_reading(case: SampleCase) -> None:
    assert all(case.fields[name] for name in TEXTS)
    assert len(case.fields["discussion"]) > 300
    assert len(case.fields["codes"]) >= 2
    assert case.fields["body_part"]


@each_case
def test_a_sample_case_names_origin_and_licence(case: SampleCase) -> None:
    source = case.fields["source"]
    assert any(word in source for word in ("MIT", "BSD-3-Clause", "free to use"))


@each_case
def test_translations_say_everything(case: SampleCase) -> None:
    for told in case.fields.get("translations", {}).values():
        assert told.keys() == set(TEXTS)


def test_there_are_enough_of_each_kind() -> None:
    chinese = [one for one in ALL if "zh" in one.fields.get("translations", {})]
    hidden = [one for one in ALL if "everyone" not in one.fields["audience"]]
    real = [one for one in ALL if one.images[0].kind != "phantom"]
    drafts = [one for one in ALL if one.draft]
    assert len(ALL) >= 8
    assert len(real) >= 8
    assert (len(chinese) >= 2, bool(hidden), bool(drafts)) == (True, True, True)


def test_codes_agree_over_all_sample_cases() -> None:
    meanings: dict[tuple[str, str], set[str]] = {}
    for case in ALL:
        for code in case.fields["codes"]:
            key = (code["scheme"], code["value"])
            meanings.setdefault(key, set()).add(code["meaning"])
    assert {key: said for key, said in meanings.items() if len(said) > 1} == {}


def test_every_sample_case_has_its_pictures(full_house: House) -> None:
    admin = Principal("admin", frozenset({Role.ADMIN}))
    for case in ALL:
        view = service.get(full_house, admin, case.id)
        assert [one.is_picture for one in view.series] == [True] * len(case.images)
        assert view.status == ("draft" if case.draft else "published")


@pytest.mark.parametrize(
    ("words", "case_id"),
    [
        pytest.param("brain", "sample-brain-t1", id="English"),
        pytest.param("脑", "sample-brain-t1", id="Chinese"),
        pytest.param("肺转移", "sample-chest-metastases", id="two Chinese words"),
        pytest.param("cannonball", "sample-chest-metastases", id="a word in quotes"),
        pytest.param("emphysema", "sample-thorax-emphysema", id="a phantom"),
        pytest.param("non-ossifying", "sample-tibia-fibroma", id="a hyphen"),
        pytest.param("NASCET", "sample-vessel-stenosis", id="an abbreviation"),
        pytest.param("J43.9", "sample-thorax-emphysema", id="a code"),
    ],
)
def test_a_student_finds_sample_cases(
    full_house: House, words: str, case_id: str
) -> None:
    found = searching.search(full_house, STUDENT, Question(text=words))
    assert case_id in {hit.id for hit in found.hits[:3]}


def test_a_student_sees_neither_the_hidden_case_nor_the_draft(
    full_house: House,
) -> None:
    open_to_all = {
        one.id for one in ALL if not one.draft and "everyone" in one.fields["audience"]
    }
    found = searching.search(full_house, STUDENT, Question(size=100))
    assert {hit.id for hit in found.hits} == open_to_all
    assert found.total == len(open_to_all)
    with pytest.raises(NotFoundError):
        service.get(full_house, STUDENT, "sample-liver-mass")
    assert service.get(full_house, DOCTOR, "sample-liver-mass").level == "advanced"


def test_like_images_are_of_like_kind(full_house: House) -> None:
    found = searching.similar(full_house, STUDENT, "sample-brain-t1", size=3)
    assert "sample-epi-b0" in {hit.id for hit in found.hits}


def test_a_second_time_costs_next_to_nothing(full_house: House) -> None:
    told: list[str] = []
    since = time.perf_counter()
    ids = samples.install(full_house, told.append)
    assert time.perf_counter() - since < 0.3
    assert set(ids) == {case.id for case in ALL}
    assert told == [f"{len(ALL)} sample cases are there."]


def test_a_lost_stamp_makes_nothing_twice(full_house: House) -> None:
    (full_house.settings.data / installing.STAMP).unlink()
    teacher = installing.AUTHOR
    before = service.get(full_house, teacher, "sample-brain-t1").revision
    assert len(samples.install(full_house)) == len(ALL)
    assert service.get(full_house, teacher, "sample-brain-t1").revision == before


def test_a_case_without_its_package_is_left_out_by_name(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = next(case for case in ALL if case.id == "sample-epi-b0")
    absent = SampleImages("nifti", "x", "no_such_package", "x.nii")
    lacking = samples.SampleCase(one.id, one.fields, (absent,))
    monkeypatch.setattr(installing, "sample_cases", lambda: (lacking,))
    told: list[str] = []
    assert samples.install(house, told.append) == ()
    assert "is left out: the package 'no_such_package'" in told[0]
    assert "extra 'demo'" in told[0]


def test_a_package_is_found_without_being_imported() -> None:
    seen = (
        "import sys; from rounds_hub.samples.images import locate;"
        "locate('nilearn', 'datasets/data/development_fmri.csv');"
        "print('nilearn' in sys.modules)"
    )
    command = [sys.executable, "-c", seen]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_a_file_that_its_package_lacks_is_missing() -> None:
    with pytest.raises(MissingPackageError, match="'pydicom'"):
        locate("pydicom", "data/test_files/no-such.dcm")


def test_an_unknown_kind_of_images_is_refused() -> None:
    with pytest.raises(ValueError, match="'painting'"):
        offers_of(SampleImages("painting", "x"))


@pytest.mark.parametrize("one", [pytest.param(i, id=c.id) for c, i in OURS])
def test_converted_images_are_the_same_bytes_each_time(
    one: SampleImages, tmp_path: Path
) -> None:
    first, second = datasets_of(one), datasets_of(one)
    for name, written in (("a", first), ("b", second)):
        dcmwrite(tmp_path / name, written[len(written) // 2], enforce_file_format=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.dciodvfy
@pytest.mark.parametrize("one", [pytest.param(i, id=c.id) for c, i in OURS])
def test_converted_images_are_valid_dicom(
    one: SampleImages, tmp_path: Path, dciodvfy: str
) -> None:
    made = datasets_of(one)
    for number in (0, len(made) // 2, len(made) - 1):
        path = tmp_path / f"{number}.dcm"
        dcmwrite(path, made[number], enforce_file_format=True)
        done = subprocess.run(
            [dciodvfy, str(path)], check=False, capture_output=True, text=True
        )
        said = (done.stdout + done.stderr).splitlines()
        assert [line for line in said if line.startswith("Error")] == []
